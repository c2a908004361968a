"""`audit verify --receipt`: every file that leaves signed is checked by its text and a public key, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.cli import audit
from lti_server.ids import PersonId
from lti_server.privacy.districts import District
from tests import world
from tests.clock import FakeClock
from tests.commands import typed
from tests.functional.disposition_days import DAY_S, district
from tests.functional.test_inspector import signed_in
from tests.peers.bare_platform import Platform

__all__ = ["district"]

KINDS = ("revocation-receipt", "disposition-certificate", "erasure-receipt", "log-extract", "log-checkpoint")


@pytest.fixture
def files(house: House, app: Flask, district: District, platform: Platform, clock: FakeClock) -> dict[str, bytes]:
    """One file of each kind, downloaded or written as those who keep it would."""
    staff = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)
    for name in ("pupil-1", "pupil-2"):
        assert world.launch(app.test_client(), platform, house, sub=name).status_code == 303
    with house.database.tenant(district.id) as connection:
        person = PersonId(connection.execute(sa.text("SELECT id FROM person LIMIT 1")).scalar_one())
    house.rights.erase(district.id, person, by="test")
    (registered,) = house.registrations.every(district.id)
    begun = house.grants.withdraw.begin(district.id, registered.grant_id, by="test", reason="over")
    assert house.grants.withdraw.finish(district.id, registered.grant_id)
    page = f"/district/connections/{registered.grant_id}/receipts/{begun}"
    found = {"revocation-receipt": staff.get(page).data}
    disposition = house.rights.dispose.request(district.id, registered.grant_id, by="test")
    house.rights.dispose.run(district.id, disposition.id)
    found["disposition-certificate"] = staff.get(f"/district/dispositions/{disposition.id}/certificate").data
    found["erasure-receipt"] = house.rights.erase.receipt_file(district.id, person)
    found["log-extract"] = staff.get("/district/log/extract").data
    found["log-checkpoint"] = staff.get("/district/log/checkpoint").data
    clock.pass_s(DAY_S)
    return found


@pytest.fixture
def verify(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., dict[str, Any]]:
    """The command, on a machine with the file and the key set alone: whoever opens a house there fails the test."""
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(house.document_keys.public_jwks()))
    monkeypatch.setattr(audit, "open_house", lambda: pytest.fail("a database was wanted"))

    def command(content: bytes, known: Path = keys, *, fails: int = 0) -> dict[str, Any]:
        file = tmp_path / "file.json"
        file.write_bytes(content)
        words = ["audit", "verify", "--receipt", str(file), "--keys", str(known)]
        return typed(words, monkeypatch, capsys, fails=fails)

    return command


def test_each_kind_is_believed_as_it_was_signed_and_in_no_other_form(
    files: dict[str, bytes], verify: Callable[..., dict[str, Any]], district: District, tmp_path: Path
) -> None:
    assert set(files) == set(KINDS)
    strangers = tmp_path / "strangers.json"
    known = json.loads((tmp_path / "keys.json").read_text())
    x = known["keys"][0]["x"]
    known["keys"][0]["x"] = ("A" if x[0] != "A" else "B") + x[1:]
    strangers.write_text(json.dumps(known))
    for kind, content in files.items():
        said = verify(content)
        assert (said["ok"], said["kind"], said["district"]) == (True, kind, str(district.id))
        assert said["kid"] in said["checked"]
        assert f"{said['issuer']}/audit/jwks" in said["checked"]
        at = content.index(str(district.id).encode())
        one_byte = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        for spoiled in (
            content[: len(content) // 2],
            one_byte,
            b"[" * 100_000,
            b"",
            b"[]",
            b"\xff\xfe",
            content + b"}",
            content.replace(b'"body"', b'"bodY"', 1),
        ):
            refused = verify(spoiled, fails=1)
            assert any(act in refused["detail"] for act in ("Give the signed file", "Get it again")), (kind, refused)
            assert "ok" not in refused
        assert "Get the key set" in verify(content, strangers, fails=1)["detail"]


def test_a_file_says_nobodys_name(files: dict[str, bytes]) -> None:
    for content in files.values():
        assert b"Ada" not in content
        assert b"pupil-1" not in content


def test_each_kind_is_checked_by_a_process_whose_database_is_away_and_that_has_the_keys_alone(
    files: dict[str, bytes], house: House, tmp_path: Path
) -> None:
    """Anybody's machine: nothing answers where the database is said to be, and there is no secret."""
    keys, file = tmp_path / "keys.json", tmp_path / "file.json"
    keys.write_text(json.dumps(house.document_keys.public_jwks()))
    elsewhere = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "LTI_SERVER_DATABASE_URL": "postgresql://a:hunter2@127.0.0.1:9/x",
        "LTI_SERVER_DATA_DIR": str(tmp_path / "none"),
    }  # fmt: skip

    def says(content: bytes, *more: str) -> tuple[int, dict[str, Any]]:
        file.write_bytes(content)
        command = [sys.executable, "-m", "lti_server", "audit", "verify", "--json", "--receipt", str(file), *more]
        done = subprocess.run(command, env=elsewhere, capture_output=True, check=False, timeout=60)
        return done.returncode, json.loads(done.stdout)

    for kind, content in files.items():
        code, said = says(content, "--keys", str(keys))
        assert (code, said["ok"], said["kind"]) == (0, True, kind)
    assert says(files["erasure-receipt"][:-10], "--keys", str(keys))[0] == 1
    code, said = says(files["erasure-receipt"])
    assert code == 1
    assert "The database does not answer" in said["detail"]
    assert "--keys" in said["detail"]
    assert "hunter2" not in str(said)
    assert not (tmp_path / "none").exists()
