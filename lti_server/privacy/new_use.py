"""A new use of data that are here already wants notice and, of each person, consent (A-57)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.errors import ContractForbids, NotFound
from lti_server.ids import DistrictId, PersonId, new_id
from lti_server.privacy import contracts, notices
from lti_server.privacy.compile import compile_policy
from lti_server.privacy.contracts import Signed
from lti_server.privacy.model import Policy, Purpose
from lti_server.privacy.reading import NewUse, Reading, for_purpose
from lti_server.privacy.tables import consent as table


def reading_for(connection: Connection, zone: ZoneInfo, purpose: Purpose, now: datetime) -> Reading:
    """What may be read for a purpose in the entered district now: by contract, by the notice, and of whom it is old.

    Raises:
        NoContract: there is none in force. ContractForbids: contract or notice do not name this purpose.
    """
    found = contracts.versions(connection, zone, now)
    current = next((one for one in found if one.state == "in_force"), None)
    policy = None if current is None else compile_policy(current.terms)
    version, named = notices.acting(notices.versions(connection), now.date())
    if policy is not None and purpose not in named:
        raise ContractForbids(f"The privacy policy in force, version {version}, names no such purpose.")
    if policy is None:
        return for_purpose(None, purpose)
    return for_purpose(policy, purpose, new_use(found, policy, purpose, zone, consenting(connection, purpose)))


def new_use(
    found: Sequence[Signed], policy: Policy, purpose: Purpose, zone: ZoneInfo, consented: frozenset[PersonId]
) -> NewUse:
    """Since when each element may be used for a purpose without a break. `found`: newest version first. Pure."""
    # Of a lost version nobody knows what it allowed; whoever signs after it has decided that anew.
    known = [one for one in found if one.state != "waiting" and one.kind != contracts.LOST]
    begun = [(one, compile_policy(one.terms)) for one in known]
    since: dict[str, datetime] = {}
    for element in _elements(policy, purpose):
        for one, terms in begun:
            if element not in _elements(terms, purpose):
                break
            # Never before the signature, though the first day may lie before it.
            since[element] = max(datetime.combine(one.valid_from, datetime.min.time(), zone), one.signed_at)
        else:
            # Ever since the first contract: nothing can be older than that.
            since.pop(element, None)
    return NewUse(MappingProxyType(since), frozenset(consented))


def _elements(policy: Policy, purpose: Purpose) -> frozenset[str]:
    return frozenset().union(*(kept for (named, _), kept in policy.kept.items() if named is purpose))


def consenting(connection: Connection, purpose: Purpose) -> frozenset[PersonId]:
    """Who agreed that data collected before are used for this purpose, and did not take that back."""
    rows = connection.execute(
        sa.select(table.c.person_id).where(table.c.purpose == purpose.value, table.c.withdrawn_at.is_(None))
    )
    return frozenset(PersonId(one) for one in rows.scalars())


def give(
    connection: Connection,
    district_id: DistrictId,
    person_id: PersonId,
    purpose: Purpose,
    *,
    given_as: str,
    policy_hash: str,
    now: datetime,
) -> None:
    """Keep that somebody agreed, as whom (`guardian`, `school`, `self`), and under which policy. Again changes nothing.

    Raises:
        NotFound: there is no such person in the entered district.
    """
    if not is_here(connection, person_id):
        raise NotFound("There is no such person.")
    version, _ = notices.acting(notices.versions(connection), now.date())
    connection.execute(
        sa.text(
            "INSERT INTO consent (id, district_id, person_id, purpose, given_as, policy_hash, notice_version, given_at)"
            " VALUES (:id, :district, :person, :purpose, :given_as, :policy, :version, :now)"
            " ON CONFLICT (person_id, purpose) WHERE withdrawn_at IS NULL DO NOTHING"
        ),
        {
            "id": new_id(), "district": district_id, "person": person_id, "purpose": purpose.value,
            "given_as": given_as, "policy": policy_hash, "version": version, "now": now,
        },
    )  # fmt: skip


def is_here(connection: Connection, person_id: PersonId) -> bool:
    """Whether the entered district knows this person."""
    return connection.execute(sa.text("SELECT 1 FROM person WHERE id = :id"), {"id": person_id}).first() is not None


def take_back(connection: Connection, person_id: PersonId, purpose: Purpose, *, now: datetime) -> bool:
    """Withdraw a consent; it acts at once. False where there was none."""
    changed = (
        table.update()
        .where(table.c.person_id == person_id, table.c.purpose == purpose.value, table.c.withdrawn_at.is_(None))
        .where(table.c.given_at <= now)
        .values(withdrawn_at=now)
    )
    return connection.execute(changed).rowcount > 0
