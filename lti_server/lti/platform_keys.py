"""A platform's public keys: one set and one refetch clock for all workers, through PostgreSQL (design 6.7)."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
from joserfc.jwk import RSAKey
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import LaunchRejected, ProviderFailed
from lti_server.ids import Clock, DistrictId, RegistrationId
from lti_server.lti.signature import signing_keys
from lti_server.lti.tables import platform_keys

UNKNOWN_KID_INTERVAL_S = 60
FETCH_TIMEOUT_S = 5.0
WAIT_FOR_FETCH_MS = 1_000
LONGEST_BACK_OFF_S = 10
REFRESH_AFTER = timedelta(hours=24)
REFUSE_AFTER = timedelta(hours=72)


class KeySource(Protocol):
    """Reads a JWK set over the guarded transport."""

    def __call__(self, url: str, timeout_s: float) -> Mapping[str, Any]:
        """Raises `ProviderFailed` for anything but a JSON object in time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySet:
    """What a launch reads of the row: the set as JSON text, its version, and when it was fetched (None: never)."""

    registration_id: RegistrationId
    version: int
    jwks: str
    fetched_at: datetime | None

    @property
    def keys(self) -> dict[str, RSAKey]:
        """By kid; parsed once a process and version."""
        return _parsed(self.registration_id, self.version, self.jwks)

    def wants_fetch(self, kid: str, now: datetime) -> bool:
        """Whether a launch with this kid cannot go on with the set as it is."""
        return self.fetched_at is None or kid not in self.keys or now - self.fetched_at > REFRESH_AFTER


@functools.lru_cache(maxsize=4096)
def _parsed(registration_id: RegistrationId, version: int, jwks: str) -> dict[str, RSAKey]:
    return signing_keys(json.loads(jwks))


@dataclass(frozen=True, slots=True, kw_only=True)
class RefetchClock:
    """The clock of one registration, as its row keeps it."""

    unknown_kid_fetch_at: datetime | None
    retry_at: datetime | None

    def allows(self, *, for_unknown_kid: bool, now: datetime) -> bool:
        """The first unknown kid refetches at once, then one a minute; failures back off from 1 to 10 s."""
        if self.retry_at is not None and now < self.retry_at:
            return False
        if not for_unknown_kid or self.unknown_kid_fetch_at is None:
            return True
        return now - self.unknown_kid_fetch_at >= timedelta(seconds=UNKNOWN_KID_INTERVAL_S)


def back_off(failures: int) -> timedelta:
    """How long after so many failures in a row nobody asks again: 1, 2, 4, 8, 10, 10 … seconds."""
    return timedelta(seconds=min(2 ** min(failures - 1, 4), LONGEST_BACK_OFF_S))


class PlatformKeys:
    """Fetches a set when a launch cannot go on without; one fetch in flight a registration."""

    def __init__(
        self, database: Database, source: KeySource, clock: Clock, *, timeout_s: float = FETCH_TIMEOUT_S
    ) -> None:
        self._database = database
        self._source = source
        self._timeout_s = timeout_s
        self._clock = clock

    def refresh(self, district_id: DistrictId, seen: KeySet, jwks_url: str, kid: str) -> None:
        """Make the set as new as it may be. Call it outside any transaction; then read the set again.

        A failure with a usable set in hand is no failure: known kids go on working for three days.

        Raises:
            LaunchRejected: `keys-unreachable`.
        """
        try:
            with self._database.tenant(district_id) as connection:
                self._refresh_locked(connection, seen, jwks_url, kid)
        except _FetchFailed as failed:
            self._note_failure(district_id, seen.registration_id)
            self._go_on_without(seen, kid, failed)
        except sa.exc.OperationalError as error:  # lock_timeout: somebody else is fetching
            self._go_on_without(seen, kid, error)

    def _refresh_locked(self, connection: Connection, seen: KeySet, jwks_url: str, kid: str) -> None:
        connection.execute(sa.text(f"SET LOCAL lock_timeout = {WAIT_FOR_FETCH_MS}"))
        row = connection.execute(
            sa.select(platform_keys).where(platform_keys.c.registration_id == seen.registration_id).with_for_update()
        ).one()
        if row.version != seen.version:
            return
        now = self._clock.now()
        unknown = row.fetched_at is not None and kid not in seen.keys
        clock = RefetchClock(unknown_kid_fetch_at=row.unknown_kid_fetch_at, retry_at=row.retry_at)
        if not clock.allows(for_unknown_kid=unknown, now=now):
            if row.fetched_at is None:
                raise _unreachable()
            return
        try:
            jwks = self._source(jwks_url, self._timeout_s)
        except ProviderFailed as error:
            raise _FetchFailed from error
        connection.execute(
            platform_keys.update()
            .where(platform_keys.c.registration_id == seen.registration_id)
            .values(
                version=row.version + 1,
                jwks=dict(jwks),
                fetched_at=now,
                unknown_kid_fetch_at=now if unknown else row.unknown_kid_fetch_at,
                failures=0,
                retry_at=None,
            )
        )

    def _note_failure(self, district_id: DistrictId, registration_id: RegistrationId) -> None:
        mine = platform_keys.c.registration_id == registration_id
        with self._database.tenant(district_id) as connection:
            failures = connection.execute(sa.select(platform_keys.c.failures).where(mine)).scalar_one() + 1
            retry_at = self._clock.now() + back_off(failures)
            connection.execute(platform_keys.update().where(mine).values(failures=failures, retry_at=retry_at))

    def _go_on_without(self, seen: KeySet, kid: str, cause: Exception) -> None:
        age = None if seen.fetched_at is None else self._clock.now() - seen.fetched_at
        if age is None or age > REFUSE_AFTER or kid not in seen.keys:
            raise _unreachable() from cause


class _FetchFailed(Exception):
    """The platform did not give its keys."""


def _unreachable() -> LaunchRejected:
    return LaunchRejected(
        "keys-unreachable",
        "The LMS did not give its keys, so this launch cannot be checked. Try again in a minute; "
        "if it stays so, ask your administrator to check the key set URL.",
    )


def forget_keys(connection: Connection, registration_id: RegistrationId) -> None:
    """The platform publishes its keys elsewhere from now on: none of the former opens a launch."""
    connection.execute(
        platform_keys.update()
        .where(platform_keys.c.registration_id == registration_id)
        .values(
            version=platform_keys.c.version + 1, jwks={"keys": []}, fetched_at=None, unknown_kid_fetch_at=None,
            failures=0, retry_at=None,
        )
    )  # fmt: skip
