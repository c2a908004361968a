"""Names for ids, and the clock: the vocabulary below every layer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NewType, Protocol
from uuid import UUID, uuid4

DistrictId = NewType("DistrictId", UUID)
ContractId = NewType("ContractId", UUID)
GrantId = NewType("GrantId", UUID)
RegistrationId = NewType("RegistrationId", UUID)
DeploymentRowId = NewType("DeploymentRowId", UUID)
PersonId = NewType("PersonId", UUID)
IdentityId = NewType("IdentityId", UUID)
SectionId = NewType("SectionId", UUID)
MembershipId = NewType("MembershipId", UUID)
ResourceLinkRowId = NewType("ResourceLinkRowId", UUID)
SessionId = NewType("SessionId", UUID)
RunId = NewType("RunId", UUID)


def new_id() -> UUID:
    """Random, never made from anything about a person (34 CFR 99.31(b)(2))."""
    return uuid4()


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)
