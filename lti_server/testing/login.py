"""The contract of a LoginProvider."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from lti_server.providers.errors import RejectedCredentials
from lti_server.providers.spi import AuthorizeRequest, Callback
from lti_server.providers.wire import host_of
from lti_server.testing.alterations import from_then_on
from lti_server.testing.contract import Run
from lti_server.testing.people import PeopleContract
from lti_server.testing.recorded import FakeClock

INVALID_GRANT = '{"error": "invalid_grant"}'


class LoginProviderContract(PeopleContract):
    """Inherit, say `provider`, `config` and `recording`, and every check runs.

    `callback` are the parameters with which the provider sends the browser back; a signed answer in the recording
    is made for `nonce`, `redirect_uri` and the time `now`.
    """

    callback: ClassVar[Mapping[str, str]] = {"code": "code-of-the-recording"}
    redirect_uri: ClassVar[str] = "https://lessons.example/auth/provider/callback"
    nonce: ClassVar[str] = "nonce-of-the-recording"
    code_verifier: ClassVar[str] = "verifier-of-the-recording-0123456789-0123456789"
    state: ClassVar[str] = "state+of/the recording&more"

    def exercise(self, plugin: Any, run: Run) -> None:
        run.identity = plugin.exchange(
            Callback(
                redirect_uri=self.redirect_uri,
                params=self.callback,
                nonce=self.nonce,
                code_verifier=self.code_verifier,
            )
        )

    def found_anything(self, run: Run) -> bool:
        who = run.identity
        return who is not None and all((who.issuer, who.client_id, who.subject, who.person.source_id))

    def test_the_address_leads_back_with_the_state(self) -> None:
        """The browser goes to a declared host over https, with state and redirect_uri exactly as given."""
        address = self._address()
        asked = parse_qs(urlsplit(address).query)
        assert urlsplit(address).scheme == "https", "the address to sign in at is not https"
        allowed = self.manifest.hosts_for(self.manifest.read_config(self.config))
        assert host_of(address) in allowed, f"{host_of(address)} is not among the manifest's hosts"
        assert asked.get("state") == [self.state], "the address does not carry the state as it was given"
        assert asked.get("redirect_uri") == [self.redirect_uri], "the address does not carry the redirect_uri"
        assert asked.get("response_type") == ["code"], "the address does not ask for a code"

    def test_the_address_shows_no_secret(self) -> None:
        """It passes through the browser: no secret of the configuration and no code verifier is in it."""
        secrets = [*self.manifest.secrets_in(self.manifest.read_config(self.config)), self.code_verifier]
        query = urlsplit(self._address()).query
        values = {value for values in parse_qs(query).values() for value in values}
        assert not values & set(secrets), "the address holds a secret"

    def test_who_signs_in_is_the_same_twice(self) -> None:
        """Issuer, client, subject and tenant of one account never change."""
        first, second = self.good().identity, self.run(clock=FakeClock(self.now + timedelta(seconds=30))).identity
        assert first is not None
        assert second is not None, "the same sign-in fails half a minute later"
        for name in ("issuer", "client_id", "subject", "tenant"):
            assert getattr(first, name) == getattr(second, name), f"the {name} of one account changes"

    def test_a_used_code_is_told(self) -> None:
        """`invalid_grant` (RFC 6749 5.2) becomes RejectedCredentials: the caller starts the sign-in anew."""
        asked = [method for method, _ in self.good().transport.sent]
        run = self.run(from_then_on(asked.index("POST") if "POST" in asked else 0, status=400, body=INVALID_GRANT))
        refused = isinstance(run.error, RejectedCredentials)
        assert refused, "a code that the provider refuses is not told as RejectedCredentials"

    def _address(self) -> str:
        found: list[str] = []

        def ask(plugin: Any, _run: Run) -> None:
            request = AuthorizeRequest(
                redirect_uri=self.redirect_uri,
                state=self.state,
                nonce=self.nonce,
                code_verifier=self.code_verifier,
            )
            found.append(plugin.authorize(request))

        run = self.run(use=ask)
        if run.error is not None:
            raise AssertionError("the plugin makes no address to sign in at") from run.error
        return found[0]
