"""Each plugin by which people sign in is held to the kit, and leaves out nothing of what a sign-in must withstand."""

from __future__ import annotations

import importlib

import pytest

from lti_server.providers.manifest import Capability
from lti_server.providers.registry import load_registry
from lti_server.testing import LoginProviderContract
from lti_server.testing.applying import checks_of

WITHSTANDS = {
    "an arrival from a portal": ("an_arrival_from_a_portal_begins_anew", "a_callback_without_a_code_is_refused"),
    "a wrong state": ("a_wrong_state_lets_nobody_in", "the_state_is_left_to_the_server"),
    "a code used twice": ("a_code_used_twice_lets_nobody_in", "a_used_code_is_told"),
    "a declined scope": ("a_declined_scope_keeps_nobody_out", "a_declined_sign_in_is_told"),
    "a missing e-mail": ("a_missing_email_keeps_nobody_out",),
    "an unverified e-mail": ("an_unverified_email_is_not_called_verified",),
    "a claim that the contract does not allow": (
        "what_is_not_declared_goes_nowhere",
        "what_the_contract_does_not_allow_is_dropped",
    ),
    "hostile text": (
        "hostile_values_pass",
        "a_hostile_code_is_refused",
        "an_odd_id_is_no_bare_error",
        "a_megabyte_is_borne_or_refused",
    ),
}
LOGINS = [one.name for one in load_registry(None).all() if one.can(Capability.LOGIN)]


def contracts_of(name: str) -> list[type[LoginProviderContract]]:
    module = importlib.import_module(f"plugins.{name}.tests.test_contract")
    made = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, LoginProviderContract)]
    return [one for one in made if one is not LoginProviderContract]


def test_six_plugins_are_known() -> None:
    assert sorted(LOGINS) == ["classlink", "clever", "facebook", "google", "microsoft", "oidc"]


@pytest.mark.parametrize("name", LOGINS)
def test_a_plugin_is_held_to_all_that_a_sign_in_must_withstand(name: str) -> None:
    held = contracts_of(name)
    assert held, "no test holds the plugin to the contract of a login"
    for contract in held:
        assert contract.provider.manifest.name == name  # type: ignore[attr-defined]  # as a stranger's class is
        for what, checks in WITHSTANDS.items():
            assert set(checks) <= set(checks_of(contract)), what
            left_out = [one for one in checks if one in contract.does_not_apply]
            waived = [one for one in checks if hasattr(getattr(contract, f"test_{one}"), "waived")]
            assert left_out + waived == [], f"{name} leaves out {what}"
