"""How the checks of the sign-in contract run a sign-in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

from lti_server.providers.errors import BrokeContract, ProviderFault, RejectedCredentials
from lti_server.providers.spi import AuthorizeRequest, Callback
from lti_server.testing.alterations import with_values
from lti_server.testing.contract import Run, instead
from lti_server.testing.id_tokens import Claims, IdTokens
from lti_server.testing.people import PeopleContract
from lti_server.testing.recorded import Alter

KEYS = ("issuer", "client_id", "subject", "tenant")
"""By which an identity is known, and whose it is."""


class SigningIn(PeopleContract):
    """Subclasses say `provider`, `config` and `recording`.

    `callback` are the parameters with which the provider sends the browser back; a signed answer in the recording
    is made for `nonce`, `redirect_uri` and the time `now`. `subject_from` are the recorded values that the subject is
    made from, where no answer holds it as it is.
    """

    subject_from: ClassVar[Collection[object]] = ()
    callback: ClassVar[Mapping[str, str]] = {"code": "code-of-the-recording"}
    redirect_uri: ClassVar[str] = "https://lessons.example/auth/provider/callback"
    nonce: ClassVar[str] = "nonce-of-the-recording"
    code_verifier: ClassVar[str] = "verifier-of-the-recording-0123456789-0123456789"
    state: ClassVar[str] = "state+of/the recording&more"

    def exercise(self, plugin: Any, run: Run) -> None:
        self.come(plugin, run)

    def come(
        self,
        plugin: Any,
        run: Run,
        *,
        params: Mapping[str, str] | None = None,
        nonce: str | None = None,
        code_verifier: str | None = None,
    ) -> None:
        """The browser comes back: by default as it was recorded."""
        run.identity = plugin.exchange(
            Callback(
                redirect_uri=self.redirect_uri,
                params=self.callback if params is None else params,
                nonce=self.nonce if nonce is None else nonce,
                code_verifier=self.code_verifier if code_verifier is None else code_verifier,
            )
        )

    def request(self) -> AuthorizeRequest:
        return AuthorizeRequest(
            redirect_uri=self.redirect_uri, state=self.state, nonce=self.nonce, code_verifier=self.code_verifier
        )

    def found_anything(self, run: Run) -> bool:
        who = run.identity
        return who is not None and all((who.issuer, who.client_id, who.subject, who.person.source_id))

    @property
    def id_tokens(self) -> IdTokens:
        """What the recording has of them; none at a provider that speaks OAuth 2 alone."""
        return IdTokens(self._said("recording"))

    def replaced(self, values: Collection[object], by: object) -> Alter:
        """As for every plugin, and in the claims of ID tokens, too."""
        return self.id_tokens.everywhere(lambda read: with_values(read, values, by))

    def address(self) -> str:
        """Where the plugin sends a browser."""
        found: list[str] = []

        def ask(plugin: Any, _run: Run) -> None:
            found.append(plugin.authorize(self.request()))

        run = self.run(use=ask)
        if run.error is not None:
            raise AssertionError("the plugin makes no address to sign in at") from run.error
        return found[0]

    def same_person(self, run: Run, after: str) -> None:
        """Whoever signed in is who it was in the recording."""
        good = self.good().identity
        assert run.error is None, instead(run, after)
        for name in KEYS:
            assert getattr(run.identity, name, None) == getattr(good, name), f"{after} changes the {name}"

    def nobody(self, run: Run, after: str, *, or_else: tuple[type[ProviderFault], ...] = ()) -> None:
        """Nobody signs in: the sign-in is refused, or the provider is said to break its contract."""
        assert run.identity is None, f"after {after}, somebody is signed in"
        assert isinstance(run.error, (RejectedCredentials, BrokeContract, *or_else)), instead(run, after)

    def handed_in(self) -> int:
        """At which request the code is handed in; 0 where none is a POST."""
        asked = [method for method, _ in self.good().transport.sent]
        return asked.index("POST") if "POST" in asked else 0

    def claiming(self, changes: Mapping[str, Claims]) -> Iterator[tuple[str, Run]]:
        """One run for each change of the recorded ID token, by what it is, rightly signed.

        Raises:
            AssertionError: the kit's own signature is not taken, so that nothing could be learnt of another token.
        """
        tokens = self.id_tokens
        self.same_person(self.run(tokens.claimed(tokens.claims)), "an ID token signed anew, with its key set,")
        for what, claims in changes.items():
            yield what, self.run(tokens.claimed(claims))
