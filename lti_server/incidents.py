"""Incidents: whose data, which clocks run, who was told. Kept as entries of each affected district's log.

So an incident's history is only added to, sealed with the rest, and read by the district. Read about people are counts
alone; what somebody writes is sealed under the district's key, and must name nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.errors import Conflict, InvalidInput, NotFound
from lti_server.house import House
from lti_server.ids import new_id
from lti_server.mail import Message
from lti_server.privacy import contracts, districts, log, schedule
from lti_server.privacy.districts import District
from lti_server.privacy.incident_clock import Deadline, deadlines, strictest
from lti_server.privacy.inference import offices
from lti_server.web.languages import N_, spoken

IDS = frozenset({schedule.APP_ID})
PROGRESS = frozenset({"in_app_performance.program_performance", "student_work.student_generated_content"})
SUBJECT = N_("A security incident that concerns your district")
TEXT = N_(
    "%(district)s: this is the notice of an incident that your data agreement asks for.\n\n"
    "Who tells you: the operator of %(address)s\n"
    "What happened: %(description)s\n"
    "When: %(since)s to %(until)s; discovered %(discovered)s, confirmed %(confirmed)s\n"
    "Which data: %(elements)s\n"
    "How many people: %(people)s\n"
    "Why this comes later than it might: %(delay)s\n"
    "Incident: %(id)s\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an incident is about: empty means any. `description` is for the districts, and names nobody."""

    description: str
    discovered_at: datetime
    provider: str = ""
    elements: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """One district of an incident, as its log tells it."""

    id: UUID
    district: District
    said: Mapping[str, Any]
    confirmed_at: datetime | None
    delayed_until: datetime | None
    closed_at: datetime | None
    notices: tuple[Mapping[str, Any], ...]
    clocks: tuple[Deadline, ...]


