"""The lists of tenants of the operator's applications, looked at again and again (SPI 1.2, `TenantList`).

A connection whose tenant is not on a whole list is suspended, and so is one whose list could not be read several times
in a row; both go on once the list names the tenant. Nothing is revoked, nobody removed (law 5). There is nothing
about a person in such a list. A district's own application is not looked at: its list is not the operator's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from lti_server.accounts.applications import is_the_operators
from lti_server.db import Database
from lti_server.errors import InvalidInput, LtiServerError
from lti_server.ids import Clock, DistrictId, GrantId
from lti_server.privacy import grants
from lti_server.privacy.districts import District
from lti_server.privacy.inference import Evidence
from lti_server.providers.connector import Connector
from lti_server.providers.faults import server_errors
from lti_server.providers.manifest import Manifest

TASK = "tenants.look"
LOOK_EVERY = "*/5 * * * *"
LOOK_WITHIN = timedelta(minutes=10)
"""What is promised, also where one look fails."""
UNREAD_LOOKS = 3
"""So many looks in a row that fail are evidence; a single one is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of one connection before a look. `by_hand`: somebody has suspended it.

    `missing`: it was suspended already because a whole list did not name its tenant, and none has since.
    """

    unread: int = 0
    missing: bool = False
    suspended_on: str = ""
    by_hand: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a look means: what is known then, on what to suspend, and whether the connection may go on."""

    unread: int
    missing: bool
    suspend: Evidence | None = None
    lift: bool = False


def judge(known: Known, named: bool | None) -> Judged:
    """`named`: whether a whole list names the tenant; None where the list could not be read.

    The same evidence suspends once: whoever resumes the connection by hand meanwhile knows better. What somebody has
    suspended is theirs to resume, and is judged afresh from then on.
    """
    if known.by_hand:
        return Judged(unread=0, missing=False)
    if named is None:
        unread = known.unread + 1
        due = unread == UNREAD_LOOKS and not known.suspended_on
        return Judged(unread=unread, missing=known.missing, suspend=Evidence.TENANTS_UNREAD if due else None)
    if named:
        return Judged(unread=0, missing=False, lift=bool(known.suspended_on))
    fresh = not known.missing or known.suspended_on == Evidence.TENANTS_UNREAD
    return Judged(unread=0, missing=True, suspend=Evidence.TENANT_MISSING if fresh else None)


class Inference(Protocol):
    """Freezes a grant on evidence, and lets it go on."""

    def on(self, connection: Connection, grant_id: GrantId, provider: str, evidence: Evidence) -> None: ...
    def lift(self, district_id: DistrictId, grant_id: GrantId, provider: str, evidence: Evidence) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One connection that is a tenant of an operator's application."""

    id: UUID
    district: District
    tenant: str
    since: datetime
    looked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LateLook:
    """A list, or a district's line in it, at which nobody has looked for too long: since when, and whose it is."""

    provider: str
    since: datetime
    districts: tuple[str, ...]


