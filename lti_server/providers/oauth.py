"""OAuth 2.0 for plugins: Authlib's client over the plugin's own transport (RFC 6749, 7636).

What an authorisation server answers becomes a fault of the provider interface; no fault holds a code, token or answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.client import OAuth2Client

from lti_server.providers.errors import (
    BrokeContract,
    Misconfigured,
    RateLimited,
    RefusedCode,
    RejectedCredentials,
    Unavailable,
)
from lti_server.providers.records import SourceToken, TokenKind
from lti_server.providers.spi import AuthorizeRequest, Callback, Clock, Transport
from lti_server.providers.wire import Authorization, Response, host_of

# What the browser comes back with where nobody signed in (RFC 6749 4.1.2.1, OpenID Connect Core 3.1.2.6).
DECLINED = frozenset({"access_denied", "consent_required", "interaction_required", "login_required"})
LONGEST_TOKEN = 65_536


RefusalWord = Callable[[Mapping[str, Any]], str]
"""The error word (RFC 6749 5.2, or `slow_down` of RFC 8628 3.5) that an answer means which says none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """This server as a provider knows it. Without a secret it is a public client, which PKCE alone protects.

    `refusal_word` is for a token endpoint whose refusals (400) have no error word, which RFC 6749 5.2 asks for.
    """

    client_id: str
    client_secret: str = field(default="", repr=False)
    authentication: str = "client_secret_basic"
    refusal_word: RefusalWord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """A token endpoint's answer, its parts checked by type. `id_token` is empty where there is none."""

    access_token: str = field(repr=False)
    id_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    expires_in_s: int | None = None
    scopes: frozenset[str] | None = None

    def kept(self, clock: Clock) -> tuple[SourceToken, ...]:
        """The tokens as records, for a provider whose API is called later."""
        until = _until(clock.now(), self.expires_in_s)
        access = SourceToken(value=self.access_token, kind=TokenKind.ACCESS, expires_at=until)
        if not self.refresh_token:
            return (access,)
        return (access, SourceToken(value=self.refresh_token, kind=TokenKind.REFRESH))


class OAuth:
    """The authorisation code flow at one server, for one client."""

    def __init__(self, transport: Transport, client: Client, *, pkce: bool = True) -> None:
        self._session = _Session(transport, client.refusal_word)
        self._client = OAuth2Client(
            session=self._session,
            client_id=client.client_id,
            client_secret=client.client_secret or None,
            token_endpoint_auth_method=client.authentication if client.client_secret else "none",
            code_challenge_method="S256" if pkce else None,
        )
        self._pkce = pkce

    def address(self, endpoint: str, request: AuthorizeRequest, *, scope: str, **more: str) -> str:
        """Where to send the browser; empty parameters are left out."""
        address, _ = self._client.create_authorization_url(
            endpoint,
            state=request.state,
            code_verifier=request.code_verifier if self._pkce else None,
            redirect_uri=request.redirect_uri,
            scope=scope,
            **{name: value for name, value in more.items() if value},
        )
        return str(address)

    def tokens(self, endpoint: str, callback: Callback) -> Tokens:
        """The tokens for a callback's code.

        Raises:
            RejectedCredentials: nobody signed in, or the code is used, stale or not ours. Misconfigured: the client is
            refused. BrokeContract: the answer makes no sense. RateLimited, Unavailable: as the transport.
        """
        code = code_of(callback)
        verifier = {"code_verifier": callback.code_verifier} if self._pkce else {}
        try:
            answer = self._client.fetch_token(
                endpoint, grant_type="authorization_code", code=code, redirect_uri=callback.redirect_uri, **verifier
            )
        except OAuth2Error as error:
            raise refused(str(error.error), host_of(endpoint)) from None
        except (ValueError, TypeError, _Failed):
            raise BrokeContract(f"{host_of(endpoint)} gave no token that can be read.") from None
        return _tokens(answer, host_of(endpoint))

    def revoke(self, endpoint: str, token: SourceToken) -> None:
        """Give a token back (RFC 7009): one that is worthless already counts as done.

        Raises:
            RejectedCredentials, BrokeContract, RateLimited, Unavailable.
        """
        hint = "refresh_token" if token.kind is TokenKind.REFRESH else "access_token"
        answer = self._client.revoke_token(endpoint, token=token.value, token_type_hint=hint)
        if answer.status_code >= 400 and answer.error() not in ("invalid_token", "unsupported_token_type"):
            raise BrokeContract(f"{host_of(endpoint)} did not take a token back ({answer.status_code}).")


