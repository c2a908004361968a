"""What a plugin leaves out of its contract is named with a reason: until a date, or because it asks nothing of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import time_machine

from lti_server.testing import ID_TOKEN_CHECKS, LoginProviderContract, RosterSourceContract, waive
from tests.contract import broken_rosters
from tests.contract.breakers import failures
from tests.contract.chalk import CONFIG, OAUTH_ALONE, REMOVAL, ROSTER, SIGN_IN, ChalkLogin, ChalkRoster

ROOT = Path(__file__).parents[2]
LOGIN: dict[str, Any] = {"provider": ChalkLogin, "config": CONFIG, "recording": SIGN_IN}


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


def test_a_check_that_asks_nothing_fails_until_the_class_says_why() -> None:
    failed = failures(LoginProviderContract, **LOGIN)
    assert set(failed) == set(OAUTH_ALONE)
    assert all("say why in `does_not_apply`" in str(failure) for failure in failed.values())


def test_a_check_that_applies_is_not_left_out() -> None:
    said = {**OAUTH_ALONE, "revoking_twice_is_fine": "We would rather not."}
    failed = failures(LoginProviderContract, **LOGIN, does_not_apply=said)
    assert list(failed) == ["revoking_twice_is_fine"]
    assert "take it out" in str(failed["revoking_twice_is_fine"])


def test_a_check_that_does_not_apply_is_skipped_with_its_reason() -> None:
    made = type("Made", (LoginProviderContract,), {**LOGIN, "does_not_apply": OAUTH_ALONE})
    for check in ID_TOKEN_CHECKS:
        with pytest.raises(pytest.skip.Exception, match=r"does not apply: Chalk speaks OAuth 2 alone\."):
            getattr(made(), f"test_{check}")()


def test_what_does_not_apply_cannot_be_waived_until_a_date() -> None:
    made = type("Made", (LoginProviderContract,), LOGIN)
    with time_machine.travel("2026-12-01T00:00:00Z", tick=False):
        waive("the_nonce_goes_to_the_provider", reason="later", until="2027-01")(made)
        with pytest.raises(pytest.fail.Exception, match="say why"):
            made().test_the_nonce_goes_to_the_provider()


def test_a_check_that_is_taken_away_is_missed() -> None:
    for said in ({"test_a_used_code_is_told": None}, {"test_a_used_code_is_told": "no check"}):
        made = type("Made", (LoginProviderContract,), {**LOGIN, "does_not_apply": OAUTH_ALONE, **said})
        with pytest.raises(AssertionError, match="a_used_code_is_told is taken away or replaced"):
            made().test_every_check_stands()


def run(*more: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *more],
        cwd=ROOT,
        env={**os.environ, "REQUIRE_ALL": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.stdout


def test_the_end_of_a_run_says_how_many_checks_are_kept_and_why_others_are_not() -> None:
    said = run("tests/contract/test_kit.py::TestChalkLogin")
    found = re.search(r"chalk \(tests\.contract\.test_kit\.TestChalkLogin\): (\d+) of (\d+) checks kept, (.*)", said)
    assert found is not None, said
    assert int(found[1]) == int(found[2]) > 30
    assert found[3] == "6 do not apply"
    assert "  the_verifier_goes_with_the_code: Chalk knows no PKCE." in said
    assert " failed" not in said, "REQUIRE_ALL takes what does not apply for a test that was skipped"


def test_a_part_of_the_checks_does_not_look_like_all_of_them() -> None:
    said = run("tests/contract/test_kit.py::TestChalkLogin", "-k", "used_code or nonce_goes")
    assert re.search(r"TestChalkLogin\): 1 of (\d+) checks kept, 1 does not apply, (\d+) not run", said), said
