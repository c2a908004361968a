"""A guardian's no: nothing is collected of the child by any door, and lessons open all the same."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from lti_server import cli
from lti_server.app import House
from lti_server.cli import person
from lti_server.privacy.districts import District
from tests import world
from tests.clock import FakeClock
from tests.functional.roster.courses import Ask, launch
from tests.peers.bare_platform import MEMBERSHIP
from tests.peers.member_list import MemberList

BLOCK = ("person", "block", "--district", "north")


@pytest.fixture(autouse=True)
def _operator(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_end_with_exit_hooks", lambda: None)  # the signals of this process are pytest's
    monkeypatch.setattr(person, "open_house", lambda: house)


def ask_for(house: House, district: District, statement: str, **values: object) -> list[Any]:
    with house.database.tenant(district.id) as connection:
        return list(connection.execute(sa.text(statement), values))


def people(house: House, district: District) -> int:
    found = ask_for(house, district, "SELECT count(*) FROM person WHERE kind = 'pupil'")[0][0]
    assert isinstance(found, int)
    return found


def opens(app: Flask, school: MemberList, house: House, who: str, **said: object) -> str:
    """Where a pupil's launch leads."""
    answer = world.launch(app.test_client(), school, house, sub=who, lti_roles=[MEMBERSHIP + "Learner"], **said)
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def test_a_blocked_pupil_who_never_came_opens_the_lesson_without_an_account(
    app: Flask, house: House, district: District, school: MemberList, ask: Ask
) -> None:
    ask(*BLOCK, "--source-id", "pupil-1")
    address = opens(app, school, house, "pupil-1")
    assert "ticket" not in address
    assert app.test_client().get(address.replace(house.settings.base_url, "")).status_code == 200
    assert people(house, district) == 0
    for table in ("session", "identity", "person_field", "membership"):
        assert ask_for(house, district, f"SELECT 1 FROM {table}") == []
    log = ask_for(house, district, "SELECT actor, object_id FROM log_entry WHERE act = 'launch'")
    assert [(row.actor.split(":")[0], row.object_id) for row in log] == [("registration", None)]


def test_a_blocked_pupil_is_not_read_with_the_class_and_the_others_are(
    app: Flask, house: House, district: District, school: MemberList, ask: Ask
) -> None:
    ask(*BLOCK, "--source-id", "pupil-2")
    launch(app, school, house, "teacher-1", "Instructor")
    found = ask("roster", "sync", "--district", "north", "--provider", "lti")
    assert (found["state"], found["counts"]["memberships"]["added"]) == ("applied", 2)
    assert people(house, district) == 2


def test_a_pupil_who_is_known_is_blocked_at_once_under_every_id(
    app: Flask, house: House, district: District, school: MemberList, ask: Ask, clock: FakeClock
) -> None:
    """Known by a launch with id, local id and e-mail; blocked by one of them; met again under each of them alone."""
    lis = {"lti_lis": {"person_sourcedid": "sis-77"}}
    assert "ticket" in opens(app, school, house, "pupil-1", **lis)
    made = ask(*BLOCK, "--source-id", "sis-77")
    assert made["person"] is not None
    assert ask_for(house, district, "SELECT 1 FROM session") == []
    assert ask_for(house, district, "SELECT 1 FROM membership WHERE ended_at IS NULL") == []
    before = people(house, district)
    for who, said in (("pupil-1", {"email": None}), ("another-id", lis)):
        clock.pass_s(1)
        assert "ticket" not in opens(app, school, house, who, **said)
    launch(app, school, house, "teacher-1", "Instructor")
    school.courses["course-1"].append({"user_id": "third", "roles": ["Learner"], "lis_person_sourcedid": "sis-77"})
    house.sync_roster()(district)
    assert people(house, district) == before + 2  # pupil-2 and pupil-3


def test_a_known_identity_is_blocked_by_an_id_that_the_contract_does_not_keep(
    app: Flask, house: House, school: MemberList, ask: Ask
) -> None:
    """The id is in the launch alone, so nobody could find the person when it was blocked."""
    owner = world.district(house, "south", world.contract(house, without=("student_identifiers.local_district_id",)))
    world.sign(house, owner, world.contract(house, without=("student_identifiers.local_district_id",)))
    lms = school
    lms.deployment_id = "south-deployment"
    world.register(house, owner, lms)
    lis = {"lti_lis": {"person_sourcedid": "sis-77"}}
    assert "ticket" in opens(app, lms, house, "pupil-1", **lis)
    ask("person", "block", "--district", "south", "--source-id", "sis-77")
    assert "ticket" not in opens(app, lms, house, "pupil-1", **lis)


def test_a_block_of_one_provider_is_none_of_another(
    app: Flask, house: House, district: District, school: MemberList, ask: Ask
) -> None:
    ask(*BLOCK, "--source-id", "pupil-1", "--provider", "clever")
    assert "ticket" in opens(app, school, house, "pupil-1")
    ask(*BLOCK, "--source-id", "pupil-1", "--provider", "lti")
    assert "ticket" not in opens(app, school, house, "pupil-1")