class Incidents:
    """Each command writes into every affected district's log, one transaction a district; run again, it goes on."""

    def __init__(self, house: House, by: str) -> None:
        self._house = house
        self._by = by

    def open(self, asked: Asked, slugs: Sequence[str] = ()) -> UUID:
        """Count who is affected and begin the clocks, in the districts named or in all where somebody is affected.

        Raises:
            InvalidInput: an element is none, a time lies ahead, or nobody anywhere is affected.
        """
        self._check(asked)
        incident_id, opened = new_id(), 0
        for owner in self._every():
            if slugs and owner.slug not in slugs:
                continue
            with self._house.database.tenant(owner.id) as connection:
                people = people_affected(connection, asked)
                if not people and not slugs:
                    continue
                said = {
                    "description": asked.description, "provider": asked.provider, "elements": list(asked.elements),
                    "discovered_at": asked.discovered_at.isoformat(), "since": _iso(asked.since),
                    "until": _iso(asked.until), "people": people, "uses": uses_logged(connection, asked),
                }  # fmt: skip
                self._note(connection, owner, "incident open", incident_id, said)
                opened += 1
        if not opened:
            raise InvalidInput(
                "Nobody's data in any district is affected by this. Name the district if you know better."
            )
        return incident_id

    def confirm(self, incident_id: UUID, at: datetime) -> None:
        """The moment from which contracts count; the first one stands."""
        self._moment(at)
        for one in self.districts_of(incident_id):
            if one.confirmed_at is None:
                self._write(one, "incident confirm", {"at": at.isoformat()})

    def delay(self, incident_id: UUID, until: datetime, reason: str) -> None:
        """A law enforcement agency asked to wait: no notice leaves before then."""
        for one in self.districts_of(incident_id):
            self._write(one, "incident delay", {"until": until.isoformat(), "reason": reason})

    def notify(self, incident_id: UUID, delay_reason: str = "") -> None:
        """Queue the notice to everybody whom each district's contract names, in the transaction that logs it.

        Raises:
            Conflict: a law enforcement agency asked to wait, and the time has not come.
        """
        found = self.districts_of(incident_id)
        now = self._house.clock.now()
        waits = [one.delayed_until for one in found if one.delayed_until is not None and one.delayed_until > now]
        if waits:
            raise Conflict(f"Law enforcement asked to wait until {max(waits).isoformat()}. No notice was sent.")
        for one in found:
            with self._house.database.tenant(one.district.id) as connection:
                addresses = offices(connection, one.district, now)
                say = spoken(one.district.locale)
                message = say(TEXT) % self._words(one, say, delay_reason)
                ids = [
                    str(
                        self._house.mail.send(
                            connection, one.district.id, Message(to=to, subject=say(SUBJECT), text=message)
                        )
                    )
                    for to in addresses
                ]
                self._note(
                    connection, one.district, "incident notify", one.id, {"messages": ids, "delay": delay_reason}
                )

    def close(self, incident_id: UUID) -> None:
        for one in self.districts_of(incident_id):
            if one.closed_at is None:
                self._write(one, "incident close", {})

    def districts_of(self, incident_id: UUID) -> list[Affected]:
        """Where an incident was opened.

        Raises:
            NotFound: nowhere.
        """
        found = [one for one in self.every() if one.id == incident_id]
        if not found:
            raise NotFound("There is no such incident. `lti-server incident list` shows those there are.")
        return found

    def every(self) -> Iterator[Affected]:
        """Every incident in every district that it concerns."""
        for owner in self._every():
            with self._house.database.tenant(owner.id) as connection:
                found = of_district(connection, owner, self._house.clock.now())
            yield from found

    def _every(self) -> list[District]:
        return districts.every(self._house.database, self._house.ring)

    def _check(self, asked: Asked) -> None:
        faults = [
            ("/element", f"{one} is no element of the schedule of data.")
            for one in asked.elements
            if one not in schedule.ELEMENTS
        ]
        if not asked.description.strip():
            faults.append(("/description", "Say what happened; name nobody."))
        if faults:
            raise InvalidInput.listing("The incident was not opened.", faults)
        self._moment(asked.discovered_at)

    def _moment(self, at: datetime) -> None:
        if at > self._house.clock.now():
            raise InvalidInput("That moment lies ahead.")

    def _words(self, one: Affected, say: Any, delay_reason: str) -> dict[str, object]:
        said = one.said
        elements = ", ".join(said["elements"]) or say(N_("all that your contract lets be kept"))
        return {
            "district": one.district.name, "address": self._house.settings.base_url, "id": one.id,
            "description": said["description"], "people": said["people"], "elements": elements,
            "since": said["since"] or say(N_("not known")), "until": said["until"] or say(N_("not known")),
            "discovered": said["discovered_at"], "confirmed": _iso(one.confirmed_at) or say(N_("not yet")),
            "delay": delay_reason or say(N_("it does not")),
        }  # fmt: skip

    def _write(self, one: Affected, act: str, payload: Mapping[str, object]) -> None:
        with self._house.database.tenant(one.district.id) as connection:
            self._note(connection, one.district, act, one.id, payload)

    def _note(
        self, connection: Connection, owner: District, act: str, incident_id: UUID, payload: Mapping[str, object]
    ) -> None:
        entry = log.entry(
            owner.keys, at=self._house.clock.now(), actor=self._by, act=act, decision="allowed", purpose="operation",
            object_id=incident_id, population="district", interest=log.Interest.OPERATION, payload=payload,
        )  # fmt: skip
        log.record(connection, entry)


def of_district(connection: Connection, owner: District, now: datetime) -> list[Affected]:
    """The incidents of the entered district, in the order in which they were opened; numbers and texts, no person."""
    rows = connection.execute(_ENTRIES).all()
    if not rows:
        return []
    agreed = _agreed(connection, owner, now)
    sent = {row.id: row for row in connection.execute(_MAIL)}
    return [
        _folded(owner, incident_id, [row for row in rows if row.object_id == incident_id], agreed, sent)
        for incident_id in dict.fromkeys(row.object_id for row in rows)
    ]


def people_affected(connection: Connection, asked: Asked) -> int:
    """How many people of the entered district had such data here, by that provider, at the end of the window."""
    fields = sorted(name for one in asked.elements for name in schedule.stored_fields(one))
    any_element = not asked.elements
    values = {
        "provider": asked.provider, "until": asked.until, "every": any_element, "fields": fields,
        "ids": any_element or bool(IDS & set(asked.elements)),
        "work": any_element or bool(PROGRESS & set(asked.elements)),
    }  # fmt: skip
    return int(connection.execute(_PEOPLE, values).scalar_one())


