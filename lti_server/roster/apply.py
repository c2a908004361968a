"""Brings people and memberships up to a plan, in a few statements whatever the size of the classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.engine import Connection

from lti_server.accounts import store as people
from lti_server.accounts.model import Known, Subject
from lti_server.roster import store
from lti_server.roster.gate import Class, Told
from lti_server.roster.model import Counts, Hold
from lti_server.roster.reconcile import Plan, holds, plan
from lti_server.roster.run import Run


def known(connection: Connection, run: Run, subjects: Sequence[Subject]) -> dict[Subject, Known]:
    """Those who stand here already. Where somebody does not, first launches wait until this transaction ends."""
    keys = {people.subject_hash(run.district.keys, subject): subject for subject in subjects}
    found = people.find(connection, list(keys), run.grant_id)
    if run.writes and len(found) < len(keys):
        people.lock_making(connection)
        found = people.find(connection, list(keys), run.grant_id)
    return {keys[key]: one for key, one in found.items()}


def bring_up(
    connection: Connection,
    run: Run,
    classes: Sequence[Class],
    told: Mapping[Subject, Told],
    stand: Mapping[Subject, Known],
) -> tuple[Counts, list[Hold]]:
    """Plan every class; change those that no rule holds. A held class stays as it is, its new people too."""
    by_source = {subject.subject: one for subject, one in stand.items()}
    counts, held, plans = Counts(), list[Hold](), list[tuple[Class, Plan]]()
    for one in classes:
        found, waits = _planned(connection, run, one, by_source)
        held += waits
        if not waits:
            plans.append((one, found))
            counts.add(_memberships(found))
    wanted = {source_id for one, _ in plans for source_id in one.roles}
    mine = {subject: one for subject, one in told.items() if one.source_id in wanted}
    everyone = _people(connection, run, mine, stand, counts)
    if run.writes:
        for one, found in plans:
            _change(connection, run, one, found, everyone)
    return counts, held


def _planned(connection: Connection, run: Run, one: Class, by_source: Mapping[str, Known]) -> tuple[Plan, list[Hold]]:
    standing = store.live_members(connection, one.section_id, run.grant_id)
    known = {name: who.person_id for name, who in by_source.items()}
    found = plan(standing, one.roles, known, launched_teachers_stay=one.launched_teachers_stay)
    waits = holds(found, standing, one.roles, str(one.section_id))
    if one.torn:
        detail = f"{one.torn} people are told of in two roles at once."
        waits.append(Hold(rule="conflict", scope=str(one.section_id), detail=detail))
    return found, waits


def _people(
    connection: Connection, run: Run, mine: Mapping[Subject, Told], stand: Mapping[Subject, Known], counts: Counts
) -> dict[str, Known]:
    """Make who is new and write what changed of the others, each once however many classes they are in."""
    keys, source = run.district.keys, run.source
    new = [(subject, one) for subject, one in mine.items() if subject not in stand]
    changed = [
        (stand[subject], fields)
        for subject, one in mine.items()
        if subject in stand
        and (fields := people.changed_fields(keys, stand[subject], run.grant_id, one.kept.fields)[0])
    ]
    counts.people.added += len(new)
    counts.people.changed += len(changed)
    counts.people.unchanged += len(mine) - len(new) - len(changed)
    everyone = {subject.subject: one for subject, one in stand.items()}
    if run.writes:
        wanted = [(subject, one.kind, one.kept.keep_subject) for subject, one in new]
        made = people.create_many(connection, keys, wanted, source)
        pairs = [(who, one.kept.fields) for who, (_, one) in zip(made, new, strict=True)]
        people.write_many(connection, keys, [*pairs, *changed], source)
        everyone.update({subject.subject: who for who, (subject, _) in zip(made, new, strict=True)})
    return everyone


def _change(connection: Connection, run: Run, one: Class, found: Plan, everyone: Mapping[str, Known]) -> None:
    """A role that changes ends one membership and starts another, in the same transaction (law 9)."""
    store.end(connection, [gone.id for gone in (*found.ends, *found.swaps.values())], run.id, run.at)
    begun = {**found.starts, **{source_id: one.roles[source_id] for source_id in found.swaps}}
    who = [(everyone[source_id].person_id, role) for source_id, role in begun.items()]
    store.start(connection, run.district.id, one.section_id, run.source, who)


def _memberships(found: Plan) -> Counts:
    counts = Counts()
    counts.sections.unchanged = 1
    counts.memberships.added = len(found.starts)
    counts.memberships.changed = len(found.swaps)
    counts.memberships.removed = len(found.ends)
    counts.memberships.unchanged = found.unchanged
    return counts
