"""What the claims of an OpenID provider are here (OpenID Connect Core 1.0, 5.1). Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from lti_server.providers import PersonRole, SourcePerson

FIELDS = (
    "given_name", "middle_name", "family_name", "full_name", "username", "email", "phone", "gender", "language",
    "birth_date",
)  # fmt: skip
"""What of a person the claims can say."""


def person(claims: Mapping[str, Any], *, role_claim: str = "", teacher_words: Collection[str] = ()) -> SourcePerson:
    """The person of verified claims. A claim of another type than text is withheld; so is a picture.

    Without a claim that says so nobody is a teacher: an unknown role is under the stricter schedule.
    """
    return SourcePerson(
        source_id=str(claims["sub"]),
        role=role_of(claims.get(role_claim), teacher_words) if role_claim else PersonRole.OTHER,
        birth_date=birth_date(claims.get("birthdate")),
        given_name=text(claims.get("given_name")),
        middle_name=text(claims.get("middle_name")),
        family_name=text(claims.get("family_name")),
        full_name=text(claims.get("name")),
        username=text(claims.get("preferred_username")),
        email=text(claims.get("email")),
        phone=text(claims.get("phone_number")),
        gender=text(claims.get("gender")),
        language=text(claims.get("locale")),
    )


def role_of(said: object, teacher_words: Collection[str]) -> PersonRole:
    """A role from a claim that is one word or a list of them."""
    words = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    wanted = {word.casefold() for word in teacher_words}
    is_teacher = any(isinstance(word, str) and word.strip().casefold() in wanted for word in words)
    return PersonRole.TEACHER if is_teacher else PersonRole.OTHER


def birth_date(said: object) -> date | None:
    """`YYYY-MM-DD`; a year alone, or `0000` for a year withheld (Core 5.1), is no date."""
    try:
        return date.fromisoformat(said) if isinstance(said, str) and len(said) == 10 else None
    except ValueError:
        return None


def text(said: object) -> str:
    return said if isinstance(said, str) else ""
