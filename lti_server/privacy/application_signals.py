"""Signals about the operator's own application at a provider: one address for all districts that use it.

Such a message names an account and no district. It is believed first; then each district in which the account is
known does what it says, in a transaction of its own, with an entry and a receipt of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import structlog
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import InvalidInput, NotFound, SignalRefused
from lti_server.ids import Clock, DistrictId, GrantId
from lti_server.privacy import grants
from lti_server.privacy.crypto import DistrictKeys
from lti_server.privacy.deletion_codes import DeletionCodes
from lti_server.privacy.districts import District
from lti_server.privacy.grant_states import WITHDRAWN
from lti_server.privacy.signals import Heeded, HeedSignals, Sender, verified
from lti_server.providers.connector import Connector
from lti_server.providers.manifest import NAME
from lti_server.providers.records import Signal, SignalKind
from lti_server.providers.spi import SignalRequest


class GrantsOf(Protocol):
    def __call__(self, connection: Connection, keys: DistrictKeys, signal: Signal, client_id: str) -> list[GrantId]:
        """By which grants of the entered district somebody is known."""
        ...


class Search(Protocol):
    def __call__(self, provider: str, signal: Signal, client_id: str) -> Sequence[DistrictId]:
        """The districts in which somebody is known about whom a signal tells."""
        ...


class HeedApplication:
    """Takes what a provider posts to `/signals/<provider>` without a grant."""

    def __init__(
        self,
        *,
        database: Database,
        district: Callable[[Connection], District],
        search: Search,
        application_of: Callable[[str], Mapping[str, object] | None],
        connector: Connector,
        grants_of: GrantsOf,
        heed: HeedSignals,
        codes: DeletionCodes,
        clock: Clock,
    ) -> None:
        self._database = database
        self._district = district
        self._search = search
        self._application_of = application_of
        self._connector = connector
        self._grants_of = grants_of
        self._heed = heed
        self._codes = codes
        self._clock = clock

    def heed(self, receiver: str, request: SignalRequest) -> list[Heeded]:
        """Verify a message for the operator's application, and let each district do what it says.

        Raises:
            NotFound: the operator has no application there, or the plugin receives nothing.
            SignalRefused, InvalidInput, ProviderFailed: as for a connection.
        """
        came = self._clock.now()
        told = structlog.get_logger("lti_server.signals").bind(provider=receiver)
        config = self._application_of(receiver) if NAME.fullmatch(receiver) else None
        if config is None:
            raise NotFound("No connection listens here. `lti-server grant show` says at which address one does.")
        try:
            signals = verified(self._connector, receiver, config, request, came)
        except (SignalRefused, InvalidInput) as error:
            told.warning("a signal was refused", reason=error.slug)
            raise
        heeded: list[Heeded] = []
        for signal in signals:
            told.info("a signal came", kind=signal.kind.value, note=signal.note)
            heeded += self._everywhere(receiver, config, signal, came) or [self._nobody(signal)]
        return heeded

    def _everywhere(self, receiver: str, config: Mapping[str, object], signal: Signal, came: datetime) -> list[Heeded]:
        """Never of a whole connection: an application is of many districts, and none of theirs ends by it."""
        if not signal.subject and not signal.provider_session_id:
            return []
        client_id = str(config.get("client_id", ""))
        heeded: list[Heeded] = []
        for district_id in self._search(receiver, signal, client_id):
            with self._database.tenant(district_id) as connection:
                district = self._district(connection)
                found = self._grants_of(connection, district.keys, signal, client_id)
                listening = [one for one in found if grants.state_of(connection, one) not in WITHDRAWN]
            for grant_id in listening:
                sender = Sender(district=district, grant_id=grant_id, receiver=receiver, listens=True, config=config)
                heeded.append(self._heed.once(sender, signal, came))
        return heeded

    def _nobody(self, signal: Signal) -> Heeded:
        asked = f"{signal.issuer}\n{signal.kind}\n{signal.signal_id}"
        deletion = signal.kind is SignalKind.DATA_DELETION and bool(signal.subject)
        return Heeded(
            kind=signal.kind.value, outcome="nobody" if signal.subject or signal.provider_session_id else "noted",
            code=self._codes.of(asked) if deletion else "",
        )  # fmt: skip