def test_a_block_of_one_district_is_none_of_another(
    app: Flask, house: House, district: District, school: MemberList, ask: Ask
) -> None:
    world.district(house, "south")
    ask("person", "block", "--district", "south", "--source-id", "pupil-1")
    assert "ticket" in opens(app, school, house, "pupil-1")


def test_an_id_of_two_people_blocks_neither_until_it_is_said_who(
    app: Flask, house: House, district: District, school: MemberList, ask: Ask
) -> None:
    opens(app, school, house, "77", email="a@school.example")
    opens(app, school, house, "pupil-1", lti_lis={"person_sourcedid": "77"}, email="b@school.example")
    assert "Several people" in ask(*BLOCK, "--source-id", "77", exits=1)["detail"]
    ((wanted,),) = ask_for(
        house, district,
        "SELECT person_id FROM person_field WHERE field = 'local_id'",
    )  # fmt: skip
    ask(*BLOCK, "--person", str(wanted))
    assert "ticket" in opens(app, school, house, "77", email="a@school.example")
    assert "ticket" not in opens(app, school, house, "pupil-1")


def test_a_teacher_is_not_blocked(app: Flask, house: House, district: District, school: MemberList, ask: Ask) -> None:
    launch(app, school, house, "teacher-1", "Instructor")
    assert "teaches" in ask(*BLOCK, "--source-id", "teacher-1", exits=1)["detail"]


def test_blocking_again_changes_nothing_more(house: House, district: District, ask: Ask) -> None:
    first = ask(*BLOCK, "--source-id", "pupil-1")
    assert ask(*BLOCK, "--source-id", "pupil-1") == first
    assert ask("person", "blocks", "--district", "north")["blocks"] == [first]
    assert len(house.journal.entries()) == 1


def test_an_erased_pupil_who_was_blocked_stays_out_and_only_hashes_say_so(
    app: Flask, house: House, district: District, school: MemberList, ask: Ask
) -> None:
    opens(app, school, house, "pupil-1")
    ((wanted,),) = ask_for(house, district, "SELECT id FROM person")
    ask("person", "erase", str(wanted), "--block", "--keep-grades")
    assert ask_for(house, district, "SELECT 1 FROM identity") == []
    assert ask_for(house, district, "SELECT 1 FROM block_alias")
    assert "ticket" not in opens(app, school, house, "pupil-1")
    assert people(house, district) == 1  # the tombstone


def test_whom_a_guardian_lets_in_again_goes_on_as_the_same_person(
    app: Flask, house: House, district: District, school: MemberList, ask: Ask
) -> None:
    opens(app, school, house, "pupil-1")
    made = ask(*BLOCK, "--source-id", "pupil-1")
    lift = ("person", "unblock", made["id"], "--district", "north")
    assert "who asked" in ask(*lift, exits=1)["detail"]
    ask(*lift, "--reason", "The guardian came to the school with a passport.")
    assert "ticket" in opens(app, school, house, "pupil-1")
    assert people(house, district) == 1
    assert ask_for(house, district, "SELECT 1 FROM block_alias") == []
    assert ask(*lift, "--reason", "Again.", exits=1)["detail"]


def test_a_journal_brings_blocks_and_their_end_back_into_a_restored_database(
    app: Flask, house: House, district: District, school: MemberList, ask: Ask
) -> None:
    opens(app, school, house, "pupil-1")
    ask(*BLOCK, "--source-id", "pupil-1")
    other = ask(*BLOCK, "--source-id", "pupil-9")
    ask("person", "unblock", other["id"], "--district", "north", "--reason", "The guardian asked.")
    with house.database.tenant(district.id) as connection:  # as a backup from before has it
        connection.execute(sa.text("DELETE FROM block_alias"))
    with _owner(house) as connection:
        connection.execute(sa.text("DELETE FROM block"))
        connection.execute(sa.text("UPDATE identity SET ended_at = NULL"))
    assert "ticket" in opens(app, school, house, "pupil-1")
    for _ in range(2):
        for entry in house.journal.entries():
            house.rights.blocks.replay(entry)
    assert "ticket" not in opens(app, school, house, "pupil-1")
    assert "ticket" in opens(app, school, house, "pupil-9")


def test_nobody_is_blocked_who_is_not_there(house: House, district: District, ask: Ask) -> None:
    assert ask(*BLOCK, "--person", str(uuid4()), exits=1)["detail"] == "There is no person with this id."
    with pytest.raises(SystemExit):
        ask(*BLOCK)


def _owner(house: House) -> Any:
    url = house.database.url.replace("postgresql://", "postgresql+psycopg://")
    return sa.create_engine(url, poolclass=sa.NullPool).begin()
