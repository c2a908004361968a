"""From a member of an LTI course to our records: a pure function (NRPS 2.0, 2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lti_server.lti.roles import Role, is_test_user, role_of
from lti_server.providers.errors import BrokeContract
from lti_server.providers.records import MembershipRole, PersonRole, SourceMembership, SourcePerson

KNOWN = frozenset({"name", "given_name", "middle_name", "family_name", "email", "lis_person_sourcedid"})
NOT_PERSONAL = frozenset({"user_id", "roles", "status", "message", "lti11_legacy_user_id", "group_enrollments"})
LONGEST_ID = 255


def member(row: object, section: str) -> tuple[SourcePerson, SourceMembership] | None:
    """The person and their membership, or None for somebody who neither teaches nor learns here.

    An absent status is Active; Inactive and Deleted are no live membership. A field that has no attribute of ours goes
    along as `extra`, so that it is refused and counted.

    Raises:
        BrokeContract: the row is not a member as the specification has it.
    """
    if not isinstance(row, Mapping):
        raise BrokeContract("The LMS's member list holds something that is no member; nothing of it is used.")
    user_id, roles = row.get("user_id"), row.get("roles")
    if not isinstance(user_id, str) or not 0 < len(user_id) <= LONGEST_ID or not isinstance(roles, list):
        raise BrokeContract("A member of the LMS's list has no user_id or no roles; nothing of the list is used.")
    texts = [role for role in roles if isinstance(role, str)]
    role = role_of(texts)
    if role not in (Role.TEACHER, Role.PUPIL) or is_test_user(texts):
        return None
    teaches = role is Role.TEACHER
    person = SourcePerson(
        source_id=user_id,
        role=PersonRole.TEACHER if teaches else PersonRole.PUPIL,
        full_name=_text(row.get("name")),
        given_name=_text(row.get("given_name")),
        middle_name=_text(row.get("middle_name")),
        family_name=_text(row.get("family_name")),
        email=_text(row.get("email")),
        sis_id=_text(row.get("lis_person_sourcedid")),
        extra=_extra(row),
    )
    return person, SourceMembership(
        section_source_id=section,
        person_source_id=user_id,
        role=MembershipRole.TEACHER if teaches else MembershipRole.PUPIL,
        active=row.get("status", "Active") == "Active",
    )


def legacy_id(row: object) -> str:
    """What an LMS called the member in an LTI 1.1 time (NRPS 2.0, 2.2); nothing where it says none."""
    found = _text(row.get("lti11_legacy_user_id")) if isinstance(row, Mapping) else ""
    return found if len(found) <= LONGEST_ID else ""


def _text(value: Any) -> str:
    """Text, or nothing: an unexpanded variable is not a value (D2L sends `$User.Id`)."""
    return value if isinstance(value, str) and not value.startswith("$") else ""


def _extra(row: Mapping[str, Any]) -> dict[str, str]:
    unknown = row.keys() - KNOWN - NOT_PERSONAL
    return {str(name): str(row[name])[:200] for name in sorted(unknown) if row[name] not in (None, "")}
