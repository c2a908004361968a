"""What providers say by themselves: verified by their plugin, heeded once, by the same revocation as any other.

A signal about a whole connection revokes or suspends it; one about a person is for that person's sessions, and for
their way in by this provider. An erasure that it asks for becomes a case of the district's, which decides about it.
Each leaves an entry in the log and a receipt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database, Door, enter_by, open_door
from lti_server.errors import GrantRevoked, InvalidInput, NotFound, SignalRefused
from lti_server.ids import Clock, GrantId, PersonId, new_id
from lti_server.privacy import grants, log
from lti_server.privacy.deletion_codes import DeletionCodes
from lti_server.privacy.districts import District
from lti_server.privacy.doors import DoorKeys
from lti_server.privacy.fence import Fence
from lti_server.privacy.grant_states import WITHDRAWN, GrantState
from lti_server.privacy.revocation import Withdraw
from lti_server.privacy.tables import signal_receipt
from lti_server.providers.connector import Connector
from lti_server.providers.errors import BrokeContract, RejectedCredentials
from lti_server.providers.faults import server_errors
from lti_server.providers.records import Signal, SignalKind
from lti_server.providers.spi import SignalRequest

ACT = "signal"
OLDEST = timedelta(days=7)
AHEAD = timedelta(minutes=5)
REMEMBERED = OLDEST + timedelta(days=1)
PATIENCE_S = 0.5

_K = SignalKind
KEPT = timedelta(days=90)
"""Receipts, as long as the case that a deletion opens."""
ENDS_ALL = frozenset({_K.GRANT_REVOKED, _K.ACCOUNT_PURGED, _K.DATA_DELETION})
FREEZES = frozenset({_K.ACCOUNT_DISABLED, _K.TOKENS_REVOKED})
SAYS_NOTHING = frozenset({_K.ACCOUNT_ENABLED, _K.ACCOUNT_SUSPECT, _K.VERIFICATION})
"""Of a whole connection: what was frozen goes on by hand. A verification only asks whether somebody listens."""


WITHOUT_SESSIONS = frozenset({"revoked", "suspended", "noted"})


class ConfigOf(Protocol):
    def __call__(self, connection: Connection, grant_id: GrantId, receiver: str) -> Mapping[str, object] | None:
        """The configuration of a plugin that understands this grant's provider; None where it does not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """What a signal about somebody did: `sessions_ended`, `held`, `lifted`, `way_ended`, `erasure_asked`, `noted`, or
    `nobody`. `person_id` is None for nobody, and for who came from an LMS. `case_id` is what the district was asked.
    """

    outcome: str
    sessions: int = 0
    person_id: PersonId | None = None
    case_id: UUID | None = None
    revocation_id: UUID | None = None
    after: Callable[[], None] | None = None
    """To be called once it has committed."""


class ActOnPerson(Protocol):
    def __call__(
        self,
        connection: Connection,
        district: District,
        grant_id: GrantId,
        signal: Signal,
        client_id: str,
        at: datetime,
    ) -> Acted:
        """Do what a signal about a person, or about every session of a grant, asks for."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who says to send: a grant of a district. `listens` is false once the grant is withdrawn."""

    district: District
    grant_id: GrantId
    receiver: str
    listens: bool
    config: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heeded:
    """What became of one signal: `revoked`, `suspended`, `repeated`, or an outcome of `Acted`.

    `code` is that of a deletion, on whose page stands what became of it.
    """

    kind: str
    outcome: str
    revocation_id: UUID | None = None
    receipt_id: UUID | None = None
    code: str = field(default="", repr=False)


