"""What was collected goes when its days are over, and when a contract does not allow it any more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from lti_server.app import House
from lti_server.cli import contract, main
from lti_server.cli import retention as retention_command
from lti_server.privacy.districts import District
from lti_server.privacy.retention import Purged
from tests import world
from tests.clock import FakeClock
from tests.functional.test_progress import AGS, attempt, counted, post, token_of
from tests.peers.bare_platform import Platform

DAY_S = 86_400
KEPT = ("person_field", "progress_event", "progress_summary", "grade_delivery")
Say = Callable[..., dict[str, Any]]


@pytest.fixture
def say(house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command on the house's database; its JSON answer."""
    for module in (contract, retention_command):
        monkeypatch.setattr(module, "open_house", lambda: house)

    def run(*arguments: str) -> dict[str, Any]:
        main([*arguments, "--json"])
        answer = json.loads(capsys.readouterr().out)
        assert isinstance(answer, dict)
        return answer

    return run


@pytest.fixture
def played(client: FlaskClient, platform: Platform, house: House, district: District) -> str:
    """A pupil came, and did something in the lesson whose grade waits for the LMS."""
    token = token_of(client, platform, house, **AGS)
    saved = post(client, token, attempt(house, work={"bits": "1010"})).get_json()
    assert saved["saved"] is True
    assert all(counted(house, district, table) for table in KEPT)
    return token


def retain(house: House, district: District, *, most: int = 5_000) -> Purged:
    with house.database.tenant(district.id) as connection:
        return house.retain(connection, district, most=most)


def rows(house: House, district: District, query: str) -> list[Any]:
    with house.database.tenant(district.id) as connection:
        return list(connection.execute(sa.text(query)).scalars())


@pytest.mark.usefixtures("played")
def test_nothing_goes_before_its_day(house: House, district: District, clock: FakeClock) -> None:
    before = {table: counted(house, district, table) for table in KEPT}
    clock.pass_s(400 * DAY_S - 60)
    assert retain(house, district) == Purged(counts={}, capped=False)
    assert {table: counted(house, district, table) for table in KEPT} == before


@pytest.mark.usefixtures("played")
def test_everything_of_four_hundred_days_goes_on_the_day_after(
    house: House, district: District, clock: FakeClock
) -> None:
    clock.pass_s(400 * DAY_S + 1)
    purged = retain(house, district)
    assert set(purged.counts) >= {"student_name.first_and_or_last", "in_app_performance.program_performance"}
    assert {table: counted(house, district, table) for table in KEPT} == dict.fromkeys(KEPT, 0)


@pytest.mark.usefixtures("played")
def test_the_id_that_a_live_class_uses_stays_and_one_that_none_uses_goes(
    house: House, district: District, clock: FakeClock
) -> None:
    clock.pass_s(401 * DAY_S)
    retain(house, district)
    assert rows(house, district, "SELECT subject IS NOT NULL FROM identity") == [True]
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE membership SET ended_at = started_at"))
    retain(house, district)
    assert rows(house, district, "SELECT subject IS NOT NULL FROM identity") == [False]


@pytest.mark.usefixtures("played")
def test_running_it_again_changes_nothing_more(house: House, district: District, clock: FakeClock) -> None:
    clock.pass_s(401 * DAY_S)
    assert retain(house, district).counts
    entries = counted(house, district, "log_entry")
    assert retain(house, district) == Purged(counts={}, capped=False)
    assert counted(house, district, "log_entry") == entries


@pytest.mark.usefixtures("played")
def test_a_run_takes_no_more_than_it_is_let_and_the_next_goes_on(
    house: House, district: District, clock: FakeClock
) -> None:
    clock.pass_s(401 * DAY_S)
    fields = counted(house, district, "person_field")
    assert retain(house, district, most=1).capped
    assert counted(house, district, "person_field") < fields
    while retain(house, district, most=1).capped:
        pass
    assert counted(house, district, "person_field") == 0


@pytest.mark.usefixtures("played")
def test_another_district_keeps_what_is_its_own(house: House, district: District, clock: FakeClock) -> None:
    other = world.district(house, "south")
    clock.pass_s(401 * DAY_S)
    assert retain(house, other).counts == {}
    assert counted(house, district, "person_field")


@pytest.mark.usefixtures("played")
def test_a_contract_that_has_ended_still_says_how_long(house: House, district: District, clock: FakeClock) -> None:
    clock.pass_s(399 * DAY_S)  # the contract of a year is over, the 400 days are not
    assert retain(house, district).counts == {}
    clock.pass_s(2 * DAY_S)
    assert retain(house, district).counts


@pytest.mark.usefixtures("played")
def test_the_worker_purges_by_itself(house: House, district: District, clock: FakeClock) -> None:
    clock.pass_s(401 * DAY_S)
    house.sweep()
    assert counted(house, district, "progress_event") == 0


@pytest.mark.usefixtures("played")
def test_a_signature_that_narrows_takes_away_what_it_does_not_allow(
    house: House, district: District, say: Say, tmp_path: Path
) -> None:
    names = "student_name.first_and_or_last"
    file = tmp_path / "narrower.yaml"
    file.write_text(world.contract(house, without=(names, "student_work.student_generated_content")), encoding="utf-8")
    answer = say("contract", "sign", "--district", "north", str(file))
    assert answer["purged"][names] >= 1
    fields = rows(house, district, "SELECT field FROM person_field ORDER BY 1")
    assert not any("name" in field for field in fields)
    assert rows(house, district, "SELECT work IS NULL FROM progress_event") == [True]


@pytest.mark.usefixtures("played")
def test_a_contract_that_waits_takes_nothing_away_before_its_first_day(
    house: House, district: District, clock: FakeClock
) -> None:
    begins = clock.now().date().replace(year=clock.now().year + 1, month=1, day=1)
    world.sign(house, district, world.contract(house, without=("student_name.first_and_or_last",), begins=begins))
    assert retain(house, district).counts == {}
    clock.pass_s((begins - clock.now().date()).days * DAY_S)
    assert "student_name.first_and_or_last" in retain(house, district).counts


@pytest.mark.usefixtures("played", "district")
def test_a_rehearsal_counts_and_changes_nothing(house: House, district: District, clock: FakeClock, say: Say) -> None:
    clock.pass_s(401 * DAY_S)
    before = {table: counted(house, district, table) for table in KEPT}
    told = say("retention", "run", "--dry-run")
    assert {table: counted(house, district, table) for table in KEPT} == before
    done = say("retention", "run", "--district", "north")
    assert told["districts"] == done["districts"]
    assert done["districts"][0]["purged"]


@pytest.mark.usefixtures("played")
def test_a_purge_is_logged_by_element_and_with_no_value(house: House, district: District, clock: FakeClock) -> None:
    clock.pass_s(401 * DAY_S)
    counts = retain(house, district).counts
    assert rows(house, district, "SELECT elements FROM log_entry WHERE act = 'retention'") == [list(counts)]
