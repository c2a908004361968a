"""Whom a contract lets a provider bring: everybody, or whoever is in classes of some schools, or in some classes. Pure.

A class is within where each list that is there has it; of whatever is missing or unknown of it, it is outside.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum

NO_GRADES = "no source tells the grade of a class yet, so nobody could be let in by it; name the sections instead."


class Everybody(Enum):
    """The whole population."""

    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Names of schools, and the provider's own ids of sections. None: not asked; a list that is there holds."""

    schools: frozenset[str] | None = None
    sections: frozenset[str] | None = None

    def plain(self) -> dict[str, list[str]]:
        """As a file and the database write it: the lists that are there, in order."""
        lists = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: sorted(said) for name, said in lists.items() if said is not None}


LISTS = tuple(one.name for one in fields(Population))
Whom = Population | Everybody


def within(smaller: Whom, larger: Whom) -> bool:
    """Whether nobody is in the one who is not in the other, whoever there is."""
    if isinstance(larger, Everybody):
        return True
    if isinstance(smaller, Everybody):
        return False
    asked, allowed = smaller.plain(), larger.plain()
    return all(name in asked and set(asked[name]) <= set(allowed[name]) for name in allowed)


def read(plain: dict[str, list[str]]) -> Population:
    """A population that was written by `plain`."""
    return Population(**{name: frozenset(said) for name, said in plain.items()})
