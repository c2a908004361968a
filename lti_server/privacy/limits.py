"""Numbers that a contract or a statute sets: each with its clause, and the strictest in force (pure).

No number of this kind stands in the code that obeys it. One that neither sets is missing, and what depends on it is
refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from lti_server.errors import ContractForbids
from lti_server.privacy.model import Limit


class Kind(StrEnum):
    """Which of two numbers is the stricter one."""

    AT_MOST = "at_most"
    """A time limit: the shorter one."""
    AT_LEAST = "at_least"
    """A size that protects: the larger one."""


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "breach_notice_hours": Kind.AT_MOST,
        "disposition_days": Kind.AT_MOST,
        "portion_days": Kind.AT_MOST,
        "access_days": Kind.AT_MOST,
        "backup_days": Kind.AT_MOST,
        "offer_years": Kind.AT_MOST,
        "min_n": Kind.AT_LEAST,
        "min_k": Kind.AT_LEAST,
    }
)
"""Every number that is known. The last two stand with their report and evaluator, the others under `limits`."""

IN_FILE = frozenset(name for name in KINDS if not name.startswith("min_"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Statute:
    """One number of one law, or of the standard terms that every contract of this kind has."""

    law: str
    limit: str
    value: int
    clause: str


# A contract says under `statutes` which laws bind its district (NDPA Exhibit G).
STATUTES: tuple[Statute, ...] = (
    Statute(law="ferpa", limit="access_days", value=45, clause="34 CFR 99.10(b)"),
    Statute(law="gdpr", limit="access_days", value=28, clause="GDPR Art. 12(3), one month at its shortest"),
    Statute(law="gdpr", limit="breach_notice_hours", value=72, clause="GDPR Art. 33(1)"),
    Statute(law="il_soppa", limit="breach_notice_hours", value=720, clause="105 ILCS 85/15, 30 days"),
    Statute(law="ny_2d", limit="breach_notice_hours", value=168, clause="8 NYCRR 121.10(a), 7 days"),
    Statute(law="oh_sb29", limit="disposition_days", value=90, clause="Ohio SB 29, 90 days after the term"),
    Statute(law="exhibit_e", limit="offer_years", value=3, clause="NDPA Exhibit E"),
)
ALWAYS = frozenset({"exhibit_e"})
LAWS = frozenset(one.law for one in STATUTES) - ALWAYS


def strictest(agreed: Mapping[str, Limit], laws: Collection[str] = ()) -> Mapping[str, Limit]:
    """Of each number the strictest of what was agreed and what these laws say, with the clause that it comes from.

    Where both say the same, the contract is named.
    """
    found = dict(agreed)
    for one in STATUTES:
        if one.law in laws or one.law in ALWAYS:
            found[one.limit] = stricter(one.limit, found.get(one.limit), Limit(value=one.value, clause=one.clause))
    return MappingProxyType(found)


def stricter(name: str, first: Limit | None, second: Limit) -> Limit:
    """The stricter of two; the first where they are equal.

    Raises:
        ContractForbids: a number of no known kind, or no whole number.
    """
    for one in (first, second):
        if one is not None:
            _whole(name, one)
    if first is None:
        return second
    if KINDS[name] is Kind.AT_MOST:
        return second if second.value < first.value else first
    return second if second.value > first.value else first


def strictest_of(name: str, several: Iterable[Mapping[str, Limit]]) -> Limit:
    """The strictest of one number over several contracts: what an incident that touches all of them goes by.

    Raises:
        ContractForbids: one of them sets no such number, or there is no contract at all.
    """
    found: Limit | None = None
    for limits in several:
        found = stricter(name, found, limit_of(limits, name))
    if found is None:
        raise missing(name)
    return found


def limit_of(limits: Mapping[str, Limit], name: str) -> Limit:
    """One number in force.

    Raises:
        ContractForbids: neither the contract nor a statute sets it, or it is no whole number: nothing is assumed.
    """
    found = limits.get(name)
    if found is None:
        raise missing(name)
    return _whole(name, found)


def missing(name: str) -> ContractForbids:
    """Nothing is done that depends on a number that nobody set."""
    return ContractForbids(f"The contract sets no {name}, so this cannot be done. Sign one that does.")


def _whole(name: str, limit: Limit) -> Limit:
    if name not in KINDS or type(limit.value) is not int or limit.value < 0 or not limit.clause:
        raise ContractForbids(f"The contract's {name} is no number with a clause, so this cannot be done.")
    return limit
