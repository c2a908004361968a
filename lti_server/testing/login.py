"""The contract of a LoginProvider."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from lti_server.providers.errors import RejectedCredentials
from lti_server.providers.wire import host_of
from lti_server.testing.alterations import from_then_on
from lti_server.testing.behind_the_server import ServerChecks
from lti_server.testing.callbacks import INVALID_GRANT, CallbackChecks
from lti_server.testing.claims import ClaimChecks
from lti_server.testing.forgeries import IdTokenChecks
from lti_server.testing.recorded import FakeClock


class LoginProviderContract(CallbackChecks, IdTokenChecks, ClaimChecks, ServerChecks):
    """Inherit, say `provider`, `config` and `recording`, and every check runs.

    `callback` are the parameters with which the provider sends the browser back; a signed answer in the recording
    is made for `nonce`, `redirect_uri` and the time `now`. The kit signs ID tokens anew with a key of its own, and runs
    the plugin behind the server's own flow, which needs no database for it.
    """

    def test_the_address_leads_back_with_the_state(self) -> None:
        """The browser goes to a declared host over https, with state and redirect_uri exactly as given."""
        address = self.address()
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
        query = urlsplit(self.address()).query
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
        run = self.run(from_then_on(self.handed_in(), status=400, body=INVALID_GRANT))
        refused = isinstance(run.error, RejectedCredentials)
        assert refused, "a code that the provider refuses is not told as RejectedCredentials"
