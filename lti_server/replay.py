"""After a restore: whatever narrowed since the backup is done to the database again.

Read is the journal, which lies outside the database. Nothing is brought back that was short-lived: sessions, tokens and
invitations end, mail that waited is dropped. What is past its time, by contract or directive, goes once more before
anybody works with the database. Everything may be done twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from lti_server.accounts import registering
from lti_server.accounts.corrections import held_back
from lti_server.errors import ConfigurationError
from lti_server.house import House
from lti_server.ids import ContractId, DistrictId, GrantId, PersonId, SectionId
from lti_server.privacy import contracts, districts, new_use
from lti_server.privacy.grant_states import Use
from lti_server.privacy.journal import LAST_COUNTS, JournalEntry, JournalKind
from lti_server.privacy.model import Purpose
from lti_server.sign_in_parts import SignInHouse

Again = Callable[[House, JournalEntry], object]

# Rows that point at others come first. What is used once counts as used; what waits to be sent is dropped.
SHORT_LIVED = (
    "DELETE FROM staff_access",
    "DELETE FROM link_intent",
    "DELETE FROM tenant_claim",
    "DELETE FROM email_code",
    "UPDATE identity SET sealed_token = NULL, token_expires_at = NULL WHERE sealed_token IS NOT NULL",
    "DELETE FROM lesson_token",
    "DELETE FROM session",
    "DELETE FROM service_token",
    "DELETE FROM deep_link_request",
    "UPDATE invitation SET used_at = :now WHERE used_at IS NULL",
    "UPDATE platform_invitation SET used_at = :now WHERE used_at IS NULL",
    "UPDATE mail_message SET state = 'failed', sealed = NULL, settled_at = :now WHERE state = 'queued'",
    "UPDATE upstream_revocation SET state = 'given_up', sealed = NULL, settled_at = :now WHERE state = 'waiting'",
)


def _of(entry: JournalEntry) -> DistrictId:
    assert entry.district_id is not None, f"an entry of the kind {entry.kind} has a district"
    return entry.district_id


def _grant(entry: JournalEntry) -> GrantId:
    return GrantId(UUID(entry.said["grant"]))


def _revoked(house: House, entry: JournalEntry) -> object:
    uses, epoch = frozenset(map(Use, entry.said["uses"])), int(entry.said["epoch"])
    return house.grants.again.revoked(_of(entry), _grant(entry), epoch, uses, at=entry.at)


def _narrowed(house: House, entry: JournalEntry) -> object:
    keep = [SectionId(UUID(one)) for one in entry.said["sections"]]
    return house.grants.again.narrowed(_of(entry), _grant(entry), int(entry.said["epoch"]), keep)


def _suspended(house: House, entry: JournalEntry) -> object:
    return house.grants.again.suspended(_of(entry), _grant(entry))


def _resumed(house: House, entry: JournalEntry) -> object:
    return house.grants.again.resumed(_of(entry), _grant(entry))


def _erased(house: House, entry: JournalEntry) -> object:
    """Once more where the backup knew the person; what is there of it already stays as it is."""
    person_id = PersonId(UUID(entry.said["person"]))
    with house.database.tenant(_of(entry)) as connection:
        known = connection.execute(_KNOWN, {"person": person_id}).scalar_one_or_none()
    house.rights.erase.replay(_of(entry), person_id)
    return known


_KNOWN = sa.text("SELECT 1 FROM person WHERE id = :person AND wrapped_key IS NOT NULL")


def _blocked(house: House, entry: JournalEntry) -> object:
    return house.rights.blocks.replay(entry)


def _stated(house: House, entry: JournalEntry) -> object:
    return SignInHouse(house).age_words.replay(entry)


def _put_right(house: House, entry: JournalEntry) -> object:
    return house.rights.correct.replay(entry)


def _two_again(house: House, entry: JournalEntry) -> object:
    return house.rights.merge.replay(entry)


def _closed(house: House, entry: JournalEntry) -> object:
    """Whoever let people register again after that says so once more."""
    with house.database.tenant(_of(entry)) as connection:
        return registering.close(connection, entry.at, by="restore")


def _way_in(house: House, entry: JournalEntry) -> object:
    return house.rights.way_states.replay(entry)


def _disagreed(house: House, entry: JournalEntry) -> object:
    """Who agreed once more after that is asked again: that consent is lost with the database."""
    person_id, purpose = PersonId(UUID(entry.said["person"])), Purpose(entry.said["purpose"])
    with house.database.tenant(_of(entry)) as connection:
        return new_use.take_back(connection, person_id, purpose, now=entry.at)


def _announced(house: House, entry: JournalEntry) -> object:
    return house.rights.announce.replay(entry)


def _answered(house: House, entry: JournalEntry) -> object:
    return house.rights.requests.replay(entry) or house.rights.own_requests.replay(entry)


def _readdressed(house: House, entry: JournalEntry) -> object:
    return house.grants.readdressed.replay(entry)


def _contracted(house: House, entry: JournalEntry) -> object:
    said = entry.said
    with house.database.tenant(_of(entry)) as connection:
        return contracts.lose(
            connection, _of(entry), ContractId(UUID(said["contract"])), version=said["version"],
            policy_hash=said["policy"], begins=date.fromisoformat(said["begins"]), at=entry.at,
        )  # fmt: skip


def _directed(house: House, entry: JournalEntry) -> object:
    return house.rights.dispose.replay(entry)


# Each kind of the journal's entries, and who does it again: a new kind is added here, or no replay ends.
AGAIN: Mapping[JournalKind, Again] = {
    JournalKind.REVOCATION: _revoked,
    JournalKind.NARROWING: _narrowed,
    JournalKind.SUSPENSION: _suspended,
    JournalKind.RESUMPTION: _resumed,
    JournalKind.ERASURE: _erased,
    JournalKind.BLOCK: _blocked,
    JournalKind.UNBLOCK: _blocked,
    JournalKind.RESTRICTION: _put_right,
    JournalKind.UNRESTRICTION: _put_right,
    JournalKind.CORRECTION: _put_right,
    JournalKind.UNCORRECTION: _put_right,
    JournalKind.CONSENT_WITHDRAWAL: _disagreed,
    JournalKind.NOTICE: _announced,
    JournalKind.ANSWER: _answered,
    JournalKind.READDRESSING: _readdressed,
    JournalKind.CONTRACT: _contracted,
    JournalKind.UNMERGE: _two_again,
    JournalKind.DESK_CLOSED: _closed,
    JournalKind.WAY_ENDED: _way_in,
    JournalKind.WAY_HELD: _way_in,
    JournalKind.WAY_FREED: _way_in,
    JournalKind.AGE_STATEMENT: _stated,
    JournalKind.DISPOSITION: _directed,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """How many entries there were of each kind, and how many the backup knew; `elsewhere` are of no district here."""

    entries: Mapping[str, int]
    changed: Mapping[str, int]
    elsewhere: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a replay cannot do and people must, by the district's slug.

    `corrections` are held back until then: person and field. Of `contracts`, version and hash of the policy, nothing
    else is in force until then.
    """

    corrections: tuple[tuple[str, PersonId, str], ...]
    contracts: tuple[tuple[str, int, str], ...]


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
    changed = Counter({one.kind.value: 0 for one in entries})
    for entry in what_counts(entries):
        if entry.district_id is None or entry.district_id in here:
            changed[entry.kind.value] += bool(AGAIN[entry.kind](house, entry))
    for district_id in here:
        _read_classes_soon(house, district_id)
    _take_away_what_is_past_its_time(house)
    elsewhere = sum(one.district_id is not None and one.district_id not in here for one in entries)
    counts = Counter(one.kind.value for one in entries)
    return Replayed(entries=dict(counts), changed=dict(changed), elsewhere=elsewhere)