class HeedSignals:
    """Takes what a provider posts to `/signals/<provider>`."""

    def __init__(
        self,
        *,
        database: Database,
        district: Callable[[Connection], District],
        doors: DoorKeys,
        config_of: ConfigOf,
        connector: Connector,
        fence: Fence,
        withdraw: Withdraw,
        act: ActOnPerson,
        codes: DeletionCodes,
        clock: Clock,
    ) -> None:
        self._database = database
        self._district = district
        self._doors = doors
        self._config_of = config_of
        self._connector = connector
        self._fence = fence
        self._withdraw = withdraw
        self._on_person = act
        self._codes = codes
        self._clock = clock

    def sender(self, receiver: str, grant: str) -> Sender:
        """Whose address was called. Nothing of the message is read.

        Raises:
            NotFound: there is no such connection, or it has no such receiver.
        """
        with self._database.anyone() as connection:
            found = enter_by(connection, Door.GRANT, self._doors.of(Door.GRANT, grant))
            if found is None:
                raise _nobody()
            grant_id = GrantId(found.target_id)
            config = self._config_of(connection, grant_id, receiver)
            if config is None:
                raise _nobody()
            listens = grants.state_of(connection, grant_id) not in WITHDRAWN
            return Sender(
                district=self._district(connection), grant_id=grant_id, receiver=receiver, listens=listens,
                config=config,
            )  # fmt: skip

    def drop(self, sender: Sender) -> None:
        """A withdrawn connection's message: not read, and said so in the log."""
        with self._database.tenant(sender.district.id) as connection:
            self._log(connection, sender, "refused", {"reason": "withdrawn"})

    def heed(self, sender: Sender, request: SignalRequest) -> list[Heeded]:
        """Verify a message and do what it says, each signal once, in one transaction each.

        Raises:
            SignalRefused: it is not from this provider, not for us, or too old.
            InvalidInput: it is, and makes no sense.
            ProviderFailed: the provider did not give its keys; it may send the message again.
        """
        came = self._clock.now()
        try:
            signals = self._verified(sender, request)
        except GrantRevoked:
            self.drop(sender)
            return []
        except (SignalRefused, InvalidInput) as error:
            with self._database.tenant(sender.district.id) as connection:
                self._log(connection, sender, "refused", {"reason": error.slug})
            raise
        heeded = [self.once(sender, signal, came) for signal in signals]
        if any(one.revocation_id is not None for one in heeded):
            self._withdraw.finish(sender.district.id, sender.grant_id, patience_s=PATIENCE_S)
        return heeded

    def _verified(self, sender: Sender, request: SignalRequest) -> list[Signal]:
        listening = partial(self._fence.listening, sender.district.id, sender.grant_id)
        return verified(self._connector.within(listening), sender.receiver, sender.config, request, self._clock.now())

    def once(self, sender: Sender, signal: Signal, came: datetime) -> Heeded:
        """The mark of having come and what it does commit together: a crash leaves neither."""
        known = f"{sender.grant_id}\n{signal.issuer}\n{signal.kind}\n{signal.signal_id}"
        code = self._codes.of(known) if signal.kind is SignalKind.DATA_DELETION and signal.subject else ""
        with self._database.tenant(sender.district.id) as connection:
            values = {
                "district": sender.district.id, "provider": sender.receiver, "now": came, "until": came + REMEMBERED,
                "hash": hashlib.sha256(known.encode()).digest(),
            }  # fmt: skip
            if connection.execute(_MARK, values).one_or_none() is None:
                return Heeded(kind=signal.kind.value, outcome="repeated", code=code)
            acted = self._act(connection, sender, signal)
            receipt_id = self._receipt(connection, sender, signal, acted, came)
            if code and acted.person_id is not None:
                key = self._doors.of(Door.DELETION, code)
                open_door(connection, Door.DELETION, key, receipt_id, came + KEPT)
            self._tell(connection, sender, signal, acted)
        if acted.after is not None:
            acted.after()
        return Heeded(
            kind=signal.kind.value, outcome=acted.outcome, revocation_id=acted.revocation_id, receipt_id=receipt_id,
            code=code,
        )  # fmt: skip

    def _act(self, connection: Connection, sender: Sender, signal: Signal) -> Acted:
        kind, by = signal.kind.value, f"signal:{sender.receiver}"
        about_all = not signal.subject and not signal.provider_session_id
        if about_all and signal.kind in SAYS_NOTHING:
            return Acted(outcome="noted")
        if about_all and signal.kind in ENDS_ALL:
            reason = f"{sender.receiver} says so ({kind})."
            begun = self._withdraw.begin_on(connection, sender.grant_id, by=by, reason=reason)
            return Acted(outcome="revoked", revocation_id=begun)
        if about_all and signal.kind in FREEZES:
            if grants.standing_of(connection, sender.grant_id).state is not GrantState.ACTIVE:
                return Acted(outcome="noted")
            reason = f"{sender.receiver} says so ({kind}). Resume it once that is settled."
            self._withdraw.suspend_on(connection, sender.grant_id, by=by, reason=reason)
            return Acted(outcome="suspended")
        client_id = str(sender.config.get("client_id", ""))
        return self._on_person(connection, sender.district, sender.grant_id, signal, client_id, self._clock.now())

    def _receipt(self, connection: Connection, sender: Sender, signal: Signal, acted: Acted, came: datetime) -> UUID:
        receipt_id = new_id()
        connection.execute(
            signal_receipt.insert().values(
                id=receipt_id, district_id=sender.district.id, grant_id=sender.grant_id, person_id=acted.person_id,
                case_id=acted.case_id, provider=sender.receiver, kind=signal.kind.value, outcome=acted.outcome,
                sessions=acted.sessions, occurred_at=signal.occurred_at, received_at=came,
                acted_at=self._clock.now(), expires_at=came + KEPT,
            )
        )  # fmt: skip
        return receipt_id

    def _tell(self, connection: Connection, sender: Sender, signal: Signal, acted: Acted) -> None:
        about = "a person" if signal.subject else "a session" if signal.provider_session_id else "the connection"
        told = {"kind": signal.kind.value, "about": about, "outcome": acted.outcome}
        more: dict[str, object] = {"sessions": acted.sessions} if acted.outcome not in WITHOUT_SESSIONS else {}
        if signal.note:
            more["note"] = signal.note
        self._log(connection, sender, "allowed", {**told, **more}, person_id=acted.person_id)

    def _log(
        self, connection: Connection, sender: Sender, decision: log.Decision, told: Mapping[str, object], *,
        person_id: PersonId | None = None,
    ) -> None:  # fmt: skip
        """Of somebody who signs in it is an entry about them, which they read on their own page."""
        entry = log.entry(
            sender.district.keys, at=self._clock.now(), actor=f"signal:{sender.receiver}", act=ACT, decision=decision,
            purpose="operation", object_id=person_id or sender.grant_id, payload=told,
            population="" if person_id is None else "person",
            interest=log.Interest.NONE if person_id is None else log.Interest.OPERATION,
        )  # fmt: skip
        log.record(connection, entry)


def verified(
    connector: Connector, receiver: str, config: Mapping[str, object], request: SignalRequest, now: datetime
) -> list[Signal]:
    """The signals of a message that its plugin believes.

    Raises:
        SignalRefused, InvalidInput, ProviderFailed: as `HeedSignals.heed`. GrantRevoked: as the connector's fence.
    """
    plugin = connector.signals(receiver, config)
    with server_errors(receiver):
        try:
            signals = list(plugin.parse(request))
        except GrantRevoked:
            raise
        except RejectedCredentials as fault:
            raise SignalRefused(fault.detail) from None
        except BrokeContract as fault:
            raise InvalidInput(fault.detail) from None
    if not all(now - OLDEST <= signal.occurred_at <= now + AHEAD for signal in signals):
        raise SignalRefused("The message is too old, or from a clock that goes wrong. Nothing was done.")
    return signals


_MARK = sa.text(
    "INSERT INTO provider_signal (district_id, provider, signal_hash, received_at, expires_at)"
    " VALUES (:district, :provider, :hash, :now, :until) ON CONFLICT DO NOTHING RETURNING 1"
)


def _nobody() -> NotFound:
    return NotFound("No connection listens here. `lti-server grant show` says at which address one does.")
