"""For each check of the roster contract, plugins that break that promise and keep every other."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from typing import Any

from lti_server.providers import (
    Authorization,
    BrokeContract,
    Capability,
    Cursor,
    RateLimited,
    RecordKind,
    RejectedCredentials,
    Response,
    RosterPage,
    SourcePerson,
    SourceToken,
    Unavailable,
    next_link,
)
from lti_server.providers.wire import host_of
from lti_server.testing import Exchange
from tests.contract.breakers import Breakers, misused
from tests.contract.chalk import BASE, CLASSES, REMOVAL, ROSTER, ROSTER_EMPTY, USERS, ChalkRoster, chalk_manifest

BREAKERS = Breakers()
breaks = BREAKERS.by


EMPTY = dict.fromkeys(
    (
        "a_next_link_to_another_host_is_refused",
        "a_removal_is_told",
        "hostile_values_pass",
    ),
    "Nobody is there.",
)
BREAKERS["the_recording_is_not_empty"] = [(ChalkRoster, {"recording": ROSTER_EMPTY, "does_not_apply": EMPTY})]
BREAKERS["every_check_stands"] = [(ChalkRoster, one) for one in misused("nothing_comes_twice")]
BREAKERS["every_recording_is_used"] = [(ChalkRoster, {"recording": [*ROSTER, Exchange(url=f"{BASE}/never", body={})]})]


@breaks("manifest_and_class_agree")
class DeclaresWhatItLacks(ChalkRoster):
    manifest = chalk_manifest(Capability.ROSTER, Capability.GRADES)


@breaks("manifest_and_class_agree")
class HasWhatItDoesNotDeclare(ChalkRoster):
    def parse(self, request: object) -> list[object]:
        return []


@breaks("manifest_and_class_agree")
class MadeForAnotherInterface(ChalkRoster):
    manifest = dataclasses.replace(ChalkRoster.manifest, spi_version=(1, 99))


@breaks("building_it_sends_nothing", removal=[*REMOVAL, ROSTER[2]])
class CallsWhileItIsBuilt(ChalkRoster):
    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.rows(self.transport.request("GET", CLASSES, authorization=self.basic))


@breaks("hosts_are_declared")
class DeclaresAnotherHost(ChalkRoster):
    manifest = dataclasses.replace(ChalkRoster.manifest, hosts=("other.example",))


@breaks("every_field_is_declared")
class FillsWhatItDoesNotDeclare(ChalkRoster):
    def person(self, row: Any) -> SourcePerson:
        return dataclasses.replace(super().person(row), extra={"shoe_size": "38"})


class _Row(SourcePerson):
    """A vendor's own person."""


@breaks("only_records_come_out")
class GivesASubclass(ChalkRoster):
    def person(self, row: Any) -> SourcePerson:
        given = super().person(row)
        return _Row(**{item.name: getattr(given, item.name) for item in dataclasses.fields(given)})


@breaks("only_records_come_out")
class GivesNullForAName(ChalkRoster):
    def person(self, row: Any) -> SourcePerson:
        return dataclasses.replace(super().person(row), middle_name=row.get("middle"))


class _Translating(ChalkRoster):
    """Does something else about one kind of fault than the interface says."""

    fault: type[Exception] = Exception

    def pages(self, since: Cursor | None) -> Iterator[RosterPage]:
        try:
            yield from super().pages(since)
        except self.fault as fault:
            yield from self.instead(fault)

    def instead(self, fault: Exception) -> Iterator[RosterPage]:
        yield RosterPage(cursor=None, complete=True)


@breaks("a_rate_limit_is_told_with_its_seconds")
class TakesALimitForAnOutage(_Translating):
    fault = RateLimited

    def instead(self, fault: Exception) -> Iterator[RosterPage]:
        raise Unavailable("chalk.example is busy.") from None


@breaks("a_rate_limit_is_told_with_its_seconds")
class ForgetsTheSeconds(_Translating):
    fault = RateLimited

    def instead(self, fault: Exception) -> Iterator[RosterPage]:
        raise RateLimited("chalk.example is busy.", retry_after_s=60) from None


@breaks("refused_credentials_are_told")
class TakesARefusalForTheEnd(_Translating):
    fault = RejectedCredentials


@breaks("an_outage_is_told")
class TakesAnOutageForTheEnd(_Translating):
    fault = Unavailable


@breaks("a_broken_answer_is_told")
class TrustsEveryAnswer(ChalkRoster):
    def rows(self, response: Response) -> Any:
        read: Any = response.json()
        return read["data"]


@breaks("a_broken_answer_is_told")
class TakesNonsenseForAnEmptyList(ChalkRoster):
    def rows(self, response: Response) -> Any:
        try:
            return super().rows(response)
        except BrokeContract:
            return []

    def last(self, response: Response) -> RosterPage:
        if not isinstance(response.json(), dict):
            raise BrokeContract("chalk.example answered without its rows.")
        return super().last(response)


