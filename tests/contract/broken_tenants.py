"""For each check of the contract of tenant lists, plugins that break that promise and keep every other."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

from lti_server.providers import (
    BrokeContract,
    Capability,
    RateLimited,
    RejectedCredentials,
    Response,
    SourceToken,
    Unavailable,
)
from lti_server.testing import Exchange
from tests.contract.breakers import Breakers, misused
from tests.contract.chalk import BASE, chalk_manifest
from tests.contract.chalk_tenants import SCHOOLS, TENANTS, ChalkTenants
from tests.contract.translating import Translating

BREAKERS = Breakers()
breaks = BREAKERS.by


BREAKERS["every_check_stands"] = [(ChalkTenants, one) for one in misused("only_records_come_out")]
BREAKERS["every_recording_is_used"] = [(ChalkTenants, {"recording": [*TENANTS, Exchange(url=f"{BASE}/no", body={})]})]


@breaks("the_recording_is_not_empty")
class FindsNobody(ChalkTenants):
    def ids(self, response: Response) -> list[str]:
        return super().ids(response)[:0]


@breaks("manifest_and_class_agree")
class DeclaresWhatItLacks(ChalkTenants):
    manifest = chalk_manifest(Capability.TENANTS, Capability.ROSTER)


@breaks("building_it_sends_nothing")
class CallsWhileItIsBuilt(ChalkTenants):
    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.ids(self.transport.request("GET", SCHOOLS, authorization=self.basic))


@breaks("hosts_are_declared")
class AsksAHostThatItDoesNotDeclare(ChalkTenants):
    manifest = dataclasses.replace(ChalkTenants.manifest, hosts=("schools.example",))


@breaks("only_records_come_out")
class GivesAnEmptyOne(ChalkTenants):
    def tenants(self) -> Sequence[str]:
        return [*super().tenants(), " "]


@breaks("only_records_come_out")
class GivesNumbers(ChalkTenants):
    def tenants(self) -> Any:
        return [int(one[1:]) for one in super().tenants()]


@breaks("only_records_come_out")
class GivesOneTwice(ChalkTenants):
    def tenants(self) -> Sequence[str]:
        found = super().tenants()
        return [*found, *found[:1]]


class _Translating(Translating, ChalkTenants):
    def tenants(self) -> Sequence[str]:
        return self.translated(super().tenants)


@breaks("a_rate_limit_is_told_with_its_seconds")
class TakesALimitForAnOutage(_Translating):
    fault = RateLimited
    instead = Unavailable("chalk.example is busy.")


@breaks("an_outage_is_told")
class TakesAnOutageForARefusal(_Translating):
    fault = Unavailable
    instead = RejectedCredentials("chalk.example does not answer.")


@breaks("refused_credentials_are_told")
class TakesARefusalForAnOutage(_Translating):
    fault = RejectedCredentials
    instead = Unavailable("chalk.example does not answer.")


@breaks("a_broken_answer_is_told")
class TakesNumbersForSchools(ChalkTenants):
    def ids(self, response: Response) -> list[str]:
        rows = self.said(response).get("schools")
        return [str(row) for row in rows] if isinstance(rows, list) and 7 in rows else super().ids(response)


@breaks("a_page_without_its_list_is_no_list")
class TakesNoListForAnEmptyOne(ChalkTenants):
    def ids(self, response: Response) -> list[str]:
        return super().ids(response) if "schools" in self.said(response) else []


@breaks("a_next_link_to_another_host_is_refused")
class TakesALinkAbroadForTheEnd(ChalkTenants):
    def next_url(self, response: Response) -> str | None:
        following = super().next_url(response)
        return following if following is None or following.startswith(BASE) else None


@breaks("nothing_personal_or_secret_is_said")
class LogsItsSecret(ChalkTenants):
    def tenants(self) -> Sequence[str]:
        logging.getLogger("chalk").info("asking with %s", self.config["secret"])
        return super().tenants()


@breaks("revoking_twice_is_fine")
class TakesAGoneTokenForAFault(ChalkTenants):
    def revoke(self, token: SourceToken) -> None:
        form = {"token": token.value}
        if self.transport.request("POST", f"{BASE}/revoke", form=form, authorization=self.basic).status == 400:
            raise BrokeContract("chalk.example does not know the token.")
