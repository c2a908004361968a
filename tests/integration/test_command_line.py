"""What holds for every command: one document on standard output, and an exit code that says how it went."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from lti_server import cli
from lti_server.cli import db, main
from lti_server.db import application_role


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path) -> None:
    monkeypatch.setenv("LTI_SERVER_DATABASE_URL", database_url)
    monkeypatch.setenv("LTI_SERVER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LTI_SERVER_SECRET_KEYS", "k" * 40)
    monkeypatch.setattr(cli, "_end_with_exit_hooks", lambda: None)  # the signals of this process are pytest's


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        main(list(arguments))
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def test_a_command_that_is_done_answers_with_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(capsys, "db", "check", "--json")
    assert code == 0
    assert json.loads(out)["ok"] is True


def test_a_refusal_is_a_problem_document_or_plain_words(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(capsys, "section", "list", "--district", "nowhere", "--json")
    assert code == 1
    assert {"type", "title", "detail"} <= set(json.loads(out))
    code, out, err = _run(capsys, "section", "list", "--district", "nowhere")
    assert (code, out) == (1, "")
    assert "Traceback" not in err
    assert len(err.strip()) > 20


@pytest.mark.parametrize("arguments", [("nosuch",), ("db", "nosuch"), ("db", "check", "--nosuch"), ("admin", "invite")])
def test_wrong_usage_is_2_and_says_what_is_wrong(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, out, err = _run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert "Error:" in err
    code, out, err = _run(capsys, *arguments, "--json")
    assert code == 2
    assert json.loads(out)["detail"]


def test_an_unexpected_failure_shows_nothing_of_what_it_held(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: str) -> None:
        raise KeyError("Jane Doe, jane@school.example")

    monkeypatch.setattr(db, "revisions", fails)
    for flags in (("--json",), ()):
        code, out, err = _run(capsys, "db", "check", *flags)
        assert code == 1
        assert "Jane" not in out + err
        assert "KeyError" in out + err


def test_every_fault_of_the_settings_is_told_at_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LTI_SERVER_TRUSTED_PROXIES", "many")
    monkeypatch.setenv("LTI_SERVER_SMTP_URL", "mail.example")
    code, out, _ = _run(capsys, "db", "check", "--json")
    assert code == 1
    assert len(json.loads(out)["problems"]) == 2


def test_an_empty_database_is_brought_up_and_only_then_used(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, template: tuple[str, str], server_url: str
) -> None:
    name = f"lti_empty_{uuid4().hex[:8]}"
    with psycopg.connect(template[1], autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            url = make_url(server_url).set(database=name).render_as_string(hide_password=False)
            monkeypatch.setenv("LTI_SERVER_DATABASE_URL", url)
            assert _run(capsys, "db", "check", "--json")[0] == 1
            assert "db upgrade" in _run(capsys, "district", "list")[2]
            for _ in range(2):
                assert _run(capsys, "db", "upgrade", "--json")[0] == 0
            assert _run(capsys, "db", "check", "--json")[0] == 0
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(application_role(name))))


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_without_a_secret_key_nothing_is_served(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.delenv("LTI_SERVER_SECRET_KEYS")
    code, out, err = _run(capsys, command)
    assert (code, out) == (1, "")
    assert "LTI_SERVER_SECRET_KEYS is not set" in err


def test_every_command_can_be_loaded_and_says_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    for name in cli.COMMANDS:
        code, out, _ = _run(capsys, name, "--help")
        assert code == 0
        assert f"lti-server {name}" in out
