"""Checks of the sign-in contract: what a browser comes back with, and what answers it."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lti_server.providers.errors import RejectedCredentials, Unavailable
from lti_server.providers.spi import AuthorizeRequest
from lti_server.providers.wire import Response
from lti_server.testing.alterations import FOREIGN_HOST, from_then_on
from lti_server.testing.applying import only_where
from lti_server.testing.contract import Run, instead
from lti_server.testing.recorded import Alter, exchanges
from lti_server.testing.signing_in import SigningIn

# RFC 6749 4.1.2.1 and OpenID Connect Core 3.1.2.6.
ERRORS = ("access_denied", "consent_required", "interaction_required", "login_required", "server_error", "unheard_of")
HOSTILE_CODES = ("a\x00b", "a\ud800b", "\u202ecode", "<script>", "a\r\nb", "=1+1", "x" * 1_000_000)
INVALID_GRANT = '{"error": "invalid_grant"}'
PAGE = "<!DOCTYPE html><title>Sign in</title>"


class CallbackChecks(SigningIn):
    """Refusals of a callback, and of a token endpoint's answer."""

    def test_a_declined_sign_in_is_told(self) -> None:
        """`error` becomes RejectedCredentials, whatever comes with it, and no code is handed in."""
        for word in ERRORS:
            for params in ({"error": word, "state": self.state}, {**self.callback, "error": word}):
                run = self._back(params)
                assert isinstance(run.error, RejectedCredentials), instead(run, f"the error {word}")
                handed_in = [form for form in run.transport.forms if "code" in form]
                assert not handed_in, f"a code is handed in although the provider said {word}"

    def test_a_callback_without_a_code_is_refused(self) -> None:
        """Who was sent by a portal, or made the address up, has no code: RejectedCredentials, and no KeyError."""
        for params in ({}, {"state": self.state}, {"code": ""}, {"code": "", "state": self.state}):
            run = self._back(params)
            assert isinstance(run.error, RejectedCredentials), instead(run, "a callback without a code")

    def test_a_hostile_code_is_refused(self) -> None:
        """A code is anybody's text: one that the provider does not know is refused, whatever is in it."""
        answers = [dataclasses.replace(one, form=None) for one in exchanges(self._said("recording"))]
        refusing = from_then_on(self.handed_in(), status=400, body=INVALID_GRANT)
        for code in HOSTILE_CODES:

            def come(plugin: Any, run: Run, code: str = code) -> None:
                self.come(plugin, run, params={"code": code})

            run = self.run(refusing, use=come, recording=answers)
            self.nobody(run, f"the code {code[:20]!r}")

    def test_the_state_is_left_to_the_server(self) -> None:
        """The server made the state and has checked it: the plugin neither needs it nor judges it."""
        for state in (self.state, "another state", ""):
            run = self._back({**self.callback, "state": state})
            self.same_person(run, "a state in the callback")

    def test_nothing_is_kept_between_two_sign_ins(self) -> None:
        """Who comes back is judged by the callback alone, not by whom this object sent away before."""
        other = AuthorizeRequest(
            redirect_uri=self.redirect_uri, state="other", nonce="other-nonce", code_verifier="other-verifier-" * 3
        )

        def both(plugin: Any, run: Run) -> None:
            plugin.authorize(other)
            self.come(plugin, run)

        self.same_person(self.run(use=both), "another sign-in in between")

    @only_where(lambda self: "code_challenge" in self.address(), "the address has no PKCE challenge")
    def test_the_verifier_goes_with_the_code(self) -> None:
        """A PKCE challenge in the address is S256 of the verifier, which goes with the code (RFC 7636)."""
        asked = parse_qs(urlsplit(self.address()).query)
        digest = hashlib.sha256(self.code_verifier.encode()).digest()
        expected = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert asked.get("code_challenge_method") == ["S256"], "the challenge is not S256"
        assert asked["code_challenge"] == [expected], "the challenge is not that of the verifier as it was given"
        sent = [form.get("code_verifier") for form in self.good().transport.forms]
        assert self.code_verifier in sent, "the code is handed in without its verifier"

    def test_a_page_instead_of_tokens_is_told(self) -> None:
        """HTML, a redirect or an error page where tokens should be: nobody signs in, and nothing is sent after it."""
        for status in (200, 301, 302, 303, 307, 308, 400, 403, 404):
            run = self.run(_page_at(self.handed_in(), status))
            self.nobody(run, f"a page with {status} instead of tokens", or_else=(Unavailable,))
            followed = [url for _, url in run.transport.sent if FOREIGN_HOST in url]
            assert not followed, f"a form follows a redirect with {status}"

    def _back(self, params: Mapping[str, str]) -> Run:
        return self.run(use=lambda plugin, run: self.come(plugin, run, params=params))


def _page_at(number: int, status: int) -> Alter:
    def alter(ordinal: int, response: Response) -> Response:
        if ordinal != number:
            return response
        headers = {"content-type": "text/html", "location": f"https://{FOREIGN_HOST}/"}
        return dataclasses.replace(response, status=status, headers=headers, body=PAGE.encode())

    return alter
