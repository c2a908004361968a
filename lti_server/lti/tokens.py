"""Bearer tokens for a platform's services (Security Framework 1.0, 4.1): kept sealed, by registration and scopes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol
from uuid import uuid4

import sqlalchemy as sa
from joserfc import jwt
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import GrantRevoked
from lti_server.ids import Clock, DistrictId, GrantId, RegistrationId
from lti_server.lti.keys import ToolKeys
from lti_server.lti.platform_profiles import PlatformProfile, profile_of
from lti_server.privacy.crypto import DistrictKeys
from lti_server.privacy.districts import District
from lti_server.providers.errors import BrokeContract, RejectedCredentials
from lti_server.providers.spi import Transport
from lti_server.providers.wire import Response
from lti_server.web.languages import N_

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFE_S = 120
EARLY = timedelta(seconds=60)
LEAST_LIFE_S = 30
DEFAULT_LIFE_S = 600
REFUSALS = (400, 401, 403)
UNKNOWN_CLIENT = N_("Its token endpoint says that it does not know this tool any more (invalid_client).")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One platform as its services are called: read at the moment of use, with the grant's state and epoch."""

    registration_id: RegistrationId
    district_id: DistrictId
    grant_id: GrantId
    epoch: int
    issuer: str
    client_id: str
    token_url: str
    audience: str
    profile: PlatformProfile
    keys: DistrictKeys = field(repr=False)


_SERVICE = sa.text(
    """
SELECT r.id, r.district_id, r.grant_id, r.issuer, r.client_id, r.auth_token_url, r.token_audience,
  r.product_family, g.epoch, g.state
FROM registration r JOIN grants g ON g.id = r.grant_id
WHERE r.grant_id = :grant AND r.removed_at IS NULL
"""
)


def service_of(connection: Connection, district: District, grant_id: GrantId) -> Service:
    """The platform of a grant.

    Raises:
        GrantRevoked: the grant is not in force, or the platform was removed.
    """
    row = connection.execute(_SERVICE, {"grant": grant_id}).one_or_none()
    if row is None or row.state != "active":
        raise GrantRevoked("The connection to this LMS is switched off or was removed.")
    profile = profile_of(row.issuer, row.auth_token_url, row.product_family)
    return Service(
        registration_id=RegistrationId(row.id),
        district_id=district.id,
        grant_id=GrantId(row.grant_id),
        epoch=row.epoch,
        issuer=row.issuer,
        client_id=row.client_id,
        token_url=row.auth_token_url,
        audience=row.token_audience or profile.token_audience or row.auth_token_url,
        profile=profile,
        keys=district.keys,
    )


class Suspect(Protocol):
    def __call__(self, district_id: DistrictId, grant_id: GrantId, epoch: int, provider: str, evidence: str) -> bool:
        """The platform says that it does not know this tool: freeze the grant, and tell the district."""
        ...


ToPlatform = Callable[[Service], Transport]
"""The way to a platform's services; each call is made within the fence of its grant (design 2, "Revocation")."""


