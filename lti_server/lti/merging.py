"""Members that are one person: listed once a role, or under a former id as well (pure).

The list itself says so, by the same `user_id` or by `lti11_legacy_user_id`; a name or an e-mail never does (law 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace

from lti_server.providers.records import SourceMembership, SourcePerson


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One row of a list. `legacy_id` is what the LMS called the person in an LTI 1.1 time; empty where it says none.

    `ids` are all under which a person was listed.
    """

    person: SourcePerson = field(repr=False)
    membership: SourceMembership = field(repr=False)
    legacy_id: str = field(default="", repr=False)
    ids: frozenset[str] = field(default=frozenset(), repr=False)


def merged(rows: Sequence[Member]) -> list[Member]:
    """One member a person, in the order of the list; the same people whatever the order.

    Being there counts, and teaching counts. A person keeps the id that is nobody's former one, for their launches say
    that; the id that sorts first, where two are left.
    """
    leads = _leads(rows)
    groups: dict[str, list[Member]] = {}
    for row in rows:
        groups.setdefault(_lead(leads, row.person.source_id), []).append(row)
    return [_one(group) for group in groups.values()]


def _leads(rows: Iterable[Member]) -> dict[str, str]:
    """Which ids belong together: a forest, whose roots stand for people. Former ids are keys of their own."""
    leads: dict[str, str] = {}
    for row in rows:
        own = row.person.source_id
        leads.setdefault(own, own)
        if row.legacy_id:
            leads.setdefault(row.legacy_id, row.legacy_id)
            leads[_lead(leads, row.legacy_id)] = _lead(leads, own)
    return leads


def _lead(leads: dict[str, str], name: str) -> str:
    while leads[name] != name:
        leads[name] = leads[leads[name]]
        name = leads[name]
    return name


def _one(group: Sequence[Member]) -> Member:
    former = {row.legacy_id for row in group if row.legacy_id != row.person.source_id}
    ids = {row.person.source_id for row in group}
    own = min(ids - former or ids)
    ranked = sorted(group, key=_rank, reverse=True)
    person = ranked[0].person
    for row in ranked[1:]:
        person = _filled(person, row.person)
    membership = replace(ranked[0].membership, person_source_id=own)
    return Member(person=replace(person, source_id=own), membership=membership, ids=frozenset(ids))


def _rank(row: Member) -> tuple[bool, bool, str, str]:
    return (
        row.membership.active,
        row.membership.role == "teacher",
        row.person.source_id,
        str(sorted((name, str(value)) for name, value in row.person.present().items())),
    )


def _filled(person: SourcePerson, other: SourcePerson) -> SourcePerson:
    """What the first does not say, the other does."""
    said = person.present()
    more = {
        one.name: getattr(other, one.name)
        for one in fields(other)
        if one.name not in ("source_id", "role", "extra") and one.name not in said and getattr(other, one.name)
    }
    return replace(person, **more, extra={**other.extra, **person.extra})
