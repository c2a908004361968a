"""All that works and all that fails, at the wordiest level: no secret is in a log, an error or the queue."""

from __future__ import annotations

import base64
import io
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import requests
import sqlalchemy as sa
import structlog
from lti_server_demo_lms.profiles import PROFILES

from lti_server import mail
from lti_server.accounts.permissions import StaffRole
from lti_server.app import build_house, run_worker
from lti_server.cli import main as cli_main
from lti_server.mail import Message
from lti_server.web.logs import init_logs
from tests.conftest import fresh_database
from tests.functional.tenants.neighbours import Neighbours, Tenant, neighbours
from tests.peers.bare_platform import LTI

SECRET = "canary-of-the-secret-keys-which-nobody-may-see"
PASSWORD = "canary-of-the-mail-password"
DATABASE_PASSWORD = "canary-of-the-database"
ADDRESS = "canary.office@school.example"


@pytest.fixture
def ear() -> io.StringIO:
    """Where the log goes."""
    return io.StringIO()


@pytest.fixture
def here(
    template: tuple[str, str], server_url: str, tmp_path_factory: pytest.TempPathFactory, ear: io.StringIO
) -> Iterator[Neighbours]:
    folder = tmp_path_factory.mktemp("secrets-in-logs")
    root, level = logging.getLogger(), logging.getLogger().level
    handlers = root.handlers[:]
    configured = structlog.get_config()
    # The tests serve this application with the demo LMS's own server, which writes whole addresses.
    logging.getLogger("lti_server_demo_lms").disabled = True
    with fresh_database(template, server_url) as url:
        init_logs("DEBUG")
        handler = root.handlers[0]
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(ear)
        try:
            with neighbours(url, folder, PROFILES["canvas"], secrets=(SECRET,)) as found:
                yield found
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)
            structlog.configure(**configured)
            logging.getLogger("lti_server_demo_lms").disabled = False


class Told:
    """What was said where somebody may read it, and what must not be in it."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.secrets: dict[str, str] = {
            "SECRET_KEYS": SECRET, "mail password": PASSWORD, "database password": DATABASE_PASSWORD,
            "mail address": ADDRESS,
        }  # fmt: skip

    def hide(self, name: str, value: str) -> str:
        if len(value) >= 16:
            self.secrets[name] = value
        return value

    def failing(self, what: Callable[[], object]) -> None:
        """Whatever it raises is written down whole, as a log of exceptions would have it."""
        try:
            what()
        except (Exception, SystemExit) as error:
            self.said += [
                f"{error!r} {error}",
                "".join(traceback.format_exception(error, limit=0)),
                *map(repr, error.args),
            ]

    def leaks(self) -> set[str]:
        text = "\n".join(self.said)
        return {name for name, value in self.secrets.items() if value in text}


def launches(here: Neighbours, told: Told, tenant: Tenant) -> None:
    """One that opens, and others that are refused at every stage."""
    location = told.hide("ticket", here.ticket(tenant, here.pupil(0)).partition("ticket=")[2])
    assert location
    for changes in (
        {LTI + "version": "1.1"}, {"exp": 1}, {"aud": "nobody"}, {LTI + "deployment_id": "other"}, {"nonce": "x" * 20},
        {"sub": None}, {LTI + "target_link_uri": "https://elsewhere.example/?token=x"},
    ):  # fmt: skip
        launching = here.begin(tenant, here.pupil(0))
        told.hide(f"state {changes}", launching.state)
        sent: list[str] = []
        real = launching.browser.post

        def post(
            url: str, data: dict[str, str], _sent: list[str] = sent, _real: object = real, **more: object
        ) -> object:
            _sent.append(data["id_token"])
            return _real(url, data=data, **more)  # type: ignore[operator]  # the session's own post

        launching.browser.post = post  # type: ignore[method-assign,assignment]  # to learn the token
        answer = launching.send({name: value for name, value in {**launching.claims, **changes}.items()})
        told.hide(f"id_token {changes}", sent[0])
        told.said.append(f"{answer.status_code} {answer.text}")
    broken = here.begin(tenant, here.pupil(0))
    told.hide("broken token", "eyJhbGciOiJSUzI1NiJ9." + base64.urlsafe_b64encode(b"canary" * 8).decode() + ".c2ln")
    form = {"id_token": told.secrets["broken token"], "state": broken.state}
    told.said.append(broken.browser.post(broken.action, data=form, timeout=10).text)


def services(here: Neighbours, told: Told, tenant: Tenant) -> None:
    """A roster and grades, with a platform that answers, one that refuses, and one that is away."""
    house = here.house
    told.failing(lambda: house.sync_roster()(tenant.district))
    with house.database.tenant(tenant.district.id) as connection:
        connection.execute(sa.text("DELETE FROM service_token"))
        connection.execute(sa.text("UPDATE registration SET auth_token_url = auth_token_url || '/gone'"))
    told.failing(lambda: house.sync_roster()(tenant.district))
    for call in here.calls:
        told.hide(f"bearer {len(told.secrets)}", call.bearer)
        told.hide(f"assertion {len(told.secrets)}", call.assertion)


def mails(here: Neighbours, told: Told, tenant: Tenant) -> None:
    """A server that is away, with a password in its address."""
    with here.house.database.tenant(tenant.district.id) as connection:
        message = here.house.mail.send(connection, tenant.district.id, Message(to=ADDRESS, subject="s", text="t"))
    url = f"smtp://office:{PASSWORD}@127.0.0.1:1"
    sender = mail.SendMail(
        here.house.database, here.house.ring, here.house.clock, smtp_url=url, mail_from="x@school.example"
    )
    told.failing(lambda: sender(str(tenant.district.id), str(message)))
    told.failing(lambda: mail.connected(url))


def commands(here: Neighbours, told: Told, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Commands that work, that are refused, and that cannot reach the database."""
    monkeypatch.setattr("lti_server.cli._end_with_exit_hooks", lambda: None)
    address = f"postgresql://somebody:{DATABASE_PASSWORD}@127.0.0.1:1/nowhere"
    for url in (here.house.database.url, address):
        for name, value in {
            "DATABASE_URL": url, "SECRET_KEYS": SECRET, "DATA_DIR": str(folder),
            "SMTP_URL": f"smtp://office:{PASSWORD}@127.0.0.1:1", "METRICS_TOKEN": "m" * 40, "LOG_LEVEL": "DEBUG",
        }.items():  # fmt: skip
            monkeypatch.setenv(f"LTI_SERVER_{name}", value)
        for arguments in (
            ["doctor"], ["keys", "list"], ["audit", "verify"], ["keys", "rewrap"],
            ["backup", "create", str(folder / "b")],
            ["roster", "sync", "--district", here.tenants[0].slug, "--provider", "lti"], ["grant", "show", "x"],
        ):  # fmt: skip
            told.failing(lambda arguments=arguments: cli_main([*arguments, "--json"]))  # type: ignore[misc]  # bound at once


