"""What providers say by themselves: verified by their plugin, heeded once, by the same revocation as any other.

A signal about a whole connection revokes or suspends it; one about a person ends that person's sessions. What a signal
asks for beyond that (an erasure) is the district's to decide, and stands in its log.
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

from lti_server.db import Database, Door, enter_by
from lti_server.errors import GrantRevoked, InvalidInput, NotFound, SignalRefused
from lti_server.ids import Clock, GrantId
from lti_server.privacy import grants, log
from lti_server.privacy.crypto import DistrictKeys
from lti_server.privacy.districts import District
from lti_server.privacy.doors import DoorKeys
from lti_server.privacy.fence import Fence
from lti_server.privacy.grant_states import WITHDRAWN, GrantState
from lti_server.privacy.revocation import Withdraw
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
ENDS_ALL = frozenset({_K.GRANT_REVOKED, _K.ACCOUNT_PURGED, _K.DATA_DELETION})
FREEZES = frozenset({_K.ACCOUNT_DISABLED, _K.TOKENS_REVOKED})
SAYS_NOTHING = frozenset({_K.ACCOUNT_ENABLED, _K.VERIFICATION})
"""Whoever was frozen goes on by hand; a verification only asks whether somebody listens."""


class ConfigOf(Protocol):
    def __call__(self, connection: Connection, grant_id: GrantId, receiver: str) -> Mapping[str, object] | None:
        """The configuration of a plugin that understands this grant's provider; None where it does not."""
        ...


class EndSessions(Protocol):
    def __call__(
        self,
        connection: Connection,
        keys: DistrictKeys,
        grant_id: GrantId,
        signal: Signal,
        client_id: str,
        at: datetime,
    ) -> int:
        """End the sessions that a signal is about, by one grant; how many there were."""
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
    """What became of one signal: `revoked`, `suspended`, `sessions_ended`, `noted`, or `repeated`."""

    kind: str
    outcome: str
    revocation_id: UUID | None = None


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
        end_sessions: EndSessions,
        clock: Clock,
    ) -> None:
        self._database = database
        self._district = district
        self._doors = doors
        self._config_of = config_of
        self._connector = connector
        self._fence = fence
        self._withdraw = withdraw
        self._end_sessions = end_sessions
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
        try:
            signals = self._verified(sender, request)
        except GrantRevoked:
            self.drop(sender)
            return []
        except (SignalRefused, InvalidInput) as error:
            with self._database.tenant(sender.district.id) as connection:
                self._log(connection, sender, "refused", {"reason": error.slug})
            raise
        heeded = [self._once(sender, signal) for signal in signals]
        if any(one.revocation_id is not None for one in heeded):
            self._withdraw.finish(sender.district.id, sender.grant_id, patience_s=PATIENCE_S)
        return heeded

    def _verified(self, sender: Sender, request: SignalRequest) -> list[Signal]:
        listening = partial(self._fence.listening, sender.district.id, sender.grant_id)
        receiver = self._connector.within(listening).signals(sender.receiver, sender.config)
        with server_errors(sender.receiver):
            try:
                signals = list(receiver.parse(request))
            except GrantRevoked:
                raise
            except RejectedCredentials as fault:
                raise SignalRefused(fault.detail) from None
            except BrokeContract as fault:
                raise InvalidInput(fault.detail) from None
        now = self._clock.now()
        if not all(now - OLDEST <= signal.occurred_at <= now + AHEAD for signal in signals):
            raise SignalRefused("The message is too old, or from a clock that goes wrong. Nothing was done.")
        return signals

    def _once(self, sender: Sender, signal: Signal) -> Heeded:
        """The mark of having come and what it does commit together: a crash leaves neither."""
        now = self._clock.now()
        with self._database.tenant(sender.district.id) as connection:
            known = f"{sender.grant_id}\n{signal.issuer}\n{signal.kind}\n{signal.signal_id}"
            values = {
                "district": sender.district.id, "provider": sender.receiver, "now": now, "until": now + REMEMBERED,
                "hash": hashlib.sha256(known.encode()).digest(),
            }  # fmt: skip
            if connection.execute(_MARK, values).one_or_none() is None:
                return Heeded(kind=signal.kind.value, outcome="repeated")
            heeded, counts = self._act(connection, sender, signal)
            told = {
                "kind": signal.kind.value, "about": "a person" if signal.subject else "the connection",
                "outcome": heeded.outcome, **counts,
            }  # fmt: skip
            self._log(connection, sender, "allowed", told)
        return heeded

    def _act(self, connection: Connection, sender: Sender, signal: Signal) -> tuple[Heeded, dict[str, int]]:
        kind, by = signal.kind.value, f"signal:{sender.receiver}"
        if signal.kind in SAYS_NOTHING:
            return Heeded(kind=kind, outcome="noted"), {}
        if not signal.subject and signal.kind in ENDS_ALL:
            reason = f"{sender.receiver} says so ({kind})."
            begun = self._withdraw.begin_on(connection, sender.grant_id, by=by, reason=reason)
            return Heeded(kind=kind, outcome="revoked", revocation_id=begun), {}
        if not signal.subject and signal.kind in FREEZES:
            if grants.standing_of(connection, sender.grant_id).state is not GrantState.ACTIVE:
                return Heeded(kind=kind, outcome="noted"), {}
            reason = f"{sender.receiver} says so ({kind}). Resume it once that is settled."
            self._withdraw.suspend_on(connection, sender.grant_id, by=by, reason=reason)
            return Heeded(kind=kind, outcome="suspended"), {}
        client_id = str(sender.config.get("client_id", ""))
        keys, now = sender.district.keys, self._clock.now()
        ended = self._end_sessions(connection, keys, sender.grant_id, signal, client_id, now)
        return Heeded(kind=kind, outcome="sessions_ended"), {"sessions": ended}

    def _log(self, connection: Connection, sender: Sender, decision: log.Decision, told: Mapping[str, object]) -> None:
        entry = log.entry(
            sender.district.keys, at=self._clock.now(), actor=f"signal:{sender.receiver}", act=ACT, decision=decision,
            purpose="operation", object_id=sender.grant_id, payload=told,
        )  # fmt: skip
        log.record(connection, entry)


_MARK = sa.text(
    "INSERT INTO provider_signal (district_id, provider, signal_hash, received_at, expires_at)"
    " VALUES (:district, :provider, :hash, :now, :until) ON CONFLICT DO NOTHING RETURNING 1"
)


def _nobody() -> NotFound:
    return NotFound("No connection listens here. `lti-server grant show` says at which address one does.")