class ServiceTokens:
    """Gets a token once for all workers, and again shortly before it ends."""

    def __init__(
        self, database: Database, transport: ToPlatform, tool_keys: ToolKeys, clock: Clock, *, suspect: Suspect
    ) -> None:
        self._suspect = suspect
        self._database = database
        self._transport = transport
        self._tool_keys = tool_keys
        self._clock = clock

    def bearer(self, service: Service, scopes: Sequence[str]) -> str:
        """A token for these scopes, of this registration and epoch alone.

        Raises:
            GrantRevoked: the grant does not stand any more; nothing was asked, or the answer was thrown away.
            RejectedCredentials: the platform refuses the tool. RateLimited, Unavailable, BrokeContract as they are.
        """
        wanted = " ".join(sorted(set(scopes)))
        found = self._known(service, wanted)
        return found if found is not None else self._fetch(service, wanted)

    def forget(self, service: Service, scopes: Sequence[str]) -> None:
        """The platform refused the token: the next call gets a new one."""
        wanted = " ".join(sorted(set(scopes)))
        with self._database.tenant(service.district_id) as connection:
            connection.execute(
                sa.text("DELETE FROM service_token WHERE registration_id = :id AND scopes = :scopes"),
                {"id": service.registration_id, "scopes": wanted},
            )

    def _known(self, service: Service, scopes: str) -> str | None:
        select = sa.text(
            "SELECT sealed FROM service_token WHERE registration_id = :id AND scopes = :scopes AND epoch = :epoch"
            " AND expires_at > :now"
        )
        values = {
            "id": service.registration_id, "scopes": scopes, "epoch": service.epoch,
            "now": self._clock.now() + EARLY,
        }  # fmt: skip
        with self._database.tenant(service.district_id) as connection:
            sealed = connection.execute(select, values).scalar_one_or_none()
        if sealed is None:
            return None
        return service.keys.open("service_token", "sealed", _place(service, scopes), bytes(sealed))

    def _fetch(self, service: Service, scopes: str) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._assertion(service),
            "scope": scopes,
        }
        answer = self._transport(service).request(
            "POST", service.token_url, form=form, headers={"Accept": "application/json"}, accept=REFUSALS
        )
        if answer.status >= 400:
            if _unknown_client(answer):
                known_as = service.profile.title or "LTI"
                self._suspect(service.district_id, service.grant_id, service.epoch, known_as, UNKNOWN_CLIENT)
            raise RejectedCredentials("The LMS refused this tool's credentials at its token endpoint.")
        token, life_s = _token(answer.json())
        upsert = sa.text(
            "INSERT INTO service_token (registration_id, district_id, scopes, sealed, epoch, expires_at)"
            " VALUES (:id, :district, :scopes, :sealed, :epoch, :until)"
            " ON CONFLICT (registration_id, scopes) DO UPDATE SET sealed = excluded.sealed, epoch = excluded.epoch,"
            " expires_at = excluded.expires_at"
        )
        values = {
            "id": service.registration_id,
            "district": service.district_id,
            "scopes": scopes,
            "sealed": service.keys.seal("service_token", "sealed", _place(service, scopes), token),
            "epoch": service.epoch,
            "until": self._clock.now() + timedelta(seconds=life_s),
        }
        with self._database.tenant(service.district_id) as connection:
            connection.execute(upsert, values)
        return token

    def _assertion(self, service: Service) -> str:
        """RFC 7523: who we are, for this audience, once."""
        signing = self._tool_keys.current()
        now = int(self._clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": service.client_id, "sub": service.client_id, "aud": service.audience,
            "iat": now, "exp": now + ASSERTION_LIFE_S, "jti": str(uuid4()),
        }  # fmt: skip
        return jwt.encode({"alg": "RS256", "kid": signing.kid, "typ": "JWT"}, claims, signing.key, algorithms=["RS256"])


def _unknown_client(answer: Response) -> bool:
    """Whether the platform says in so many words that this client is none of its own (RFC 6749, 5.2).

    A bare 401, an outage, a busy or a broken answer says nothing of the kind.
    """
    if answer.status not in REFUSALS:
        return False
    try:
        said = answer.json()
    except BrokeContract:
        return False
    return isinstance(said, dict) and said.get("error") in ("invalid_client", "unauthorized_client")


def _place(service: Service, scopes: str) -> str:
    """A token moved to another registration, scope or epoch does not open."""
    return f"{service.registration_id}|{scopes}|{service.epoch}"


def _token(answer: object) -> tuple[str, int]:
    if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str):
        raise BrokeContract("The LMS's token endpoint answered without a token.")
    life = answer.get("expires_in")
    given = int(life) if isinstance(life, (int, float)) and not isinstance(life, bool) else DEFAULT_LIFE_S
    return answer["access_token"], max(given, LEAST_LIFE_S)
