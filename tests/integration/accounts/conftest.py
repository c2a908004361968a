"""People who may be one, with all that is kept of somebody."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from lti_server.accounts import store as people
from lti_server.accounts.merging import Way, Why
from lti_server.accounts.model import FieldValue, Kind, Known, Subject
from lti_server.app import House
from lti_server.ids import GrantId, IdentityId, MembershipId, PersonId, new_id
from lti_server.privacy import grants, schedule
from lti_server.privacy.contracts import in_force
from lti_server.privacy.districts import District
from lti_server.privacy.model import Origin, Purpose
from lti_server.privacy.rights import Asked
from lti_server.privacy.store_gate import leave
from lti_server.progress import store as progress
from lti_server.progress.model import Attempt, Whose
from tests import world
from tests.clock import FakeClock

WHY = Why(by="test", way=Way.ADMINISTRATOR, reason="They are one child")
EMAIL = "\n  student_contact.email: " + world.SCHOOL


class People:
    """A district and the people who are made in it."""

    def __init__(self, house: House, clock: FakeClock) -> None:
        self.house = house
        self.clock = clock
        self.district: District = world.district(house, terms=world.contract(house, more=EMAIL[1:]))
        with house.database.tenant(self.district.id) as connection:
            self.lms, self.roster = (
                grants.open_grant(connection, self.district.id, name, house.clock.now()) for name in ("lti", "oidc")
            )
            contract_id = in_force(connection, self.district.zone, house.clock.now())
            assert contract_id is not None
            self.policy = house.policies.of(connection, contract_id)

    def ask(self, statement: str, **values: object) -> list[sa.Row[Any]]:
        with self.house.database.tenant(self.district.id) as connection:
            return list(connection.execute(sa.text(statement), values))

    def do(self, statement: str, **values: object) -> None:
        with self.house.database.tenant(self.district.id) as connection:
            connection.execute(sa.text(statement), values)

    def somebody(self, sub: str, grant_id: GrantId, *, kind: Kind = Kind.PUPIL, **fields: str) -> PersonId:
        """A person with one way in, and fields that it told."""
        keys, at = self.district.keys, self.house.clock.now()
        source = people.Source(grant_id=grant_id, epoch=1, run_id=None, at=at)
        subject = Subject(provider="x", issuer="https://x.example", client_id="c", subject=sub)
        with self.house.database.tenant(self.district.id) as connection:
            known = people.create(connection, keys, subject, kind=kind, source=source, keep_subject=True)
        self.tells(known.person_id, grant_id, **fields)
        return known.person_id

    def tells(self, person_id: PersonId, grant_id: GrantId, **fields: str) -> None:
        keys, at = self.district.keys, self.house.clock.now()
        source = people.Source(grant_id=grant_id, epoch=1, run_id=None, at=at)
        with self.house.database.tenant(self.district.id) as connection:
            (row,) = connection.execute(
                sa.text("SELECT wrapped_key, kind FROM person WHERE id = :id"), {"id": person_id}
            )
            known = Known(
                person_id=person_id, identity_id=IdentityId(new_id()), kind=Kind(row.kind),
                wrapped_key=bytes(row.wrapped_key), fingerprints={},
            )  # fmt: skip
            values = [FieldValue(name=name, value=text, leave=self._leave(name), findable=name == "local_id")
                      for name, text in fields.items()]  # fmt: skip
            people.write_fields(connection, keys, known, source, values, [])

    def _leave(self, field: str) -> Any:
        element = schedule.element_at_rest(field)
        assert element is not None
        return leave(self.policy, element, purpose=Purpose.INSTRUCTION, origin=Origin.SCHOOL)

    def section(self, grant_id: GrantId) -> UUID:
        section_id = new_id()
        self.do(
            "INSERT INTO section (id, district_id, grant_id, provider, source_scope, source_id, name, created_at)"
            " VALUES (:id, :district, :grant, 'lti', '', :source, 'Hill', :now)",
            id=section_id, district=self.district.id, grant=grant_id, source=str(section_id),
            now=self.house.clock.now(),
        )  # fmt: skip
        return section_id

    def joins(self, person_id: PersonId, section_id: UUID, grant_id: GrantId, role: str = "pupil") -> MembershipId:
        membership_id = new_id()
        self.do(
            "INSERT INTO membership (id, district_id, section_id, person_id, role, source, grant_id, epoch, started_at)"
            " VALUES (:id, :district, :section, :person, :role, 'launch', :grant, 1, :now)",
            id=membership_id, district=self.district.id, section=section_id, person=person_id, role=role,
            grant=grant_id, now=self.house.clock.now(),
        )  # fmt: skip
        return MembershipId(membership_id)

    def tries(
        self, person_id: PersonId, grant_id: GrantId, score: float, *, activity: str = "a", completed: bool = False,
        work: str | None = None, attempt_id: UUID | None = None, membership_id: MembershipId | None = None,
    ) -> None:  # fmt: skip
        keys, now = self.district.keys, self.house.clock.now()
        performance = leave(self.policy, schedule.PERFORMANCE, purpose=Purpose.INSTRUCTION, origin=Origin.STUDENT)
        kept = leave(self.policy, schedule.WORK, purpose=Purpose.INSTRUCTION, origin=Origin.STUDENT)
        assert performance is not None
        whose = Whose(
            person_id=person_id, lesson_id="lesson", membership_id=membership_id, grant_id=grant_id, epoch=1,
            performance=performance, work=kept,
        )  # fmt: skip
        attempt = Attempt(
            attempt_id=attempt_id or new_id(), activity_id=activity, score=score, completed=completed, optimal=False,
            duration_s=None, occurred_at=now, work=work,
        )  # fmt: skip
        with self.house.database.tenant(self.district.id) as connection:
            (wrapped,) = connection.execute(sa.text("SELECT wrapped_key FROM person WHERE id = :id"), {"id": person_id})
            key = keys.person_key(person_id, bytes(wrapped[0]))
            progress.add(connection, keys, key, whose, attempt, now)

    def merge(self, into: PersonId, gone: PersonId, why: Why = WHY) -> UUID:
        with self.house.database.tenant(self.district.id) as connection:
            return self.house.rights.merge.merge(connection, into, gone, why)

    def undo(self, merge_id: UUID) -> None:
        self.house.rights.merge.undo(self.district.id, merge_id, WHY)

    def known(self, person_id: PersonId, *, log: bool = False) -> dict[str, list[dict[str, Any]]]:
        """All that is kept of somebody, opened, in an order that does not depend on the database."""
        found = self.house.rights.rights.export(self.district.id, person_id, Asked(by="test", act="t", reason="why"))
        tables = {name: rows for part in found["data"].values() for name, rows in part.items() if rows}
        hidden = {"merge_ledger"} if log else {"merge_ledger", "log_entry"}
        return {name: sorted(rows, key=str) for name, rows in tables.items() if name not in hidden}

    def total(self, person_id: PersonId) -> dict[str, tuple[int, float]]:
        rows = self.known(person_id).get("progress_summary", [])
        return {row["activity_id"]: (row["attempts"], row["best_score"]) for row in rows}

    def later(self) -> None:
        self.clock.pass_s(60)


@pytest.fixture
def here(house: House, clock: FakeClock) -> People:
    return People(house, clock)
