"""Platforms of a district: registering, listing and removing an LMS, and finding one at login."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database, Door, Found, close_door, enter, enter_by, find_by, open_door
from lti_server.errors import Conflict, InvalidInput, LaunchRejected, NotFound
from lti_server.ids import Clock, DistrictId, GrantId, RegistrationId, new_id
from lti_server.lti.logins import Login
from lti_server.lti.platform_keys import forget_keys
from lti_server.lti.platform_profiles import PlatformProfile, profile_of
from lti_server.lti.tables import deployment, platform_keys, registration
from lti_server.privacy.doors import DoorKeys
from lti_server.privacy.grants import approve_grant, open_grant, state_of

LONGEST_ID = 255
LOGIN_KNOWN_S = 5.0
MOST_LOGINS_KNOWN = 4_096
WithdrawGrant = Callable[[Connection, GrantId, str], None]
Readdressed = Callable[[Connection, DistrictId, GrantId, Sequence[str]], None]
"""Phase 1 of a withdrawal on the caller's transaction, by whom."""
UrlCheck = Callable[[str], None]
"""Raises `ValueError` with a sentence where an address may not be called (the outbound guard)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """An LMS. `token_audience` where it differs from its profile's; `product_family` is what the LMS calls itself."""

    issuer: str
    client_id: str
    auth_login_url: str
    auth_token_url: str
    jwks_url: str
    token_audience: str | None
    shared_id: bool
    deployment_ids: tuple[str, ...]
    product_family: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A platform with its ids here. `state` is its grant's: `pending` opens no launch until somebody approves it."""

    id: RegistrationId
    district_id: DistrictId
    grant_id: GrantId
    state: str
    platform: Platform

    @property
    def profile(self) -> PlatformProfile:
        """Which vendor's platform it is taken for."""
        return profile_of(self.platform.issuer, self.platform.auth_token_url, self.platform.product_family)


_LOGIN_BY_DEPLOYMENT = sa.text(
    "SELECT r.issuer, r.client_id, r.auth_login_url FROM deployment d"
    " JOIN registration r ON r.id = d.registration_id WHERE d.id = :id"
)
_LOGIN_BY_REGISTRATION = sa.text("SELECT issuer, client_id, auth_login_url FROM registration WHERE id = :id")


