"""What ClassLink's `my/info` is here. Pure.

Null, empty and absent are one: withheld.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lti_server.providers import PersonRole, SourcePerson

FIELDS = ("given_name", "family_name", "sis_id", "username", "email", "legacy_ids")
"""What of a person is read; a picture, the school's branding and addresses are not among it."""

# In lower case: ClassLink writes "Teacher", OneRoster "teacher". A word that is not here says nothing.
ROLES: Mapping[str, PersonRole] = {
    "student": PersonRole.PUPIL,
    "teacher": PersonRole.TEACHER,
    "aide": PersonRole.STAFF,
    "proctor": PersonRole.STAFF,
    "administrator": PersonRole.STAFF,
    "tenant administrator": PersonRole.STAFF,
    "system administrator": PersonRole.STAFF,
    "parent": PersonRole.GUARDIAN,
    "guardian": PersonRole.GUARDIAN,
    "relative": PersonRole.GUARDIAN,
}

# Not sure: that no smaller role bears this word. An administrator of one school is "Administrator".
ADMINISTRATOR = "tenant administrator"


def subject(tenant_id: str, user_id: str, info: Mapping[str, Any]) -> str:
    """The district's id where it has a roster, else ClassLink's own.

    The kind of id is a part of it: a district's ids are free text, and one of them may be another person's number.
    """
    sourced_id = _text(info.get("SourcedId"))
    return f"{tenant_id}|SourcedId|{sourced_id}" if sourced_id else own_id(tenant_id, user_id)


def own_id(tenant_id: str, user_id: str) -> str:
    """What stands for somebody until their district has a roster, and is theirs still when it has one."""
    return f"{tenant_id}|UserId|{user_id}"


def person(tenant_id: str, user_id: str, info: Mapping[str, Any]) -> SourcePerson:
    """The person of a record, of which nothing but the ids is sure to be there."""
    key, own = subject(tenant_id, user_id, info), own_id(tenant_id, user_id)
    return SourcePerson(
        source_id=key,
        role=role(info.get("Role")),
        given_name=_text(info.get("FirstName")),
        family_name=_text(info.get("LastName")),
        sis_id=_text(info.get("SourcedId")),
        username=_text(info.get("LoginId")),
        email=_text(info.get("Email")),
        legacy_ids=() if key == own else (own,),
    )


def role(said: object) -> PersonRole:
    """Without a word that is known, the stricter schedule is theirs."""
    return ROLES.get(_word(said), PersonRole.OTHER)


def administers(said: object) -> bool:
    """Whether this is the one who administers the tenant; an administrator of a school does not."""
    return _word(said) == ADMINISTRATOR


def _word(said: object) -> str:
    return " ".join(_text(said).lower().split())


def _text(said: object) -> str:
    return said if isinstance(said, str) else ""
