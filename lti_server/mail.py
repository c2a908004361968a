"""Mail: queued in the transaction that wants it, sealed while it waits, sent by the worker over SMTP."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Protocol
from urllib.parse import unquote, urlsplit
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from lti_server.db import Database, metadata
from lti_server.errors import ConfigurationError, InvalidInput, ProviderFailed
from lti_server.ids import Clock, DistrictId, new_id

TASK = "mail.send"
PURPOSE = "mail"
SMTP_TIMEOUT_S = 20.0
KEPT_FOR = timedelta(days=3)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
UTC = sa.DateTime(timezone=True)

mail_message = sa.Table(
    "mail_message",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("district_id", sa.Uuid),
    sa.Column("sealed", sa.LargeBinary),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("queued_at", UTC, nullable=False),
    sa.Column("settled_at", UTC),
    sa.CheckConstraint("state IN ('queued', 'sent', 'failed')", name="state"),
)


class Seals(Protocol):
    """What keeps a waiting message from whoever reads the database (`privacy.crypto.KeyRing`)."""

    def wrap(self, purpose: str, aad: bytes, plaintext: bytes) -> bytes: ...
    def unwrap(self, purpose: str, aad: bytes, wrapped: bytes) -> bytes: ...


class Queue(Protocol):
    def defer(
        self, connection: Connection, task: str, *, queueing_lock: str | None, district_id: str, message_id: str
    ) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Plain text for one address, which is personal data."""

    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)


class Mail:
    """Where mail is put. It leaves when the transaction is committed, and stays unsent when it is not."""

    def __init__(self, seals: Seals, queue: Queue, clock: Clock) -> None:
        self._seals = seals
        self._queue = queue
        self._clock = clock

    def send(self, connection: Connection, district_id: DistrictId | None, message: Message) -> UUID:
        """Queue a message of the entered district, or of the operator (None) where none is entered.

        Raises:
            InvalidInput: the address or the subject would break out of its header.
        """
        if any(ord(character) < 32 for character in message.to + message.subject) or "@" not in message.to:
            raise InvalidInput("A message needs one address, and neither address nor subject may have line breaks.")
        message_id = new_id()
        text = "\n".join((message.to, message.subject, message.text)).encode()
        values = {
            "id": message_id, "district_id": district_id, "state": "queued", "queued_at": self._clock.now(),
            "sealed": self._seals.wrap(PURPOSE, place(district_id, message_id), text),
        }  # fmt: skip
        connection.execute(sa.insert(mail_message).values(values))
        self._defer(connection, district_id, message_id)
        return message_id

    def resume(self, connection: Connection, district_id: DistrictId | None) -> None:
        """Queue a job again for what still waits (SMTP_URL came later, its server was away); give up after 3 days."""
        now = self._clock.now()
        waits = mail_message.c.state == "queued"
        connection.execute(
            sa.update(mail_message)
            .where(waits, mail_message.c.queued_at < now - KEPT_FOR)
            .values(state="failed", sealed=None, settled_at=now)
        )
        for message_id in connection.execute(sa.select(mail_message.c.id).where(waits)).scalars().all():
            self._defer(connection, district_id, message_id)

    def _defer(self, connection: Connection, district_id: DistrictId | None, message_id: UUID) -> None:
        self._queue.defer(
            connection,
            TASK,
            queueing_lock=f"{TASK}:{message_id}",
            district_id=str(district_id or ""),
            message_id=str(message_id),
        )


