"""A backup is made, something is narrowed, the backup comes back, and the replay narrows it again, and once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from lti_server.accounts.store import fields_of
from lti_server.app import House, build_house
from lti_server.cli import Commands
from lti_server.ids import GrantId, PersonId
from lti_server.privacy.journal import JournalKind
from lti_server.privacy.model import Purpose, Recipients
from lti_server.privacy.new_use import consenting, reading_for
from lti_server.privacy.rights import Asked
from tests import world
from tests.functional.restored import Site, elsewhere, site

__all__ = ["elsewhere", "site"]

ASKED = Asked(by="cli:test", act="person restrict", reason="The family asked.")


class Monday:
    """The backup is made; what follows is done after it."""

    def __init__(self, site: Site, elsewhere: str) -> None:
        self.site, self.elsewhere = site, elsewhere
        self.house, self.tenant = site.here.house, site.here.tenants[0]
        self.district_id = self.tenant.district.id
        with self.house.database.tenant(self.district_id) as connection:
            worked = connection.execute(sa.text("SELECT person_id FROM progress_event LIMIT 1")).scalar_one()
        self.pupil = PersonId(worked)

    def backup(self) -> None:
        self.site.run("create", str(self.site.file))

    def restore(self, kind: JournalKind, changed: int = 1) -> dict[str, Any]:
        """The backup comes back, and a second replay finds nothing to do."""
        self.site.environment(self.elsewhere)
        found = self.site.run("restore", str(self.site.file))
        assert found["changed"][kind.value] == changed, found
        again = self.site.run("replay")
        assert set(again["changed"].values()) == {0}, again
        return found

    def ask(self, query: str, **values: object) -> list[Any]:
        """Rows of the restored database."""
        with self.restored() as house, house.database.tenant(self.district_id) as connection:
            return list(connection.execute(sa.text(query), values))

    @contextmanager
    def restored(self) -> Iterator[House]:
        house = build_house(self.site.settings, self.elsewhere)
        try:
            yield house
        finally:
            house.database.dispose()


@pytest.fixture
def monday(site: Site, elsewhere: str) -> Monday:
    return Monday(site, elsewhere)


def restrict(monday: Monday, *, lift: bool = False) -> None:
    monday.house.rights.correct.restrict(monday.district_id, monday.pupil, Recipients.EVALUATOR, ASKED, lift=lift)


RESTRICTED = "SELECT recipients FROM disclosure_restriction WHERE person_id = :person AND recipients = 'evaluator'"


def test_a_restriction_of_disclosure_stands_after_the_restore(monday: Monday) -> None:
    restrict(monday, lift=True)
    monday.backup()
    restrict(monday)
    monday.restore(JournalKind.RESTRICTION)
    assert monday.ask(RESTRICTED, person=monday.pupil) == [("evaluator",)]


@pytest.mark.parametrize("before", [True, False], ids=["made-before-the-backup", "made-after-the-backup"])
def test_a_restriction_that_was_lifted_is_lifted_after_the_restore(monday: Monday, before: bool) -> None:
    restrict(monday, lift=not before)
    monday.backup()
    if not before:
        restrict(monday)
    restrict(monday, lift=True)
    monday.restore(JournalKind.UNRESTRICTION, changed=int(before))
    assert monday.ask(RESTRICTED, person=monday.pupil) == []


def test_a_restriction_that_was_lifted_and_made_again_stands_after_the_restore(monday: Monday) -> None:
    restrict(monday, lift=True)
    monday.backup()
    for lift in (False, True, False):
        restrict(monday, lift=lift)
    monday.restore(JournalKind.RESTRICTION)
    assert monday.ask(RESTRICTED, person=monday.pupil) == [("evaluator",)]


STATE = "SELECT state FROM grants WHERE id = :grant"


def test_a_suspended_connection_is_suspended_after_the_restore(monday: Monday) -> None:
    monday.backup()
    grant_id = monday.tenant.registered.grant_id
    monday.house.grants.withdraw.suspend(monday.district_id, grant_id, by="cli:test", reason="A pause.")
    monday.restore(JournalKind.SUSPENSION)
    assert monday.ask(STATE, grant=grant_id) == [("suspended",)]


def test_a_connection_that_was_resumed_goes_on_after_the_restore(monday: Monday) -> None:
    withdraw, grant_id = monday.house.grants.withdraw, monday.tenant.registered.grant_id
    withdraw.suspend(monday.district_id, grant_id, by="cli:test")
    monday.backup()
    withdraw.resume(monday.district_id, grant_id, by="cli:test")
    monday.restore(JournalKind.RESUMPTION)
    assert monday.ask(STATE, grant=grant_id) == [("active",)]


def names(monday: Monday, house: House) -> dict[str, str]:
    """What a teacher sees of the pupil."""
    with house.database.tenant(monday.district_id) as connection:
        district = house.entered(connection)
        reading = reading_for(connection, district.zone, Purpose.INSTRUCTION, house.clock.now())
        return fields_of(connection, district.keys, [monday.pupil], reading).get(monday.pupil, {})


def test_a_name_that_was_put_right_is_held_back_after_the_restore_until_it_is_put_right_again(monday: Monday) -> None:
    wrong = names(monday, monday.house)["name"]
    monday.backup()
    monday.house.rights.correct.put(monday.district_id, monday.pupil, "name", "Ada Right", ASKED)
    found = monday.restore(JournalKind.CORRECTION, changed=1)
    to_do = {"district": monday.tenant.slug, "person": str(monday.pupil), "field": "name"}
    assert found["to_correct"] == [to_do]
    assert "restore" in doctor()
    with monday.restored() as house:
        assert "name" not in names(monday, house), wrong
        house.rights.correct.put(monday.district_id, monday.pupil, "name", "Ada Right", ASKED)
        assert names(monday, house)["name"] == "Ada Right"
    again = monday.site.run("replay")
    assert (again["to_correct"], again["changed"]["correction"]) == ([], 0)
    assert "restore" not in doctor()


def doctor() -> set[str]:
    """What it finds to be not well."""
    result = CliRunner().invoke(Commands(), ["doctor", "--json"])
    return {one["name"] for one in json.loads(result.stdout)["checks"] if not one["ok"]}


def test_a_correction_that_was_dropped_is_dropped_after_the_restore(monday: Monday) -> None:
    monday.backup()
    monday.house.rights.correct.drop(monday.district_id, monday.pupil, "nickname", ASKED)
    assert monday.restore(JournalKind.UNCORRECTION)["to_correct"] == []
    assert monday.ask("SELECT 1 FROM correction WHERE person_id = :person", person=monday.pupil) == []


def test_a_consent_that_was_taken_back_is_none_after_the_restore(monday: Monday) -> None:
    monday.backup()
    run("policy", "withdraw", str(monday.pupil), "--purpose", "evaluation")
    monday.restore(JournalKind.CONSENT_WITHDRAWAL)
    with monday.restored() as house, house.database.tenant(monday.district_id) as connection:
        assert monday.pupil not in consenting(connection, Purpose.EVALUATION)


def run(*arguments: str) -> None:
    result = CliRunner().invoke(Commands(), [*arguments, "--json"])
    if result.exception is not None:
        raise result.exception


def test_a_notice_that_names_fewer_purposes_acts_after_the_restore_and_says_that_its_words_are_lost(
    monday: Monday,
) -> None:
    monday.backup()
    today = f"{monday.house.clock.now():%Y-%m-%d}"
    said = ("--summary-en", "Less.", "--summary-fr", "Moins.", "--purpose", "instruction")
    run("policy", "announce", "--acts-on", today, *said)
    monday.restore(JournalKind.NOTICE)
    ((purposes, english),) = monday.ask("SELECT purposes, summary_en FROM policy_version")
    assert purposes == ["instruction"]
    assert "lost" in english


def test_what_a_guardian_wrote_is_gone_after_the_restore_once_it_was_answered(monday: Monday) -> None:
    monday.backup()
    (case,) = monday.house.rights.requests.cases(monday.district_id, by="cli:test")
    monday.house.rights.requests.answered(monday.district_id, case.id, by="cli:test")
    monday.restore(JournalKind.ANSWER)
    assert monday.ask("SELECT sealed, answered_at IS NOT NULL FROM guardian_request") == [(None, True)]


def revoke(monday: Monday) -> GrantId:
    """Everything of the district; the last of its grants is the one that its pupils came by."""
    withdraw = monday.house.grants.withdraw
    with monday.house.database.tenant(monday.district_id) as connection:
        live = sa.text("SELECT id FROM grants WHERE state NOT IN ('revoking', 'revoked')")
        ids = connection.execute(live).scalars().all()
    for one in ids:
        withdraw.begin(monday.district_id, one, by="cli:test", reason="Over.")
        assert withdraw.finish(monday.district_id, one)
    return monday.tenant.registered.grant_id


def test_a_directive_to_dispose_has_its_day_after_the_restore(monday: Monday, narrow: Callable[[str], None]) -> None:
    narrow("limits: {disposition_days: {value: 30, clause: 'Art. IV'}}")
    monday.backup()
    grant_id = revoke(monday)
    due = monday.house.clock.now().date() + timedelta(days=20)
    monday.house.rights.dispose.request(monday.district_id, grant_id, by="cli:test", due=due)
    monday.restore(JournalKind.DISPOSITION)
    assert monday.ask("SELECT due_on, state FROM disposition WHERE grant_id = :grant", grant=grant_id) == [
        (due, "waiting")
    ]


@pytest.fixture
def narrow(monday: Monday) -> Callable[[str], None]:
    """Sign the usual contract with more lines."""

    def sign(more: str) -> None:
        world.sign(monday.house, monday.tenant.district, world.contract(monday.house, more=more))

    return sign