def code_of(callback: Callback) -> str:
    """The code with which the browser came back.

    Raises:
        RejectedCredentials: the provider says why there is none, or there is none.
    """
    said = callback.params.get("error", "")
    if said:
        raise RejectedCredentials(
            "The sign-in was declined there." if said in DECLINED else "The other side ended the sign-in with an error."
        )
    code = callback.params.get("code", "")
    if not code or len(code) > LONGEST_TOKEN:
        raise RejectedCredentials("The other side sent no code. Begin the sign-in again.")
    return code


def refused(error: str, host: str) -> Exception:
    """The fault that an OAuth error word means (RFC 6749 5.2)."""
    if error == "invalid_grant":
        return RefusedCode(f"{host} does not take this code: it was used, or is too old. Begin again.")
    if error in ("invalid_client", "unauthorized_client"):
        return Misconfigured([f"{host} does not take this client id and secret. Check both there and here."])
    if error == "slow_down":
        return RateLimited(f"{host} signs too many people in at the moment.", retry_after_s=60)
    if error in ("temporarily_unavailable", "server_error"):
        return Unavailable(f"{host} cannot sign anybody in at the moment. Try again later.")
    return BrokeContract(f"{host} refused to give a token. Check the redirect address that is registered there.")


class _Failed(Exception):
    """An answer that is no OAuth answer; Authlib lets it through."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What Authlib reads of an answer."""

    response: Response
    refusal_word: RefusalWord | None = None

    @property
    def status_code(self) -> int:
        return self.response.status

    def json(self) -> Any:
        try:
            said = json.loads(self.response.body)
        except (ValueError, RecursionError):
            raise ValueError("no JSON") from None
        if self.refusal_word is not None and self.response.status == 400 and _says_no_word(said):
            return {**said, "error": self.refusal_word(said)}
        return said

    def error(self) -> str:
        try:
            said = self.json()
        except ValueError:
            return ""
        return str(said.get("error", "")) if isinstance(said, dict) else ""

    def raise_for_status(self) -> None:
        if self.response.status >= 400:
            raise _Failed


class _Session:
    """The part of a requests session that Authlib's client calls."""

    def __init__(self, transport: Transport, refusal_word: RefusalWord | None) -> None:
        self._transport = transport
        self._refusal_word = refusal_word

    def post(self, url: str, *, data: Mapping[str, str], headers: Mapping[str, str] | None, auth: Any) -> _Answer:
        """A form with the client's own credentials; a 401 is an answer here, for its body says why."""
        sent = dict(headers or {})
        address, sent, body = auth.prepare("POST", url, sent, urlencode(data))
        credential = sent.pop("Authorization", None)
        answer = self._transport.request(
            "POST",
            address,
            headers=sent,
            form=dict(parse_qsl(str(body), keep_blank_values=True)),
            authorization=None
            if credential is None
            else Authorization(header=credential, hosts=frozenset({host_of(url)})),
            accept=(400, 401),
        )
        found = _Answer(answer, self._refusal_word)
        if answer.status == 401 and not found.error():
            raise RejectedCredentials(f"{host_of(url)} refused this client's credentials. Check them here and there.")
        return found


def _says_no_word(said: object) -> bool:
    return isinstance(said, dict) and not (isinstance(said.get("error"), str) and said["error"])


def _tokens(answer: Mapping[str, Any], host: str) -> Tokens:
    access, scope = answer.get("access_token"), answer.get("scope")
    parts = {name: answer.get(name) or "" for name in ("id_token", "refresh_token")}
    texts = (access, *parts.values())
    if not access or not all(isinstance(text, str) and len(text) <= LONGEST_TOKEN for text in texts):
        raise BrokeContract(f"{host} gave no token that can be read.")
    seconds = answer.get("expires_in")
    return Tokens(
        access_token=str(access),
        expires_in_s=seconds if isinstance(seconds, int) and not isinstance(seconds, bool) and seconds > 0 else None,
        scopes=frozenset(scope.split()) if isinstance(scope, str) else None,
        **parts,
    )


def _until(now: datetime, seconds: int | None) -> datetime | None:
    return None if seconds is None else now + timedelta(seconds=min(seconds, 366 * 86_400))
