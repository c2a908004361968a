"""Mail waits sealed, leaves once, and loses its text when it has left."""

from __future__ import annotations

import dataclasses
import io
import logging
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
import structlog

from lti_server.app import House
from lti_server.errors import ConfigurationError, InvalidInput, ProviderFailed
from lti_server.ids import DistrictId
from lti_server.mail import Message, connected, delivered, mail_message
from tests import world
from tests.clock import FakeClock
from tests.peers import smtp
from tests.peers.smtp import MailServer

LETTER = Message(to="office@district.example", subject="Résumé of the week", text="First line\n.\nThird: é\n")


@pytest.fixture
def peer() -> Iterator[MailServer]:
    with smtp.serving() as found:
        yield found


def _with(house: House, url: str | None) -> House:
    return dataclasses.replace(house, settings=dataclasses.replace(house.settings, smtp_url=url, mail_from="us@here"))


def _queued(house: House, owner: DistrictId | None = None) -> UUID:
    scope = house.database.tenant(owner) if owner else house.database.anyone()
    with scope as connection:
        return house.mail.send(connection, owner, LETTER)


def _row(house: House, message_id: UUID, owner: DistrictId | None = None) -> tuple[str, bytes | None]:
    scope = house.database.tenant(owner) if owner else house.database.anyone()
    with scope as connection:
        query = sa.select(mail_message.c.state, mail_message.c.sealed).where(mail_message.c.id == message_id)
        state, sealed = connection.execute(query).one()
        return state, sealed


def _jobs(house: House) -> int:
    with house.database.anyone() as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM procrastinate_jobs")).scalar_one())


def test_a_message_arrives_as_it_was_written_and_its_text_is_gone(house: House, peer: MailServer) -> None:
    owner, house = world.district(house).id, _with(house, peer.url)
    message_id = _queued(house, owner)
    house.send_mail()(str(owner), str(message_id))
    (mail,) = peer.received
    assert (mail["To"], mail["From"], mail["Subject"]) == (LETTER.to, "us@here", LETTER.subject)
    assert mail.get_content().replace("\r\n", "\n") == LETTER.text
    assert _row(house, message_id, owner) == ("sent", None)


def test_a_message_is_sent_once_however_often_its_job_runs(house: House, peer: MailServer) -> None:
    house = _with(house, peer.url)
    message_id = _queued(house)
    for _ in range(3):
        house.send_mail()("", str(message_id))
    assert len(peer.received) == 1


def test_while_it_waits_neither_the_row_nor_the_job_can_be_read(house: House) -> None:
    message_id = _queued(house)
    _, sealed = _row(house, message_id)
    with house.database.anyone() as connection:
        job = connection.execute(sa.text("SELECT args::text FROM procrastinate_jobs")).scalar_one()
    assert sealed is not None
    for text in ("office", "district.example", "week", "First"):
        assert text.encode() not in sealed
        assert text not in job


def test_a_rollback_leaves_neither_message_nor_job(house: House) -> None:
    class Stop(Exception):
        """Ends the transaction."""

    def fails() -> None:
        with house.database.anyone() as connection:
            house.mail.send(connection, None, LETTER)
            raise Stop

    with pytest.raises(Stop):
        fails()
    with house.database.anyone() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(mail_message)).scalar_one() == 0
    assert _jobs(house) == 0


def test_an_address_that_is_refused_for_good_is_not_tried_again(
    house: House, peer: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    house, peer.refusal = _with(house, peer.url), "550 no such address"
    message_id = _queued(house)
    with caplog.at_level(logging.DEBUG):
        house.send_mail()("", str(message_id))
    assert _row(house, message_id) == ("failed", None)
    assert "office" not in caplog.text


def test_a_refused_address_is_not_shown_where_the_log_cannot_be_written(
    house: House, peer: MailServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    closed = io.StringIO()
    closed.close()
    broken = logging.StreamHandler(closed)
    monkeypatch.setattr(logging, "raiseExceptions", True)
    logging.getLogger("lti_server.mail").addHandler(broken)
    configured = structlog.get_config()
    structlog.configure(logger_factory=structlog.stdlib.LoggerFactory())
    peer.refusal = "550 no such address"
    try:
        message = Message(to="canary-31f0@example.org", subject="s", text="t")
        assert not delivered(peer.url, "here@here.example", message, at=house.clock.now(), message_id="1")
    finally:
        logging.getLogger("lti_server.mail").removeHandler(broken)
        structlog.configure(**configured)
    told = capfd.readouterr()
    assert "Logging error" in told.err
    assert "canary-31f0" not in told.out + told.err


def test_a_server_that_is_busy_or_away_gets_it_later(house: House, peer: MailServer) -> None:
    house, peer.refusal = _with(house, peer.url), "451 later"
    message_id = _queued(house)
    with pytest.raises(ProviderFailed) as refusal:
        house.send_mail()("", str(message_id))
    assert "office" not in str(refusal.value)
    assert _row(house, message_id)[0] == "queued"
    peer.refusal = ""
    house.send_mail()("", str(message_id))
    assert _row(house, message_id)[0] == "sent"


def test_without_a_mail_server_it_waits_and_the_sweep_tries_again(house: House, peer: MailServer) -> None:
    message_id = _queued(house)
    house.send_mail()("", str(message_id))
    assert _row(house, message_id)[0] == "queued"
    with house.database.anyone() as connection:
        connection.execute(sa.text("DELETE FROM procrastinate_jobs"))
    house.sweep()
    house.sweep()
    assert _jobs(house) == 1, "one job, however often it is swept"
    _with(house, peer.url).send_mail()("", str(message_id))
    assert len(peer.received) == 1


def test_what_nobody_took_for_three_days_is_given_up(house: House, clock: FakeClock) -> None:
    message_id = _queued(house)
    clock.pass_s(timedelta(days=3, seconds=1).total_seconds())
    house.sweep()
    assert _row(house, message_id) == ("failed", None)


@pytest.mark.parametrize("message", [
    Message(to="a@b.example\nBcc: all@b.example", subject="x", text="x"),
    Message(to="a@b.example", subject="x\r\nBcc: all@b.example", text="x"),
    Message(to="nobody", subject="x", text="x"),
])  # fmt: skip
def test_nothing_breaks_out_of_a_header(house: House, message: Message) -> None:
    with house.database.anyone() as connection, pytest.raises(InvalidInput):
        house.mail.send(connection, None, message)


def test_no_address_goes_over_an_open_line_but_on_loopback(peer: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lti_server.mail.LOOPBACK", frozenset())
    with pytest.raises(ConfigurationError, match="STARTTLS"):
        connected(peer.url)
