"""Accounts that are people's own and no school's: by which connection of the built-in tenants their owners come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from lti_server.accounts import store as people
from lti_server.accounts.adult_providers import lets_in
from lti_server.accounts.connected import Connected
from lti_server.accounts.model import Subject
from lti_server.accounts.provider_connections import ProviderConnections
from lti_server.db import Database
from lti_server.privacy import own_terms
from lti_server.privacy.districts import District
from lti_server.providers.manifest import Manifest
from lti_server.providers.records import SourceIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAccounts:
    """Finds the connections. `running` are the providers by which people sign in here."""

    database: Database
    connections: ProviderConnections
    district: Callable[[Connection], District]
    running: Callable[[], Mapping[str, Manifest]]

    def of(self, provider: str, identity: SourceIdentity) -> Connected | None:
        """Whose country's tenant somebody is in, who has not said which: where they are known.

        Whoever is known in none is led to one of them, which lets in nobody who has not registered there.
        """
        found = self._every(provider)
        return next((one for one in found if self._knows(one, identity)), found[0] if found else None)

    def ways(self, country: str = "", *, years: int | None = None) -> Mapping[str, str]:
        """The providers by which people come who registered themselves: title by name.

        `years`: those by which somebody so old may register in a country.
        """
        named = {name for one in ([country] if country else own_terms.countries()) for name in self._in(one)}
        found = {name: one for name, one in self.running().items() if name in named}
        return {
            name: one.title or name
            for name, one in sorted(found.items())
            if years is None or lets_in(one, None, years=years)
        }

    def _in(self, country: str) -> Sequence[str]:
        return self.connections.providers_of(own_terms.slug_of(country))

    def _every(self, provider: str) -> list[Connected]:
        slugs = map(own_terms.slug_of, own_terms.countries())
        return [one for slug in slugs for one in self.connections.of_district(slug, provider)]

    def _knows(self, connected: Connected, who: SourceIdentity) -> bool:
        with self.database.tenant(connected.district_id) as connection:
            keys = self.district(connection).keys
            every = [
                Subject(provider=connected.provider, issuer=who.issuer, client_id=who.client_id, subject=one)
                for one in (who.subject, *who.person.legacy_ids)
            ]
            hashes = [people.subject_hash(keys, one) for one in every]
            return bool(people.find(connection, hashes, connected.grant_id))
