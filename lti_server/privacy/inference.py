"""What is only inferred: the other side seems to have ended a connection. It suspends, says so, and revokes nothing.

A token endpoint that does not know this tool any more may mean that it was removed there, or that somebody mistyped.
So nobody is removed and nothing is wiped (law 5): the connection is frozen, and somebody of the district looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

import structlog
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import Conflict
from lti_server.ids import Clock, DistrictId, GrantId
from lti_server.mail import Mail, Message
from lti_server.privacy import contract_file, contracts, grants, log
from lti_server.privacy.districts import District
from lti_server.privacy.grant_states import GrantState
from lti_server.privacy.revocation import Withdraw
from lti_server.web.languages import N_, spoken

BY = "inference"
OFFICES = frozenset({"district_admin", "data_steward"})
SUBJECT = N_("A connection was suspended, and needs you")
TEXT = N_(
    "%(district)s: the connection to %(provider)s was suspended by itself. %(evidence)s\n\n"
    "While it is suspended, nothing is read, sent or opened by it, and nothing is lost. If the tool is still wanted, "
    "put it right on the other side and resume the connection. If it is not, revoke it:\n\n%(address)s\n"
)


class Evidence(StrEnum):
    """What is looked at again and again, so that a connection goes on by itself once it is over."""

    TENANT_MISSING = "tenant_missing"
    TENANTS_UNREAD = "tenants_unread"


EVIDENCE: Mapping[Evidence, str] = MappingProxyType(
    {
        Evidence.TENANT_MISSING: N_(
            "The provider's list of school systems that use this tool does not name yours any more. "
            "The connection goes on by itself once the list names it again."
        ),
        Evidence.TENANTS_UNREAD: N_(
            "The provider's list of school systems that use this tool could not be read several times in a row. "
            "The connection goes on by itself once the list is read and names yours."
        ),
    }
)
BACK = "The provider's list of school systems names this one again."


class SuspendOnEvidence:
    """Freezes a grant in force, and tells those whom the district's contract names."""

    def __init__(
        self,
        *,
        database: Database,
        district: Callable[[Connection], District],
        withdraw: Withdraw,
        mail: Callable[[], Mail],
        base_url: str,
        clock: Clock,
    ) -> None:
        self._database = database
        self._district = district
        self._withdraw = withdraw
        self._mail = mail
        self._base_url = base_url
        self._clock = clock

    def __call__(self, district_id: DistrictId, grant_id: GrantId, epoch: int, provider: str, evidence: str) -> bool:
        """Whether it was suspended: not where the grant is in no force, or has another epoch than what was answered.

        One message a suspension, however many workers get the same answer at once.
        """
        with self._database.tenant(district_id) as connection:
            standing = grants.standing_of(connection, grant_id)
            if standing.state is not GrantState.ACTIVE or standing.epoch != epoch:
                return False
            self._withdraw.suspend_on(connection, grant_id, by=BY, reason=evidence)
            self._tell(connection, self._district(connection), grant_id, provider, evidence)
        _warn("a connection was suspended", grant_id, provider, evidence)
        return True

    def on(self, connection: Connection, grant_id: GrantId, provider: str, evidence: Evidence) -> None:
        """Suspend on the caller's transaction, for what may be over by itself: `lift` then lets the grant go on.

        What is suspended on other evidence stays so on this; what somebody has suspended stays as it is.
        """
        state, known = grants.standing_of(connection, grant_id).state, grants.suspended_on(connection, grant_id)
        if state is GrantState.ACTIVE:
            self._withdraw.suspend_on(connection, grant_id, by=BY, reason=EVIDENCE[evidence])
        elif known in ("", evidence):
            return
        else:
            self._note(connection, grant_id, EVIDENCE[evidence])
        grants.suspect(connection, grant_id, evidence)
        self._tell(connection, self._district(connection), grant_id, provider, EVIDENCE[evidence])
        _warn("a connection was suspended", grant_id, provider, evidence)

    def lift(self, district_id: DistrictId, grant_id: GrantId, provider: str, evidence: Evidence) -> bool:
        """Let a grant go on that was suspended on this evidence; False where somebody has moved it meanwhile."""
        try:
            self._withdraw.resume(district_id, grant_id, by=BY, reason=BACK, on=evidence)
        except Conflict:
            return False
        _warn("a connection goes on", grant_id, provider, evidence)
        return True

    def _note(self, connection: Connection, grant_id: GrantId, reason: str) -> None:
        """The reason of a suspension changed."""
        entry = log.entry(
            self._district(connection).keys, at=self._clock.now(), actor=BY, act="grant suspend", decision="allowed",
            purpose="operation", object_id=grant_id, payload={"reason": reason},
        )  # fmt: skip
        log.record(connection, entry)

    def _tell(
        self, connection: Connection, district: District, grant_id: GrantId, provider: str, evidence: str
    ) -> None:
        say = spoken(district.locale)
        text = say(TEXT) % {
            "district": district.name, "provider": provider, "evidence": say(evidence),
            "address": f"{self._base_url}/district/connections/{grant_id}",
        }  # fmt: skip
        for address in offices(connection, district, self._clock.now()):
            self._mail().send(connection, district.id, Message(to=address, subject=say(SUBJECT), text=text))


def _warn(what: str, grant_id: GrantId, provider: str, evidence: str) -> None:
    structlog.get_logger("lti_server.grants").warning(what, grant=str(grant_id), provider=provider, evidence=evidence)


def offices(connection: Connection, district: District, now: datetime) -> list[str]:
    """Addresses of the district's administrators and data offices, as its newest contract names them, each once."""
    return list(dict.fromkeys(_named(connection, district, now)))


def _named(connection: Connection, district: District, now: datetime) -> Iterator[str]:
    signed = contracts.versions(connection, district.zone, now)
    newest = next((one for one in signed if one.state in ("in_force", "expired")), None)
    for report in () if newest is None else contract_file.parse(newest.document).reports:
        recipients = report.get("recipients")
        for one in recipients if isinstance(recipients, list) else ():
            if isinstance(one, dict) and one.get("role") in OFFICES:
                yield str(one.get("email", ""))
