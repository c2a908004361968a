"""How old somebody is, as far as is known, and what follows from it by country. Pure, but for reading the packs once.

Nobody's birth date is kept (A-06): an age is whole years on a day, and grows by whole years from that day on, so it is
never more than the true one. An unknown age is that of a child (law 7, A-07).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType

PACKS = Path(__file__).with_name("age_packs.toml")
YOUNGEST, OLDEST = 3, 120
LAST_ZONE = timezone(-timedelta(hours=12))
UNDER_13 = 13
"""Under it the notice promises what it promises, whatever a country's law allows."""
ADULT = 18
"""From it on somebody who registered alone may use what is for adults."""


class AgeSource(StrEnum):
    """Who says how old somebody is."""

    PROVIDER = "provider"
    TEACHER = "teacher"
    SCHOOL = "school"
    """A statement of the district about everybody in a school."""
    SELF = "self"
    DISTRICT = "district"
    """The district, of this very person: it puts right what others say."""


@dataclass(frozen=True, slots=True)
class Age:
    """Whole years on a day.

    Raises:
        ValueError: fewer than 3 or more than 120.
    """

    years: int
    on: date

    def __post_init__(self) -> None:
        if not YOUNGEST <= self.years <= OLDEST:
            raise ValueError(f"An age is {YOUNGEST} to {OLDEST} whole years.")

    def at(self, today: date) -> int:
        """Whole years on a later day, at the least; before its own day it is what it was."""
        return self.years + max(0, whole_years(self.on, today))

    def text(self) -> str:
        """As it is kept."""
        return f"{self.years} {self.on.isoformat()}"

    @classmethod
    def read(cls, text: str) -> Age:
        years, _, on = text.partition(" ")
        return cls(int(years), date.fromisoformat(on))


@dataclass(frozen=True, slots=True)
class Said:
    """One word about somebody's age; None where what was said is known to be wrong, and nothing better is known."""

    source: AgeSource
    age: Age | None


def earliest_day(now: datetime) -> date:
    """The day that it still is somewhere: nobody has a birthday here before they have it where they live."""
    return now.astimezone(LAST_ZONE).date()


def whole_years(begin: date, end: date) -> int:
    return end.year - begin.year - ((end.month, end.day) < (begin.month, begin.day))


def age_from(birth_date: object, today: date) -> Age | None:
    """Whole years today from a birth date (a day, or text as ISO 8601 has it); None where it is no one's here.

    The day itself goes no further.
    """
    born = birth_date if isinstance(birth_date, date) else _day(birth_date)
    try:
        return None if born is None else Age(whole_years(born, today), today)
    except ValueError:
        return None


def years_of(said: Iterable[Said], today: date) -> int | None:
    """How old somebody is at the least, of all that is said; None is unknown.

    The district's word about the person stands alone. Of the others the lowest counts, so that nobody makes themselves
    older: where a source says less, one's own word changes nothing.
    """
    every = list(said)
    district = [one for one in every if one.source is AgeSource.DISTRICT]
    known = [one.age.at(today) for one in district or every if one.age is not None]
    return min(known, default=None)


@dataclass(frozen=True, slots=True)
class AgePack:
    """What a country's law says of ages. `clause` is the law."""

    country: str
    digital_consent_age: int
    clause: str

    def is_child(self, years: int | None) -> bool:
        """Whether somebody does not decide alone about their data. Under 13 nobody does, here."""
        return years is None or years < max(UNDER_13, self.digital_consent_age)


@cache
def packs() -> Mapping[str, AgePack]:
    """Every pack, by country.

    Raises:
        ValueError: the file of packs is not in order.
    """
    found = tomllib.loads(PACKS.read_text(encoding="utf-8"))
    return MappingProxyType({country: _pack(country, said) for country, said in found.items()})


def pack_of(country: str) -> AgePack:
    """The pack of a country (two letters); the strictest of all where there is none."""
    every = packs()
    strictest = max(every.values(), key=lambda one: one.digital_consent_age)
    return every.get(country.upper(), strictest)


def _pack(country: str, said: Mapping[str, object]) -> AgePack:
    age, clause = said.get("digital_consent_age"), said.get("clause")
    if said.keys() != {"digital_consent_age", "clause"} or type(age) is not int or not isinstance(clause, str):
        raise ValueError(f"{PACKS.name}: [{country}] needs digital_consent_age, whole years, and clause.")
    return AgePack(country, age, clause)


def _day(said: object) -> date | None:
    """OpenID Connect Core 5.1 lets a year be 0000 where it is withheld: that is no date of the calendar."""
    try:
        return date.fromisoformat(said.strip()) if isinstance(said, str) else None
    except ValueError:
        return None
