"""The token endpoint's checks (Security Framework 1.0, 4.1; RFC 7523) and the bearer tokens that it gives out."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Any, TypeGuard

from joserfc import jws, jwt
from joserfc.errors import JoseError

from lti_server_demo_lms.keys import KeysUnavailable, ToolKeys
from lti_server_demo_lms.profiles import Profile
from lti_server_demo_lms.store import Store
from lti_server_demo_lms.world import District

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
NOTICES = "https://purl.imsglobal.org/spec/lti/scope/noticehandlers"
SCOPES = frozenset({AGS + "lineitem", AGS + "lineitem.readonly", AGS + "result.readonly", AGS + "score", NRPS, NOTICES})
TOKEN_LIFE_S = 3_600
LEEWAY_S = 60
LONGEST_ASSERTION_S = 3_600


class Refused(Exception):
    """No token: `error` is the code of RFC 6749, 5.2, the text the check that failed."""

    def __init__(self, error: str, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.error = error
        self.status = status


def _no_client(text: str) -> Refused:
    return Refused("invalid_client", text, 401)


class Tokens:
    def __init__(self, store: Store, tool_keys: ToolKeys, profile: Profile) -> None:
        self._store = store
        self._tool_keys = tool_keys
        self._profile = profile

    def issue(self, district: District, audience: str, form: Mapping[str, str]) -> dict[str, Any]:
        """A token for the scopes that are both asked for and offered.

        Raises:
            Refused: the request, or the client assertion in it, does not hold.
        """
        if form.get("grant_type") != "client_credentials":
            raise Refused("unsupported_grant_type", "grant_type must be client_credentials.")
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise _no_client(f"client_assertion_type must be {ASSERTION_TYPE}.")
        self._check(district, audience, self._claims(form.get("client_assertion", "")))
        granted = " ".join(sorted(set(form.get("scope", "").split()) & SCOPES))
        if not granted:
            raise Refused("invalid_scope", "None of the scopes that were asked for is offered.")
        bearer, now_s = secrets.token_urlsafe(32), int(time.time())
        self._store.add_token(self._realm(district), _hash(bearer), granted, now_s + TOKEN_LIFE_S, now_s)
        return {"access_token": bearer, "token_type": "Bearer", "expires_in": TOKEN_LIFE_S, "scope": granted}

    def scopes(self, district: District, header: str) -> frozenset[str] | None:
        """What an `Authorization` header allows in this district, or None without a live token."""
        kind, _, bearer = header.partition(" ")
        if kind.lower() != "bearer":
            return None
        return self._store.token_scopes(self._realm(district), _hash(bearer.strip()), int(time.time()))

    def _realm(self, district: District) -> str:
        """Where a token is good: in one district, or in all."""
        return "" if self._profile.one_endpoint else district.slug

    def _claims(self, assertion: str) -> Mapping[str, Any]:
        try:
            header = jws.extract_compact(assertion.encode()).headers()
        except (JoseError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise _no_client("The client assertion is no JWT.") from error
        kid = header.get("kid")
        if header.get("alg") != "RS256" or not isinstance(kid, str):
            raise _no_client("The client assertion must be signed with RS256 and name its key (kid).")
        try:
            key = self._tool_keys.find(kid)
        except KeysUnavailable as error:
            raise _no_client(str(error)) from error
        if key is None:
            raise _no_client("The tool's key set has no key with this kid.")
        try:
            return jwt.decode(assertion, key, algorithms=["RS256"]).claims
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise _no_client("The signature of the client assertion does not hold.") from error

    def _check(self, district: District, audience: str, claims: Mapping[str, Any]) -> None:
        """RFC 7523, 3: who, for whom, when, and only once."""
        now_s = int(time.time())
        if not claims.get("iss") == claims.get("sub") == district.client_id:
            raise _no_client("iss and sub of the assertion must both be the client id.")
        given = claims.get("aud")
        if self._profile.checks_audience and audience not in (given if isinstance(given, list) else [given]):
            raise _no_client(f"aud of the assertion must be {audience}.")
        issued, expires, jti = claims.get("iat"), claims.get("exp"), claims.get("jti")
        if not _is_time(issued) or not _is_time(expires):
            raise _no_client("iat and exp of the assertion must be numbers.")
        if expires <= now_s - LEEWAY_S or issued > now_s + LEEWAY_S or expires - issued > LONGEST_ASSERTION_S:
            raise _no_client("The client assertion has expired, is from the future, or means to live over an hour.")
        if not isinstance(jti, str) or not jti:
            raise _no_client("The client assertion has no jti.")
        first = self._store.use_assertion(self._realm(district), _hash(jti), int(expires) + LEEWAY_S, now_s)
        if self._profile.checks_jti and not first:
            raise _no_client("This client assertion was used before (jti).")


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _hash(text: str) -> bytes:
    """Tokens are long and random: one SHA-256 is enough to keep them unreadable at rest."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
