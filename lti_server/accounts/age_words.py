"""What people and districts say of ages: one's own word at the first sign-in, and a statement about a whole school."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.engine import Connection

from lti_server.accounts import ages
from lti_server.accounts.ages import Whose
from lti_server.accounts.tables import age_statement as statement
from lti_server.accounts.tables import person, person_field
from lti_server.db import Database
from lti_server.errors import Conflict, ContractForbids, InvalidInput, NotFound
from lti_server.ids import Clock, DistrictId, PersonId
from lti_server.privacy import log, schedule
from lti_server.privacy.ages import OLDEST, YOUNGEST, Age, AgeSource, Said
from lti_server.privacy.contracts import Policies, in_force
from lti_server.privacy.districts import District
from lti_server.privacy.journal import Journal, JournalEntry, JournalKind
from lti_server.privacy.model import Origin
from lti_server.statements import Statement as Sql

LONGEST_SCHOOL = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """That everybody in a school was at least so many whole years old on a day."""

    school: str
    years: int
    stated_on: date

    def plain(self) -> dict[str, object]:
        return {"school": self.school, "years": self.years, "stated_on": self.stated_on.isoformat()}


class AgeWords:
    """Each in one transaction, with its entry in the log. What may not be kept of a child goes with it."""

    def __init__(
        self,
        *,
        database: Database,
        district: Callable[[Connection], District],
        policies: Policies,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._database = database
        self._district = district
        self._policies = policies
        self._journal = journal
        self._clock = clock

    def asks(self, district_id: DistrictId, person_id: PersonId) -> bool:
        """Whether to ask somebody: a pupil of whom nobody says an age, where the contract lets them be asked."""
        values = {"district": district_id, "person": person_id, "now": self._clock.now()}
        silent, contract_id = self._database.once(_SILENT, values) or (False, None)
        if not silent or contract_id is None:
            return False
        return Origin.STUDENT in self._policies.read(self._database, district_id, contract_id).age_from

    def say(self, district_id: DistrictId, person_id: PersonId, years: str) -> None:
        """Keep one's own word. It is final: somebody who saw what an answer opens must not answer again (16 CFR 312).

        Raises:
            InvalidInput: no whole years. Conflict: there is a word already. ContractForbids: nobody may be asked.
        """
        now = self._clock.now()
        with self._database.tenant(district_id) as connection:
            district = self._district(connection)
            found = self._pupil(connection, district, person_id)
            if found is None or not self._takes(connection, Origin.STUDENT):
                raise ContractForbids("Your district's contract does not let you be asked for your age.")
            connection.execute(_ALONE, {"person": person_id})
            if not self._silent(connection, found):
                raise Conflict("Your age is known already. If it is wrong, tell your teacher.")
            today = now.astimezone(district.zone).date()
            said = Said(AgeSource.SELF, age_of(years, today))
            ages.learn(connection, found, said, grant_id=None, by=f"person:{person_id}", at=now)
            ages.hold(connection, found, today)
            entry = log.entry(
                district.keys, at=now, actor=f"person:{person_id}", act="own age say", decision="allowed",
                purpose="operation", object_id=person_id, elements=(schedule.BIRTH_DATE,), population="person",
                interest=log.Interest.SERVICE, payload={},
            )  # fmt: skip
            log.record(connection, entry)

    def state(self, district_id: DistrictId, school: str, years: str, *, by: str) -> int:
        """Let a district say how old everybody in a school is, at the least; how many addresses went because of it.

        Raises:
            InvalidInput: no school, or no whole years. ContractForbids: the contract takes no ages from schools.
        """
        name, now = school.strip(), self._clock.now()
        if not 0 < len(name) <= LONGEST_SCHOOL or "\x00" in name:
            raise InvalidInput(f"Name a school as the class lists do, with at most {LONGEST_SCHOOL} characters.")
        with self._database.tenant(district_id) as connection:
            district = self._district(connection)
            today = now.astimezone(district.zone).date()
            age = age_of(years, today)
            if not self._takes(connection, Origin.SCHOOL):
                raise ContractForbids(
                    f"The district's contract does not let ages be taken from schools ({schedule.BIRTH_DATE})."
                )
            values = {"years": age.years, "stated_on": age.on, "stated_by": by}
            insert = pg.insert(statement).values(district_id=district_id, school=name, **values)
            connection.execute(insert.on_conflict_do_update(index_elements=["district_id", "school"], set_=values))
            gone = hold_everybody(connection, district, today)
            self._line(district, name)
            self._note(connection, district, by, "age state", {"years": age.years, "addresses": gone})
            return gone

    def withdraw(self, district_id: DistrictId, school: str, *, by: str) -> int:
        """Take a statement back: who has no other age is a child again. How many addresses went.

        Raises:
            NotFound: nothing is stated of this school.
        """
        with self._database.tenant(district_id) as connection:
            district = self._district(connection)
            if not connection.execute(statement.delete().where(statement.c.school == school.strip())).rowcount:
                raise NotFound("Nothing is stated of this school.")
            gone = hold_everybody(connection, district, self._clock.now().astimezone(district.zone).date())
            self._line(district, school.strip())
            self._note(connection, district, by, "age statement withdraw", {"addresses": gone})
            return gone

    def statements(self, district_id: DistrictId) -> list[Statement]:
        with self._database.tenant(district_id) as connection:
            rows = connection.execute(sa.select(statement).order_by(statement.c.school))
            return [Statement(school=row.school, years=row.years, stated_on=row.stated_on) for row in rows]

    def replay(self, entry: JournalEntry) -> bool:
        """After a restore: what the backup has of this school is known to be old, so it says nothing any more."""
        assert entry.district_id is not None
        with self._database.tenant(entry.district_id) as connection:
            district = self._district(connection)
            rows = connection.execute(sa.select(statement.c.school).where(statement.c.stated_on <= entry.at.date()))
            old = [one for one in rows.scalars() if _hash(district, one) == entry.said["school"]]
            return connection.execute(statement.delete().where(statement.c.school.in_(old))).rowcount > 0

    def _line(self, district: District, school: str) -> None:
        said = {"school": _hash(district, school)}
        self._journal.append(JournalKind.AGE_STATEMENT, district_id=district.id, at=self._clock.now(), **said)

    def _takes(self, connection: Connection, origin: Origin) -> bool:
        district = self._district(connection)
        contract_id = in_force(connection, district.zone, self._clock.now())
        return contract_id is not None and origin in self._policies.of(connection, contract_id).age_from

    def _silent(self, connection: Connection, whose: Whose) -> bool:
        return not ages.has_word(connection, whose.person_id)

    def _pupil(self, connection: Connection, district: District, person_id: PersonId) -> Whose | None:
        found = sa.select(person.c.wrapped_key).where(person.c.id == person_id, person.c.kind == "pupil")
        wrapped = connection.execute(found).scalar_one_or_none()
        if wrapped is None:
            return None
        key = district.keys.person_key(person_id, bytes(wrapped))
        return Whose(keys=district.keys, person_id=person_id, key=key)

    def _note(
        self, connection: Connection, district: District, by: str, act: str, payload: Mapping[str, object]
    ) -> None:
        entry = log.entry(
            district.keys, at=self._clock.now(), actor=by, act=act, decision="allowed", purpose="operation",
            elements=(schedule.BIRTH_DATE,), population="school", interest=log.Interest.OPERATION, payload=payload,
        )  # fmt: skip
        log.record(connection, entry)


def _hash(district: District, school: str) -> str:
    return district.keys.lookup("school", school).hex()


def age_of(said: str, today: date) -> Age:
    """Whole years as somebody types them.

    Raises:
        InvalidInput: it is none.
    """
    text = said.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 3) or not YOUNGEST <= int(text) <= OLDEST:
        raise InvalidInput(f"An age is {YOUNGEST} to {OLDEST} whole years, in digits.")
    return Age(int(text), today)


def hold_everybody(connection: Connection, district: District, today: date, most: int | None = None) -> int:
    """Take the addresses of children away, of whoever has one that can be read."""
    f = person_field.c
    rows = connection.execute(
        sa.select(person.c.id, person.c.wrapped_key)
        .where(person.c.kind == "pupil", person.c.wrapped_key.is_not(None))
        .where(sa.exists().where(f.person_id == person.c.id, f.field == "email", f.ciphertext.is_not(None)))
        .order_by(person.c.id)
        .limit(most)
    ).all()
    gone = 0
    for row in rows:
        person_id = PersonId(row.id)
        key = district.keys.person_key(person_id, bytes(row.wrapped_key))
        gone += ages.hold(connection, Whose(keys=district.keys, person_id=person_id, key=key), today)
    return gone


_ALONE = sa.text("SELECT FROM person WHERE id = :person FOR UPDATE")
_SILENT = Sql("SELECT * FROM silent_pupil(:district, :person, :now)")
