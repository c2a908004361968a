"""For each check behind the server's own flow, a server or a plugin that breaks that promise and keeps every other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Flask, Response, request

from lti_server.accounts.model import Kind
from lti_server.accounts.sign_in_states import SignInState, SignInStates
from lti_server.errors import SignInRefused
from lti_server.providers import AuthorizeRequest, Callback, Manifest, SourceIdentity, SourcePerson, standard_fields
from lti_server.testing.server import Server
from tests.contract.breakers import Breakers
from tests.contract.chalk import ChalkLogin

BREAKERS = Breakers()
breaks = BREAKERS.by


def served(check: str) -> Any:
    """Name the check that a plugin fails which is right, behind the decorated server."""

    def register(server: type[Server]) -> type[Server]:
        BREAKERS.setdefault(check, []).append((ChalkLogin, {"server_of_the_kit": server}))
        return server

    return register


@breaks("the_servers_own_flow_signs_in")
class LeadsBackToOneAddressAlone(ChalkLogin):
    def query(self, request: AuthorizeRequest) -> dict[str, str]:
        return super().query(request) | {"redirect_uri": "https://lessons.example/auth/provider/callback"}


@served("an_arrival_from_a_portal_begins_anew")
class TakesTheCodeOfAPortal(Server):
    def _app(self, manifest: Manifest) -> Flask:
        app = super()._app(manifest)

        @app.before_request
        def take() -> None:
            if "state" not in request.args and "code" in request.args:
                callback = Callback(
                    redirect_uri=self.contract.redirect_uri, params=request.args.to_dict(), nonce="", code_verifier=""
                )
                self.connector.login(self.name, self.contract.config).exchange(callback)

        return app


@served("an_arrival_from_a_portal_begins_anew")
class GoesInCircles(Server):
    def _app(self, manifest: Manifest) -> Flask:
        app = super()._app(manifest)

        @app.after_request
        def forget(response: Response) -> Response:
            kept = [line for line in response.headers.getlist("Set-Cookie") if not line.startswith("lti_signin_again")]
            response.headers.setlist("Set-Cookie", kept)
            return response

        return app


class _Forgiving(SignInStates):
    """Takes what was issued last for a state that is refused for one reason."""

    forgives: ClassVar[str]
    issued: SignInState

    def issue(self, *given: Any, **more: Any) -> Any:
        made = super().issue(*given, **more)
        if made.state.provider != "another":
            self.issued = made.state
        return made

    def read(self, provider: str, text: str, cookies: Mapping[str, str]) -> SignInState:
        try:
            return super().read(provider, text, cookies)
        except SignInRefused as refusal:
            if refusal.reason == self.forgives and not (self.forgives == "other-browser" and cookies):
                return self.issued
            raise


for reason in ("state-forged", "state-expired", "state-of-another-provider", "other-browser"):
    forgiving = type("Forgiving", (_Forgiving,), {"forgives": reason})
    served("a_wrong_state_lets_nobody_in")(type("ForgivingServer", (Server,), {"makes_states": forgiving}))


@breaks("a_code_used_twice_lets_nobody_in")
class RemembersWhoCameWithACode(ChalkLogin):
    came: ClassVar[dict[str, SourceIdentity]] = {}

    def exchange(self, callback: Callback) -> SourceIdentity:
        state = callback.params.get("state", "")
        if state not in self.came or "error" in callback.params or not callback.params.get("code"):
            found = super().exchange(callback)
            if len(state) > 100:  # one of the server's
                self.came[state] = found
            return found
        return self.came[state]


@breaks("what_the_contract_does_not_allow_is_dropped")
class KnowsPeopleByTheirEmailToo(ChalkLogin):
    manifest = dataclasses.replace(
        ChalkLogin.manifest, fields=standard_fields("given_name", "family_name", "email", "legacy_ids")
    )

    def person(self, row: Any) -> SourcePerson:
        found = super().person(row)
        return dataclasses.replace(found, legacy_ids=(found.email,) if found.email else ())


@served("what_the_contract_does_not_allow_is_dropped")
class KeepsWhateverIsSaid(Server):
    def kept(self, who: SourceIdentity, kind: Kind) -> dict[str, str]:
        return {"email": who.person.email}
