"""What a district puts right stands whatever a source brings, and what somebody restricts does not go out."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from lti_server.accounts.store import fields_of
from lti_server.privacy.reading import of_own_data
from tests import world
from tests.clock import FakeClock
from tests.functional.person_commands import Run, clock, on, run
from tests.functional.street import Street

__all__ = ["clock", "on", "run"]

WHY = ("--reason", "The family showed a certificate.")


@pytest.fixture
def pupil(on: Street) -> str:
    on.save(on.token())
    return str(on.deliveries()[0].person_id)


def name_of(on: Street, person_id: str) -> str | None:
    with on.house.database.tenant(on.district.id) as connection:
        keys = on.house.entered(connection).keys
        return fields_of(connection, keys, [UUID(person_id)], of_own_data()).get(UUID(person_id), {}).get("name")


def test_a_corrected_name_stands_before_what_launches_and_class_lists_say(
    on: Street, pupil: str, run: Run, clock: FakeClock
) -> None:
    run("correct", pupil, "--field", "name", "--value", "Noor Right", *WHY)
    clock.pass_s(5)
    on.token()
    assert on.house.sync_roster()(on.district).state == "applied"
    assert name_of(on, pupil) == "Noor Right"


def test_a_correction_that_is_dropped_lets_the_source_speak_again(on: Street, pupil: str, run: Run) -> None:
    run("correct", pupil, "--field", "name", "--value", "Noor Right", *WHY)
    run("correct", pupil, "--field", "name", "--drop", *WHY)
    assert name_of(on, pupil) == on.pupils[0].name
    run("correct", pupil, "--field", "name", "--drop", *WHY, fails=1)


def test_a_correction_is_in_the_export_and_its_reason_in_the_log_for_the_person(pupil: str, run: Run) -> None:
    run("correct", pupil, "--field", "name", "--value", "Noor Right", *WHY)
    data = run("export", pupil, "--reason", "The family asked.")["data"]
    assert data["people"]["correction"][0]["ciphertext"] == "Noor Right"
    assert data["people"]["correction"][0]["element"] == "student_name.first_and_or_last"
    assert WHY[1] in {one["words"] for one in data["log"]["log_entry"]}


def test_a_correction_is_no_way_around_the_contract(on: Street, pupil: str, run: Run) -> None:
    refused = run("correct", pupil, "--field", "grade", "--value", "5", *WHY, fails=1)
    assert refused["type"].endswith("contract-forbids")
    run("correct", pupil, "--field", "name", "--value", "Noor Right", *WHY)
    without = world.contract(on.house, without=("student_name.first_and_or_last",))
    world.sign(on.house, on.district, without)
    on.house.sweep()
    assert name_of(on, pupil) is None


def test_a_correction_goes_when_its_days_are_over(on: Street, pupil: str, run: Run, clock: FakeClock) -> None:
    run("correct", pupil, "--field", "name", "--value", "Noor Right", *WHY)
    clock.pass_s(timedelta(days=401).total_seconds())
    on.house.sweep()
    assert name_of(on, pupil) is None


def test_a_correction_wants_a_reason(pupil: str, run: Run) -> None:
    assert "why" in run("correct", pupil, "--field", "name", "--value", "Noor Right", fails=1)["detail"]


def test_a_grade_does_not_go_to_a_gradebook_that_somebody_has_restricted(on: Street, pupil: str, run: Run) -> None:
    assert run("restrict", pupil, "--to", "gradebook", *WHY)["restricted_to"] == ["gradebook"]
    assert on.deliver() == "parked"
    assert on.standing() == []
    with on.house.database.tenant(on.district.id) as connection:
        refused = connection.execute(
            sa.text("SELECT count(*) FROM log_entry WHERE decision = 'refused' AND object_id = :id"), {"id": pupil}
        )
        assert refused.scalar_one() == 1


def test_a_restriction_of_one_class_is_none_of_another_and_can_be_lifted(on: Street, pupil: str, run: Run) -> None:
    run("restrict", pupil, "--to", "evaluator", *WHY)
    run("restrict", pupil, "--to", "gradebook", *WHY)
    assert run("restrict", pupil, "--to", "gradebook", "--lift", *WHY)["restricted_to"] == ["evaluator"]
    assert on.deliver() == "delivered"


def test_corrections_and_restrictions_go_with_the_person(on: Street, pupil: str, run: Run) -> None:
    run("correct", pupil, "--field", "name", "--value", "Noor Right", *WHY)
    run("restrict", pupil, "--to", "evaluator", *WHY)
    run("erase", pupil, "--keep-grades")
    with on.house.database.tenant(on.district.id) as connection:
        for table in ("correction", "disclosure_restriction"):
            assert connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