def uses_logged(connection: Connection, asked: Asked) -> dict[str, int]:
    """What the log tells of such data within the window: how often each act was done."""
    values = {"since": asked.since, "until": asked.until, "every": not asked.elements, "elements": list(asked.elements)}
    return {str(act): int(count) for act, count in connection.execute(_USES, values)}


def first_due(found: Sequence[Affected]) -> Deadline | None:
    """The strictest clock over all affected districts."""
    return strictest([clock for one in found for clock in one.clocks])


def _agreed(connection: Connection, owner: District, now: datetime) -> list[contracts.Signed]:
    """Every contract that was ever in force: data came under each of them."""
    return [one for one in contracts.versions(connection, owner.zone, now) if one.state != "waiting"]


def _folded(
    owner: District, incident_id: UUID, rows: Sequence[sa.Row[Any]], agreed: Sequence[contracts.Signed],
    sent: Mapping[UUID, sa.Row[Any]],
) -> Affected:  # fmt: skip
    told = [(row.act.removeprefix("incident "), row.at, log.payload_of(owner.keys, bytes(row.payload))) for row in rows]
    said: Mapping[str, Any] = next(what for act, _, what in told if act == "open")
    confirmed = next((_at(what["at"]) for act, _, what in told if act == "confirm"), None)
    delays = [_at(what["until"]) for act, _, what in told if act == "delay"]
    discovered = _at(said["discovered_at"])
    assert discovered is not None
    terms = [(one.terms.limits, one.terms.statutes) for one in agreed]
    notices = tuple(
        {"at": at, "messages": [_message(one, sent.get(UUID(one))) for one in _listed(what["messages"])]}
        for act, at, what in told
        if act == "notify"
    )
    return Affected(
        id=incident_id, district=owner, said=said, confirmed_at=confirmed, delayed_until=delays[-1] if delays else None,
        closed_at=next((at for act, at, _ in told if act == "close"), None), notices=notices,
        clocks=deadlines(terms, discovered_at=discovered, confirmed_at=confirmed),
    )  # fmt: skip


def _message(message_id: str, row: sa.Row[Any] | None) -> dict[str, str | None]:
    """What became of one message; whose address it went to is wiped once it has gone."""
    if row is None:
        return {"id": message_id, "state": "gone", "settled_at": None}
    return {"id": message_id, "state": row.state, "settled_at": _iso(row.settled_at)}


def _listed(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _at(text: object) -> datetime | None:
    return None if text is None else datetime.fromisoformat(str(text))


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


_ENTRIES = sa.text("SELECT object_id, act, at, payload FROM log_entry WHERE act LIKE 'incident %' ORDER BY id")
_MAIL = sa.text("SELECT id, state, settled_at FROM mail_message")
_PEOPLE = sa.text(
    """
SELECT count(*) FROM (
  SELECT f.person_id FROM person_field f JOIN grants g ON g.id = f.grant_id
    WHERE (:every OR f.field = ANY(:fields)) AND (:provider = '' OR g.provider = :provider)
      AND (CAST(:until AS timestamptz) IS NULL OR f.collected_at <= :until)
  UNION
  SELECT i.person_id FROM identity i JOIN grants g ON g.id = i.grant_id
    WHERE :ids AND i.subject IS NOT NULL AND (:provider = '' OR g.provider = :provider)
      AND (CAST(:until AS timestamptz) IS NULL OR i.created_at <= :until)
  UNION
  SELECT e.person_id FROM progress_event e JOIN grants g ON g.id = e.grant_id
    WHERE :work AND (:provider = '' OR g.provider = :provider)
      AND (CAST(:until AS timestamptz) IS NULL OR e.received_at <= :until)
) touched
"""
)
_USES = sa.text(
    "SELECT act, count(*) FROM log_entry WHERE population <> ''"
    " AND (CAST(:since AS timestamptz) IS NULL OR at >= :since)"
    " AND (CAST(:until AS timestamptz) IS NULL OR at <= :until)"
    " AND (:every OR elements && CAST(:elements AS text[])) GROUP BY act ORDER BY act"
)