@breaks("hostile_values_pass")
class NeedsAnEmail(ChalkRoster):
    def person(self, row: Any) -> SourcePerson:
        if row.get("email") is None and row["id"] == "u1":
            raise BrokeContract("chalk.example sent somebody without an e-mail.")
        return super().person(row)


@breaks("hostile_values_pass")
class TakesOneEmailForOnePerson(ChalkRoster):
    def user_pages(self, start: str) -> Iterator[Response]:
        self.emails: set[str] = set()
        return super().user_pages(start)

    def rows(self, response: Response) -> list[dict[str, Any]]:
        kept = []
        for row in super().rows(response):
            email = row.get("email")
            if not email or email not in self.emails:
                kept.append(row)
            if email:
                self.emails.add(email)
        return kept

    def last(self, response: Response) -> RosterPage:
        self.emails = set()
        return super().last(response)


@breaks("nothing_personal_or_secret_is_said")
class LogsANameForDebugging(ChalkRoster):
    def person(self, row: Any) -> SourcePerson:
        given = super().person(row)
        logging.getLogger("chalk").debug("read %s", given.family_name)
        return given


@breaks("nothing_personal_or_secret_is_said")
class PrintsItsSecret(ChalkRoster):
    def user_pages(self, start: str) -> Iterator[Response]:
        print("signing in with", self.config["secret"])
        return super().user_pages(start)


@breaks("nothing_personal_or_secret_is_said")
class ShowsTheBodyInItsError(ChalkRoster):
    def rows(self, response: Response) -> list[dict[str, Any]]:
        try:
            return super().rows(response)
        except BrokeContract:
            raise BrokeContract(f"chalk.example said {response.body!r}") from None


@breaks("nothing_personal_or_secret_is_said")
class RaisesFromTheVendorsError(ChalkRoster):
    def rows(self, response: Response) -> list[dict[str, Any]]:
        try:
            return super().rows(response)
        except BrokeContract as fault:
            raise BrokeContract("chalk.example answered nonsense.") from ValueError(response.body, fault)


@breaks("revoking_twice_is_fine")
class TakesAGoneTokenForAFault(ChalkRoster):
    def revoke(self, token: SourceToken) -> None:
        form = {"token": token.value}
        if self.transport.request("POST", f"{BASE}/revoke", form=form, authorization=self.basic).status == 400:
            raise RejectedCredentials("chalk.example does not know the token.")


@breaks("ids_are_the_same_in_two_runs")
class MakesIdsFromTheDay(ChalkRoster):
    def person(self, row: Any) -> SourcePerson:
        return super().person(row | {"id": f"{row['id']}-{self.clock.now():%d}"})


@breaks("nothing_comes_twice")
class GivesAPersonTwice(ChalkRoster):
    def pages(self, since: Cursor | None) -> Iterator[RosterPage]:
        people: tuple[SourcePerson, ...] = ()
        for page in super().pages(since):
            yield dataclasses.replace(page, people=page.people + people[:1])
            people = page.people


@breaks("only_the_last_page_says_that_it_is_the_last")
class NeverSaysThatItIsDone(ChalkRoster):
    def last(self, response: Response) -> RosterPage:
        return dataclasses.replace(super().last(response), complete=False)


@breaks("only_the_last_page_says_that_it_is_the_last")
class SaysTooEarlyThatItIsDone(ChalkRoster):
    def pages(self, since: Cursor | None) -> Iterator[RosterPage]:
        for page in super().pages(since):
            early = page.cursor is not None and page.cursor.value == CLASSES
            yield dataclasses.replace(page, complete=page.complete or early)


@breaks("only_the_last_page_says_that_it_is_the_last")
class AnnouncesMoreThanItGives(ChalkRoster):
    def last(self, response: Response) -> RosterPage:
        return dataclasses.replace(super().last(response), announced={RecordKind.PERSON: 99})


@breaks("a_read_resumed_from_any_cursor_gives_the_same")
class ForgetsWhereItWas(ChalkRoster):
    def pages(self, since: Cursor | None) -> Iterator[RosterPage]:
        if since is not None and since.value.startswith("http"):
            yield RosterPage(cursor=None, complete=True)
            return
        yield from super().pages(since)


@breaks("a_removal_is_told")
class ForgetsTheTombstones(ChalkRoster):
    def changes(self, after: str) -> Iterator[RosterPage]:
        for page in super().changes(after):
            yield dataclasses.replace(page, tombstones=())


@breaks("a_next_link_to_another_host_is_refused")
class FollowsAnyLink(ChalkRoster):
    def user_pages(self, start: str) -> Iterator[Response]:
        url: str | None = start
        while url is not None:
            whoever = Authorization(header=self.basic.header, hosts=frozenset({host_of(url)}))
            response = self.transport.request("GET", url, authorization=whoever)
            yield response
            url = next_link(response)


@breaks("a_next_link_to_another_host_is_refused")
class TakesAForeignLinkForTheEnd(ChalkRoster):
    def user_pages(self, start: str) -> Iterator[Response]:
        url: str | None = start
        while url is not None and url.startswith(USERS):
            response = self.transport.request("GET", url, authorization=self.basic)
            yield response
            url = next_link(response)
