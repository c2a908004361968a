"""The plugin keeps the contracts of a login provider and of a list of tenants."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from lti_server_classlink import ClassLink

from lti_server.testing import LoginProviderContract, TenantListContract

RECORDING = Path(__file__).parent / "recordings" / "sign-in.json"
CONFIG: dict[str, object] = {"client_id": "client-of-classlink", "client_secret": "a secret of classlink"}


class TestContract(LoginProviderContract):
    provider = ClassLink
    config: ClassVar[dict[str, object]] = CONFIG
    recording = RECORDING


class TestContractOfItsTenants(TenantListContract):
    provider = ClassLink
    config: ClassVar[dict[str, object]] = {**CONFIG, "partner_key": "a key of the partner"}
    recording = Path(__file__).parent / "recordings" / "tenants.json"
