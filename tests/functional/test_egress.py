"""Over a whole life of a connection, the server calls the district's own platform and nobody else, by every way out."""

from __future__ import annotations

import dataclasses
import smtplib
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from lti_server_demo_lms import Answer, security_events
from lti_server_demo_lms.security_events import TOOL_REMOVED, claims, signed_event

from lti_server.ids import PersonId
from lti_server.lessons.model import Text
from lti_server.lti.tokens import service_of
from lti_server.mail import Mail
from lti_server.providers.transport import HttpTransport
from lti_server.settings import Settings
from tests import world
from tests.clock import FakeClock
from tests.functional.person_commands import clock, on
from tests.functional.street import SLUG, Street, street
from tests.functional.test_copied_courses_of_the_demo_lms import work
from tests.functional.test_grade_columns import bonus
from tests.functional.test_grades import called_by
from tests.functional.test_incident_commands import OFFICE, TERMS
from tests.guards.repository import ROOT
from tests.guards.ways_out import found, sending
from tests.peers import smtp
from tests.peers.smtp import MailServer

__all__ = ["clock", "on"]

# Ways that are not gone in the life of a connection to an LMS, and where a test goes them. No LMS gives a token that
# could be given back.
NOT_HERE = {
    "lti_server/accounts/proving.py Proving._exchange": "tests/functional/sign_in",
    "lti_server/accounts/proving.py Proving.begin": "tests/functional/sign_in",
    "lti_server/accounts/connection_checks.py _Asking._client": "tests/functional/sign_in/test_connection_checks.py",
    "lti_server/accounts/connection_checks.py _Asking._tenants": "tests/functional/sign_in/test_connection_checks.py",
    "lti_server/accounts/connection_checks.py _Asking._where": "tests/functional/sign_in/test_connection_checks.py",
    "lti_server/accounts/tenant_lists.py WatchTenants._named": "tests/functional/sign_in/clever/test_tenant_lists.py",
    "lti_server/accounts/trial_sign_ins.py TrialSignIns.begin": "tests/functional/sign_in/test_connection_checks.py",
    "lti_server/accounts/trial_sign_ins.py TrialSignIns.identity": "tests/functional/sign_in/test_connection_checks.py",
    "lti_server/cli/signals.py register": "tests/functional/sign_in/test_signal_streams.py",
    "lti_server/cli/signals.py show": "tests/functional/sign_in/test_signal_streams.py",
    "lti_server/cli/signals.py verify": "tests/functional/sign_in/test_signal_streams.py",
    "lti_server/incidents.py Incidents.notify": "tests/functional/test_incident_commands.py",
    "lti_server/lti/registration_invitations.py RegistrationInvitations._ask": "tests/functional/registration",
    "lti_server/privacy/upstream.py GiveBack.run_job": "tests/integration/privacy/test_giving_back.py",
    "lti_server/providers/preview.py preview": "tests/unit/providers/test_preview.py",
    "lti_server/providers/oauth.py _Session.post": "tests/functional/sign_in",
    "lti_server/providers/oidc.py _keys": "tests/functional/sign_in",
    "lti_server/providers/oidc.py discover": "tests/functional/sign_in",
    # The transport itself, and what has the name of a call alone.
    "lti_server/app.py _lessons.open_ticket": "",
    "lti_server/cli/disposition.py request": "",
    "lti_server/progress/views.py _token_views.LaunchContextView.post": "",
    "lti_server/providers/connections.py GuardedAdapter.send": "",
    "lti_server/providers/transport.py HttpTransport._send": "",
    "lti_server/providers/transport.py HttpTransport.public_document": "tests/unit/providers/test_documents.py",
}


@dataclasses.dataclass
class Seen:
    """Where anything in this process connected to, and from which functions something was sent."""

    places: set[tuple[str, int]] = dataclasses.field(default_factory=set)
    functions: set[str] = dataclasses.field(default_factory=set)

    def noting(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*given: Any, **named: Any) -> Any:
            frame: FrameType | None = sys._getframe(1)
            while frame is not None:
                path = Path(frame.f_code.co_filename)
                if path.is_relative_to(ROOT):
                    name = frame.f_code.co_qualname.replace("<locals>.", "")
                    self.functions.add(f"{path.relative_to(ROOT).as_posix()} {name}")
                frame = frame.f_back
            return call(*given, **named)

        return noted


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """What leaves from here on; the way to the database is libpq's own."""
    seen = Seen()
    connect = socket.socket.connect

    def noted(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            seen.places.add((str(address[0]), int(address[1])))
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    for part, name in (
        (HttpTransport, "request"), (HttpTransport, "pages"), (Mail, "send"), (smtplib.SMTP, "send_message")
    ):  # fmt: skip
        monkeypatch.setattr(part, name, seen.noting(getattr(part, name)))
    return seen


@pytest.fixture
def office() -> Iterator[MailServer]:
    with smtp.serving() as peer:
        yield peer


def place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "", parts.port or 0)


