"""The plugin keeps the contracts of a login provider and of a list of tenants."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from lti_server_classlink import ClassLink

from lti_server.testing import ID_TOKEN_CHECKS, LoginProviderContract, TenantListContract

RECORDING = Path(__file__).parent / "recordings" / "sign-in.json"
CONFIG: dict[str, object] = {"client_id": "client-of-classlink", "client_secret": "a secret of classlink"}
REVOKES_NOTHING = "No token of a person is kept, and ClassLink documents no way to give one back."


class TestContract(LoginProviderContract):
    provider = ClassLink
    config: ClassVar[dict[str, object]] = CONFIG
    recording = RECORDING
    subject_from = ("5678_0005", 480215)
    does_not_apply: ClassVar[dict[str, str]] = {
        **dict.fromkeys(ID_TOKEN_CHECKS, "ClassLink speaks OAuth 2 alone and gives no ID token."),
        "the_verifier_goes_with_the_code": "ClassLink documents no PKCE.",
        "revoking_twice_is_fine": REVOKES_NOTHING,
    }


class TestContractOfItsTenants(TenantListContract):
    provider = ClassLink
    config: ClassVar[dict[str, object]] = {**CONFIG, "partner_key": "a key of the partner"}
    recording = Path(__file__).parent / "recordings" / "tenants.json"
    does_not_apply: ClassVar[dict[str, str]] = {
        "a_next_link_to_another_host_is_refused": "ClassLink's list has no next link; it is counted on by offsets.",
        "revoking_twice_is_fine": REVOKES_NOTHING,
    }
