"""What `/me` shows: all that any feature declares of a person, for that person alone. Each look is in the log."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy.engine import Connection

from lti_server.accounts import ages
from lti_server.accounts.disconnecting import Disconnect
from lti_server.accounts.live_sessions import LiveSession, Which
from lti_server.accounts.own_door import OwnSession
from lti_server.accounts.own_views import Account, ClassOf, Held, Known, Session, Value, Worked
from lti_server.accounts.own_words import FIRST
from lti_server.accounts.store import fields_of
from lti_server.errors import ContractForbids, NoContract
from lti_server.house import House
from lti_server.privacy import contracts, log, log_reading, new_use, own_terms, schedule
from lti_server.privacy.compile import compile_policy
from lti_server.privacy.contracts import Signed
from lti_server.privacy.districts import District
from lti_server.privacy.holdings import ENCRYPTED, DataSubject
from lti_server.privacy.model import Purpose
from lti_server.privacy.notice import contract_lines
from lti_server.privacy.rights import Asked
from lti_server.rights_parts import LOG_DATA
from lti_server.roster import personal_data as stays
from lti_server.roster import store
from lti_server.roster.naming import display_name
from lti_server.sign_in_parts import SignInHouse

AT_ONCE = 30
Rows = Sequence[Mapping[str, Any]]


class OwnPages:
    """Reads, exports and asks for whoever a session is of; never for anybody else."""

    def __init__(self, house: House, signing_in: SignInHouse, disconnect: Disconnect) -> None:
        self._house = house
        self._signing_in = signing_in
        self._disconnect = disconnect

    def read(self, who: OwnSession, *, locale: str, after: str | None) -> Known:
        """What the page shows, and the entry that it was read.

        Raises:
            InvalidInput: `after` is no place in the list of the log.
        """
        house, rights = self._house, self._house.rights
        live = self._signing_in.live_sessions.every(who.district_id, Which(person_id=who.person_id))
        with house.database.tenant(who.district_id) as connection:
            district = house.entered(connection)
            subject = rights.rights.subject(connection, district, who.person_id)
            signed = self._contract(connection, district)
            tables = rights.rights.look(
                connection, subject, _asked(who, "own data see"), but=frozenset({LOG_DATA.name})
            )
            beside = LOG_DATA.beside_the_log(connection, subject)
            return Known(
                kind=subject.kind, district=district.name, slug=district.slug, zone=district.zone,
                held=_held(subject.kind, tables, {} if signed is None else compile_policy(signed.terms).retain_days),
                own=own_terms.is_own(district.slug),
                work=self._work(tables.get("progress_summary", ()), locale),
                written=sum(1 for row in tables.get("progress_event", ()) if row["work"] or row["answers"]),
                grades=sum(1 for row in tables.get("grade_delivery", ()) if row["delivered_at"]),
                visits=len(tables.get("session", ())),
                classes=self._classes(connection, district, tables.get("membership", ())),
                accounts=self._accounts(connection, who, tables.get("identity", ())),
                connectable=self._connectable(connection, district, subject), ways_out=_ways_out(signed),
                sessions=tuple(self._session(one, who, locale) for one in live),
                restricted=tuple(str(row["recipients"]) for row in tables.get("disclosure_restriction", ())),
                consents=tuple(dict(row) for row in beside.get("consent", ())),
                wishes=rights.own_requests.of_person(connection, subject),
                looks=self._looks(connection, subject, after),
            )  # fmt: skip

    def export(self, who: OwnSession) -> bytes:
        """The whole export as a JSON file, and the entry that it was given."""
        asked = _asked(who, "own data export")
        found = self._house.rights.rights.export(who.district_id, who.person_id, asked)
        return json.dumps(found, ensure_ascii=False, indent=2).encode()

    def ask(self, who: OwnSession, wish: str, text: str) -> None:
        """Hand on to the district what somebody asks for (privacy/own_requests.py)."""
        self._house.rights.own_requests.ask(who.district_id, who.person_id, wish, text)

    def _connectable(self, connection: Connection, district: District, subject: DataSubject) -> Mapping[str, str]:
        today, years = self._house.clock.now().astimezone(district.zone).date(), None
        if subject.key is not None:
            whose = ages.Whose(keys=subject.keys, person_id=subject.person_id, key=subject.key)
            years = ages.years(connection, whose, today)
        return self._signing_in.connectable(district.slug, subject.kind, years)

    def _contract(self, connection: Connection, district: District) -> Signed | None:
        found = contracts.versions(connection, district.zone, self._house.clock.now())
        return next((one for one in found if one.state == "in_force"), None)

    def _looks(self, connection: Connection, subject: DataSubject, after: str | None) -> log_reading.Page:
        others = self._house.rights.rights.merged_into(connection, subject)
        return log_reading.entries_about(
            connection, subject.keys, subject.person_id, person_key=subject.key,
            merged={one.person_id: one.key for one in others}, stays=stays.stays(connection, subject.person_id),
            of_others=True, after=after, limit=AT_ONCE,
        )  # fmt: skip

    def _work(self, summaries: Rows, locale: str) -> tuple[Worked, ...]:
        by_lesson: dict[str, list[Mapping[str, Any]]] = {}
        for row in summaries:
            by_lesson.setdefault(str(row["lesson_id"]), []).append(row)
        found = []
        for lesson_id, rows in sorted(by_lesson.items()):
            title = self._title(lesson_id, locale)
            attempts, solved = sum(int(row["attempts"]) for row in rows), sum(bool(row["completed"]) for row in rows)
            found.append(Worked(title=title, attempts=attempts, solved=solved))
        return tuple(found)

    def _title(self, lesson_id: str, locale: str) -> str:
        lesson = self._house.catalogue.find(lesson_id)
        return lesson_id if lesson is None else lesson.title.within(locale)

    def _session(self, one: LiveSession, who: OwnSession, locale: str) -> Session:
        provider = one.provider or ""
        return Session(
            id=one.id, provider=provider, provider_title=self._signing_in.title(provider),
            lesson_id=one.lesson_id, lesson=self._title(one.lesson_id, locale) if one.lesson_id else "",
            created_at=one.created_at, seen_at=one.seen_at, mine=one.id == who.id,
        )  # fmt: skip

    def _accounts(self, connection: Connection, who: OwnSession, identities: Rows) -> tuple[Account, ...]:
        may_leave = self._disconnect.may(connection, who.person_id)
        return tuple(self._account(row, may_leave) for row in identities)

    def _account(self, row: Mapping[str, Any], may_leave: Collection[UUID]) -> Account:
        provider, identity_id = str(row["provider"]), UUID(row["id"])
        return Account(
            id=identity_id, may_leave=identity_id in may_leave, provider=provider,
            title=self._signing_in.title(provider),
            host=urlsplit(str(row["issuer"])).netloc or str(row["issuer"]),
            since=datetime.fromisoformat(row["created_at"]), stands=row["ended_at"] is None,
        )  # fmt: skip

    def _classes(self, connection: Connection, district: District, memberships: Rows) -> tuple[ClassOf, ...]:
        return tuple(
            ClassOf(
                name=str(row["section_name"] or ""), role=str(row["role"]), left=row["ended_at"] is not None,
                teachers=() if row["ended_at"] else self._teachers(connection, district, UUID(row["section_id"])),
            )
            for row in sorted(memberships, key=lambda row: (row["ended_at"] is not None, str(row["section_name"])))
        )  # fmt: skip

    def _teachers(self, connection: Connection, district: District, section_id: UUID) -> tuple[str, ...]:
        """By the names that a class knows, where the contract lets names of teachers be read for lessons."""
        came = store.members(connection, section_id)
        place = {one: number for number, one in enumerate(dict.fromkeys(row.person_id for row in came), start=1)}
        teaching = [one.person_id for one in came if one.role == "teacher" and one.ended_at is None]
        try:
            reading = new_use.reading_for(connection, district.zone, Purpose.INSTRUCTION, self._house.clock.now())
            names = fields_of(connection, district.keys, teaching, reading)
        except (NoContract, ContractForbids):
            names = {}
        return tuple(display_name(names.get(one, {}), "teacher", place[one]) for one in teaching)


def _asked(who: OwnSession, act: str) -> Asked:
    """The log does not name an e-mail: the district reads it, and is not to learn that there is one (A-10)."""
    return Asked(
        by=f"person:{who.person_id}", act=act, reason="on the own page", interest=log.Interest.OWN_DATA,
        unnamed=frozenset({schedule.EMAIL}),
    )  # fmt: skip


def _held(kind: str, tables: Mapping[str, Rows], days: Mapping[str, int]) -> tuple[Held, ...]:
    """Values by their element. What the district has put right stands before what any source says."""
    found: dict[str, dict[str, dict[str | None, Value]]] = {}
    for name in ("correction", "person_field"):
        for row in tables.get(name, ()):
            values = found.setdefault(str(row["element"]), {}).setdefault(str(row["field"]), {})
            if name == "correction" or not any(one.corrected for one in values.values()):
                text = row["ciphertext"]
                values[text] = Value(name=str(row["field"]), text=text, corrected=name == "correction")
    subjects = {str(row["subject"]): row for row in tables.get("identity", ()) if _readable(row["subject"])}
    if subjects:
        element = "identifier" if kind == "staff" else schedule.APP_ID
        values = found.setdefault(element, {}).setdefault("subject", {})
        values.update({text: Value(name="", text=text, corrected=False) for text in subjects})
    return tuple(
        Held(
            element=element, days=days.get(element),
            values=tuple(one for values in fields.values() for one in values.values()),
        )
        for element, fields in sorted(found.items(), key=lambda one: (one[0] not in FIRST, one[0]))
    )  # fmt: skip


def _readable(text: str | None) -> bool:
    return text is not None and text != ENCRYPTED


def _ways_out(signed: Signed | None) -> tuple[str, ...]:
    if signed is None:
        return ()
    return tuple(sorted({way for line in contract_lines(signed.terms) for way in line.leaves}))
