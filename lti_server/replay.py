"""After a restore: what was erased, blocked and revoked since the backup is done to the database again.

Read is the journal, which lies outside the database. Nothing is brought back that was short-lived: sessions, tokens and
invitations end, mail that waited is dropped. Everything may be done twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from lti_server.errors import ConfigurationError
from lti_server.house import House
from lti_server.ids import DistrictId, GrantId, PersonId, SectionId
from lti_server.privacy.grant_states import Use
from lti_server.privacy.journal import JournalEntry, JournalKind

Again = Callable[[House, JournalEntry], object]

# Rows that point at others come first. What is used once counts as used; what waits to be sent is dropped.
SHORT_LIVED = (
    "DELETE FROM lesson_token",
    "DELETE FROM session",
    "DELETE FROM service_token",
    "DELETE FROM deep_link_request",
    "UPDATE invitation SET used_at = :now WHERE used_at IS NULL",
    "UPDATE platform_invitation SET used_at = :now WHERE used_at IS NULL",
    "UPDATE mail_message SET state = 'failed', sealed = NULL, settled_at = :now WHERE state = 'queued'",
    "UPDATE upstream_revocation SET state = 'given_up', sealed = NULL, settled_at = :now WHERE state = 'waiting'",
)


def _revoked(house: House, entry: JournalEntry) -> object:
    uses = frozenset(map(Use, entry.said["uses"]))
    grant = GrantId(UUID(entry.said["grant"]))
    return house.grants.withdraw.replay(entry.district_id, grant, int(entry.said["epoch"]), uses)


def _narrowed(house: House, entry: JournalEntry) -> object:
    grant, keep = GrantId(UUID(entry.said["grant"])), [SectionId(UUID(one)) for one in entry.said["sections"]]
    return house.grants.withdraw.replay_narrowing(entry.district_id, grant, int(entry.said["epoch"]), keep)


def _erased(house: House, entry: JournalEntry) -> object:
    """Once more where the backup knew the person; what is there of it already stays as it is."""
    person_id = PersonId(UUID(entry.said["person"]))
    with house.database.tenant(entry.district_id) as connection:
        known = connection.execute(_KNOWN, {"person": person_id}).scalar_one_or_none()
    house.rights.erase.replay(entry.district_id, person_id)
    return known


_KNOWN = sa.text("SELECT 1 FROM person WHERE id = :person AND wrapped_key IS NOT NULL")


def _blocked(house: House, entry: JournalEntry) -> object:
    return house.rights.blocks.replay(entry)


# Each kind of the journal's entries, and who does it again: a new kind is added here, or no replay ends.
AGAIN: Mapping[JournalKind, Again] = {
    JournalKind.REVOCATION: _revoked,
    JournalKind.NARROWING: _narrowed,
    JournalKind.ERASURE: _erased,
    JournalKind.BLOCK: _blocked,
    JournalKind.UNBLOCK: _blocked,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """How many entries there were of each kind, and how many the backup knew; `elsewhere` are of no district here."""

    entries: Mapping[str, int]
    changed: Mapping[str, int]
    elsewhere: int


def replay(house: House, entries: Sequence[JournalEntry]) -> Replayed:
    """Do again what the journal tells, in its order.

    Raises:
        ConfigurationError: it tells of something that this program cannot do again; nothing was done.
    """
    unknown = sorted({one.kind.value for one in entries if one.kind not in AGAIN})
    if unknown:
        raise ConfigurationError(
            [f"The journal has entries that this version cannot do again: {', '.join(unknown)}. Upgrade, then replay."]
        )
    here = set(house.audit.districts())
    for district_id in (None, *here):
        _end_what_was_short_lived(house, district_id)
    counts: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    for entry in entries:
        counts[entry.kind.value] += 1
        if entry.district_id in here:
            changed[entry.kind.value] += bool(AGAIN[entry.kind](house, entry))
    elsewhere = sum(one.district_id not in here for one in entries)
    return Replayed(entries=dict(counts), changed=dict(changed), elsewhere=elsewhere)


def _end_what_was_short_lived(house: House, district_id: DistrictId | None) -> None:
    """What was used, ended or sent since the backup must not work a second time, and nobody knows what was."""
    scope = house.database.anyone() if district_id is None else house.database.tenant(district_id)
    now = {"now": house.clock.now()}
    with scope as connection:
        for statement in SHORT_LIVED:
            connection.execute(sa.text(statement), now)
