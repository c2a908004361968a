"""Which role somebody has: one table, the context's role over the institution's (LTI Core 1.3, A.2)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

CONTEXT = "http://purl.imsglobal.org/vocab/lis/v2/membership"
INSTITUTION = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#"
SYSTEM = "http://purl.imsglobal.org/vocab/lis/v2/system/person#"
LEGACY_CONTEXT = "urn:lti:role:ims/lis/"
TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"


class Role(StrEnum):
    """What somebody is in a section. `NONE` is no privilege: an unknown role grants nothing."""

    TEACHER = "teacher"
    PUPIL = "pupil"
    OBSERVER = "observer"
    NONE = "none"


# Least privilege first where two context roles meet: a Learner who is also an Instructor of the same course teaches it.
_RANK = {Role.NONE: 0, Role.OBSERVER: 1, Role.PUPIL: 2, Role.TEACHER: 3}

_CONTEXT_ROLES = {
    "Instructor": Role.TEACHER,
    "Administrator": Role.NONE,
    "ContentDeveloper": Role.NONE,
    "Manager": Role.NONE,
    "Officer": Role.NONE,
    "Learner": Role.PUPIL,
    "Member": Role.NONE,
    "Mentor": Role.OBSERVER,
}

# LTI 1.1 had the assistant as a role of its own, and short names still do.
_SHORT_NAMES = {**_CONTEXT_ROLES, "TeachingAssistant": Role.TEACHER}

# A sub-role is its principal role, but for those that only look or only mark.
_SUB_ROLES = {
    ("Instructor", "Grader"): Role.NONE,
    ("Instructor", "GuestInstructor"): Role.NONE,
    ("Learner", "NonCreditLearner"): Role.PUPIL,
    ("Learner", "GuestLearner"): Role.PUPIL,
    ("Mentor", "LearningCoordinator"): Role.OBSERVER,
}

# An institution's role says who somebody is, not what they are in this course. It grants no teaching; a Student or
# Learner of the institution is a pupil wherever the context says nothing.
_INSTITUTION_ROLES = {"Student": Role.PUPIL, "Learner": Role.PUPIL, "Mentor": Role.OBSERVER}


def role_of(roles: Iterable[str]) -> Role:
    """The one role that a list of role URIs or short names gives.

    Takes full URIs, sub-roles (`membership/Instructor#TeachingAssistant`), short context names (deprecated, still
    sent by Moodle's membership list) and LTI 1.1 URNs.
    """
    context: Role | None = None
    institution = Role.NONE
    for role in roles:
        found = _context_role(role)
        if found is not None:
            context = found if context is None or _RANK[found] > _RANK[context] else context
        elif role.startswith(INSTITUTION):
            offered = _INSTITUTION_ROLES.get(role.removeprefix(INSTITUTION), Role.NONE)
            institution = max(institution, offered, key=_RANK.__getitem__)
    return institution if context is None else context


_MAY_CHOOSE = frozenset({"Administrator", "ContentDeveloper", "Manager", "Instructor", "TeachingAssistant"})
_INSTITUTION_MAY_CHOOSE = frozenset({"Administrator", "Faculty", "Instructor", "Staff"})
_SYSTEM_MAY_CHOOSE = frozenset({"Administrator", "SysAdmin", "AccountAdmin", "Creator"})


def may_choose(roles: Iterable[str]) -> bool:
    """Whether somebody may choose lessons for a course: who teaches it or makes its content, never a pupil of it.

    The institution's roles count only where the course gives none: a picker opens outside of courses, too.
    """
    listed = list(roles)
    within = [role for role in listed if _context_role(role) is not None]
    if within:
        return any(_choosing(role) for role in within)
    return any(
        role.removeprefix(INSTITUTION) in _INSTITUTION_MAY_CHOOSE or role.removeprefix(SYSTEM) in _SYSTEM_MAY_CHOOSE
        for role in listed
        if role.startswith((INSTITUTION, SYSTEM))
    )


def _choosing(role: str) -> bool:
    if _context_role(role) is Role.TEACHER:
        return True
    principal = role.removeprefix(CONTEXT + "#").removeprefix(LEGACY_CONTEXT).removeprefix(CONTEXT + "/")
    return principal.partition("#")[0].partition("/")[0] in _MAY_CHOOSE - {"Instructor", "TeachingAssistant"}


def is_administrator(roles: Iterable[str]) -> bool:
    """Whether somebody administers the institution; an administrator of a course alone does not."""
    return INSTITUTION + "Administrator" in roles


def is_test_user(roles: Iterable[str]) -> bool:
    """Whether the platform marks this as a test user (a teacher's "student view")."""
    return TEST_USER in roles


def _context_role(role: str) -> Role | None:
    """The role within the course, or None where the text is not a context role at all."""
    if role.startswith(CONTEXT + "#"):
        return _CONTEXT_ROLES.get(role.removeprefix(CONTEXT + "#"), Role.NONE)
    if role.startswith(CONTEXT + "/"):
        principal, _, sub = role.removeprefix(CONTEXT + "/").partition("#")
        return _sub_role(principal, sub)
    if role.startswith(LEGACY_CONTEXT):
        principal, _, sub = role.removeprefix(LEGACY_CONTEXT).partition("/")
        return _sub_role(principal, sub) if sub else _SHORT_NAMES.get(principal, Role.NONE)
    return _SHORT_NAMES.get(role)


def _sub_role(principal: str, sub: str) -> Role:
    if principal not in _CONTEXT_ROLES or not sub:
        return Role.NONE
    if sub in ("TeachingAssistant", "TeachingAssistantGroup", "TeachingAssistantSection"):
        return Role.TEACHER
    return _SUB_ROLES.get((principal, sub), _CONTEXT_ROLES[principal])
