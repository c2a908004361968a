"""What providers say by themselves, joined once: of connections, of the operator's applications, and of deletions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.person_signals import PersonSignals
from lti_server.accounts.signal_search import SearchDistricts
from lti_server.errors import NotFound
from lti_server.house import House
from lti_server.ids import GrantId
from lti_server.privacy import deletion_views, signal_views
from lti_server.privacy.application_signals import HeedApplication
from lti_server.privacy.deletion_codes import DeletionCodes
from lti_server.privacy.deletion_status import Deletions
from lti_server.privacy.signals import HeedSignals
from lti_server.providers.manifest import SignalAnswers
from lti_server.sign_in_parts import SignInHouse

_PROVIDER = sa.text("SELECT provider FROM grants WHERE id = :grant")


@dataclass(frozen=True)
class SignalHouse:
    """Built from what the house has."""

    of: House

    @cached_property
    def connections(self) -> HeedSignals:
        of = self.of
        return HeedSignals(
            database=of.database, district=of.entered, doors=of.doors, config_of=self.config_of,
            connector=of.connector, fence=of.grants.fence, withdraw=of.grants.withdraw, act=self._people,
            codes=self._codes, clock=of.clock,
        )  # fmt: skip

    @cached_property
    def application(self) -> HeedApplication:
        of = self.of
        return HeedApplication(
            database=of.database, district=of.entered, search=SearchDistricts(of.database, of.ring),
            application_of=self._signing_in.connections.application_of, connector=of.connector,
            grants_of=self._people.grants_of, heed=self.connections, codes=self._codes, clock=of.clock,
        )  # fmt: skip

    def config_of(self, connection: Connection, grant_id: GrantId, receiver: str) -> Mapping[str, object] | None:
        """A registered platform's, or a connection's own; nothing of one whose grant is withdrawn."""
        found = self.of.grants.receivers(connection, grant_id, receiver)
        if found is not None:
            return found
        if connection.execute(_PROVIDER, {"grant": grant_id}).scalar_one_or_none() != receiver:
            return None
        connected = self._signing_in.connections.of_grant(connection, grant_id)
        return {} if connected is None else connected.config

    def answers(self, receiver: str) -> SignalAnswers:
        """How a receiver's sender wants to be answered."""
        try:
            return self.of.registry.manifest(receiver).answers
        except NotFound:
            return SignalAnswers.ACCEPTED

    def views(self) -> list[Any]:
        """The endpoint, and the page of a deletion."""
        parts = signal_views.SignalParts(
            connections=lambda: self.connections, application=lambda: self.application, answers=self.answers,
            base_url=self.of.settings.base_url,
        )  # fmt: skip
        return [signal_views.blueprint(parts), deletion_views.blueprint(lambda code: self._deletions.status(code))]

    @cached_property
    def _deletions(self) -> Deletions:
        return Deletions(database=self.of.database, doors=self.of.doors, codes=self._codes)

    @cached_property
    def _people(self) -> PersonSignals:
        return PersonSignals(self.of.rights.own_requests.erase_on, self.of.rights.way_states)

    @cached_property
    def _codes(self) -> DeletionCodes:
        return DeletionCodes(self.of.ring)

    @cached_property
    def _signing_in(self) -> SignInHouse:
        return SignInHouse(self.of)