class Registrations:
    """Use cases on platforms. One transaction each."""

    def __init__(
        self, database: Database, doors: DoorKeys, clock: Clock, check_url: UrlCheck, *, withdraw: WithdrawGrant,
        readdressed: Readdressed,
    ) -> None:  # fmt: skip
        self._withdraw, self._readdressed = withdraw, readdressed
        self._database = database
        self._doors = doors
        self._clock = clock
        self._check_url = check_url
        self._logins: dict[tuple[str, str | None, str | None], tuple[Login, float]] = {}

    def add(self, district_id: DistrictId, platform: Platform) -> Registered:
        """Register a platform with its deployments, and give it a grant of epoch 1.

        A second call for the same issuer and client adds the deployments that are not there yet.

        Raises:
            InvalidInput: every field that is not as it must be.
            Conflict: a deployment belongs elsewhere, or the issuer and client are known with other addresses.
        """
        faults = self._faults(platform)
        if not platform.deployment_ids:
            faults.append(("/deployment_id", "Give at least one deployment id."))
        if faults:
            raise InvalidInput.listing("The platform was not registered.", faults)
        now = self._clock.now()
        with self._database.anyone() as connection:
            rows = find_by(connection, Door.CLIENT, self._doors.of(Door.CLIENT, platform.issuer, platform.client_id))
            self._agree_with(connection, rows, platform)
            enter(connection, district_id)
            found = _live(connection, platform.issuer, platform.client_id)
            if found is None:
                found = self._insert(connection, district_id, platform, now, state="active")
            for deployment_id in platform.deployment_ids:
                self._add_deployment(connection, found, deployment_id, now)
            return _read(connection, found.id)

    def take(self, connection: Connection, district_id: DistrictId, platform: Platform) -> Registered:
        """Keep a platform that registered itself, on the caller's transaction: `pending` until it is approved.

        A platform that is here already is brought up to what it says now, and is pending again where an address has
        changed; a suspended one stays suspended. A deployment need not be known yet.

        Raises:
            InvalidInput, Conflict: as `add`.
        """
        faults = self._faults(platform)
        if faults:
            raise InvalidInput.listing("The platform was not registered.", faults)
        now = self._clock.now()
        rows = find_by(connection, Door.CLIENT, self._doors.of(Door.CLIENT, platform.issuer, platform.client_id))
        self._agree_with(connection, [row for row in rows if row.district_id != district_id], platform)
        enter(connection, district_id)
        connection.execute(sa.text("SELECT 1 FROM district FOR NO KEY UPDATE"))  # one at a time in a district
        found = _live(connection, platform.issuer, platform.client_id)
        if found is None:
            found = self._insert(connection, district_id, platform, now, state="pending")
        else:
            self._update(connection, found, platform)
        for deployment_id in platform.deployment_ids:
            self._add_deployment(connection, found, deployment_id, now)
        self._logins.clear()
        return _read(connection, found.id)

    def approve(self, registration_id: RegistrationId, deployment_ids: Sequence[str] = ()) -> Registered:
        """Let a pending platform launch; adds deployments to it, as to one that is approved already.

        Raises:
            NotFound: there is no such live platform.
            InvalidInput: it has no deployment yet, or one has the wrong form.
            Conflict: it is neither pending nor in force, or a deployment id is in use.
        """
        faults = _deployment_faults(deployment_ids)
        if faults:
            raise InvalidInput.listing("The platform was not approved.", faults)
        with self._database.anyone() as connection:
            found = self._entered(connection, registration_id)
            if not approve_grant(connection, found.grant_id):
                raise Conflict("This platform was switched off. Approving it does not switch it on again.")
            for deployment_id in deployment_ids:
                self._add_deployment(connection, _read(connection, found.id), deployment_id, self._clock.now())
            found = _read(connection, found.id)
            if not found.platform.deployment_ids:
                raise InvalidInput(
                    "The LMS did not name its deployment yet. Activate the tool there, then give the deployment id "
                    "that it shows: --deployment-id."
                )
            return found

    def one(self, registration_id: RegistrationId) -> Registered:
        """A live platform, whichever district's it is; `NotFound` where there is none."""
        with self._database.anyone() as connection:
            return self._entered(connection, registration_id)

    def _entered(self, connection: Connection, registration_id: RegistrationId) -> Registered:
        if enter_by(connection, Door.REGISTRATION, self._doors.of(Door.REGISTRATION, str(registration_id))) is None:
            raise _no_such_platform()
        return _read(connection, registration_id)

    def every(self, district_id: DistrictId) -> list[Registered]:
        """Live platforms of a district, oldest first."""
        with self._database.tenant(district_id) as connection:
            ids = connection.execute(
                sa.select(registration.c.id)
                .where(registration.c.removed_at.is_(None))
                .order_by(registration.c.created_at, registration.c.id)
            ).scalars()
            return [_read(connection, RegistrationId(found)) for found in ids]

    def remove(self, registration_id: RegistrationId, *, by: str = "platform remove") -> Registered:
        """Take a platform away: from here on nothing of it opens any more. `Withdraw.finish` brings it to its end.

        Raises:
            NotFound: there is no such live platform.
        """
        now = self._clock.now()
        with self._database.anyone() as connection:
            found = self._entered(connection, registration_id)
            connection.execute(registration.update().where(registration.c.id == found.id).values(removed_at=now))
            self._withdraw(connection, found.grant_id, by)
            connection.execute(sa.text("DELETE FROM service_token WHERE registration_id = :id"), {"id": found.id})
            self._close_doors(connection, found)
        self._logins.clear()
        return found

    def at_login(self, issuer: str, client_id: str | None, deployment_id: str | None) -> Login:
        """The platform that a login initiation names (Security Framework 1.0, 5.1.1.1).

        The answer is remembered for a few seconds: it only says where to send the browser, and the launch that comes
        back is checked against what stands then.

        Raises:
            LaunchRejected: `unknown-platform`, `unknown-deployment`, `client-id-needed`.
        """
        wanted = (issuer, client_id, deployment_id)
        known = self._logins.get(wanted)
        if known is not None and time.monotonic() - known[1] < LOGIN_KNOWN_S:
            return known[0]
        found = self._find_login(issuer, client_id, deployment_id)
        if len(self._logins) >= MOST_LOGINS_KNOWN:
            self._logins.clear()
        self._logins[wanted] = (found, time.monotonic())
        return found

    def _find_login(self, issuer: str, client_id: str | None, deployment_id: str | None) -> Login:
        with self._database.anyone() as connection:
            if client_id is not None and deployment_id is not None:
                key = self._doors.of(Door.DEPLOYMENT, issuer, client_id, deployment_id)
                found = enter_by(connection, Door.DEPLOYMENT, key)
                if found is None:
                    raise _unknown_deployment()
                return Login(*connection.execute(_LOGIN_BY_DEPLOYMENT, {"id": found.target_id}).one())
            found = self._enter_client(connection, issuer, client_id)
            return Login(*connection.execute(_LOGIN_BY_REGISTRATION, {"id": found.target_id}).one())

    def _enter_client(self, connection: Connection, issuer: str, client_id: str | None) -> Found:
        if client_id is not None:
            found = enter_by(connection, Door.CLIENT, self._doors.of(Door.CLIENT, issuer, client_id))
            if found is None:
                raise _unknown_platform()
            return found
        rows = find_by(connection, Door.ISSUER, self._doors.of(Door.ISSUER, issuer))
        if not rows:
            raise _unknown_platform()
        if len(rows) > 1:
            raise LaunchRejected(
                "client-id-needed", "Several schools use this LMS. It must send the client_id; ask your administrator."
            )
        enter(connection, rows[0].district_id)
        return rows[0]

    def _agree_with(self, connection: Connection, rows: Sequence[Found], platform: Platform) -> None:
        """Districts that share a client share its addresses: no district may turn another's login elsewhere."""
        for row in rows[:1]:
            enter(connection, row.district_id)
            first = _read(connection, RegistrationId(row.target_id)).platform
            if _addresses(first) != _addresses(platform):
                raise Conflict(
                    "This issuer and client id are registered with other addresses. "
                    "Use the addresses that the LMS publishes, or remove the other registration first."
                )

    def _update(self, connection: Connection, found: Registered, platform: Platform) -> None:
        """What came from the former addresses is forgotten with them."""
        connection.execute(
            registration.update()
            .where(registration.c.id == found.id)
            .values(
                auth_login_url=platform.auth_login_url, auth_token_url=platform.auth_token_url,
                jwks_url=platform.jwks_url, token_audience=platform.token_audience,
                product_family=platform.product_family or found.platform.product_family,
            )
        )  # fmt: skip
        if _addresses(found.platform) == _addresses(platform):
            return
        self._readdressed(connection, found.district_id, found.grant_id, _addresses(platform))
        connection.execute(sa.text("DELETE FROM service_token WHERE registration_id = :id"), {"id": found.id})
        forget_keys(connection, found.id)

    def _insert(
        self, connection: Connection, district_id: DistrictId, platform: Platform, now: datetime, *, state: str
    ) -> Registered:
        registration_id = RegistrationId(new_id())
        grant_id = open_grant(connection, district_id, "lti", now, state=state)
        connection.execute(
            registration.insert().values(
                id=registration_id, district_id=district_id, grant_id=grant_id, issuer=platform.issuer,
                client_id=platform.client_id, auth_login_url=platform.auth_login_url,
                auth_token_url=platform.auth_token_url, jwks_url=platform.jwks_url,
                token_audience=platform.token_audience, shared_id=platform.shared_id, created_at=now,
                product_family=platform.product_family,
            )
        )  # fmt: skip
        connection.execute(
            platform_keys.insert().values(
                registration_id=registration_id, district_id=district_id, version=0, jwks={"keys": []}, failures=0
            )
        )
        doors = (
            (Door.CLIENT, (platform.issuer, platform.client_id)),
            (Door.ISSUER, (platform.issuer, platform.client_id)[:1]),
            (Door.REGISTRATION, (str(registration_id),)),
            (Door.GRANT, (str(grant_id),)),
        )
        for door, parts in doors:
            target = grant_id if door is Door.GRANT else registration_id
            open_door(connection, door, self._doors.of(door, *parts), target)
        return _read(connection, registration_id)

    def _add_deployment(self, connection: Connection, found: Registered, deployment_id: str, now: datetime) -> None:
        if deployment_id in found.platform.deployment_ids:
            return
        row_id = new_id()
        key = self._doors.of(Door.DEPLOYMENT, found.platform.issuer, found.platform.client_id, deployment_id)
        if not open_door(connection, Door.DEPLOYMENT, key, row_id):
            raise Conflict("One of these deployment ids is in use. Nothing was registered.")
        connection.execute(
            deployment.insert().values(
                id=row_id, district_id=found.district_id, registration_id=found.id,
                deployment_id=deployment_id, created_at=now,
            )
        )  # fmt: skip

    def _close_doors(self, connection: Connection, found: Registered) -> None:
        rows = connection.execute(sa.select(deployment.c.id).where(deployment.c.registration_id == found.id)).scalars()
        for row_id in rows:
            close_door(connection, Door.DEPLOYMENT, row_id)
        for door in (Door.CLIENT, Door.ISSUER, Door.REGISTRATION):
            close_door(connection, door, found.id)

    def _faults(self, platform: Platform) -> list[tuple[str, str]]:
        faults = [
            (f"/{name}", fault)
            for name in ("auth_login_url", "auth_token_url", "jwks_url")
            if (fault := self._url_fault(getattr(platform, name)))
        ]
        if not platform.issuer or len(platform.issuer) > LONGEST_ID or urlsplit(platform.issuer).fragment:
            faults.append(("/issuer", "Give the issuer exactly as the LMS shows it (iss)."))
        if not platform.client_id or len(platform.client_id) > LONGEST_ID:
            faults.append(("/client_id", "Give the client id that the LMS shows."))
        return faults + _deployment_faults(platform.deployment_ids)

    def _url_fault(self, url: str) -> str | None:
        try:
            self._check_url(url)
        except ValueError as error:
            return str(error)
        return None


