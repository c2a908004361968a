"""The server's own way of signing in with one plugin behind it, as a browser goes it: no database, no network.

State, cookies, redirects, refusals and the collect gate are the server's; the vendor is the recording.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, cast
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from flask_babel import Babel
from sqlalchemy.engine import Connection
from werkzeug.test import TestResponse

from lti_server.accounts.arrivals import has_keys
from lti_server.accounts.browser_states import BrowserStates
from lti_server.accounts.connected import Connected
from lti_server.accounts.intake import ContractIntake
from lti_server.accounts.model import Kind
from lti_server.accounts.newcomers import Answers
from lti_server.accounts.person_sessions import Opened, PersonSession, PersonSessions
from lti_server.accounts.provider_connections import ProviderConnections
from lti_server.accounts.proving import Proving
from lti_server.accounts.sign_in import SignedIn, SignIn
from lti_server.accounts.sign_in_states import SignInState, SignInStates
from lti_server.accounts.sign_in_views import SignInParts, blueprint
from lti_server.accounts.sign_up_answers import SignUpAnswers
from lti_server.ids import ContractId, DistrictId, GrantId, IdentityId, PersonId, SessionId
from lti_server.privacy.contracts import Policies
from lti_server.privacy.crypto import KeyRing
from lti_server.privacy.model import Policy
from lti_server.providers.connector import Connector
from lti_server.providers.manifest import Manifest
from lti_server.providers.records import SourceIdentity
from lti_server.providers.registry import Plugin, PluginState, Registry
from lti_server.providers.transport import HttpTransport
from lti_server.providers.wire import Response
from lti_server.testing.recorded import Alter, Exchange, FakeClock, RecordedTransport, exchanges
from lti_server.testing.signing_in import SigningIn
from lti_server.web.problems import PROBLEM, init_problems

Browser = FlaskClient
Answer = TestResponse
BASE: Final = "https://lessons.example"
HOME: Final = "/learn"
SOME: Final = UUID(int=1)
COOKIE: Final = "session-of-the-kit"
SECRET: Final = "what the kit signs its states with"  # noqa: S105 - it opens nothing
JSON: Final = {"Accept": PROBLEM}


class Server:
    """One district that has connected one provider. `came` is everybody whom it let in."""

    kinds = tuple(Kind)
    makes_states: type[SignInStates] = SignInStates

    def __init__(self, contract: SigningIn) -> None:
        self.contract = contract
        self.clock = FakeClock(contract.now)
        self.came: list[SourceIdentity] = []
        self.asked: list[RecordedTransport] = []
        self.trip: Trip | None = None
        self.alter: Alter | None = None
        manifest, made = contract.manifest, contract.provider
        self.name = manifest.name
        plugin = Plugin(name=self.name, state=PluginState.ENABLED, manifest=manifest, made=made)
        self.connector = Connector(
            Registry([plugin]), transport=lambda _hosts: cast(HttpTransport, self._vendor()), clock=self.clock
        )
        self.states = self.makes_states(KeyRing.from_secrets([SECRET]), self.clock)
        self.proving = Proving(
            states=self.states, connections=_OneConnection(manifest, contract.config), connector=self.connector,
            unknown_tenant=lambda _provider, _tenant: None, own=lambda _provider, _identity: None, base_url=BASE,
        )  # fmt: skip
        self.app = self._app(manifest)

    def _app(self, manifest: Manifest) -> Flask:
        app = Flask("lti_server.web")
        Babel(app, default_locale="en")
        init_problems(app, BASE)
        app.register_blueprint(blueprint(self._parts(manifest)))
        return app

    def _parts(self, manifest: Manifest) -> SignInParts:
        return SignInParts(
            proving=self.proving, sign_in=_Door(self), link=lambda _state, _params: HOME, sessions=_Sessions(self),
            ways=lambda _slug: {self.name: manifest.title or self.name}, by_email=lambda: False, own_ways=dict,
            answers=SignUpAnswers(BrowserStates([SECRET.encode()], salt="kit", clock=self.clock), https=True),
            home=lambda: HOME,
            describe=lambda _name: manifest, trial=lambda _name, _params: None, base_url=BASE,
        )  # fmt: skip

    # What a browser does

    def browser(self) -> Browser:
        return self.app.test_client()

    def begins(self, browser: Browser) -> Trip:
        """Somebody chooses the provider: where the browser is sent."""
        return self.sent(browser.get(f"/auth/{self.name}/login?district=kit", headers=JSON))

    def sent(self, answer: Answer) -> Trip:
        """The vendor knows from now on what it was asked, and answers to that."""
        assert answer.status_code == 302, f"the server sends nobody to the provider: {self.said_of(answer)}"
        address = answer.headers["Location"]
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        cookies = dict(line.split(";")[0].split("=", 1) for line in answer.headers.getlist("Set-Cookie"))
        state = self.states.read(self.name, asked.get("state", ""), cookies)
        self.trip = Trip(asked=asked, state=state)
        return self.trip

    def back(self, browser: Browser, **changes: str | None) -> Answer:
        """The vendor sends the browser back as it was recorded; parameters are changed, or left out (None)."""
        params = {**self.contract.callback, "state": "" if self.trip is None else self.trip.asked.get("state", "")}
        kept = {name: value for name, value in {**params, **changes}.items() if value is not None}
        return browser.get(f"/auth/{self.name}/callback?{urlencode(kept)}", headers=JSON)

    def copy_of(self, trip: Trip) -> Browser:
        """Another browser, with everything that the first has of a sign-in under way."""
        other = self.browser()
        other.set_cookie(trip.state.cookie_name, trip.state.secret, path="/auth")
        return other

    def state_of_another(self, browser: Browser) -> str:
        """A state that this browser has of a sign-in with another provider."""
        issued = self.states.issue("another", None)
        browser.set_cookie(issued.state.cookie_name, issued.cookie_value, path="/auth")
        return issued.text

    @property
    def redirect_uri(self) -> str:
        return f"{BASE}/auth/{self.name}/callback"

    def said_of(self, answer: Answer) -> str:
        """The status and the word of a refusal; its text may hold anything."""
        told = answer.get_json(silent=True)
        word = (told.get("reason") or told.get("kind") or "") if isinstance(told, dict) else ""
        return f"{answer.status_code} {word}".strip()

    def kept(self, who: SourceIdentity, kind: Kind) -> dict[str, str]:
        """What the collect gate keeps of somebody under a contract that allows nothing."""
        said = {**who.person.without({"legacy_ids"}).present(), "sub": who.subject}
        intake = ContractIntake(self.name, _NothingAllowed(), self.clock)
        kept = intake(cast(Connection, None), ContractId(SOME), DistrictId(SOME), kind, said)
        return {one.name: one.value for one in kept.fields} | ({"sub": who.subject} if kept.keep_subject else {})

    @property
    def codes_handed_in(self) -> int:
        """How often the provider was asked about the code of the recording."""
        code = self.contract.callback.get("code", "")
        forms = [form for one in self.asked for form in one.forms]
        addresses = [url for one in self.asked for _method, url in one.sent]
        return sum(code in form.values() for form in forms) + sum(code in _values(url) for url in addresses)

    # The vendor

    def _vendor(self) -> RecordedTransport:
        """Fresh for each use of the plugin, which is built anew each time."""
        recorded = [self._now(one) for one in exchanges(self.contract.recording)]
        made = RecordedTransport(recorded, clock=self.clock, alter=self._answer)
        self.asked.append(made)
        return made

    def _answer(self, ordinal: int, response: Response) -> Response:
        tokens = self.contract.id_tokens
        if self.trip is not None and tokens.found:
            nonce = self.trip.asked.get("nonce", self.contract.nonce)
            response = tokens.claimed({**tokens.claims, "nonce": nonce})(ordinal, response)
        return response if self.alter is None else self.alter(ordinal, response)

    def _now(self, recorded: Exchange) -> Exchange:
        """What was recorded for one sign-in, for the one under way."""
        if self.trip is None:
            return recorded
        live = {
            self.contract.redirect_uri: self.redirect_uri,
            self.contract.code_verifier: self.trip.state.code_verifier,
        }
        form = None if recorded.form is None else {name: live.get(one, one) for name, one in recorded.form.items()}
        parts = urlsplit(recorded.url)
        query = urlencode([(name, live.get(one, one)) for name, one in parse_qsl(parts.query, True)])
        return dataclasses.replace(recorded, form=form, url=urlunsplit(parts._replace(query=query)))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """What a vendor was asked when the browser came, and what the server bound to that browser."""

    asked: Mapping[str, str]
    state: SignInState


def _values(url: str) -> list[str]:
    return [value for _name, value in parse_qsl(urlsplit(url).query)]


class _OneConnection(ProviderConnections):
    """Connected with the configuration of the contract, as a district's own and as the operator's."""

    def __init__(self, manifest: Manifest, config: Mapping[str, object]) -> None:
        self._only = manifest
        self._connected = Connected(
            id=SOME, district_id=DistrictId(SOME), grant_id=GrantId(SOME), provider=manifest.name, tenant=None,
            config=config, own_application=True,
        )  # fmt: skip

    def connectable(self, provider: str) -> Manifest:
        return self._only

    def of_district(self, slug: str, provider: str) -> list[Connected]:
        return [self._connected]

    def application_of(self, provider: str) -> Mapping[str, object] | None:
        return self._connected.config

    def one(self, connection_id: UUID) -> Connected:
        return self._connected

    def of_tenant(self, provider: str, tenant: str) -> Connected:
        return self._connected


class _Door(SignIn):
    """Lets everybody in who has proven who they are, and notes who it was."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def finish(
        self, state: SignInState, params: Mapping[str, str], *, locale: str = "", answers: Answers | None = None
    ) -> SignedIn:
        _connected, identity = self._server.proving.proven(state, params)
        assert has_keys(identity)
        self._server.came.append(identity)
        return SignedIn(opened=Opened(session_id=SessionId(SOME), cookie=COOKIE))


class _Sessions(PersonSessions):
    def __init__(self, server: Server) -> None:
        self._server = server

    def of(self, cookie: str) -> PersonSession | None:
        now = self._server.clock.now()
        return None if cookie != COOKIE else PersonSession(
            id=SessionId(SOME), district_id=DistrictId(SOME), person_id=PersonId(SOME), identity_id=IdentityId(SOME),
            grant_id=GrantId(SOME), provider=self._server.name, role="pupil", epoch=1, locale="", created_at=now,
            expires_at=now + timedelta(hours=1),
        )  # fmt: skip

    def end(self, cookie: str) -> None:
        """Nothing is kept that could end."""


class _NothingAllowed(Policies):
    def of(self, connection: Connection, contract_id: ContractId) -> Policy:
        nothing: frozenset[str] = frozenset()
        return Policy(
            policy_hash="", kept={}, educator_elements=nothing, providers=None, subprocessor_hosts=nothing, limits={}
        )
