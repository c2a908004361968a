"""`lti-server person`: everything that is kept of one person, for whoever has a reason, and its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from lti_server.ids import PersonId
from lti_server.privacy.holdings import Form, Table
from lti_server.privacy.signed_documents import checked, public_keys
from lti_server.rights_parts import HOLDERS
from tests.clock import FakeClock
from tests.functional.person_commands import Run, clock, on, run
from tests.functional.street import Street

__all__ = ["clock", "on", "run"]


@pytest.fixture
def pupil(on: Street) -> str:
    """Somebody who has saved work, and whose grade arrived."""
    on.save(on.token(), work="what Ada made", answers="what Ada wrote")
    assert on.house.sync_roster()(on.district).state == "applied"
    assert on.deliver() == "delivered"
    return str(on.deliveries()[0].person_id)


def rows(on: Street, statement: str, **values: object) -> list[Any]:
    with on.house.database.tenant(on.district.id) as connection:
        return list(connection.execute(sa.text(statement), values))


def held(on: Street, person_id: str) -> set[str]:
    """The tables that have a row of somebody."""
    found = "SELECT 1 FROM {0} t WHERE {1}".format
    return {table.name for table in personal() if rows(on, found(table.name, table.mine), person=person_id)}


def personal() -> list[Table]:
    return [table for holder in HOLDERS for table in holder.tables if table.mine is not None]


def test_an_export_holds_every_declared_column_opened(on: Street, pupil: str, run: Run) -> None:
    found = run("export", pupil, "--reason", "The family asked.")
    told = {name: listed for tables in found["data"].values() for name, listed in tables.items()}
    for table in personal():
        assert set(table.personal) <= set(told[table.name][0]) if told.get(table.name) else True, table.name
    kept = held(on, pupil)
    assert {name for name, listed in told.items() if listed} == kept
    assert {"person", "person_field", "identity", "membership", "session", "lesson_token"} <= kept
    assert {"progress_event", "progress_summary", "grade_delivery", "log_entry"} <= kept
    assert told["progress_event"][0]["work"] == '"what Ada made"'
    assert told["progress_event"][0]["answers"] == '"what Ada wrote"'
    assert told["identity"][0]["subject"] == on.pupils[0].id
    assert on.pupils[0].name in {one["ciphertext"] for one in told["person_field"]}
    assert {one["element"] for one in told["person_field"]} >= {"student_name.first_and_or_last"}
    assert told["membership"][0]["section_name"]


# What a pupil of whose age nobody has spoken has none of; the tests of ages open theirs.
OF_OTHER_DOORS = {"person_age"}


def test_every_sealed_column_is_opened_in_an_export(on: Street, pupil: str, run: Run) -> None:
    on.house.rights.own_requests.ask(on.district.id, PersonId(UUID(pupil)), "question", "Who sees my work?")
    run("correct", pupil, "--field", "nickname", "--value", "Noor", "--reason", "The family asked.")
    found = run("export", pupil, "--reason", "The family asked.")
    told = {name: listed for tables in found["data"].values() for name, listed in tables.items()}
    sealed = [(one.name, name) for one in personal() for name, what in one.personal.items() if what.form is Form.SEALED]
    assert sealed
    assert {table for table, _ in sealed if not told[table]} == OF_OTHER_DOORS
    assert all(isinstance(told[table][0][name], str) for table, name in sealed if told[table])
    assert "encrypted" not in json.dumps(found["data"]["progress"])


@pytest.mark.parametrize("command", ["show", "export"])
def test_nothing_is_shown_without_a_reason(on: Street, pupil: str, run: Run, command: str) -> None:
    assert "why" in run(command, pupil, fails=1)["detail"]
    assert not rows(on, "SELECT 1 FROM log_entry WHERE act = :act", act=f"person {command}")


@pytest.mark.parametrize("command", ["show", "export"])
def test_a_look_is_in_the_log_and_its_person_can_read_the_reason(
    on: Street, pupil: str, run: Run, command: str
) -> None:
    run(command, pupil, "--reason", "A teacher asked about Ada.")
    entries = run("export", pupil, "--reason", "Again.")["data"]["log"]["log_entry"]
    (look,) = [one for one in entries if one["words"] == "A teacher asked about Ada."]
    assert (look["act"], look["object_id"], look["population"]) == (f"person {command}", pupil, "person")
    assert "student_name.first_and_or_last" in look["elements"]
    assert look["actor"].startswith("cli:")


def test_show_says_who_somebody_is_and_how_much_is_kept(on: Street, pupil: str, run: Run) -> None:
    found = run("show", pupil, "--reason", "To answer the family.")
    assert {"field": "name", "value": on.pupils[0].name, "element": "student_name.first_and_or_last"} in found["fields"]
    assert found["classes"][0]["role"] == "pupil"
    assert found["kept"]["progress_event"] == 1


def test_nobody_s_id_and_a_wrong_one_get_the_same_answer(pupil: str, run: Run) -> None:
    answers = {run("show", one, "--reason", "Why not.", fails=1)["detail"] for one in (str(uuid4()), "Ada")}
    assert len(answers) == 1


def test_an_export_is_written_to_a_file_that_others_cannot_read(pupil: str, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    run("export", pupil, "--reason", "The family asked.", "--out", str(file))
    assert file.stat().st_mode & 0o077 == 0
    assert json.loads(file.read_bytes())["person"] == pupil


def test_an_erasure_leaves_a_tombstone_and_the_log_and_nothing_else(on: Street, pupil: str, run: Run) -> None:
    done = run("erase", pupil)
    assert done["erased_at"]
    assert held(on, pupil) == {"person", "log_entry", "erasure", "erasure_receipt"}
    ((key, destroyed),) = rows(on, "SELECT wrapped_key, key_destroyed_at FROM person WHERE id = :id", id=pupil)
    assert key is None
    assert destroyed is not None


def test_an_erasure_takes_the_grade_out_of_the_lms_s_gradebook(on: Street, pupil: str, run: Run) -> None:
    assert "scoreGiven" in on.standing()[0]
    done = run("erase", pupil)
    assert "scoreGiven" not in on.standing()[0]
    parts = {one["participant"]: one["did"] for one in done["parts"]}
    assert parts["progress"]["left_in_gradebooks"] == 0
    assert parts["progress"]["attempts"] == 1
    assert parts["sign-in"]["sessions"] == 1
    assert parts["people"]["keys"] == 1


def test_an_erasure_leaves_the_school_s_grade_where_that_is_wanted(on: Street, pupil: str, run: Run) -> None:
    done = run("erase", pupil, "--keep-grades")
    assert "scoreGiven" in on.standing()[0]
    parts = {one["participant"]: one["did"] for one in done["parts"]}
    assert parts["progress"]["left_in_gradebooks"] == 1


def test_an_erasure_does_not_wait_for_an_lms_that_is_gone(on: Street, pupil: str, run: Run) -> None:
    with on.house.database.tenant(on.district.id) as connection:
        connection.execute(sa.text("UPDATE grade_column SET line_item_url = 'https://127.0.0.1:9/gone'"))
    done = run("erase", pupil, "--wait", "1")
    assert done["erased_at"]
    parts = {one["participant"]: one["did"] for one in done["parts"]}
    assert parts["progress"]["left_in_gradebooks"] == 1


def test_a_score_that_never_left_is_not_sent_after_an_erasure(on: Street, run: Run) -> None:
    on.save(on.token(1))
    person_id = str(on.deliveries()[0].person_id)
    run("erase", person_id)
    assert on.deliveries() == []
    assert on.standing() == []
    waiting = rows(on, "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'grades.deliver' AND status = 'todo'")
    assert waiting[0][0] == 0


def test_erasing_again_changes_nothing_more(on: Street, pupil: str, run: Run, clock: FakeClock) -> None:
    first = run("erase", pupil)
    file = on.house.rights.erase.receipt_file(on.district.id, PersonId(UUID(pupil)))
    clock.pass_s(60)
    assert run("erase", pupil) == first
    assert on.house.rights.erase.receipt_file(on.district.id, PersonId(UUID(pupil))) == file
    assert len(on.house.journal.entries()) == 1
    assert len(rows(on, "SELECT 1 FROM log_entry WHERE act = 'person erase' AND object_id = :id", id=pupil)) == 1


def test_the_receipt_is_a_signed_file_that_names_nobody(on: Street, pupil: str, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "receipt.json"
    run("erase", pupil, "--receipt", str(file))
    said = checked(file.read_bytes(), public_keys(on.house.document_keys.public_jwks()))
    assert (said.kind, said.body["person"]) == ("erasure-receipt", pupil)
    assert {one["participant"] for one in said.body["parts"]} == {"progress", "sign-in", "roster", "people"}
    assert on.pupils[0].family not in file.read_text()


def test_the_log_still_verifies_after_an_erasure_and_its_words_are_gone(on: Street, pupil: str, run: Run) -> None:
    run("show", pupil, "--reason", "A word about Ada.")
    run("erase", pupil)
    assert all(one.ok for one in on.house.audit.checkpoint([on.district.id]).verdicts)
    assert all(one.ok for one in on.house.audit.verify([on.district.id], {}))
    entries = run("export", pupil, "--reason", "What is left?")["data"]["log"]["log_entry"]
    assert {one["act"] for one in entries} >= {"launch", "person show", "person erase"}
    assert all(one["words"] is None for one in entries)


def test_an_erasure_is_in_the_journal_outside_the_database(on: Street, pupil: str, run: Run) -> None:
    run("erase", pupil)
    (line,) = on.house.journal.entries()
    assert (line.kind, line.said["person"], line.district_id) == ("erasure", pupil, on.district.id)


def test_nothing_is_erased_where_the_journal_cannot_be_written(on: Street, pupil: str, run: Run) -> None:
    (on.house.settings.data_dir / "journal.jsonl").mkdir()
    run("erase", pupil, "--keep-grades", fails=1)
    assert rows(on, "SELECT 1 FROM person WHERE id = :id AND wrapped_key IS NOT NULL", id=pupil)
    (on.house.settings.data_dir / "journal.jsonl").rmdir()
    assert run("erase", pupil)["erased_at"]


def test_a_pupil_who_is_erased_while_playing_saves_nothing_more(on: Street, run: Run) -> None:
    token = on.token()
    ((person_id,),) = rows(on, "SELECT person_id FROM session WHERE role = 'pupil'")
    run("erase", str(person_id))
    with pytest.raises(Exception, match="401"):
        on.save(token)
    assert rows(on, "SELECT 1 FROM progress_event") == []


def test_a_pupil_who_comes_again_after_an_erasure_is_somebody_new(on: Street, pupil: str, run: Run) -> None:
    run("erase", pupil)
    on.token()
    ((person_id,),) = rows(on, "SELECT person_id FROM session WHERE role = 'pupil'")
    assert str(person_id) != pupil


def test_an_erasure_that_a_crash_has_left_is_finished_by_the_sweep(on: Street, pupil: str, clock: FakeClock) -> None:
    erase = on.house.rights.erase
    erase._begin(on.district.id, PersonId(UUID(pupil)), by="test", keeps_grades=True)
    on.house.sweep()
    assert rows(on, "SELECT 1 FROM person WHERE id = :id AND wrapped_key IS NOT NULL", id=pupil)
    clock.pass_s(3600)
    on.house.sweep()
    assert not rows(on, "SELECT 1 FROM person WHERE id = :id AND wrapped_key IS NOT NULL", id=pupil)
