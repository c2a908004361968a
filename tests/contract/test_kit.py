"""The kit tests itself: for every check a plugin that fails it, and nothing else."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import time_machine

from lti_server.testing import (
    LoginProviderContract,
    RosterSourceContract,
    SignalReceiverContract,
    TenantListContract,
    UnrecordedRequest,
    waive,
)
from tests.contract import broken_logins, broken_openid, broken_rosters, broken_signals, broken_tenants
from tests.contract.chalk import CONFIG, REMOVAL, ROSTER, SIGN_IN, ChalkLogin, ChalkRoster
from tests.contract.chalk_openid import OPENID_CONFIG, OPENID_SIGN_IN, ChalkOpenId
from tests.contract.chalk_signals import FOR_OTHERS, FORGED, MESSAGE, SIGNALS, ChalkSignals
from tests.contract.chalk_tenants import TENANTS, ChalkTenants


class TestChalkRoster(RosterSourceContract):
    provider, config, recording, removal = ChalkRoster, CONFIG, ROSTER, REMOVAL


class TestChalkLogin(LoginProviderContract):
    provider, config, recording = ChalkLogin, CONFIG, SIGN_IN


class TestChalkOpenId(LoginProviderContract):
    provider, config, recording = ChalkOpenId, OPENID_CONFIG, OPENID_SIGN_IN


class TestChalkSignals(SignalReceiverContract):
    provider, config, recording = ChalkSignals, CONFIG, SIGNALS
    message, forged, for_others = MESSAGE, FORGED, FOR_OTHERS


class TestChalkTenants(TenantListContract):
    provider, config, recording = ChalkTenants, CONFIG, TENANTS


def checks(contract: type) -> list[str]:
    return sorted(name.removeprefix("test_") for name in dir(contract) if name.startswith("test_"))


def failures(contract: type, **says: Any) -> dict[str, BaseException]:
    """Check → what it failed with, over a contract class made from `says`."""
    made = type("Made", (contract,), says)
    failed: dict[str, BaseException] = {}
    for check in checks(made):
        try:
            getattr(made(), f"test_{check}")()
        except Exception as failure:
            failed[check] = failure
    return failed


def cases(breakers: dict[str, list[tuple[type, dict[str, Any]]]]) -> list[Any]:
    return [
        pytest.param(check, plugin, says, id=f"{check}-{plugin.__name__}")
        for check, plugins in breakers.items()
        for plugin, says in plugins
    ]


def test_every_check_has_a_plugin_that_breaks_it() -> None:
    assert sorted(broken_rosters.BREAKERS) == checks(RosterSourceContract)
    assert sorted({*broken_logins.BREAKERS, *broken_openid.BREAKERS}) == checks(LoginProviderContract)
    assert sorted(broken_signals.BREAKERS) == checks(SignalReceiverContract)
    assert sorted(broken_tenants.BREAKERS) == checks(TenantListContract)


@pytest.mark.parametrize(("check", "plugin", "says"), cases(broken_rosters.BREAKERS))
def test_a_broken_roster_fails_its_check_and_no_other(check: str, plugin: type, says: dict[str, Any]) -> None:
    given = {"provider": plugin, "config": CONFIG, "recording": ROSTER, "removal": REMOVAL} | says
    failed = failures(RosterSourceContract, **given)
    assert list(failed) == [check]
    assert isinstance(failed[check], AssertionError)


@pytest.mark.parametrize(("check", "plugin", "says"), cases(broken_logins.BREAKERS))
def test_a_broken_sign_in_fails_its_check_and_no_other(check: str, plugin: type, says: dict[str, Any]) -> None:
    failed = failures(LoginProviderContract, **{"provider": plugin, "config": CONFIG, "recording": SIGN_IN} | says)
    assert list(failed) == [check]
    assert isinstance(failed[check], AssertionError)


@pytest.mark.parametrize(("check", "plugin", "says"), cases(broken_openid.BREAKERS))
def test_a_broken_sign_in_with_openid_fails_its_check_and_no_other(
    check: str, plugin: type, says: dict[str, Any]
) -> None:
    given = {"provider": plugin, "config": OPENID_CONFIG, "recording": OPENID_SIGN_IN}
    failed = failures(LoginProviderContract, **given, **says)
    assert list(failed) == [check]
    assert isinstance(failed[check], AssertionError)


@pytest.mark.parametrize(("check", "plugin", "says"), cases(broken_signals.BREAKERS))
def test_a_broken_receiver_fails_its_check_and_no_other(check: str, plugin: type, says: dict[str, Any]) -> None:
    given = {"provider": plugin, "config": CONFIG, "recording": SIGNALS, "message": MESSAGE, "forged": FORGED}
    failed = failures(SignalReceiverContract, **{**given, "for_others": FOR_OTHERS, **says})
    assert list(failed) == [check]
    assert isinstance(failed[check], AssertionError)


@pytest.mark.parametrize(("check", "plugin", "says"), cases(broken_tenants.BREAKERS))
def test_a_broken_list_of_tenants_fails_its_check_and_no_other(check: str, plugin: type, says: dict[str, Any]) -> None:
    failed = failures(TenantListContract, **{"provider": plugin, "config": CONFIG, "recording": TENANTS} | says)
    assert list(failed) == [check]
    assert isinstance(failed[check], AssertionError)


def test_a_recording_without_any_exchange_fails() -> None:
    failed = failures(RosterSourceContract, provider=ChalkRoster, config=CONFIG, recording=[], removal=REMOVAL)
    assert "the_recording_is_not_empty" in failed
    assert "no exchange" in str(failed["the_recording_is_not_empty"])


def test_a_forgotten_recording_is_named() -> None:
    failed = failures(RosterSourceContract, provider=ChalkRoster, config=CONFIG)
    assert "must say `recording = …`" in str(failed["the_recording_is_not_empty"])


def test_a_request_that_is_not_recorded_fails_even_if_the_plugin_hides_it() -> None:
    class Hiding(ChalkRoster):
        def user_pages(self, start: str) -> Any:
            with contextlib.suppress(UnrecordedRequest):
                self.transport.request("GET", "https://chalk.example/more")
            return super().user_pages(start)

    failed = failures(RosterSourceContract, provider=Hiding, config=CONFIG, recording=ROSTER, removal=REMOVAL)
    assert "no answer to GET https://chalk.example/more" in str(failed["nothing_comes_twice"])


def waived(until: str, check: str = "hostile_values_pass", plugin: type | None = None) -> type:
    return waive(check, reason="the vendor mends it in spring", until=until)(
        type(
            "Waived",
            (RosterSourceContract,),
            {
                "provider": plugin or broken_rosters.NeedsAnEmail,
                "config": CONFIG,
                "recording": ROSTER,
                "removal": REMOVAL,
            },
        )
    )


@pytest.mark.parametrize(
    ("until", "holds_on"), [("2027-01", "2027-01-31"), ("2026-12", "2026-12-31"), ("2027-01-15", "2027-01-15")]
)
def test_a_waived_check_is_an_expected_failure_until_its_date(until: str, holds_on: str) -> None:
    with (
        time_machine.travel(f"{holds_on}T23:00:00Z", tick=False),
        pytest.raises(pytest.xfail.Exception, match="spring"),
    ):
        waived(until)().test_hostile_values_pass()


@pytest.mark.parametrize(
    ("until", "over_on"), [("2027-01", "2027-02-01"), ("2026-12", "2027-01-01"), ("2027-01-15", "2027-01-16")]
)
def test_a_waiver_ends(until: str, over_on: str) -> None:
    with time_machine.travel(f"{over_on}T00:00:01Z", tick=False), pytest.raises(pytest.fail.Exception, match="ended"):
        waived(until)().test_hostile_values_pass()


def test_a_waiver_that_is_not_needed_fails() -> None:
    with time_machine.travel("2026-12-01T00:00:00Z", tick=False), pytest.raises(pytest.fail.Exception, match="delete"):
        waived("2027-01", plugin=ChalkRoster)().test_hostile_values_pass()


def test_a_waiver_needs_a_check_a_reason_and_a_date() -> None:
    for check, reason, until in [
        ("no_such", "r", "2027-01"),
        ("nothing_comes_twice", " ", "2027-01"),
        ("nothing_comes_twice", "r", "soon"),
    ]:
        with pytest.raises(ValueError, match=r"."):
            waive(check, reason=reason, until=until)(type("Waived", (RosterSourceContract,), {}))


def test_a_waiver_of_one_plugin_is_not_one_of_another() -> None:
    waived("2027-01")
    assert failures(
        RosterSourceContract, provider=broken_rosters.NeedsAnEmail, config=CONFIG, recording=ROSTER, removal=REMOVAL
    )
