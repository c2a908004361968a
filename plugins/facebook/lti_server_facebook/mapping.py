"""What a Facebook profile is here. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lti_server.providers import PersonRole, SourcePerson

FIELDS = ("full_name", "email")
"""What of a person is read; friends, a picture and a birthday are not asked for."""


def person(user_id: str, profile: Mapping[str, Any]) -> SourcePerson:
    """Facebook knows nothing of schools: nobody is a teacher by its word. An e-mail may have been declined."""
    return SourcePerson(
        source_id=user_id,
        role=PersonRole.OTHER,
        full_name=_text(profile.get("name")),
        email=_text(profile.get("email")),
    )


def _text(said: object) -> str:
    return said if isinstance(said, str) else ""
