"""From what stands and what was told to what changes: pure. Absence is told only by a complete read (law 5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lti_server.ids import PersonId
from lti_server.roster.model import Hold, Standing

FEWEST_REMOVED = 3
LARGEST_SHARE = 0.10
# What a roster tells of. It is silent about observers, so it ends none.
TOLD_ROLES = frozenset({"pupil", "teacher"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Changes of one section's memberships. A role that changes ends one membership and starts another."""

    starts: dict[str, str]
    swaps: dict[str, Standing]
    ends: tuple[Standing, ...]
    unchanged: int


def plan(
    standing: Mapping[PersonId, Standing],
    told: Mapping[str, str],
    known: Mapping[str, PersonId],
    *,
    launched_teachers_stay: bool = False,
    left: Collection[str] | None = None,
) -> Plan:
    """The plan for one section. `told` is the whole class: the source's id of a person to their role.

    With `left`, `told` are changes alone: then nobody goes but who is named in `left` (law 5).

    A membership that another grant added is never ended, and one that stands in the same role is left alone,
    whoever added it. `launched_teachers_stay`: the list calls assistants pupils, so who came to teach by a launch
    teaches until a launch says otherwise, or until the list leaves them out. Who is told of under two ids that are one
    person's is one, and teaching counts.
    """
    starts: dict[str, str] = {}
    swaps: dict[str, Standing] = {}
    unchanged = 0
    seen: set[PersonId] = set()
    for key, role in sorted(told.items(), key=lambda one: one[1] != "teacher"):
        person_id = known.get(key)
        if person_id is not None:
            if person_id in seen:
                continue
            seen.add(person_id)
        now = None if person_id is None else standing.get(person_id)
        if now is None:
            starts[key] = role
        elif now.role == role or not now.ours or (launched_teachers_stay and now.launched and now.role == "teacher"):
            unchanged += 1
        else:
            swaps[key] = now
    present = {known[key] for key in told if key in known}
    if left is not None:
        present = standing.keys() - ({known[key] for key in left if key in known} - present)
    ends = tuple(one for person_id, one in standing.items() if _may_end(one) and person_id not in present)
    return Plan(starts=starts, swaps=swaps, ends=ends, unchanged=unchanged)


def holds(
    found: Plan, standing: Mapping[PersonId, Standing], told: Mapping[str, str], scope: str, *, changes: bool = False
) -> list[Hold]:
    """Why a plan is not applied by itself: nobody is left, or too many would go at once. `scope`: the section's id.

    `changes`: what was told are changes alone, which may well be none.
    """
    ours = sum(_may_end(one) for one in standing.values())
    if ours and not told and not changes:
        return [Hold(rule="empty", scope=scope, detail=f"The class was told to be empty; {ours} are in it.")]
    gone = len(found.ends)
    if gone >= FEWEST_REMOVED and gone > LARGEST_SHARE * ours:
        return [Hold(rule="many-removed", scope=scope, detail=f"{gone} of {ours} would leave the class at once.")]
    return []


def _may_end(one: Standing) -> bool:
    return one.ours and one.role in TOLD_ROLES
