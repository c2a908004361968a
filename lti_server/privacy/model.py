"""A contract as a district signs it, and the policy that the program obeys: values alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from lti_server.privacy.whom import Everybody, Population, Whom


class Family(StrEnum):
    """The form of agreement."""

    NDPA1 = "ndpa1"
    NDPA2 = "ndpa2"
    LOCAL = "local"


class Purpose(StrEnum):
    """What personal data may be used for. There is no value for advertising, so there is no path to it (A-48)."""

    INSTRUCTION = "instruction"
    PROGRESS_REPORTING = "progress_reporting"
    EVALUATION = "evaluation"


class Origin(StrEnum):
    """From whom an element may come."""

    SCHOOL = "school"
    STUDENT = "student"
    PARENT = "parent"
    DERIVED = "derived"


class Recipients(StrEnum):
    """Classes of those to whom data go: a person's disclosures can be restricted by class."""

    GRADEBOOK = "gradebook"
    TEACHER = "teacher"
    SCHOOL = "school"
    DISTRICT = "district"
    EVALUATOR = "evaluator"
    LESSON_SITE = "lesson_site"


class SubjectKind(StrEnum):
    """Whose schedule governs; unknown is a pupil, the stricter one."""

    PUPIL = "pupil"
    EDUCATOR = "educator"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElementTerms:
    """What the contract says of one element."""

    collect: bool
    store: bool
    retain_days: int | None
    origins: frozenset[Origin]
    purposes: frozenset[Purpose]
    specify: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A number of the contract, with the clause that sets it."""

    value: int
    clause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderTerms:
    """What the contract says of one provider."""

    gradebook: bool = True
    population: Whom = Everybody.ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The same terms, offered to other districts (NDPA Exhibit E). It ends by the contract's `offer_years`."""

    signed_at: date
    clause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A contract file that was read without a fault. Dates are days in the district's time zone, both inclusive."""

    family: Family
    signed_at: date
    valid_from: date
    valid_to: date
    purposes: frozenset[Purpose]
    providers: Mapping[str, ProviderTerms] | None
    elements: Mapping[str, ElementTerms]
    educator_elements: frozenset[str]
    limits: Mapping[str, Limit]
    reports: tuple[Mapping[str, object], ...] = ()
    evaluators: tuple[Mapping[str, object], ...] = ()
    subprocessors: tuple[Mapping[str, object], ...] = ()
    statutes: frozenset[str] = frozenset()
    offer: Offer | None = None

    @property
    def begins(self) -> date:
        """The first day on which it can be in force: never before it was signed."""
        return max(self.valid_from, self.signed_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A contract compiled to sets. `policy_hash` goes with every decision, so that it can be looked at again.

    `limits` are the strictest of what the contract and the statutes that bind it say (privacy/limits.py).
    """

    policy_hash: str
    kept: Mapping[tuple[Purpose, Origin], frozenset[str]] = field(repr=False)
    educator_elements: frozenset[str]
    providers: Mapping[str, ProviderTerms] | None
    subprocessor_hosts: frozenset[str]
    limits: Mapping[str, Limit]
    # Days from collection to purge, of each element that is stored for some purpose; absent: not stored at all.
    retain_days: Mapping[str, int] = field(default_factory=dict)
    purposes: frozenset[Purpose] = frozenset()
    # From whom an age may be taken: as whole years, for no contract lets a birth date be stored.
    age_from: frozenset[Origin] = frozenset()

    def keeps(self, element: str, purpose: Purpose, origin: Origin) -> bool:
        """Whether an element may be collected and stored for this purpose, from there."""
        return element in self.kept.get((purpose, origin), frozenset())

    def allows_provider(self, provider: str) -> bool:
        """A contract that names providers allows no other."""
        return self.providers is None or provider in self.providers

    def population(self, provider: str) -> Population | None:
        """Whom this provider may bring, where that is not everybody."""
        terms = None if self.providers is None else self.providers.get(provider)
        whom = None if terms is None else terms.population
        return whom if isinstance(whom, Population) else None

    def gradebook(self, provider: str) -> bool:
        """Whether grades may go back to this provider."""
        if self.providers is None:
            return True
        return provider in self.providers and self.providers[provider].gradebook