def _deployment_faults(deployment_ids: Sequence[str]) -> list[tuple[str, str]]:
    fault = ("/deployment_id", f"A deployment id has 1 to {LONGEST_ID} ASCII characters.")
    return [fault for one in deployment_ids if not 0 < len(one) <= LONGEST_ID or not one.isascii()]


def _addresses(platform: Platform) -> tuple[str, str, str]:
    return platform.auth_login_url, platform.auth_token_url, platform.jwks_url


def _no_such_platform() -> NotFound:
    return NotFound("There is no such platform. `lti-server platform list` shows those there are.")


def _unknown_platform() -> LaunchRejected:
    return LaunchRejected(
        "unknown-platform",
        "This LMS is not registered here. Ask your administrator to add it: "
        "the issuer and the client id in the LMS and here must be the same.",
    )


def _unknown_deployment() -> LaunchRejected:
    return LaunchRejected(
        "unknown-deployment",
        "This installation of the tool in the LMS is not known here. Ask your administrator to add its deployment id.",
    )


def _live(connection: Connection, issuer: str, client_id: str) -> Registered | None:
    found = connection.execute(
        sa.select(registration.c.id).where(
            registration.c.issuer == issuer, registration.c.client_id == client_id, registration.c.removed_at.is_(None)
        )
    ).scalar_one_or_none()
    return None if found is None else _read(connection, RegistrationId(found))


def _read(connection: Connection, registration_id: RegistrationId) -> Registered:
    row = connection.execute(sa.select(registration).where(registration.c.id == registration_id)).one_or_none()
    if row is None:
        raise _no_such_platform()
    oldest_first = (deployment.c.created_at, deployment.c.deployment_id)
    of_it = sa.select(deployment.c.deployment_id).where(deployment.c.registration_id == registration_id)
    ids: Sequence[str] = connection.execute(of_it.order_by(*oldest_first)).scalars().all()
    return Registered(
        id=registration_id,
        district_id=DistrictId(row.district_id),
        grant_id=GrantId(row.grant_id),
        state=state_of(connection, GrantId(row.grant_id)),
        platform=Platform(
            issuer=row.issuer, client_id=row.client_id, auth_login_url=row.auth_login_url,
            auth_token_url=row.auth_token_url, jwks_url=row.jwks_url, token_audience=row.token_audience,
            shared_id=row.shared_id, deployment_ids=tuple(ids), product_family=row.product_family,
        ),
    )  # fmt: skip
