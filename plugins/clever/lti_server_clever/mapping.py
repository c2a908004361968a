"""What a user of Clever's is here (Data API 3.1, `User`). Pure.

Null, empty and absent are one: withheld. Clever has no other sign of what a district does not share.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from lti_server.providers import PersonRole, SourcePerson

FIELDS = ("given_name", "middle_name", "family_name", "sis_id", "state_id", "email", "birth_date")
"""What of a person is read; grades, schools and gender are a roster's to bring."""

# The first that somebody has counts: a pupil is a pupil whatever else is said (Clever combines neither a pupil nor a
# contact with another role), and who teaches is a teacher, an administrator of the district too.
ROLES = (
    ("student", PersonRole.PUPIL),
    ("teacher", PersonRole.TEACHER),
    ("staff", PersonRole.STAFF),
    ("district_admin", PersonRole.STAFF),
    ("contact", PersonRole.GUARDIAN),
)
SIS_IDS = {"student": "sis_id", "teacher": "sis_id", "staff": "staff_id", "contact": "sis_id"}


def person(user_id: str, user: Mapping[str, Any]) -> SourcePerson:
    """The person of a user record; with an empty one, somebody of whom nothing but the id is known."""
    name, roles = _object(user.get("name")), _roles(user)
    return SourcePerson(
        source_id=user_id,
        role=role_of(user),
        given_name=_text(name.get("first")),
        middle_name=_text(name.get("middle")),
        family_name=_text(name.get("last")),
        sis_id=_first(_text(roles[role].get(key)) for role, key in SIS_IDS.items() if role in roles),
        state_id=_first(_text(said.get("state_id")) for said in roles.values()),
        email=_text(user.get("email")),
        birth_date=birth_date(roles.get("student", {}).get("dob")),
    )


def role_of(user: Mapping[str, Any]) -> PersonRole:
    """One role for all that Clever says of somebody; without any, the stricter schedule is theirs."""
    roles = _roles(user)
    return next((role for word, role in ROLES if word in roles), PersonRole.OTHER)


def administers(user: Mapping[str, Any]) -> bool:
    """Whether Clever says of somebody that they administer their district; of a pupil it does not count."""
    roles = _roles(user)
    return "district_admin" in roles and "student" not in roles


def birth_date(said: object) -> date | None:
    """`MM/DD/YYYY`; whatever is no date of the calendar is withheld."""
    try:
        return datetime.strptime(_text(said), "%m/%d/%Y").date()  # noqa: DTZ007 # a day has no zone
    except ValueError:
        return None


def _roles(user: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The roles that somebody has: a role that is null is none, one of which nothing is shared is one."""
    said = _object(user.get("roles"))
    return {word: found for word, _ in ROLES if isinstance(found := said.get(word), dict)}


def _object(said: object) -> Mapping[str, Any]:
    return said if isinstance(said, dict) else {}


def _text(said: object) -> str:
    return said if isinstance(said, str) else ""


def _first(said: Any) -> str:
    return next((one for one in said if one), "")
