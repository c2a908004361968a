"""`lti-server audit`, as an operator and a district's data office use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from lti_server import cli
from lti_server.app import House
from lti_server.cli import audit, main
from lti_server.privacy.districts import District


@pytest.fixture(autouse=True)
def _operator(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_end_with_exit_hooks", lambda: None)  # the signals of this process are pytest's
    monkeypatch.setattr(audit, "open_house", lambda: house)


def run(capsys: pytest.CaptureFixture[str], *arguments: str, fails: int = 0) -> dict[str, Any]:
    if fails:
        with pytest.raises(SystemExit) as stop:
            main(["audit", *arguments, "--json"])
        assert stop.value.code == fails
    else:
        main(["audit", *arguments, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_a_checkpoint_that_was_kept_still_holds_after_more_was_logged(
    district: District, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "checkpoint.json"
    made = run(capsys, "checkpoint", "--district", "north", "--out", str(file))
    assert (made["ok"], made["unsealed"], made["first_bad"]) == (True, 0, None)
    assert json.loads(file.read_bytes()) == made["checkpoint"]
    run(capsys, "list", "--district", "north")
    found = run(capsys, "verify", "--checkpoint", str(file))
    assert (found["ok"], found["first_bad"], found["unsealed"]) == (True, None, 1)
    assert found["entries"] > made["entries"]


def test_the_saved_answer_of_the_command_is_a_checkpoint_too(
    district: District, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "answer.json"
    file.write_text(json.dumps(run(capsys, "checkpoint")))
    assert run(capsys, "verify", "--checkpoint", str(file))["ok"] is True


def test_a_changed_entry_fails_the_command_and_is_named_without_what_it_says(
    house: House, district: District, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "checkpoint")
    with psycopg.connect(house.database.url) as connection:
        connection.execute("ALTER TABLE log_entry DISABLE TRIGGER log_stays")
        connection.execute("UPDATE log_entry SET actor = 'cli:canary' WHERE act = 'audit checkpoint'")
    found = run(capsys, "verify", fails=1)
    assert found["type"].endswith("/problems/log-not-whole")
    assert found["ok"] is False
    assert found["first_bad"]["fault"] == "entry-changed"
    assert found["first_bad"]["district"] == str(district.id)
    assert "canary" not in json.dumps(found)


def test_a_cut_end_fails_the_command_against_the_checkpoint(
    house: House, district: District, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "checkpoint.json"
    run(capsys, "checkpoint", "--out", str(file))
    with psycopg.connect(house.database.url) as connection:
        connection.execute("ALTER TABLE log_entry DISABLE TRIGGER log_stays")
        connection.execute("ALTER TABLE log_link DISABLE TRIGGER log_stays")
        connection.execute("TRUNCATE log_entry, log_link")
    assert run(capsys, "verify")["ok"] is True
    assert run(capsys, "verify", "--checkpoint", str(file), fails=1)["first_bad"]["fault"] == "end-missing"


def test_a_signed_file_is_checked_on_a_machine_that_has_neither_database_nor_settings(
    district: District, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, keys = tmp_path / "checkpoint.json", tmp_path / "keys.json"
    run(capsys, "checkpoint", "--district", "north", "--out", str(file))
    keys.write_text(json.dumps(run(capsys, "keys")))
    elsewhere = {"PATH": os.environ["PATH"], "LTI_SERVER_DATA_DIR": str(tmp_path / "none"), "HOME": str(tmp_path)}
    command = [sys.executable, "-m", "lti_server", "audit", "verify", "--json", "--receipt", str(file)]
    done = subprocess.run([*command, "--keys", str(keys)], env=elsewhere, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    assert (said["ok"], said["kind"], said["district"]) == (True, "log-checkpoint", str(district.id))
    file.write_text(file.read_text().replace("log-checkpoint", "log-checkpoInt"))
    done = subprocess.run([*command, "--keys", str(keys)], env=elsewhere, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "was changed" in json.loads(done.stdout)["detail"]
    done = subprocess.run(command, env=elsewhere, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "--keys" in json.loads(done.stdout)["detail"]
    assert not (tmp_path / "none").exists()


def test_the_log_is_listed_by_what_is_asked_for_page_by_page(
    district: District, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        run(capsys, "checkpoint", "--district", "north")
    first = run(capsys, "list", "--district", "north", "--act", "audit checkpoint", "--limit", "2")
    second = run(capsys, "list", "--district", "north", "--act", "audit checkpoint", "--after", first["next"])
    listed = [*first["entries"], *second["entries"]]
    assert [one["act"] for one in listed] == ["audit checkpoint"] * 3
    assert len({one["id"] for one in listed}) == 3
    assert second["next"] is None
    assert {one["interest"] for one in listed} == {"operation"}
    assert run(capsys, "list", "--district", "north", "--decision", "refused")["entries"] == []
    assert "no place in the list" in run(capsys, "list", "--district", "north", "--after", "x", fails=1)["detail"]


def test_the_public_keys_are_published_to_anybody(house: House, district: District, client: Any) -> None:
    answer = client.get("/audit/jwks")
    assert answer.get_json() == house.document_keys.public_jwks()
