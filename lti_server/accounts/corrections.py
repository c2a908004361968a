"""What a district puts right about a person: a local pin that stands whatever a sync brings (law 11), and restrictions
of disclosure by class of recipient. Both are asked for by the person, and read where it counts: at each read, at each
disclosure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.engine import Connection

from lti_server.accounts import ages
from lti_server.accounts.merging import survivor
from lti_server.accounts.person_sessions import end_by_providers
from lti_server.accounts.tables import correction, disclosure_restriction, person
from lti_server.db import Database
from lti_server.errors import ContractForbids, InvalidInput, NotFound
from lti_server.ids import Clock, DistrictId, PersonId
from lti_server.privacy import log, own_terms, schedule
from lti_server.privacy.ages import ADULT, OLDEST, YOUNGEST, Age, earliest_day
from lti_server.privacy.contracts import Policies, in_force
from lti_server.privacy.crypto import PersonKey
from lti_server.privacy.districts import District
from lti_server.privacy.journal import Journal, JournalEntry, JournalKind
from lti_server.privacy.model import Origin, Policy, Purpose, Recipients
from lti_server.privacy.rights import Asked, check_reason
from lti_server.privacy.store_gate import leave

LONGEST = 200
RESTORE = "restore"
"""Who put it there, where no value came with it: a restored backup, by the journal."""
# Ids and addresses are what a source says they are: to change one is to speak of another account.
CORRECTABLE = frozenset({"name", "given_name", "family_name", "middle_name", "nickname", "school", "grade", ages.FIELD})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Whose:
    """The person that something is changed of."""

    district: District
    kind: str
    key: PersonKey


class Restrictions:
    """The disclose gate's question."""

    def forbid(self, connection: Connection, person_id: UUID, recipients: Recipients) -> bool:
        """Whether nothing of this person may go to such recipients, in the entered district.

        What was left with somebody who became one with another is under what holds for that one.
        """
        r, now = disclosure_restriction.c, sa.select(person.c.merged_into).where(person.c.id == person_id)
        mine = sa.or_(r.person_id == person_id, r.person_id.in_(now))
        found = sa.select(r.recipients).where(mine, r.recipients == recipients.value).limit(1)
        return connection.execute(found).one_or_none() is not None