def post(on: Street, office: MailServer) -> None:
    """Send the mail that waits, as a worker does."""
    sender = on.house.send_mail()
    sender._smtp_url = office.url
    with on.house.database.tenant(on.district.id) as connection:
        waiting = connection.execute(sa.text("SELECT id FROM mail_message WHERE state = 'queued'")).scalars().all()
    for one in waiting:
        sender(str(on.district.id), str(one))


def graded(on: Street) -> None:
    """Two columns get a grade after a suspension; it is looked at before the next one, under the lesson's new title."""
    on.declare(bonus(on))
    token = on.token()
    on.save(token, work="what Ada made", answers="what Ada wrote")
    mistaken(on)
    on.declare(title=Text(by_language={"en": "Another title"}))
    on.house.clock.pass_s(2)  # type: ignore[attr-defined]  # the tests' own
    on.save(token, 1)
    assert on.deliver_all() == {"delivered"}
    assert "Another title" in on.line_items()


def tidied(on: Street) -> None:
    """The column that the lesson has no more is taken out of the gradebook."""
    (registered,) = on.house.registrations.every(on.district.id)
    with on.house.database.tenant(on.district.id) as connection:
        service = service_of(connection, on.house.entered(connection), registered.grant_id)
        (unused,) = on.house.grade_columns().unused(connection, registered.grant_id)
    assert on.house.grade_columns().remove(service, unused)


def mistaken(on: Street) -> None:
    """The LMS does not know the tool for a while: a suspension that the district's office is told of."""
    (registered,) = on.house.registrations.every(on.district.id)
    called_by(on, "another-client")
    assert on.deliver_all() == {"queued"}
    called_by(on, registered.platform.client_id)
    on.house.grants.withdraw.resume(on.district.id, registered.grant_id, by="test")
    assert on.deliver_all() == {"delivered"}


def erased(on: Street) -> None:
    """The pupil is erased here, and the grades in the LMS are taken back."""
    (pupil,) = {PersonId(row.person_id) for row in on.deliveries()}
    on.house.rights.erase(on.district.id, pupil, by="test")
    assert [score for score in on.standing() if "scoreGiven" in score] == []


def removed(on: Street) -> None:
    """The LMS says that its school removed the tool: revoked, and nothing is asked any more."""
    (registered,) = on.house.registrations.every(on.district.id)
    told = signed_event(on.lms, claims(on.lms, on.lms.district(SLUG), TOOL_REMOVED, None))
    answer = security_events.send(f"{on.tool_url}/signals/demo_lms?grant={registered.grant_id}", told)
    assert [one["outcome"] for one in answer.json()["signals"]] == ["revoked"]


def test_from_the_first_launch_to_the_revocation_only_the_own_platform_and_mail_server_are_called(
    on: Street, called: Seen, office: MailServer
) -> None:
    world.sign(on.house, on.district, world.contract(on.house, more=TERMS))
    graded(on)
    assert work(on, "notices.register") == 1
    assert on.house.sync_roster()(on.district).state == "applied"
    tidied(on)
    erased(on)
    removed(on)
    post(on, office)
    assert {mail["To"] for mail in office.received} == {OFFICE}
    assert called.places == {place(on.lms_url), place(on.tool_url), ("127.0.0.1", office.port)}
    assert all((ROOT / test).exists() for test in NOT_HERE.values())
    ways = {way.where for way in found() if way.where.startswith("lti_server/") and _by_network(way.call)}
    assert ways - called.functions == set(NOT_HERE)


@pytest.mark.parametrize("status", [302, 307, 308])
@pytest.mark.parametrize("service", ["token", "lineitems", "score", "results", "memberships"])
def test_an_lms_that_leads_elsewhere_is_not_followed(
    service: str, status: int, settings: Settings, database_url: str, clock: FakeClock, tmp_path: Path, called: Seen
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        host = f"127.0.0.1:{stranger.getsockname()[1]}"
        # A host that may be called: what keeps the server from it is that a token, and what goes with it, stays.
        known = dataclasses.replace(settings, insecure_hosts=frozenset({host}))
        with street(known, database_url, clock, tmp_path / "lms") as on:
            answers = getattr(on.lms.faults, service)
            token = on.token() if service != "jwks" else ""
            if service == "results":
                on.save(token)
                assert on.deliver() == "delivered"
                clock.pass_s(2)
            answers.append(Answer(status, {"Location": f"http://{host}/elsewhere"}))
            if service == "jwks":
                with pytest.raises(AssertionError):
                    on.token()
            elif service == "memberships":
                on.house.sync_roster()(on.district)
            else:
                on.save(token, 1)
                on.deliver()
            assert answers == []
            assert called.places == {place(on.lms_url), place(on.tool_url)}


def _by_network(call: str) -> bool:
    return call.rpartition(".")[2] in sending()


def test_a_call_to_anybody_else_would_be_found(called: Seen) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger, socket.socket() as leaving:
        leaving.connect(stranger.getsockname())
        assert stranger.getsockname() in called.places
