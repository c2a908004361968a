"""A backup is made, something is narrowed, the backup comes back, and the replay narrows it again, and once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from lti_server.accounts.store import fields_of
from lti_server.app import House
from lti_server.ids import GrantId, SectionId
from lti_server.privacy.journal import JournalKind
from lti_server.privacy.model import Purpose, Recipients
from lti_server.privacy.new_use import consenting, reading_for
from lti_server.privacy.rights import Asked
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.functional.restored import Monday, doctor, elsewhere, monday, run, site
from tests.functional.sign_in.aged import AGED

__all__ = ["elsewhere", "monday", "site"]

ASKED = Asked(by="cli:test", act="person restrict", reason="The family asked.")


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


def test_what_a_district_said_of_a_schools_ages_before_it_said_otherwise_says_nothing_after_the_restore(
    monday: Monday,
) -> None:
    world.sign(monday.house, monday.tenant.district, world.contract(monday.house, more=AGED))
    words = SignInHouse(monday.house).age_words
    words.state(monday.district_id, "Hill High", "16", by="test")
    words.state(monday.district_id, "Dale", "9", by="test")
    monday.backup()
    words.state(monday.district_id, "Hill High", "11", by="test")
    words.withdraw(monday.district_id, "Dale", by="test")
    monday.restore(JournalKind.AGE_STATEMENT, changed=2)
    with monday.restored() as house:
        assert "Hill High" not in [one.school for one in SignInHouse(house).age_words.statements(monday.district_id)]


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


def test_what_is_past_its_day_is_disposed_of_again_before_anybody_works_with_the_restored_database(
    monday: Monday, narrow: Callable[[str], None]
) -> None:
    narrow("limits: {disposition_days: {value: 30, clause: 'Art. IV'}}")
    monday.backup()
    revoke(monday)
    dispose = monday.house.rights.dispose
    asked = dispose.request(monday.district_id, None, by="cli:test", due=monday.house.clock.now().date())
    (done,) = dispose.run_due(monday.district_id)
    assert (done.id, done.state) == (asked.id, "done")
    monday.restore(JournalKind.DISPOSITION)
    assert monday.ask("SELECT state FROM disposition WHERE id = :id", id=asked.id) == [("done",)]
    assert monday.ask("SELECT id FROM person WHERE wrapped_key IS NOT NULL") == []


def test_what_is_past_its_days_by_the_contract_is_gone_again_before_anybody_works_with_the_restored_database(
    monday: Monday,
) -> None:
    with monday.house.database.tenant(monday.district_id) as connection:
        old = "UPDATE person_field SET collected_at = now() - interval '401 days' WHERE person_id = :person"
        assert connection.execute(sa.text(old), {"person": monday.pupil}).rowcount > 0
    monday.backup()
    with monday.house.database.tenant(monday.district_id) as connection:
        assert monday.house.retain(connection, monday.tenant.district).counts
    monday.site.environment(monday.elsewhere)
    monday.site.run("restore", str(monday.site.file))
    assert monday.ask("SELECT field FROM person_field WHERE person_id = :person", person=monday.pupil) == []


def test_what_somebody_asked_at_the_own_page_is_gone_after_the_restore_once_it_was_answered(monday: Monday) -> None:
    monday.backup()
    (case,) = monday.house.rights.own_requests.cases(monday.district_id, by="cli:test")
    monday.house.rights.own_requests.answered(monday.district_id, case.id, by="cli:test")
    monday.restore(JournalKind.ANSWER)
    assert monday.ask("SELECT sealed, answered_at IS NOT NULL FROM own_request") == [(None, True)]


LIVE = (
    "SELECT (SELECT count(*) FROM identity WHERE person_id = :person AND ended_at IS NULL),"
    " (SELECT count(*) FROM membership WHERE person_id = :person AND ended_at IS NULL)"
)


def test_a_pupil_who_was_blocked_is_blocked_after_the_restore(monday: Monday) -> None:
    monday.backup()
    monday.house.rights.blocks.of_person(monday.district_id, monday.pupil, by="cli:test")
    monday.restore(JournalKind.BLOCK)
    assert monday.ask(LIVE, person=monday.pupil) == [(0, 0)]


@pytest.mark.parametrize("before", [True, False], ids=["made-before-the-backup", "made-after-the-backup"])
def test_a_pupil_whose_block_was_lifted_has_a_way_in_after_the_restore(monday: Monday, before: bool) -> None:
    blocks = monday.house.rights.blocks
    if not before:
        monday.backup()
    made = blocks.of_person(monday.district_id, monday.pupil, by="cli:test")
    if before:
        monday.backup()
    blocks.lift(monday.district_id, made.id, by="cli:test", reason="The family agreed again.")
    monday.restore(JournalKind.UNBLOCK, changed=int(before))
    ((ways_in, _),) = monday.ask(LIVE, person=monday.pupil)
    assert ways_in == 1
    assert monday.ask("SELECT 1 FROM block WHERE id = :id AND lifted_at IS NULL", id=made.id) == []


def test_a_connection_that_was_narrowed_reaches_the_same_classes_after_the_restore(monday: Monday) -> None:
    grant_id = monday.tenant.registered.grant_id
    with monday.house.database.tenant(monday.district_id) as connection:
        first = sa.text("SELECT id FROM section WHERE grant_id = :grant ORDER BY created_at LIMIT 1")
        kept = SectionId(connection.execute(first, {"grant": grant_id}).scalar_one())
    monday.backup()
    withdraw = monday.house.grants.withdraw
    withdraw.narrow(monday.district_id, grant_id, [kept], by="cli:test", reason="One class.")
    assert withdraw.finish(monday.district_id, grant_id)
    monday.restore(JournalKind.NARROWING)
    assert monday.ask("SELECT section_id FROM grant_section WHERE grant_id = :grant", grant=grant_id) == [(kept,)]


def test_the_days_for_what_a_revoked_connection_left_count_from_its_revocation(
    monday: Monday, narrow: Callable[[str], None]
) -> None:
    narrow("limits: {disposition_days: {value: 30, clause: 'Art. IV'}}")
    monday.backup()
    grant_id = revoke(monday)
    journal = monday.site.settings.data_dir / "journal.jsonl"
    week_ago = monday.house.clock.now() - timedelta(days=7)
    today = f'"at":"{monday.house.clock.now():%Y-%m-%d}'
    lines = [
        line.replace(today, f'"at":"{week_ago:%Y-%m-%d}') if str(grant_id) in line else line
        for line in journal.read_text().splitlines(keepends=True)
    ]
    journal.write_text("".join(lines))
    monday.restore(JournalKind.REVOCATION, changed=2)
    ((dispose_by,),) = monday.ask("SELECT dispose_by FROM revocation WHERE grant_id = :grant", grant=grant_id)
    assert dispose_by == (week_ago + timedelta(days=30)).date()


def test_who_was_erased_is_erased_after_the_restore_and_counted_once(monday: Monday) -> None:
    monday.backup()
    monday.house.rights.erase(monday.district_id, monday.pupil, by="cli:test", keeps_grades=True)
    monday.restore(JournalKind.ERASURE)
    assert monday.ask("SELECT 1 FROM person_field WHERE person_id = :person", person=monday.pupil) == []


def test_a_platform_that_has_left_its_addresses_is_suspended_after_the_restore(monday: Monday) -> None:
    monday.backup()
    registered = monday.tenant.registered
    moved = replace(registered.platform, jwks_url=f"{registered.platform.jwks_url}?moved")
    with monday.house.database.anyone() as connection:
        monday.house.registrations.take(connection, monday.district_id, moved)
    monday.house.registrations.approve(registered.id)
    monday.restore(JournalKind.READDRESSING)
    assert monday.ask(STATE, grant=registered.grant_id) == [("suspended",)]


def test_every_class_is_read_again_as_soon_as_the_worker_runs_after_the_restore(monday: Monday) -> None:
    monday.backup()
    monday.site.environment(monday.elsewhere)
    monday.site.run("restore", str(monday.site.file))
    waiting = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'roster.sync_section' AND status = 'todo'"
    assert monday.site.count(waiting, monday.elsewhere) >= 2, "a course of each district"
