"""For each check of the sign-in contract, plugins that break that promise and keep every other."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

from lti_server.providers import (
    AuthorizeRequest,
    BrokeContract,
    Callback,
    Capability,
    RateLimited,
    RejectedCredentials,
    Response,
    SourceIdentity,
    SourcePerson,
    SourceToken,
    Unavailable,
)
from lti_server.testing import Exchange
from tests.contract.breakers import BEHIND_THE_SERVER, Breakers, misused
from tests.contract.chalk import BASE, OAUTH_ALONE, SIGN_IN, ChalkLogin, chalk_manifest
from tests.contract.translating import Translating

BREAKERS = Breakers()
breaks = BREAKERS.by


BREAKERS["every_check_stands"] = [(ChalkLogin, one) for one in misused("who_signs_in_is_the_same_twice", OAUTH_ALONE)]
BREAKERS["every_recording_is_used"] = [(ChalkLogin, {"recording": [*SIGN_IN, Exchange(url=f"{BASE}/never", body={})]})]


@breaks("the_recording_is_not_empty")
class SaysNobodysId(ChalkLogin):
    def person(self, row: Any) -> SourcePerson:
        return dataclasses.replace(super().person(row), source_id="")


@breaks("manifest_and_class_agree")
class DeclaresWhatItLacks(ChalkLogin):
    manifest = chalk_manifest(Capability.LOGIN, Capability.ROSTER)


@breaks("building_it_sends_nothing")
class CallsWhileItIsBuilt(ChalkLogin):
    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        answer = self.transport.request("GET", f"{BASE}/me", authorization=self.basic)
        if answer.status == 200:
            self.row(answer)


@breaks("every_field_is_declared")
class FillsWhatItDoesNotDeclare(ChalkLogin):
    def person(self, row: Any) -> SourcePerson:
        return dataclasses.replace(super().person(row), language="fr")


@breaks("only_records_come_out")
class GivesNullForATenant(ChalkLogin):
    def exchange(self, callback: Callback) -> SourceIdentity:
        nothing: Any = None
        return dataclasses.replace(super().exchange(callback), provider_session_id=nothing)


class _Translating(Translating, ChalkLogin):
    def exchange(self, callback: Callback) -> SourceIdentity:
        return self.translated(lambda: super(_Translating, self).exchange(callback))


@breaks("a_rate_limit_is_told_with_its_seconds")
class TakesALimitForAnOutage(_Translating):
    fault = RateLimited
    instead = Unavailable("chalk.example is busy.")


@breaks("an_outage_is_told")
class TakesAnOutageForARefusal(_Translating):
    fault = Unavailable
    instead = RejectedCredentials("chalk.example does not answer.")


@breaks("refused_credentials_are_told")
class TakesARefusalForAnOutage(ChalkLogin):
    def exchange(self, callback: Callback) -> SourceIdentity:
        try:
            return super().exchange(callback)
        except RejectedCredentials as fault:
            if "Sign in again" in fault.detail:
                raise
            raise Unavailable("chalk.example does not answer.") from None


@breaks("a_broken_answer_is_told")
class TrustsEveryAnswer(ChalkLogin):
    def row(self, response: Response) -> Any:
        read: Any = response.json()
        row = read["data"]
        if not isinstance(row["id"], str) or not row["id"]:
            raise BrokeContract("chalk.example answered without a person.")
        return row


@breaks("hostile_values_pass")
class NeedsANameThatCanBePrinted(ChalkLogin):
    def row(self, response: Response) -> dict[str, Any]:
        row = super().row(response)
        if not str(row.get("first")).isprintable():
            raise BrokeContract("chalk.example sent an odd name.")
        return row


@breaks("a_missing_email_keeps_nobody_out")
class NeedsAnEmail(ChalkLogin):
    def row(self, response: Response) -> dict[str, Any]:
        row = super().row(response)
        if "email" not in row and "first" in row:
            raise BrokeContract("chalk.example sent no e-mail.")
        return row


@breaks("a_declined_scope_keeps_nobody_out")
class NeedsAName(ChalkLogin):
    def row(self, response: Response) -> dict[str, Any]:
        row = super().row(response)
        if "first" not in row:
            raise BrokeContract("chalk.example sent no name.")
        return row


@breaks("an_unverified_email_is_not_called_verified")
class CallsEveryEmailVerified(ChalkLogin):
    def exchange(self, callback: Callback) -> SourceIdentity:
        return dataclasses.replace(super().exchange(callback), email_verified=True)


@breaks("what_is_not_declared_goes_nowhere")
class TellsOfThePicture(ChalkLogin):
    def person(self, row: Any) -> SourcePerson:
        return dataclasses.replace(super().person(row), extra={"picture": row.get("picture", "")})


@breaks("a_megabyte_is_borne_or_refused")
class MeasuresNames(ChalkLogin):
    def row(self, response: Response) -> dict[str, Any]:
        row = super().row(response)
        if len(str(row.get("first"))) > 100_000:
            raise ValueError("too long")
        return row


@breaks("nobody_comes_in_without_an_id")
class MakesATextOfAnyId(ChalkLogin):
    def row(self, response: Response) -> dict[str, Any]:
        read: Any = response.json()
        row = read.get("data") if isinstance(read, dict) else None
        if not isinstance(row, dict) or "id" not in row:
            raise BrokeContract("chalk.example answered without a person.")
        return row


@breaks("an_odd_id_is_no_bare_error")
class PutsTheIdIntoBytes(ChalkLogin):
    def row(self, response: Response) -> dict[str, Any]:
        row = super().row(response)
        row["id"].encode()
        return row


@breaks("nothing_personal_or_secret_is_said")
class LogsTheToken(ChalkLogin):
    def token(self, callback: Callback) -> str:
        token = super().token(callback)
        logging.getLogger("chalk").info("signed in with %s", token)
        return token


@breaks("revoking_twice_is_fine")
class TakesAGoneTokenForAFault(ChalkLogin):
    def revoke(self, token: SourceToken) -> None:
        form = {"token": token.value}
        if self.transport.request("POST", f"{BASE}/revoke", form=form, authorization=self.basic).status == 400:
            raise RejectedCredentials("chalk.example does not know the token.")


@breaks("who_signs_in_is_the_same_twice", subject_from=("u1",))
class MakesTheSubjectFromTheTime(ChalkLogin):
    def exchange(self, callback: Callback) -> SourceIdentity:
        found = super().exchange(callback)
        return dataclasses.replace(found, subject=f"{found.subject}-{self.clock.now():%S}")


@breaks("a_used_code_is_told")
class TakesAUsedCodeForNonsense(ChalkLogin):
    def used(self) -> Exception:
        return BrokeContract("chalk.example answered without a token.")


@breaks("hosts_are_declared")
class AsksAHostThatItDoesNotDeclare(ChalkLogin):
    manifest = dataclasses.replace(ChalkLogin.manifest, hosts=("signin.example",))

    def authorize(self, request: AuthorizeRequest) -> str:
        return super().authorize(request).replace(BASE, "https://signin.example")


@breaks("the_address_leads_back_with_the_state", also=BEHIND_THE_SERVER)
class ForgetsTheState(ChalkLogin):
    def query(self, request: AuthorizeRequest) -> dict[str, str]:
        return super().query(request) | {"state": "mine"}


@breaks("the_address_leads_back_with_the_state")
class LeadsToAnotherHost(ChalkLogin):
    def authorize(self, request: AuthorizeRequest) -> str:
        return super().authorize(request).replace(BASE, "https://elsewhere.example")


@breaks("the_address_shows_no_secret")
class ShowsTheVerifier(ChalkLogin):
    def query(self, request: AuthorizeRequest) -> dict[str, str]:
        return super().query(request) | {"verifier": request.code_verifier}


@breaks("the_address_shows_no_secret")
class ShowsTheSecret(ChalkLogin):
    def query(self, request: AuthorizeRequest) -> dict[str, str]:
        return super().query(request) | {"client_secret": str(self.config["secret"])}


@breaks("a_declined_sign_in_is_told")
class LooksAtTheCodeAlone(ChalkLogin):
    def exchange(self, callback: Callback) -> SourceIdentity:
        told = dict(callback.params)
        if told.get("code"):
            told.pop("error", None)
        return super().exchange(dataclasses.replace(callback, params=told))


@breaks("a_callback_without_a_code_is_refused")
class NeedsACode(ChalkLogin):
    def exchange(self, callback: Callback) -> SourceIdentity:
        if "error" not in callback.params:
            callback.params["code"]
        return super().exchange(callback)


@breaks("a_hostile_code_is_refused")
class PutsTheCodeIntoBytes(ChalkLogin):
    def token(self, callback: Callback) -> str:
        callback.params["code"].encode()
        return super().token(callback)


@breaks("the_state_is_left_to_the_server")
class JudgesTheState(ChalkLogin):
    def exchange(self, callback: Callback) -> SourceIdentity:
        if callback.params.get("state") == "another state":
            raise RejectedCredentials("The state is another.")
        return super().exchange(callback)


@breaks("nothing_is_kept_between_two_sign_ins")
class LetsOneSignInBegin(ChalkLogin):
    begun = False

    def authorize(self, request: AuthorizeRequest) -> str:
        self.begun = True
        return super().authorize(request)

    def exchange(self, callback: Callback) -> SourceIdentity:
        if self.begun:
            raise RejectedCredentials("Another sign-in is under way.")
        return super().exchange(callback)


@breaks("a_page_instead_of_tokens_is_told")
class FollowsARedirectByHand(ChalkLogin):
    def handed_in(self, callback: Callback) -> Response:
        response = super().handed_in(callback)
        if response.status == 307:
            return self.transport.request("POST", response.headers["location"], form={"code": callback.params["code"]})
        return response
