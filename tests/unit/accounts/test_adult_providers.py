"""A provider that is for adults alone: who may come in, and whose contract lets it be connected."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from lti_server.accounts.adult_providers import contract_lets, lets_in
from lti_server.accounts.model import Kind
from lti_server.privacy.model import Policy, ProviderTerms
from lti_server.providers import Capability, Manifest


def provider(*, adults_only: bool) -> Manifest:
    return Manifest(
        name="vendor", version="1", spi_version=(1, 2), capabilities=frozenset({Capability.LOGIN}),
        adults_only=adults_only,
    )  # fmt: skip


def policy(*named: str, silent: bool = False) -> Policy:
    return Policy(
        policy_hash="", kept={}, educator_elements=frozenset(), subprocessor_hosts=frozenset(), limits={},
        providers=None if silent else MappingProxyType({name: ProviderTerms() for name in named}),
    )  # fmt: skip


@pytest.mark.parametrize("known_as", [None, *Kind])
def test_only_who_is_known_as_staff_comes_in_by_it_and_anybody_by_another(known_as: Kind | None) -> None:
    assert lets_in(provider(adults_only=True), known_as) is (known_as is Kind.STAFF)
    assert lets_in(provider(adults_only=False), known_as)


@pytest.mark.parametrize(
    ("contract", "for_adults", "for_everybody"),
    [
        (policy(silent=True), False, True),
        (policy(), False, False),
        (policy("another"), False, False),
        (policy("vendor", "another"), True, True),
    ],
)
def test_a_contract_that_says_nothing_of_providers_lets_none_for_adults_alone(
    contract: Policy, for_adults: bool, for_everybody: bool
) -> None:
    assert contract_lets(provider(adults_only=True), contract) is for_adults
    assert contract_lets(provider(adults_only=False), contract) is for_everybody