def what_counts(entries: Sequence[JournalEntry]) -> list[JournalEntry]:
    """Where one entry takes back another, the last one of a subject alone, so that a repeat changes nothing. Pure."""
    last = {one.subject: number for number, one in enumerate(entries)}
    return [one for number, one in enumerate(entries) if one.kind not in LAST_COUNTS or last[one.subject] == number]


def left(house: House) -> Left:
    """What is still to be done by hand since a restore."""
    corrections: list[tuple[str, PersonId, str]] = []
    lost: list[tuple[str, int, str]] = []
    for district in districts.every(house.database, house.ring):
        with house.database.tenant(district.id) as connection:
            corrections += [(district.slug, person_id, field) for person_id, field in held_back(connection)]
            found = contracts.versions(connection, district.zone, house.clock.now())
        lost += [(district.slug, one.version, one.policy_hash) for one in contracts.awaited(found)]
    return Left(corrections=tuple(corrections), contracts=tuple(lost))


def _end_what_was_short_lived(house: House, district_id: DistrictId | None) -> None:
    """What was used, ended or sent since the backup must not work a second time, and nobody knows what was."""
    scope = house.database.anyone() if district_id is None else house.database.tenant(district_id)
    now = {"now": house.clock.now()}
    with scope as connection:
        for statement in SHORT_LIVED:
            connection.execute(sa.text(statement), now)


def _read_classes_soon(house: House, district_id: DistrictId) -> None:
    """Who left a class since is in it again, until the worker has read it: the LMS knows, and the journal need not."""
    with house.database.tenant(district_id) as connection:
        for section_id in connection.execute(_CLASSES).scalars():
            house.read_soon(connection, district_id, SectionId(section_id))


# A course that is read brings its sections along; what has no such address is known by its launches alone.
_CLASSES = sa.text(
    "SELECT s.id FROM section s JOIN grants g ON g.id = s.grant_id WHERE g.state = 'active'"
    " AND s.archived_at IS NULL AND s.memberships_url IS NOT NULL AND s.course_section_id IS NULL ORDER BY s.id"
)


def _take_away_what_is_past_its_time(house: House) -> None:
    """What the worker takes away every few minutes: nobody sees it in between."""
    for district in districts.every(house.database, house.ring):
        with house.database.tenant(district.id) as connection:
            while house.retain(connection, district).capped:
                pass
        house.rights.resume(district.id)
