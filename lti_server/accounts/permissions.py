"""Who may do what: the one table. A role or permission that is not in it is refused (law 1)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class StaffRole(StrEnum):
    """Whom `admin invite` lets in. The operator has no district."""

    OPERATOR = "operator"
    DISTRICT_ADMIN = "district_admin"
    SCHOOL_ADMIN = "school_admin"
    DATA_STEWARD = "data_steward"
    TEACHER = "teacher"
    EVALUATOR = "evaluator"


class Permission(StrEnum):
    """One thing that may be done."""

    SEE_HOME = "home:see"
    MANAGE_DISTRICTS = "districts:manage"
    MANAGE_PLATFORMS = "platforms:manage"
    CONNECT_PROVIDERS = "providers:connect"
    SEE_CONTRACT = "contract:see"
    SIGN_CONTRACT = "contract:sign"
    RUN_ROSTER = "roster:run"
    SEE_SECTIONS = "sections:see"
    SEE_OWN_SECTIONS = "own_sections:see"
    REVOKE_GRANTS = "grants:revoke"
    SEE_LOG = "log:see"
    ANSWER_REQUESTS = "requests:answer"
    SEE_REPORTS = "reports:see"
    EXPORT_EVALUATION = "evaluation:export"


PERMISSIONS: Mapping[StaffRole, frozenset[Permission]] = MappingProxyType(
    {
        # The operator runs the server and reads no district's people.
        StaffRole.OPERATOR: frozenset(
            {Permission.SEE_HOME, Permission.MANAGE_DISTRICTS, Permission.MANAGE_PLATFORMS}
        ),
        StaffRole.DISTRICT_ADMIN: frozenset(
            {
                Permission.SEE_HOME, Permission.MANAGE_PLATFORMS, Permission.CONNECT_PROVIDERS,
                Permission.SEE_CONTRACT, Permission.SIGN_CONTRACT, Permission.RUN_ROSTER,
                Permission.SEE_SECTIONS, Permission.REVOKE_GRANTS, Permission.SEE_LOG,
                Permission.ANSWER_REQUESTS,
                Permission.SEE_REPORTS,
            }
        ),
        StaffRole.SCHOOL_ADMIN: frozenset({Permission.SEE_HOME, Permission.SEE_SECTIONS, Permission.SEE_REPORTS}),
        # Whoever answers requests erases, too: a data steward revokes connections, which disposes of everybody in them,
        # and a person's right to be forgotten waits for no second office.
        StaffRole.DATA_STEWARD: frozenset(
            {
                Permission.SEE_HOME, Permission.SEE_CONTRACT, Permission.REVOKE_GRANTS, Permission.SEE_LOG,
                Permission.ANSWER_REQUESTS,
                Permission.SEE_REPORTS,
            }
        ),
        StaffRole.TEACHER: frozenset({Permission.SEE_HOME, Permission.SEE_OWN_SECTIONS}),
        StaffRole.EVALUATOR: frozenset({Permission.SEE_HOME, Permission.EXPORT_EVALUATION}),
    }
)  # fmt: skip


def may(role: str, permission: Permission) -> bool:
    """Whether a role has a permission; an unknown role has none."""
    try:
        return permission in PERMISSIONS[StaffRole(role)]
    except ValueError:
        return False
