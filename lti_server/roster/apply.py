"""Brings people and memberships up to a plan, in a few statements whatever the size of the classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.engine import Connection

from lti_server.accounts import store as people
from lti_server.accounts.model import Known, Subject
from lti_server.ids import PersonId
from lti_server.roster import store
from lti_server.roster.gate import Class, Course, Told
from lti_server.roster.model import Counts, Hold, Standing
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
    courses: Sequence[Course],
    told: Mapping[Subject, Told],
    stand: Mapping[Subject, Known],
) -> tuple[Counts, list[Hold]]:
    """Plan every course; change those that no rule holds. A held course stays as it is, its new people too."""
    known = {subject.subject: one.person_id for subject, one in stand.items()}
    counts, held, plans = Counts(), list[Hold](), list[tuple[Class, Plan]]()
    for course in courses:
        found, waits = _planned(connection, run, course, known)
        held += waits
        if not waits:
            plans += found
            counts.add(_counted(course, [changes for _, changes in found]))
    wanted = {source_id for one, _ in plans for source_id in one.roles}
    mine = {subject: one for subject, one in told.items() if one.source_id in wanted}
    everyone = _people(connection, run, mine, stand, counts)
    if run.writes:
        for one, changes in plans:
            _change(connection, run, one, changes, everyone)
    return counts, held


def _planned(
    connection: Connection, run: Run, course: Course, known: Mapping[str, PersonId]
) -> tuple[list[tuple[Class, Plan]], list[Hold]]:
    """A plan for each class. Whether too many would go is judged of the course: who moves within it does not go."""

    def planned(standing: Mapping[PersonId, Standing], roles: Mapping[str, str]) -> Plan:
        stay = course.launched_teachers_stay
        return plan(standing, roles, known, launched_teachers_stay=stay, left=course.left)

    plans: list[tuple[Class, Plan]] = []
    everyone: dict[PersonId, Standing] = {}
    roles: dict[str, str] = {}
    for one in course.classes:
        standing = store.live_members(connection, one.section_id, run.grant_id)
        plans.append((one, planned(standing, one.roles)))
        everyone.update(standing)
        roles.update(one.roles)
    scope, changes = str(course.section_id), course.left is not None
    waits = holds(planned(everyone, roles), everyone, roles, scope, changes=changes)
    torn = sum(one.torn for one in course.classes)
    if torn:
        waits.append(Hold(rule="conflict", scope=scope, detail=f"{torn} people are told of in two roles at once."))
    return plans, waits


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


def _counted(course: Course, plans: Sequence[Plan]) -> Counts:
    counts = Counts()
    counts.sections.added = course.new_sections
    counts.sections.unchanged = sum(one.told for one in course.classes) - course.new_sections
    counts.memberships.added = sum(len(one.starts) for one in plans)
    counts.memberships.changed = sum(len(one.swaps) for one in plans)
    counts.memberships.removed = sum(len(one.ends) for one in plans)
    counts.memberships.unchanged = sum(one.unchanged for one in plans)
    return counts
