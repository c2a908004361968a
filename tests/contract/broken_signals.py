"""For each check of the contract of signals, plugins that break that promise and keep every other."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from lti_server.providers import (
    BrokeContract,
    Capability,
    RateLimited,
    RejectedCredentials,
    Response,
    Signal,
    SignalRequest,
    SourceToken,
    Unavailable,
)
from lti_server.testing import Exchange
from tests.contract.breakers import Breakers, misused
from tests.contract.chalk import BASE, chalk_manifest
from tests.contract.chalk_signals import SIGNALS, ChalkSignals
from tests.contract.translating import Translating

BREAKERS = Breakers()
breaks = BREAKERS.by


BREAKERS["every_check_stands"] = [(ChalkSignals, one) for one in misused("nonsense_is_refused")]
BREAKERS["every_recording_is_used"] = [(ChalkSignals, {"recording": [*SIGNALS, Exchange(url=f"{BASE}/no", body={})]})]


@breaks("the_recording_is_not_empty")
class FindsNothing(ChalkSignals):
    def signals(self, said: Mapping[str, Any]) -> Sequence[Signal]:
        return []


@breaks("manifest_and_class_agree")
class DeclaresWhatItLacks(ChalkSignals):
    manifest = chalk_manifest(Capability.SIGNALS, Capability.ROSTER)


@breaks("building_it_sends_nothing")
class CallsWhileItIsBuilt(ChalkSignals):
    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.keys(self.transport.request("GET", f"{BASE}/keys", authorization=self.basic))


@breaks("hosts_are_declared")
class AsksAHostThatItDoesNotDeclare(ChalkSignals):
    manifest = dataclasses.replace(ChalkSignals.manifest, hosts=("signals.example",))


@breaks("only_records_come_out")
class GivesNullForATenant(ChalkSignals):
    def signals(self, said: Mapping[str, Any]) -> Sequence[Signal]:
        nothing: Any = None
        return [dataclasses.replace(one, tenant=nothing) for one in super().signals(said)]


class _Translating(Translating, ChalkSignals):
    def parse(self, request: SignalRequest) -> Sequence[Signal]:
        return self.translated(lambda: super(_Translating, self).parse(request))


@breaks("a_rate_limit_is_told_with_its_seconds")
class TakesALimitForAnOutage(_Translating):
    fault = RateLimited
    instead = Unavailable("chalk.example is busy.")


@breaks("an_outage_is_told")
class TakesAnOutageForAForgery(_Translating):
    fault = Unavailable
    instead = RejectedCredentials("chalk.example does not answer.")


@breaks("refused_credentials_are_told")
class TakesARefusalForAnOutage(ChalkSignals):
    def parse(self, request: SignalRequest) -> Sequence[Signal]:
        try:
            return super().parse(request)
        except RejectedCredentials as fault:
            if fault.detail.startswith("This is"):
                raise
            raise Unavailable("chalk.example does not answer.") from None


@breaks("a_broken_answer_is_told")
class TrustsEveryAnswer(ChalkSignals):
    def keys(self, response: Response) -> dict[str, Any]:
        read: Any = response.json()
        found: dict[str, Any] = read["keys"]
        return found


@breaks("nothing_personal_or_secret_is_said")
class LogsWhom(ChalkSignals):
    def signals(self, said: Mapping[str, Any]) -> Sequence[Signal]:
        logging.getLogger("chalk").info("signal about %s", said["user"])
        return super().signals(said)


@breaks("revoking_twice_is_fine")
class TakesAGoneTokenForAFault(ChalkSignals):
    def revoke(self, token: SourceToken) -> None:
        form = {"token": token.value}
        if self.transport.request("POST", f"{BASE}/revoke", form=form, authorization=self.basic).status == 400:
            raise RejectedCredentials("chalk.example does not know the token.")


@breaks("a_forged_message_is_refused")
class BelievesEverybody(ChalkSignals):
    def verify(self, body: bytes, key: str, signature: str) -> None:
        try:
            json.loads(body)
        except ValueError:
            raise BrokeContract("chalk.example sent nonsense.") from None


@breaks("a_message_for_others_is_refused")
class DoesNotAskForWhomItIs(ChalkSignals):
    def check_purpose(self, said: Mapping[str, Any]) -> None:
        """Whoever gets it, takes it."""


@breaks("a_message_for_others_is_refused")
class TakesAReceiptForASignal(ChalkSignals):
    def check_purpose(self, said: Mapping[str, Any]) -> None:
        super().check_purpose({name: value for name, value in said.items() if name != "purpose"})


@breaks("a_late_message_is_refused")
class HasAllTheTime(ChalkSignals):
    def check_time(self, at: datetime) -> None:
        """It was true once."""


@breaks("a_repeat_has_the_same_id")
class MakesTheIdFromTheTime(ChalkSignals):
    def signals(self, said: Mapping[str, Any]) -> Sequence[Signal]:
        return [dataclasses.replace(one, signal_id=f"{self.clock.now()}") for one in super().signals(said)]


@breaks("a_repeat_has_the_same_id")
class HasNoId(ChalkSignals):
    def signals(self, said: Mapping[str, Any]) -> Sequence[Signal]:
        return [dataclasses.replace(one, signal_id="") for one in super().signals(said)]


@breaks("nonsense_is_refused")
class TakesNothingForNoSignal(ChalkSignals):
    def parse(self, request: SignalRequest) -> Sequence[Signal]:
        return super().parse(request) if request.body else []


@breaks("a_forged_message_is_refused")
class AsksWhereTheMessageSays(ChalkSignals):
    manifest = dataclasses.replace(ChalkSignals.manifest, hosts=("{base_url}", "evil.example"))

    def keys_at(self, request: SignalRequest) -> str:
        try:
            said = json.loads(request.body)
        except ValueError:
            return super().keys_at(request)
        return str(said["keys"]) if isinstance(said, dict) and "keys" in said else super().keys_at(request)