class Correct:
    """Corrections and restrictions, each with its entry in the log and the reason that the person may read."""

    def __init__(
        self,
        *,
        database: Database,
        district: Callable[[Connection], District],
        policies: Policies,
        journal: Journal,
        adults_only: Callable[[], Collection[str]],
        clock: Clock,
    ) -> None:
        self._database = database
        self._district = district
        self._policies = policies
        self._journal = journal
        self._adults_only = adults_only
        self._clock = clock

    def put(self, district_id: DistrictId, person_id: PersonId, field: str, value: str, asked: Asked) -> None:
        """Let a field say this from here on, whatever a source brings.

        Raises:
            InvalidInput: no reason, no value, or a field that is not corrected here.
            ContractForbids: the contract does not let the field be kept.
            NotFound: there is no such person.
        """
        text = value.replace("\x00", "").strip()
        if field not in CORRECTABLE or not 0 < len(text) <= LONGEST:
            raise InvalidInput(f"Correct one of {', '.join(sorted(CORRECTABLE))}, with at most {LONGEST} characters.")
        now = self._clock.now()
        age = _age(text, earliest_day(now)) if field == ages.FIELD else None
        text = text if age is None else age.text()
        with self._database.tenant(district_id) as connection:
            whose = self._whose(connection, person_id, asked)
            element = self._allowed(connection, whose, field)
            _pin(connection, whose, person_id, field, text, by=asked.by, at=now)
            if age is not None:
                pupil = ages.Whose(keys=whose.district.keys, person_id=person_id, key=whose.key)
                ages.hold(connection, pupil, earliest_day(now))
                if age.years < ADULT:
                    end_by_providers(connection, person_id, self._adults_only(), now)
            self._note(connection, whose, person_id, asked, element)
            self._journal.append(
                JournalKind.CORRECTION, district_id=district_id, at=now, person=str(person_id), field=field
            )

    def drop(self, district_id: DistrictId, person_id: PersonId, field: str, asked: Asked) -> None:
        """Let the sources say again what a field is. Raises NotFound where nothing was corrected."""
        now = self._clock.now()
        with self._database.tenant(district_id) as connection:
            whose = self._whose(connection, person_id, asked)
            c = correction.c
            if not connection.execute(correction.delete().where(c.person_id == person_id, c.field == field)).rowcount:
                raise NotFound("This field was not corrected.")
            self._note(connection, whose, person_id, asked, "")
        self._journal.append(
            JournalKind.UNCORRECTION, district_id=district_id, at=now, person=str(person_id), field=field
        )

    def restrict(
        self, district_id: DistrictId, person_id: PersonId, recipients: Recipients, asked: Asked, *, lift: bool = False
    ) -> list[str]:
        """Let nothing of a person go to a class of recipients, or lift that; answers with what stands.

        Raises:
            InvalidInput: no reason. NotFound: there is no such person.
        """
        r, now = disclosure_restriction.c, self._clock.now()
        told = {"person": str(person_id), "recipients": recipients.value}
        with self._database.tenant(district_id) as connection:
            whose = self._whose(connection, person_id, asked)
            if lift:
                _lift(connection, person_id, recipients.value, until=now)
            else:
                _restrict(connection, district_id, person_id, recipients.value, by=asked.by, at=now)
            self._note(connection, whose, person_id, asked, "")
            stands = sa.select(r.recipients).where(r.person_id == person_id).order_by(r.recipients)
            found = list(connection.execute(stands).scalars())
            if not lift:
                self._journal.append(JournalKind.RESTRICTION, district_id=district_id, at=now, **told)
        if lift:
            self._journal.append(JournalKind.UNRESTRICTION, district_id=district_id, at=now, **told)
        return found

    def replay(self, entry: JournalEntry) -> bool:
        """Do again what a restored backup does not know; False where it does, or does not know the person.

        The right value is nowhere outside the database: a field that was corrected says nothing until it is corrected
        again, for what the backup has of it is known to be wrong. Of whoever is one with another it is the other's.
        """
        assert entry.district_id is not None
        at = entry.at
        with self._database.tenant(entry.district_id) as connection:
            person_id = survivor(connection, PersonId(UUID(entry.said["person"])))
            found = sa.select(person.c.kind, person.c.wrapped_key).where(person.c.id == person_id)
            row = connection.execute(found).one_or_none()
            if row is None or row.wrapped_key is None:
                return False
            if entry.kind is JournalKind.RESTRICTION:
                return _restrict(connection, entry.district_id, person_id, entry.said["recipients"], by=RESTORE, at=at)
            if entry.kind is JournalKind.UNRESTRICTION:
                return _lift(connection, person_id, entry.said["recipients"], until=at)
            c = correction.c
            mine = (c.person_id == person_id, c.field == entry.said["field"])
            if entry.kind is JournalKind.UNCORRECTION:
                return connection.execute(correction.delete().where(*mine, c.corrected_at <= at)).rowcount > 0
            known = sa.select(c.field).where(*mine, c.corrected_at >= at)
            if connection.execute(known).one_or_none() is not None:
                return False
            district = self._district(connection)
            key = district.keys.person_key(person_id, bytes(row.wrapped_key))
            whose = _Whose(district=district, kind=row.kind, key=key)
            _pin(connection, whose, person_id, entry.said["field"], "", by=RESTORE, at=at)
            return True

    def _whose(self, connection: Connection, person_id: PersonId, asked: Asked) -> _Whose:
        check_reason(asked.reason)
        found = sa.select(person.c.kind, person.c.wrapped_key).where(person.c.id == person_id)
        row = connection.execute(found).one_or_none()
        if row is None or row.wrapped_key is None:
            raise NotFound("There is no person with this id.")
        district = self._district(connection)
        return _Whose(district=district, kind=row.kind, key=district.keys.person_key(person_id, bytes(row.wrapped_key)))

    def _allowed(self, connection: Connection, whose: _Whose, field: str) -> str:
        """The element of a field that the contract in force lets be kept."""
        contract_id = in_force(connection, whose.district.zone, self._clock.now())
        policy = None if contract_id is None else self._policies.of(connection, contract_id)
        element = _kept(policy, whose.kind, field, whose.district.slug)
        if element is None:
            raise ContractForbids("The district's contract does not let this field be kept.")
        return element

    def _note(self, connection: Connection, whose: _Whose, person_id: PersonId, asked: Asked, element: str) -> None:
        entry = log.entry(
            whose.district.keys, at=self._clock.now(), actor=asked.by, act=asked.act, decision="allowed",
            purpose="operation", object_id=person_id, elements=(element,) if element else (), population="person",
            interest=asked.interest, words=log.Words(person_id=person_id, text=asked.reason, key=whose.key),
            payload=asked.details,
        )  # fmt: skip
        log.record(connection, entry)


