"""What a provider plugin implements and what it is given: the whole contract, with no framework in it.

A plugin is a class with a `manifest` attribute and `__init__(self, *, config, transport, clock)`, named by an entry
point in the group `lti_server.providers`. It keeps nothing between calls, starts nothing when built, and
implements the Protocols of the capabilities that its manifest declares.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Final, Protocol

from lti_server.providers.manifest import ConfigValues, Manifest
from lti_server.providers.records import (
    Cursor,
    RosterPage,
    ScoreReceipt,
    Signal,
    SourceIdentity,
    SourceScore,
    SourceToken,
    StreamState,
)
from lti_server.providers.wire import MAX_PAGES, Authorization, Response, next_link

SPI_VERSION: Final = (1, 2)
"""A change that breaks a plugin raises the first number; a new Protocol or optional field the second."""

ENTRY_POINT_GROUP: Final = "lti_server.providers"


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, UTC."""
        ...


class Transport(Protocol):
    """The one way out. https and public hosts only, and of those the ones that the manifest declares."""

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: object = None,
        body: bytes | None = None,
        authorization: Authorization | None = None,
        accept: Collection[int] = (),
    ) -> Response:
        """One request and its whole answer: at most 5 MB, within 25 seconds, redirects of GET followed.

        `params` are added to those of `url`. Statuses in `accept` are given back where they would be raised.

        Raises:
            RejectedCredentials: 401 or 403.
            RateLimited: 429, or 503 with Retry-After.
            Unavailable: other 5xx, no connection, no answer in time.
            BrokeContract: too large, a forbidden address, a credential for another host.
        """
        ...

    def pages(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        authorization: Authorization | None = None,
        next_url: Callable[[Response], str | None] = next_link,
        max_pages: int = MAX_PAGES,
    ) -> Iterator[Response]:
        """GET `url` and every next page, by default that of the `Link` header.

        Raises:
            BrokeContract: a next page on another host, a circle, or more than `max_pages`.
        """
        ...

    def public_document(self, url: str, *, max_age_s: int = 3600) -> Response:
        """GET a public document (discovery, key set), which the server keeps: at most `max_age_s` old. Since 1.1.

        With 0 it is read anew, for a key that it does not name; that happens once a minute at most. While the
        provider is out, the one from before is the answer.

        Raises:
            RateLimited, Unavailable, BrokeContract: as `request`, and none is here.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeRequest:
    """What an authorisation address must carry on. The server makes and checks `state`; `code_verifier` is for PKCE.

    `tenant` narrows the sign-in to one school system, `login_hint` to one account, where the provider can.
    """

    redirect_uri: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    tenant: str = ""
    login_hint: str = field(default="", repr=False)
    locale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """The browser came back with `params`; its state is already verified. The rest is as it was at `authorize`."""

    redirect_uri: str
    params: Mapping[str, str] = field(repr=False)
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRequest:
    """A request to `POST /signals/<provider>`, unverified. `headers` have lower-case names."""

    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class LoginProvider(Protocol):
    """Signs people in."""

    def authorize(self, request: AuthorizeRequest) -> str:
        """The address to send the browser to: authorisation code flow, with state and redirect_uri as given."""
        ...

    def exchange(self, callback: Callback) -> SourceIdentity:
        """The code for who it is, verified: signature, issuer, audience, nonce where the provider has them.

        Raises:
            RejectedCredentials: the code is used, stale or not ours.
        """
        ...


class RosterSource(Protocol):
    """Tells of people, sections and memberships."""

    def pages(self, since: Cursor | None) -> Iterator[RosterPage]:
        """A whole read (`since` none), the rest of one (a page's cursor), or the changes since a `checkpoint`.

        Order is the provider's; each record comes once. A checkpoint too old for the provider is answered with
        a whole read. Ends with a page that says `complete`, or raises.
        """
        ...


class GrantRevoker(Protocol):
    """Gives a token back."""

    def revoke(self, token: SourceToken) -> None:
        """Make the token worthless at the provider; one that already is counts as done (RFC 7009 2.2)."""
        ...


class SignalReceiver(Protocol):
    """Understands what the provider sends by itself."""

    def parse(self, request: SignalRequest) -> Sequence[Signal]:
        """The signals of a message, after its signature, issuer, audience and age were checked.

        Raises:
            RejectedCredentials: it is not from the provider.
            BrokeContract: it is, and makes no sense.
        """
        ...


class SignalStream(Protocol):
    """Has the provider send its signals to an address here, where it is a call and no page that sets it. Since 1.2.

    `key` is the text of a file by which the provider knows who may do that. It comes with each call and is kept
    nowhere: it appears in no error, log or answer.
    """

    def register_stream(self, key: str, address: str) -> StreamState:
        """Set the address, in place of the one before; what the provider says of it afterwards.

        Raises:
            Misconfigured: the file is no such key. RejectedCredentials: whoever it names may not.
        """
        ...

    def read_stream(self, key: str) -> StreamState:
        """Where signals go now; raises as `register_stream`."""
        ...

    def verify_stream(self, key: str, note: str) -> None:
        """Have a message of the kind `verification` sent with this note; raises as `register_stream`."""
        ...


class GradeSink(Protocol):
    """Takes scores."""

    def deliver(self, score: SourceScore) -> ScoreReceipt:
        """Put one disclosed score where teachers of that section see it. Sending it again changes nothing."""
        ...


class TenantList(Protocol):
    """Tells which school systems have let this application in. Since 1.2."""

    def tenants(self) -> Sequence[str]:
        """The ids of all of them, each once, as identities and the manifest's `tenant` have them; the whole list.

        A list that was read in part, or not understood, is none: raise. Whoever is not on it is taken for gone, and
        the connection is suspended.

        Raises:
            Misconfigured: this configuration has no way to the list; nobody is judged by it then.
            RejectedCredentials: the application is not accepted.
            BrokeContract: an answer is no page of the list.
        """
        ...


class Provider(Protocol):
    """What every plugin class has, whatever its capabilities."""

    manifest: ClassVar[Manifest]

    def __init__(self, *, config: ConfigValues, transport: Transport, clock: Clock) -> None: ...
