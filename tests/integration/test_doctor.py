"""The doctor says in plain words what is missing, on a healthy and on a broken set-up."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql
from sqlalchemy.engine import make_url

from lti_server.app import House
from lti_server.cli.doctor import doctor
from lti_server.db import application_role, database_name
from lti_server.privacy.grants import open_grant
from tests import world
from tests.clock import FakeClock
from tests.conftest import SECRET
from tests.functional.disposition_days import DAY_S, LIMIT
from tests.peers import smtp


class Setup:
    """The environment of the command, and what it says there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, url: str, data_dir: Path) -> None:
        self._set = monkeypatch.setenv
        self._unset = monkeypatch.delenv
        self.url = url
        self.change(
            DATABASE_URL=url, SECRET_KEYS="k" * 40, DATA_DIR=str(data_dir), BASE_URL=f"http://127.0.0.1:{_free()}"
        )

    def change(self, **settings: str | None) -> None:
        for name, value in settings.items():
            if value is None:
                self._unset(f"LTI_SERVER_{name}", raising=False)
            else:
                self._set(f"LTI_SERVER_{name}", value)

    def owner(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def says(self) -> tuple[int, dict[str, str]]:
        """The exit code and the checks that are not well."""
        result = CliRunner().invoke(doctor, ["--json"])
        answer = json.loads(result.stdout)
        assert set(answer) == {"ok", "checks"}
        wrong = {check["name"]: check["detail"] for check in answer["checks"] if not check["ok"]}
        assert answer["ok"] is (not wrong)
        return result.exit_code, wrong


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path) -> Setup:
    return Setup(monkeypatch, database_url, tmp_path)


@pytest.fixture
def role(database_url: str) -> str:
    return application_role(database_name(database_url))


def test_a_healthy_set_up_is_well(setup: Setup) -> None:
    assert setup.says() == (0, {})


def test_people_get_a_line_for_each_check(setup: Setup) -> None:
    result = CliRunner().invoke(doctor, [])
    assert result.exit_code == 0
    for name in (
        "settings",
        "secret keys",
        "address",
        "database",
        "schema",
        "role",
        "walls",
        "clock",
        "tenant lists",
        "mail",
    ):
        assert f"ok   {name}: " in result.stdout


def test_a_wrong_url_says_what_to_check_and_no_password(setup: Setup) -> None:
    setup.change(DATABASE_URL=f"postgresql://someone:hunter2@127.0.0.1:{_free()}/nowhere")
    code, wrong = setup.says()
    assert code == 1
    assert set(wrong) == {"database"}
    assert "Check LTI_SERVER_DATABASE_URL" in wrong["database"]
    assert "hunter2" not in wrong["database"]


def test_a_database_without_schema_says_what_to_run(setup: Setup) -> None:
    setup.change(DATABASE_URL=make_url(setup.url).set(database="postgres").render_as_string(hide_password=False))
    code, wrong = setup.says()
    assert (code, set(wrong)) == (1, {"schema"})
    assert "lti-server db upgrade" in wrong["schema"]


def test_a_missing_key_says_how_to_make_one(setup: Setup) -> None:
    setup.change(SECRET_KEYS=None)
    code, wrong = setup.says()
    assert (code, set(wrong)) == (1, {"secret keys"})
    assert "token_urlsafe" in wrong["secret keys"]


def test_every_setting_that_is_wrong_is_told_at_once(setup: Setup) -> None:
    setup.change(SECRET_KEYS="short", BASE_URL="http://lessons.example", LOG_LEVEL="LOUD", DATABSE_URL="x")
    result = CliRunner().invoke(doctor, ["--json"])
    said = " ".join(check["detail"] for check in json.loads(result.stdout)["checks"])
    assert result.exit_code == 1
    for name in ("SECRET_KEYS", "BASE_URL", "LOG_LEVEL", "DATABSE_URL"):
        assert f"LTI_SERVER_{name}" in said


def test_a_superuser_is_found_out(setup: Setup, role: str) -> None:
    setup.owner("ALTER ROLE {} SUPERUSER", role)
    code, wrong = setup.says()
    assert (code, set(wrong)) == (1, {"role"})
    assert "a superuser" in wrong["role"]


def test_a_role_that_passes_the_walls_is_found_out(setup: Setup, role: str) -> None:
    setup.owner("ALTER ROLE {} BYPASSRLS", role)
    assert "BYPASSRLS" in setup.says()[1]["role"]


def test_an_owner_is_found_out(setup: Setup, role: str) -> None:
    setup.owner("GRANT CREATE ON SCHEMA public TO {}", role)
    setup.owner("ALTER TABLE district OWNER TO {}", role)
    assert "the owner" in setup.says()[1]["role"]


def test_a_wall_that_was_taken_down_is_named(setup: Setup) -> None:
    setup.owner("ALTER TABLE membership NO FORCE ROW LEVEL SECURITY")
    assert setup.says()[1] == {"walls": "without forced row-level security: membership"}


def test_a_port_that_another_program_has_is_told(setup: Setup) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        setup.change(BASE_URL=f"http://127.0.0.1:{other.getsockname()[1]}")
        code, wrong = setup.says()
    assert (code, set(wrong)) == (1, {"address"})
    assert "is taken by another program" in wrong["address"]


class _Ours(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"ok": true}')

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def ours() -> Iterator[int]:
    """A port where this program's `/healthz` answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Ours) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_port_that_this_program_has_is_well(setup: Setup, ours: int) -> None:
    setup.change(BASE_URL=f"http://127.0.0.1:{ours}")
    assert setup.says() == (0, {})


def test_a_mail_server_that_answers_is_well_and_one_that_does_not_is_told(setup: Setup) -> None:
    with smtp.serving() as peer:
        setup.change(SMTP_URL=peer.url)
        assert setup.says() == (0, {})
    code, wrong = setup.says()
    assert (code, set(wrong)) == (1, {"mail"})


def test_what_is_overdue_is_named_with_its_grant_its_time_and_what_to_look_at(
    setup: Setup, house: House, clock: FakeClock
) -> None:
    """The doctor looks at the real clock, so what it finds was asked for that long ago."""
    setup.change(SECRET_KEYS=SECRET)
    clock.pass_s(-62 * DAY_S)
    district = world.district(house, terms=world.contract(house, more=LIMIT))
    with house.database.tenant(district.id) as connection:
        grant_id = open_grant(connection, district.id, "google", house.clock.now())
    house.grants.withdraw.begin(district.id, grant_id, by="test", reason="over")
    code, wrong = setup.says()
    assert (code, set(wrong)) == (1, {"deadlines"})
    assert f"ending what came by a connection (grant {grant_id} of north" in wrong["deadlines"]
    assert "lti-server worker" in wrong["deadlines"]
    assert house.grants.withdraw.finish(district.id, grant_id)
    assert f"disposing of what a connection left (grant {grant_id} of north" in setup.says()[1]["deadlines"]
    asked = house.rights.dispose.request(district.id, grant_id, by="test")
    assert f"disposition {asked.id} of north (due {asked.due_on.isoformat()})" in setup.says()[1]["deadlines"]
    house.rights.dispose.run(district.id, asked.id)
    assert setup.says() == (0, {})
