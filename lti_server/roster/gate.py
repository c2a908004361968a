"""What may be kept of a class as its source tells it: asked before anything is written (law 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lti_server.accounts.model import Kept, Kind, Known
from lti_server.ids import SectionId
from lti_server.providers.records import RosterPage, SourcePerson

Admit = Callable[[Kind, Mapping[str, object]], Kept]
"""The collect gate with a contract in hand: what may be kept of somebody of this kind."""


@dataclass(slots=True)
class Heard:
    """One person as all sections of a platform tell of them, before the gate: in memory alone."""

    source_id: str = field(repr=False)
    said: dict[str, object] = field(repr=False)
    roles: dict[SectionId, str] = field(default_factory=dict)
    torn: set[SectionId] = field(default_factory=set)
    """Sections that tell of them in two roles at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One person after the gate, and their role in each section that tells of them."""

    source_id: str = field(repr=False)
    kind: Kind
    kept: Kept = field(repr=False)
    roles: Mapping[SectionId, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """One section as its source tells of it: the whole class. `torn`: how many it tells of in two roles at once.

    `told` is false for a section of a course that is not divided so any more: it is empty by that.
    """

    section_id: SectionId
    roles: Mapping[str, str]
    torn: int
    told: bool

    @classmethod
    def of(cls, section_id: SectionId, people: Iterable[Told], heard: Iterable[Heard], *, told: bool = True) -> Class:
        roles = {one.source_id: one.roles[section_id] for one in people if section_id in one.roles}
        return cls(section_id=section_id, roles=roles, torn=sum(section_id in one.torn for one in heard), told=told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What one read tells: the classes of a course, and those of its sections that are empty by it.

    Whoever moves between them stays in the course. `left` are who went, where changes alone were told.
    """

    section_id: SectionId
    classes: tuple[Class, ...]
    new_sections: int = 0
    launched_teachers_stay: bool = False
    left: frozenset[str] | None = None


def hear(read: Iterable[tuple[SectionId, Iterable[RosterPage]]]) -> dict[str, Heard]:
    """Everyone with a live membership in one of the sections, by the source's id.

    Two sections that tell of one person tell of one person: what the first says stands, the others add to it.
    """
    everyone: dict[str, Heard] = {}
    for section_id, pages in read:
        for person, role in _live(pages):
            one = everyone.setdefault(person.source_id, Heard(person.source_id, {}))
            one.said = {**person.present(), **one.said, "user_id": person.source_id}
            if one.roles.setdefault(section_id, role) != role:
                one.torn.add(section_id)
    return everyone


def admit(heard: Iterable[tuple[Heard, Known | None]], gate: Admit) -> tuple[list[Told], dict[str, int]]:
    """What may be kept of everyone, and how many values of each field were refused.

    A person who stands here already is judged as what they are here, as at a launch; a new one is a pupil unless they
    teach wherever they are (law 7: the stricter where in doubt). Somebody who was erased is not told of.
    """
    admitted: list[Told] = []
    refused: dict[str, int] = {}
    for one, known in heard:
        if known is not None and known.wrapped_key is None:
            continue
        kind = _kind(one) if known is None else known.kind
        kept = gate(kind, one.said)
        for name, count in kept.refused.items():
            refused[name] = refused.get(name, 0) + count
        admitted.append(Told(source_id=one.source_id, kind=kind, kept=kept, roles=one.roles))
    return admitted, refused


def left(pages: Iterable[RosterPage]) -> frozenset[str] | None:
    """Who is told to have gone, by the source's id; None where the whole class was told, so that absence counts."""
    whole = list(pages)
    if not any(page.delta for page in whole):
        return None
    live = {one.person_source_id for page in whole for one in page.memberships if one.active}
    return frozenset(one.person_source_id for page in whole for one in page.memberships if not one.active) - live


def _kind(one: Heard) -> Kind:
    return Kind.STAFF if set(one.roles.values()) == {"teacher"} else Kind.PUPIL


def _live(pages: Iterable[RosterPage]) -> Iterator[tuple[SourcePerson, str]]:
    whole = list(pages)
    persons = {person.source_id: person for page in whole for person in page.people}
    for page in whole:
        for membership in page.memberships:
            person = persons.get(membership.person_source_id)
            if membership.active and person is not None:
                yield person, membership.role.value
