"""What a provider that is for adults alone may be connected for, and who may come in by it. Pure."""

from __future__ import annotations

from lti_server.accounts.model import Kind
from lti_server.privacy.ages import ADULT
from lti_server.privacy.model import Policy
from lti_server.providers.manifest import Manifest


def lets_in(provider: Manifest, known_as: Kind | None, *, years: int | None = None) -> bool:
    """Whether somebody may sign in, who is known here as `known_as`, or (None) is not known yet.

    Such a provider says nothing of schools, so nobody is staff by its word: whoever comes in by it has shown before, by
    their school's own way in, that they are staff, and has linked it. `years` is how old somebody is at the least who
    registered alone, and None of whoever has a school. An unknown age is that of a child (law 7).
    """
    return not provider.adults_only or known_as is Kind.STAFF or (years is not None and years >= ADULT)


def contract_lets(provider: Manifest, policy: Policy) -> bool:
    """Whether a contract allows the provider: one for adults alone where it is named, never by saying nothing."""
    if provider.adults_only and policy.providers is None:
        return False
    return policy.allows_provider(provider.name)