def test_no_secret_token_or_key_is_in_a_log_an_error_an_answer_or_the_queue(
    here: Neighbours,
    ear: io.StringIO,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    told, tenant = Told(), here.tenants[0]
    told.hide("lesson token", tenant.token)
    told.hide("session", next(iter(tenant.staff.cookies)).value or "")
    launches(here, told, tenant)
    services(here, told, tenant)
    mails(here, told, tenant)
    invitation, _ = here.house.invitations.invite(StaffRole.TEACHER, tenant.district.id)
    told.hide("invitation", invitation)
    requests.get(f"{here.tool_url}/signin/invitation/{invitation}", timeout=10)
    requests.get(f"{here.tool_url}/api/v1/progress", headers={"Authorization": f"Bearer {invitation}"}, timeout=10)
    with here.house.database.anyone() as connection:
        private = here.house.tool_keys._current(connection).key.as_dict(private=True)
        told.hide("private key", str(private["d"]))
        told.hide("private prime", str(private["p"]))
    told.hide("pem", here.house.tool_keys.current().key.as_pem(private=True).decode().splitlines()[3])
    run_worker(here.house, until_idle=True)
    commands(here, told, monkeypatch, tmp_path)
    told.said += [
        repr(here.house),
        repr(here.house.settings),
        repr(build_house(here.house.settings, "postgresql:///x")),
    ]
    told.said += [repr(here.house.ring), repr(tenant.district)]
    with psycopg.connect(here.house.database.url) as connection_as_owner:
        jobs = connection_as_owner.execute("SELECT j::text FROM procrastinate_jobs j").fetchall()
        told.said += [row[0] for row in jobs]
    out, err = capfd.readouterr()
    told.said += [out, err, ear.getvalue()]
    assert len(told.secrets) >= 25
    assert "launch-rejected" in ear.getvalue(), "the log was listened to"
    assert '"event": "request"' in err
    assert told.leaks() == set()


def test_a_secret_that_is_told_would_be_found(
    here: Neighbours, ear: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    """The ear hears: a line with the secret, and one that only names its key."""
    told = Told()
    print(json.dumps({"event": SECRET}))
    told.said.append(capfd.readouterr().out)
    assert told.leaks() == {"SECRET_KEYS"}
    told = Told()
    logging.getLogger("lti_server.any").error("it failed: %s at postgresql://a:%s@host/x", ADDRESS, DATABASE_PASSWORD)
    told.said.append(ear.getvalue())
    assert "it failed" in told.said[0]
    assert told.leaks() == set(), "the log takes addresses and passwords out by itself"
