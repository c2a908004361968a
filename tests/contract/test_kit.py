"""The kit tests itself: for every check a plugin that fails it, and nothing else."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from lti_server.testing import (
    LoginProviderContract,
    RosterSourceContract,
    SignalReceiverContract,
    TenantListContract,
    UnrecordedRequest,
)
from tests.contract import broken_logins, broken_openid, broken_rosters, broken_servers, broken_signals, broken_tenants
from tests.contract.breakers import checks, failures
from tests.contract.chalk import CONFIG, OAUTH_ALONE, REMOVAL, ROSTER, SIGN_IN, ChalkLogin, ChalkRoster
from tests.contract.chalk_openid import OPENID_CONFIG, OPENID_SIGN_IN, ChalkOpenId
from tests.contract.chalk_signals import FOR_OTHERS, FORGED, MESSAGE, SIGNALS, ChalkSignals
from tests.contract.chalk_tenants import TENANTS, ChalkTenants

REVOKES_NOTHING = {"revoking_twice_is_fine": "Chalk gives no token back here."}


class TestChalkRoster(RosterSourceContract):
    provider, config, recording, removal = ChalkRoster, CONFIG, ROSTER, REMOVAL


class TestChalkLogin(LoginProviderContract):
    provider, config, recording = ChalkLogin, CONFIG, SIGN_IN
    does_not_apply: ClassVar[Mapping[str, str]] = OAUTH_ALONE


class TestChalkOpenId(LoginProviderContract):
    provider, config, recording = ChalkOpenId, OPENID_CONFIG, OPENID_SIGN_IN
    does_not_apply: ClassVar[Mapping[str, str]] = REVOKES_NOTHING


class TestChalkSignals(SignalReceiverContract):
    provider, config, recording = ChalkSignals, CONFIG, SIGNALS
    message, forged, for_others = MESSAGE, FORGED, FOR_OTHERS


class TestChalkTenants(TenantListContract):
    provider, config, recording = ChalkTenants, CONFIG, TENANTS


def cases(breakers: dict[str, list[tuple[type, dict[str, Any]]]]) -> list[Any]:
    return [
        pytest.param(check, plugin, says, id=f"{check}-{plugin.__name__}")
        for check, plugins in breakers.items()
        for plugin, says in plugins
    ]


def test_every_check_has_a_plugin_that_breaks_it() -> None:
    assert sorted(broken_rosters.BREAKERS) == checks(RosterSourceContract)
    assert sorted({*broken_logins.BREAKERS, *broken_openid.BREAKERS, *broken_servers.BREAKERS}) == checks(
        LoginProviderContract
    )
    assert sorted(broken_signals.BREAKERS) == checks(SignalReceiverContract)
    assert sorted(broken_tenants.BREAKERS) == checks(TenantListContract)


@pytest.mark.parametrize(("check", "plugin", "says"), cases(broken_rosters.BREAKERS))
def test_a_broken_roster_fails_its_check_and_no_other(check: str, plugin: type, says: dict[str, Any]) -> None:
    given = {"provider": plugin, "config": CONFIG, "recording": ROSTER, "removal": REMOVAL} | says
    failed = failures(RosterSourceContract, **given)
    assert list(failed) == sorted([check, *says.get("also", ())])
    assert isinstance(failed[check], AssertionError)


@pytest.mark.parametrize(("check", "plugin", "says"), [*cases(broken_logins.BREAKERS), *cases(broken_servers.BREAKERS)])
def test_a_broken_sign_in_fails_its_check_and_no_other(check: str, plugin: type, says: dict[str, Any]) -> None:
    given = {"provider": plugin, "config": CONFIG, "recording": SIGN_IN, "does_not_apply": OAUTH_ALONE}
    failed = failures(LoginProviderContract, **given | says)
    assert list(failed) == sorted([check, *says.get("also", ())])
    assert isinstance(failed[check], AssertionError)


@pytest.mark.parametrize(("check", "plugin", "says"), cases(broken_openid.BREAKERS))
def test_a_broken_sign_in_with_openid_fails_its_check_and_no_other(
    check: str, plugin: type, says: dict[str, Any]
) -> None:
    given = {
        "provider": plugin,
        "config": OPENID_CONFIG,
        "recording": OPENID_SIGN_IN,
        "does_not_apply": REVOKES_NOTHING,
    }
    failed = failures(LoginProviderContract, **given | says)
    assert list(failed) == sorted([check, *says.get("also", ())])
    assert isinstance(failed[check], AssertionError)


@pytest.mark.parametrize(("check", "plugin", "says"), cases(broken_signals.BREAKERS))
def test_a_broken_receiver_fails_its_check_and_no_other(check: str, plugin: type, says: dict[str, Any]) -> None:
    given = {"provider": plugin, "config": CONFIG, "recording": SIGNALS, "message": MESSAGE, "forged": FORGED}
    failed = failures(SignalReceiverContract, **{**given, "for_others": FOR_OTHERS, **says})
    assert list(failed) == sorted([check, *says.get("also", ())])
    assert isinstance(failed[check], AssertionError)


@pytest.mark.parametrize(("check", "plugin", "says"), cases(broken_tenants.BREAKERS))
def test_a_broken_list_of_tenants_fails_its_check_and_no_other(check: str, plugin: type, says: dict[str, Any]) -> None:
    failed = failures(TenantListContract, **{"provider": plugin, "config": CONFIG, "recording": TENANTS} | says)
    assert list(failed) == sorted([check, *says.get("also", ())])
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
