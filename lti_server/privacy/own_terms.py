"""The terms for people who register themselves: made from the notice's schedule, so that the two cannot disagree. Pure.

Nobody signs for them, so the notice is their contract: what it says of them is compiled and obeyed as any district's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType

from lti_server.privacy import schedule
from lti_server.privacy.ages import AgePack, pack_of, packs
from lti_server.privacy.clauses import clause_of
from lti_server.privacy.contract_text import written
from lti_server.privacy.districts import RESERVED
from lti_server.privacy.model import Contract, ElementTerms, Family, Limit, Origin, ProviderTerms, Purpose
from lti_server.privacy.notice import Line, schedule_lines

EMAIL = "email"
"""The provider of whoever signs in by a code that their e-mail address was sent."""
DAYS = 400
YEARS = 5
CLAUSE = "the privacy notice"
# What somebody says of themself, or makes here. Of an e-mail address a child's is a keyed hash, whatever stands here.
ASKED = frozenset(
    {
        schedule.NAME, schedule.EMAIL, schedule.APP_ID, schedule.BIRTH_DATE, schedule.PERFORMANCE, schedule.WORK,
    }
)  # fmt: skip
LIMITS = MappingProxyType({"access_days": 30, "breach_notice_hours": 72, "disposition_days": 30})
# Where children may register themselves: of them nothing is kept by which anybody could be reached (16 CFR 312.5(c)).
# Elsewhere whoever does not decide alone about their data comes by a school.
CHILDREN_TOO = frozenset({"US"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """The notice as it acts: its version, and what data may be used for."""

    version: int
    purposes: frozenset[Purpose]


def slug_of(country: str) -> str:
    """The slug of a country's tenant."""
    return f"{RESERVED}{country.lower()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """That somebody has agreed that their data are kept in another country, having read a version of the notice."""

    kept_in: str
    notice: int

    def plain(self) -> dict[str, object]:
        return {"kept_in": self.kept_in, "notice": self.notice}


def has_agreed(country: str, kept_in: str, agreed: Agreed | None) -> bool:
    """Whether data of somebody in a country may go where they are kept: it is the same, or they have agreed (A-72).

    Registering is opened by an operator who has said where that is (`signup enable`); empty, it is not known.
    """
    return kept_in in ("", country) or (agreed is not None and agreed.kept_in == kept_in)


def is_own(slug: str) -> bool:
    """Whether a tenant is one of people who register themselves."""
    return slug.startswith(RESERVED)


def countries() -> tuple[str, ...]:
    """For which countries there is an age pack, and so a tenant can be made."""
    return tuple(sorted(packs()))


def may_register(country: str, years: int) -> bool:
    """Whether somebody of this age may register alone, by the law of a country."""
    return country.upper() in CHILDREN_TOO or not pack(country).is_child(years)


def pack(country: str) -> AgePack:
    """The age pack by which a country's tenant judges."""
    return pack_of(country)


def own_lines(notice: Notice) -> tuple[Line, ...]:
    """The notice's lines of people who register themselves: those of its schedule that they are asked for."""
    uses = (Purpose.INSTRUCTION.value,) if Purpose.INSTRUCTION in notice.purposes else ()
    return tuple(
        replace(
            line, collect=True, days=None if line.element in schedule.NEVER_KEPT else DAYS,
            origins=(Origin.STUDENT.value,), purposes=uses, clause=clause_of(None, ("elements", line.element)),
        )
        for line in schedule_lines()
        if line.element in ASKED
    )  # fmt: skip


def own_contract(notice: Notice, today: date, providers: Iterable[str] = ()) -> str:
    """The same lines as a contract file, which begins by saying of which version of the notice it is.

    `providers` are those by whose accounts people may come besides.
    """
    return f"## {marked(notice.version)}\n" + written(_contract(own_lines(notice), today, providers))


def marked(version: int) -> str:
    """The words by which a contract says of which version of the notice it is."""
    return f"Version {version} of the privacy notice"


def _contract(lines: tuple[Line, ...], today: date, providers: Iterable[str]) -> Contract:
    purposes = frozenset(Purpose(one) for line in lines for one in line.purposes)
    return Contract(
        family=Family.LOCAL, signed_at=today, valid_from=today, valid_to=date(today.year + YEARS, 12, 31),
        purposes=purposes, providers={name: ProviderTerms(gradebook=False) for name in sorted({EMAIL, *providers})},
        elements={line.element: _terms(line) for line in lines}, educator_elements=frozenset(), limits=_limits(),
    )  # fmt: skip


def _terms(line: Line) -> ElementTerms:
    return ElementTerms(
        collect=line.collect, store=line.days is not None, retain_days=line.days,
        origins=frozenset(map(Origin, line.origins)), purposes=frozenset(map(Purpose, line.purposes)),
    )  # fmt: skip


def _limits() -> Mapping[str, Limit]:
    return {name: Limit(value=value, clause=CLAUSE) for name, value in LIMITS.items()}