def late_looks(
    provider: str, list_looked_at: datetime, watched: Sequence[Watched], now: datetime
) -> Iterator[LateLook]:
    """What was not looked at within the time that is promised. `list_looked_at`: or, before any look, since when it is.

    Where the list itself is late, every district is. Else one is late whose own line was passed over while another's
    was not; a list to which the application has no way (no key for it) has no line of anybody, and nobody is late.
    """
    if not watched:
        return
    if now - list_looked_at > LOOK_WITHIN:
        slugs = tuple(sorted({one.district.slug for one in watched}))
        yield LateLook(provider=provider, since=list_looked_at, districts=slugs)
        return
    has_a_way = any(one.looked_at is not None and now - one.looked_at <= LOOK_WITHIN for one in watched)
    for one in watched:
        since = one.looked_at or one.since
        if has_a_way and now - since > LOOK_WITHIN:
            yield LateLook(provider=provider, since=since, districts=(one.district.slug,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """When a connection's list was last looked at, and last read whole."""

    looked_at: datetime
    read_at: datetime | None


class WatchTenants:
    """One look at every list. Providers are called outside any transaction; each connection is judged in its own."""

    def __init__(
        self,
        *,
        database: Database,
        providers: Callable[[], Mapping[str, Manifest]],
        application_of: Callable[[str], Mapping[str, object] | None],
        connector: Connector,
        district: Callable[[Connection], District],
        inference: Inference,
        clock: Clock,
    ) -> None:
        self._database = database
        self._providers = providers
        self._application_of = application_of
        self._connector = connector
        self._district = district
        self._inference = inference
        self._clock = clock

    def __call__(self) -> None:
        for provider, manifest in self._providers().items():
            application = self._application_of(provider)
            if application is None:
                continue
            if watched := self._watched(provider, manifest, application):
                self._look(provider, application, watched)
            with self._database.anyone() as connection:
                connection.execute(_LIST_LOOKED, {"provider": provider, "now": self._clock.now()})

    def _look(self, provider: str, application: Mapping[str, object], watched: Sequence[Watched]) -> None:
        try:
            named = self._named(provider, application)
        except InvalidInput:
            return  # this application has no way to its list (no key for it), so nobody is judged by it
        for one in watched:
            with _others_go_on(one.district.id):
                self._judge(one, provider, None if named is None else one.tenant in named)

    def late(self) -> list[LateLook]:
        """What nobody has looked at within the time that is promised; no provider is asked."""
        found: list[LateLook] = []
        for provider, manifest in self._providers().items():
            application = self._application_of(provider)
            if application is None:
                continue
            with self._database.anyone() as connection:
                looked_at = connection.execute(_LIST_LOOKED_AT, {"provider": provider}).scalar_one()
            watched = self._watched(provider, manifest, application)
            found += late_looks(provider, looked_at, watched, self._clock.now())
        return found

    def _watched(self, provider: str, manifest: Manifest, application: Mapping[str, object]) -> list[Watched]:
        """Connections in force or suspended that go by the operator's application."""
        with self._database.anyone() as connection:
            districts = connection.execute(sa.text("SELECT district_ids()")).scalars().all()
        found: list[Watched] = []
        for district_id in map(DistrictId, districts):
            with _others_go_on(district_id), self._database.tenant(district_id) as connection:
                for row in connection.execute(_WATCHED, {"provider": provider}).all():
                    if is_the_operators(manifest, application, self._own(connection, row)):
                        one = Watched(
                            id=row.id, district=self._district(connection), tenant=row.tenant, since=row.connected_at,
                            looked_at=row.tenants_looked_at,
                        )  # fmt: skip
                        found.append(one)
        return found

    def _own(self, connection: Connection, row: Any) -> dict[str, object]:
        sealed = self._district(connection).keys.open("provider_connection", "sealed", row.id, bytes(row.sealed))
        found: dict[str, object] = json.loads(sealed)
        return found

    def _named(self, provider: str, application: Mapping[str, object]) -> frozenset[str] | None:
        """The tenants of a whole list; None where it could not be read, whatever the reason (law 5).

        Raises:
            InvalidInput: the application's configuration has no way to a list.
        """
        try:
            with server_errors(provider):
                listing = self._connector.tenants(provider, application)
                found = listing.tenants()
        except InvalidInput:
            raise
        except LtiServerError as error:
            _log().warning("a list of tenants could not be read", provider=provider, error=type(error).__name__)
            return None
        if not isinstance(found, Sequence) or isinstance(found, str) or not all(isinstance(one, str) for one in found):
            _log().warning("a list of tenants is none", provider=provider)
            return None
        return frozenset(found)

    def _judge(self, one: Watched, provider: str, named: bool | None) -> None:
        with self._database.tenant(one.district.id) as connection:
            row = connection.execute(_KNOWN, {"id": one.id}).one_or_none()
            if row is None:
                return  # revoked meanwhile
            evidence = grants.suspended_on(connection, GrantId(row.grant_id))
            known = Known(
                unread=row.tenants_unread, missing=row.tenant_missing_at is not None, suspended_on=evidence,
                by_hand=row.state == "suspended" and not evidence,
            )  # fmt: skip
            judged = judge(known, named)
            values = {
                "id": one.id, "now": self._clock.now(), "whole": named is not None, "unread": judged.unread,
                "missing": judged.missing,
            }  # fmt: skip
            connection.execute(_LOOKED, values)
            if judged.suspend is not None:
                self._inference.on(connection, GrantId(row.grant_id), provider, judged.suspend)
        if judged.lift:
            self._inference.lift(one.district.id, GrantId(row.grant_id), provider, Evidence(known.suspended_on))


def looked(connection: Connection, grant_id: GrantId) -> Look | None:
    """The last look at the list of a grant's connection; None where there is no list to look at, or not yet."""
    row = connection.execute(_LAST, {"grant": grant_id}).one_or_none()
    return None if row is None else Look(looked_at=row.tenants_looked_at, read_at=row.tenants_read_at)


@contextmanager
def _others_go_on(district_id: DistrictId) -> Iterator[None]:
    """What fails in one district (a key that does not open, a lock that is not had) is told, and spoils no other's."""
    try:
        yield
    except Exception as error:
        _log().warning("a district was not looked at", district=str(district_id), error=type(error).__name__)


def _log() -> Any:
    return structlog.get_logger("lti_server.tenants")


_WATCHED = sa.text(
    "SELECT c.id, c.tenant, c.sealed, c.connected_at, c.tenants_looked_at"
    " FROM provider_connection c JOIN grants g ON g.id = c.grant_id"
    " WHERE c.provider = :provider AND c.ended_at IS NULL AND c.tenant IS NOT NULL"
    " AND g.state IN ('active', 'suspended') ORDER BY c.id"
)
_KNOWN = sa.text(
    "SELECT c.grant_id, c.tenants_unread, c.tenant_missing_at, g.state"
    " FROM provider_connection c JOIN grants g ON g.id = c.grant_id"
    " WHERE c.id = :id AND c.ended_at IS NULL AND g.state IN ('active', 'suspended') FOR NO KEY UPDATE OF c"
)
_LOOKED = sa.text(
    "UPDATE provider_connection SET tenants_looked_at = :now, tenants_unread = :unread,"
    " tenants_read_at = CASE WHEN :whole THEN :now ELSE tenants_read_at END,"
    " tenant_missing_at = CASE WHEN :missing THEN coalesce(tenant_missing_at, :now) END WHERE id = :id"
)
_LIST_LOOKED = sa.text("UPDATE provider_application SET tenants_looked_at = :now WHERE provider = :provider")
_LIST_LOOKED_AT = sa.text(
    "SELECT coalesce(tenants_looked_at, connected_at) FROM provider_application WHERE provider = :provider"
)
_LAST = sa.text(
    "SELECT tenants_looked_at, tenants_read_at FROM provider_connection"
    " WHERE grant_id = :grant AND ended_at IS NULL AND tenants_looked_at IS NOT NULL"
)