class SendMail:
    """The worker's part. A message that was sent, or never can be, loses its text in the same transaction."""

    def __init__(self, database: Database, seals: Seals, clock: Clock, *, smtp_url: str | None, mail_from: str) -> None:
        self._database = database
        self._seals = seals
        self._clock = clock
        self._smtp_url = smtp_url
        self._mail_from = mail_from

    def __call__(self, district_id: str, message_id: str) -> None:
        """Send one message, unless it was sent or another worker is at it. Without SMTP_URL it stays where it is.

        Raises:
            ProviderFailed: the mail server cannot take it now; trying again is right.
        """
        if self._smtp_url is None:
            return
        owner = DistrictId(UUID(district_id)) if district_id else None
        scope = self._database.tenant(owner) if owner else self._database.anyone()
        with scope as connection:
            own = mail_message.c.id == UUID(message_id)
            waiting = sa.select(mail_message.c.sealed).where(own, mail_message.c.state == "queued")
            sealed = connection.execute(waiting.with_for_update(skip_locked=True)).scalar_one_or_none()
            if sealed is None:
                return
            text = self._seals.unwrap(PURPOSE, place(owner, UUID(message_id)), sealed).decode()
            to, subject, body = text.split("\n", 2)
            letter = Message(to=to, subject=subject, text=body)
            sent = delivered(self._smtp_url, self._mail_from, letter, at=self._clock.now(), message_id=message_id)
            state = "sent" if sent else "failed"
            settled = sa.update(mail_message).where(own)
            connection.execute(settled.values(state=state, sealed=None, settled_at=self._clock.now()))


class MailNow:
    """Mail that is written nowhere, not even sealed: it leaves before whoever asked for it is answered (A-08)."""

    def __init__(self, clock: Clock, *, smtp_url: str | None, mail_from: str) -> None:
        self._clock = clock
        self._smtp_url = smtp_url
        self._mail_from = mail_from

    @property
    def ready(self) -> bool:
        """Whether there is a mail server at all."""
        return self._smtp_url is not None

    def __call__(self, message: Message) -> None:
        """Send it. An address that the mail server refuses for good is no failure: nobody is told which ones are.

        Raises:
            ProviderFailed: no mail leaves now, whoever it is for.
        """
        if self._smtp_url is None:
            raise ProviderFailed("No mail leaves this server. Tell its operator.")
        delivered(self._smtp_url, self._mail_from, message, at=self._clock.now(), message_id=str(new_id()))


def delivered(smtp_url: str, mail_from: str, message: Message, *, at: datetime, message_id: str) -> bool:
    """Whether the server took it; False where it refuses this message for good.

    Neither log nor error names the address.

    Raises:
        ProviderFailed: it cannot take it now.
    """
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = mail_from, message.to, message.subject
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = make_msgid(message_id, domain=mail_from.rpartition("@")[2] or "localhost")
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    taken = True
    try:
        with connected(smtp_url) as server:
            server.send_message(mail)
    except (smtplib.SMTPException, OSError) as error:
        if not _is_final(error):
            raise ProviderFailed("The mail server did not take a message; it is tried again.") from None
        taken = False
    if not taken:  # said outside the handler: whatever goes wrong with the log would show what is being handled
        structlog.get_logger("lti_server.mail").error("mail was refused", message=message_id)
    return taken


def connected(smtp_url: str) -> smtplib.SMTP:
    """A session with the server of SMTP_URL, encrypted unless it is on loopback, and signed in where a user is named.

    Raises:
        ConfigurationError: the server offers no encryption, so no password or address is sent to it.
        smtplib.SMTPException, OSError: it does not answer, or refuses the sign-in.
    """
    url = urlsplit(smtp_url)
    host, context = url.hostname or "", ssl.create_default_context()
    if url.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, url.port or 465, timeout=SMTP_TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(host, url.port or 587, timeout=SMTP_TIMEOUT_S)
    try:
        server.ehlo_or_helo_if_needed()
        if url.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=context)
        elif url.scheme == "smtp" and host not in LOOPBACK:
            raise ConfigurationError(["The server of LTI_SERVER_SMTP_URL offers no STARTTLS. Use smtps:// or another."])
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
    except BaseException:
        server.close()
        raise
    return server


def _is_final(error: Exception) -> bool:
    """5xx about this message or this address; a refused sign-in is the set-up's fault, not the message's."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPSenderRefused | smtplib.SMTPDataError) and error.smtp_code >= 500


def place(district_id: UUID | None, message_id: UUID) -> bytes:
    """What the sealed text of a message is bound to."""
    return f"{district_id or ''}|mail_message|sealed|{message_id}".encode()
