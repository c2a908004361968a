"""`lti-server signals`: Google's stream is registered, shown and verified with a key that is kept nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from joserfc.jwk import RSAKey
from structlog.testing import capture_logs

from lti_server.app import House
from lti_server.cli import signals as signal_commands
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.commands import typed
from tests.functional.sign_in.vendors import World, at, house, peers
from tests.peers.openid import ToPeer
from tests.peers.risc import ADMIN, RiscService, running

__all__ = ["at", "house", "peers"]

HOST = "risc.googleapis.com"
Command = Callable[..., dict[str, Any]]


@pytest.fixture
def risc(at: World) -> Iterator[RiscService]:
    with running(RiscService(now=lambda: at.clock.now().timestamp())) as peer:
        session = at.house.transport._session
        session.mount("https://", ToPeer(peer, session.get_adapter("https://"), (HOST,)))
        yield peer


@pytest.fixture
def command(
    at: World, risc: RiscService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    monkeypatch.setattr(signal_commands, "open_house", lambda: at.house)

    def run(word: str, *more: str, key: object = None, fails: int = 0) -> dict[str, Any]:
        file = tmp_path / "key.json"
        file.write_text(key if isinstance(key, str) else json.dumps(key or risc.key_file()))
        words = ["signals", word, "--provider", "google", "--key", str(file), *more]
        return typed(words, monkeypatch, capsys, fails=fails)

    return run


def grant_of(at: World) -> str:
    return at.address("google").partition("grant=")[2]


def everything_kept(house: House, at: World) -> str:
    """What stands in any table, as the owner sees it."""
    found = ""
    with house.database.tenant(at.district.id) as connection:
        tables = sa.text(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
            " AND has_table_privilege(oid, 'SELECT')"
        )
        for table in connection.execute(tables).scalars().all():
            rows = connection.execute(sa.text(f'SELECT * FROM "{table}"')).all()
            found += "".join(str([bytes(v) if isinstance(v, memoryview) else v for v in row]) for row in rows)
    return found


def test_a_districts_stream_is_registered_shown_and_verified_and_what_google_sends_then_is_noted(
    at: World, risc: RiscService, command: Command
) -> None:
    grant = grant_of(at)
    wanted = f"{at.house.settings.base_url}/signals/google?grant={grant}"
    before = command("show", "--grant", grant)
    assert (before["address"], before["enabled"], before["ok"]) == ("", False, False)
    made = command("register", "--grant", grant)
    assert (made["address"], made["ok"]) == (wanted, True)
    assert risc.stream is not None
    assert risc.stream["delivery"]["delivery_method"] == "https://schemas.openid.net/secevent/risc/delivery-method/push"
    assert "https://schemas.openid.net/secevent/risc/event-type/sessions-revoked" in made["events"]
    assert len(made["events"]) == 6
    assert command("show", "--grant", grant) == made
    note = command("verify", "--grant", grant)["note"]
    ((address, state),) = risc.sent
    assert (address, state) == (wanted, note)
    parts = urlsplit(address)
    answer = at.risc(
        "risc/event-type/verification", None, event={"state": state}, address=f"{parts.path}?{parts.query}"
    )
    assert answer.status_code == 202
    assert at.receipts() == [("verification", "noted", 0)]
    assert note in str(at.logged())
    acts = [row.act for row in at.rows("SELECT act FROM log_entry WHERE act LIKE 'signals %' ORDER BY id")]
    assert acts == ["signals show", "signals register", "signals show", "signals verify"]


def test_the_operators_stream_leads_to_one_address_for_all_districts(
    at: World, risc: RiscService, command: Command
) -> None:
    application = {"client_id": "operators", "client_secret": "a secret"}
    SignInHouse(at.house).connections.application("google", application, by="test")
    made = command("register")
    assert made["address"] == f"{at.house.settings.base_url}/signals/google"
    assert made["ok"] is True


def test_a_stream_that_leads_elsewhere_is_told(at: World, risc: RiscService, command: Command) -> None:
    risc.stream = {"delivery": {"url": "https://old.example/risc"}, "events_requested": [], "status": "enabled"}
    told = command("show", "--grant", grant_of(at))
    assert (told["address"], told["ok"]) == ("https://old.example/risc", False)
    risc.stream = {"delivery": {"url": told["wanted"]}, "events_requested": [], "status": "disabled"}
    assert command("show", "--grant", grant_of(at))["ok"] is False


@pytest.mark.parametrize("word", ["register", "show", "verify"])
def test_the_key_is_kept_told_and_logged_nowhere(
    at: World, risc: RiscService, command: Command, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = risc.key_file()
    secret = str(file["private_key"]).splitlines()[3]
    risc.stream = {"delivery": {"url": "https://old.example/risc"}, "events_requested": [], "status": "enabled"}
    caplog.set_level("DEBUG")
    with capture_logs() as logged:
        said = json.dumps(command(word, "--grant", grant_of(at)))
        risc.accounts = {}
        said += json.dumps(command(word, "--grant", grant_of(at), fails=1))
    said += str(logged) + caplog.text + everything_kept(at.house, at)
    assert risc.tokens
    for hidden in (secret, ADMIN, *risc.tokens):
        assert hidden not in said


OTHER = RSAKey.generate_key(2048).as_pem(private=True).decode()


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("{", "no key of a service account"),
        ("[" * 100_000, "too long"),
        ("[" * 60_000, "no key of a service account"),
        ({"type": "authorized_user", "client_email": "a", "private_key": "b"}, "no key of a service account"),
        ({"private_key": "not a key"}, "no key of a service account"),
        ({"private_key": 7}, "no key of a service account"),
        ({"client_email": ""}, "no key of a service account"),
        ({"private_key": OTHER}, "403"),
        ({"client_email": "somebody@else.example"}, "403"),
    ],
)
def test_a_file_that_is_no_such_key_is_refused_without_its_words(
    at: World, risc: RiscService, command: Command, key: object, says: str
) -> None:
    given = risc.key_file(**key) if isinstance(key, dict) and "type" not in key else key
    told = json.dumps(command("register", "--grant", grant_of(at), key=given, fails=1))
    assert says in told
    for hidden in ("not a key", "somebody@else.example", ADMIN):
        assert hidden not in told
    assert risc.stream is None


def test_nothing_is_verified_before_it_is_registered(at: World, risc: RiscService, command: Command) -> None:
    assert "Register the address first" in json.dumps(command("verify", "--grant", grant_of(at), fails=1))


def test_a_district_of_the_operators_application_has_no_stream_of_its_own(
    at: World, risc: RiscService, command: Command
) -> None:
    connections, south = SignInHouse(at.house).connections, world.district(at.house, "south")
    connections.application("google", {"client_id": "operators", "client_secret": "a secret"}, by="test")
    made = connections.connect(south.id, "google", {"domain": "south.example"}, by="test")
    assert "Leave --grant out" in json.dumps(command("register", "--grant", str(made.grant_id), fails=1))
    assert risc.stream is None


@pytest.mark.parametrize("grant", ["not-a-grant", "3f0f4a0e-8d1a-4b8e-9c55-0d9b1f6f7f10", ""])
def test_a_grant_that_is_none_is_not_found(at: World, risc: RiscService, command: Command, grant: str) -> None:
    command("show", "--grant", grant, fails=1)
    assert risc.tokens == []


def test_no_application_and_a_plugin_without_streams_are_refused(
    at: World, risc: RiscService, command: Command, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:  # fmt: skip
    assert "no application at google" in json.dumps(command("show", fails=1))
    key = tmp_path / "key.json"
    grant = at.address("oidc").partition("grant=")[2]
    words = ["signals", "show", "--provider", "oidc", "--key", str(key), "--grant", grant]
    assert "no capability streams" in json.dumps(typed(words, monkeypatch, capsys, fails=1))
    assert "No connection to google" in json.dumps(command("show", "--grant", grant, fails=1))
