"""Brings what the connections of a district reach into line with its contract: what is narrower acts at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import GrantId
from lti_server.privacy.districts import District
from lti_server.privacy.grant_states import WITHDRAWN
from lti_server.privacy.model import Policy
from lti_server.privacy.tables import contract_population as table
from lti_server.privacy.tables import grants
from lti_server.privacy.whom import Everybody, Population, Whom, read, within

Narrow = Callable[..., None]
"""Phase 1 of a narrowing to what the contract lets the grant reach: `Withdraw.narrow_to_contract_on`."""


class Populations:
    """Puts the population of each provider where the database holds it, and withdraws from whoever is outside now.

    What is wider than before lets nobody in by itself: they come with their next launch or class list.
    """

    def __init__(self, narrow: Callable[[], Narrow]) -> None:
        self._narrow = narrow

    def __call__(self, connection: Connection, district: District, policy: Policy, *, by: str) -> list[GrantId]:
        """Follow a policy on the caller's transaction, in the entered district; the grants that it narrows.

        From the commit on everybody outside is refused; `Withdraw.finish` ends what is left and acknowledges.
        """
        before, after = standing(connection), _named(policy)
        changed = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
        narrowed: list[GrantId] = []
        for provider in changed:
            was, now = _of(before, provider), _of(after, provider)
            _put(connection, district, provider, now)
            if not within(was, now):
                narrowed += _connections(connection, provider)
        for grant_id in narrowed:
            self._narrow()(connection, grant_id, by=by)
        return narrowed


def standing(connection: Connection) -> dict[str, Population]:
    """What the database holds the entered district's providers to."""
    return {row.provider: read(row.population) for row in connection.execute(sa.select(table))}


def _named(policy: Policy) -> dict[str, Population]:
    """Those that are not everybody. Of a provider that the contract does not name nothing passes anyway."""
    named = {} if policy.providers is None else policy.providers
    return {name: terms.population for name, terms in named.items() if isinstance(terms.population, Population)}


def _of(named: Mapping[str, Population], provider: str) -> Whom:
    return named.get(provider, Everybody.ALL)


def _put(connection: Connection, district: District, provider: str, whom: Whom) -> None:
    connection.execute(table.delete().where(table.c.provider == provider))
    if isinstance(whom, Population):
        values = {"district_id": district.id, "provider": provider, "population": whom.plain()}
        connection.execute(table.insert().values(**values))


def _connections(connection: Connection, provider: str) -> list[GrantId]:
    rows = connection.execute(
        sa.select(grants.c.id)
        .where(grants.c.provider == provider, grants.c.state.not_in(sorted(WITHDRAWN)))
        .order_by(grants.c.id)
    )
    return [GrantId(one) for one in rows.scalars()]
