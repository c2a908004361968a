"""`lti-server contract`: from an empty file to a contract in force, and what is said on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from lti_server.app import House
from lti_server.cli import contract, main
from lti_server.ids import DistrictId
from lti_server.privacy import log
from lti_server.privacy.districts import District
from tests import world
from tests.peers.bare_platform import Platform
from tests.unit.privacy.contract_text import written

Say = Callable[..., str]


@pytest.fixture
def district(house: House) -> District:
    return world.district(house, terms=None)


@pytest.fixture
def say(house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run `lti-server contract …` on the house's database; what it printed, on both streams."""
    monkeypatch.setattr(contract, "open_house", lambda: house)

    def run(*arguments: str, exits: int = 0) -> str:
        if exits:
            with pytest.raises(SystemExit) as stop:
                main(["contract", *arguments])
            assert stop.value.code == exits
        else:
            main(["contract", *arguments])
        shown = capsys.readouterr()
        return shown.out or shown.err

    return run


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        (tmp_path / "contract.yaml").write_text(text, encoding="utf-8")
        return str(tmp_path / "contract.yaml")

    return write


def entries(house: House, owner: District) -> list[tuple[str, dict[str, Any]]]:
    with house.database.tenant(DistrictId(owner.id)) as connection:
        rows = connection.execute(sa.text("SELECT act, payload FROM log_entry ORDER BY act")).all()
    return [(row.act, log.payload_of(owner.keys, bytes(row.payload))) for row in rows]


@pytest.mark.parametrize("family", ["ndpa1", "ndpa2", "local"])
def test_a_new_contract_can_be_checked_signed_and_shown(
    say: Say, file: Callable[[str], str], house: House, district: District, family: str
) -> None:
    text = say("new", "--family", family)
    path = file(text)
    checked = json.loads(say("check", path, "--json"))
    signed = json.loads(say("sign", "--district", "north", path, "--json"))
    shown = json.loads(say("show", "--district", "north", "--json"))
    assert checked["problems"] == signed["problems"] == []
    assert checked["policy_hash"] == signed["policy_hash"] == shown["policy_hash"]
    assert (signed["version"], signed["state"], signed["family"]) == (1, "in_force", family)
    assert (shown["id"], shown["document"]) == (signed["id"], text)
    assert any("no shared id" in line for line in checked["left_off"])
    assert json.loads(say("new", "--family", family, "--json"))["contract"] == text


def test_a_signature_and_a_look_are_logged(
    say: Say, file: Callable[[str], str], house: House, district: District
) -> None:
    signed = json.loads(say("sign", "--district", "north", file(world.contract(house)), "--json"))
    say("show", "--district", "north")
    (show, _), (sign, told) = entries(house, district)
    assert (show, sign) == ("contract show", "contract sign")
    assert told == {"contract": signed["id"], "policy": signed["policy_hash"]}
    assert (signed["kind"], signed["wider"], signed["narrower"]) == ("signed", [], [])


def test_a_contract_with_faults_is_not_signed_and_each_fault_is_said_once(
    say: Say, file: Callable[[str], str], house: House, district: District
) -> None:
    path = file(written({"family": "ndpa9", "signed_at": "soon"}))
    problem = json.loads(say("sign", "--district", "north", path, "--json", exits=1))
    assert problem["type"].endswith("/invalid-input")
    assert [error["pointer"] for error in problem["errors"]] == ["/family", "/signed_at"]
    assert [line.split(":")[0] for line in problem["problems"]] == ["line 2", "line 3"]
    for_people = say("check", path, exits=1)
    assert (for_people.count("line 2"), for_people.count("line 3")) == (1, 1)
    assert entries(house, district) == []
    assert json.loads(say("show", "--district", "north", "--json", exits=1))["title"]


def test_a_file_that_is_no_text_is_refused(say: Say, tmp_path: Path) -> None:
    (tmp_path / "contract.yaml").write_bytes(b"\xff\xfe\x00c")
    problem = json.loads(say("check", str(tmp_path / "contract.yaml"), "--json", exits=1))
    assert "UTF-8" in problem["detail"]


def test_a_district_that_is_not_there_signs_nothing(say: Say, file: Callable[[str], str], house: House) -> None:
    path = file(world.contract(house))
    assert json.loads(say("sign", "--district", "nowhere", path, "--json", exits=1))["status"] == 404


def test_a_narrower_contract_acts_on_the_next_launch(
    app: Flask, say: Say, file: Callable[[str], str], house: House, platform: Platform, district: District
) -> None:
    world.register(house, district, platform)

    def names() -> int:
        answer = world.launch(app.test_client(), platform, house)
        assert answer.status_code == 303
        with house.database.tenant(district.id) as connection:
            statement = sa.text("SELECT count(*) FROM person_field WHERE field LIKE '%name'")
            return int(connection.execute(statement).scalar_one())

    say("sign", "--district", "north", file(world.contract(house)))
    assert names() == 3
    say("sign", "--district", "north", file(world.contract(house, without=("student_name.first_and_or_last",))))
    assert names() == 0


def test_a_contract_that_has_ended_opens_no_lesson(
    app: Flask, house: House, platform: Platform, district: District
) -> None:
    world.register(house, district, platform)
    world.sign(house, district, written({"signed_at": "2020-01-01", "valid": "{from: 2020-01-01, to: 2020-12-31}"}))
    answer = world.launch(app.test_client(), platform, house)
    assert answer.status_code == 403
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM person")).scalar_one() == 0


def test_a_contract_is_amended_and_joined_from_the_command_line(
    say: Say, file: Callable[[str], str], house: House, district: District
) -> None:
    offer = f"offer: {{signed_at: {house.clock.now().date()}, clause: Exhibit E}}"
    world.district(house, "south", terms=world.contract(house, more=offer))
    joined = json.loads(say("join", "--district", "north", "--offer-of", "south", "--json"))
    assert (joined["kind"], joined["state"], joined["version"]) == ("joined", "in_force", 1)
    names = "student_name.first_and_or_last"
    today = house.clock.now().date()
    narrower = world.contract(house, without=(names,)).replace(f"signed_at: {today}", "signed_at: 2000-01-01")
    amended = json.loads(say("amend", "--district", "north", file(narrower), "--json"))
    assert (amended["kind"], amended["state"], amended["wider"]) == ("amended", "in_force", [])
    assert f"elements.{names}" in amended["narrower"]
    problem = json.loads(say("amend", "--district", "north", file(world.contract(house)), "--json", exits=1))
    assert problem["type"].endswith("/contract-forbids")
    assert f"elements.{names}" in problem["wider"]
    assert [act for act, _ in entries(house, district)] == ["contract amend", "contract join"]


@pytest.mark.parametrize("name", ["facebook", "nobody-knows"])
def test_an_amendment_does_not_let_in_a_provider_that_is_not_for_children(
    say: Say, file: Callable[[str], str], house: House, district: District, name: str
) -> None:
    """A contract that names no provider does not allow it; and of one that is not installed nobody knows."""
    world.sign(house, district, world.contract(house))
    wider = world.contract(house, more=f"providers: {{lti: {{}}, {name}: {{}}}}")
    problem = json.loads(say("amend", "--district", "north", file(wider), "--json", exits=1))
    assert problem["wider"] == [f"providers.{name}"]
    narrower = world.contract(house, more="providers: {lti: {}, clever: {}}")
    assert json.loads(say("amend", "--district", "north", file(narrower), "--json"))["wider"] == []