def _age(said: str, today: date) -> Age:
    try:
        return Age(int(said), today)
    except ValueError as error:
        raise InvalidInput(f"An age is {YOUNGEST} to {OLDEST} whole years, never a birth date.") from error


def _pin(
    connection: Connection, whose: _Whose, person_id: PersonId, field: str, text: str, *, by: str, at: datetime
) -> None:
    insert = pg.insert(correction).values(
        district_id=whose.district.id, person_id=person_id, field=field, corrected_by=by, corrected_at=at,
        ciphertext=whose.key.seal("correction", "ciphertext", f"{person_id}|{field}", text),
    )  # fmt: skip
    names = ("ciphertext", "corrected_by", "corrected_at")
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["person_id", "field"], set_={name: insert.excluded[name] for name in names}
        )
    )


def _restrict(
    connection: Connection, district_id: DistrictId, person_id: PersonId, recipients: str, *, by: str, at: datetime
) -> bool:
    insert = pg.insert(disclosure_restriction).values(
        district_id=district_id, person_id=person_id, recipients=recipients, restricted_by=by, restricted_at=at
    )
    made = insert.on_conflict_do_nothing().returning(disclosure_restriction.c.person_id)
    return connection.execute(made).one_or_none() is not None


def _lift(connection: Connection, person_id: PersonId, recipients: str, *, until: datetime) -> bool:
    r = disclosure_restriction.c
    mine = disclosure_restriction.delete().where(r.person_id == person_id, r.recipients == recipients)
    return connection.execute(mine.where(r.restricted_at <= until)).rowcount > 0


def held_back(connection: Connection) -> list[tuple[PersonId, str]]:
    """The fields in the entered district that a restore holds back until they are corrected again, and whose."""
    c = correction.c
    rows = connection.execute(
        sa.select(c.person_id, c.field).where(c.corrected_by == RESTORE).order_by(c.person_id, c.field)
    )
    return [(PersonId(row.person_id), str(row.field)) for row in rows]


def _kept(policy: Policy | None, kind: str, field: str, slug: str) -> str | None:
    """Who registered alone has no school that says anything of them."""
    origin = Origin.STUDENT if own_terms.is_own(slug) else Origin.SCHOOL
    if kind == "staff":
        educator = schedule.element_of_educator(field)
        return educator if policy is not None and educator in policy.educator_elements else None
    if field == ages.FIELD:
        return schedule.BIRTH_DATE if policy is not None and origin in policy.age_from else None
    element = schedule.element_at_rest(field)
    if element is None or leave(policy, element, purpose=Purpose.INSTRUCTION, origin=origin) is None:
        return None
    return element
