"""Which of a course's sections each member is in, as Canvas tells it beside a member asked for by `rlid`. Pure.

NRPS has no word for sections. Canvas expands `$Canvas.course.sectionIds` (numbers with commas) and
`$com.instructure.User.sectionNames` (a JSON list, in the same order) in the custom parameters of each member's message.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

CUSTOM = "https://purl.imsglobal.org/spec/lti/claim/custom"
IDS, NAMES = "section_ids", "section_names"
LONGEST_ID, LONGEST_NAME, MOST_SECTIONS = 64, 255, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """How a course is divided: its sections' names by id, and the ids of each member's sections.

    Whoever is not among `members` is in no section; a course with such a one cannot be divided, for a pupil who is
    in no section would be in nobody's class.
    """

    names: Mapping[str, str]
    members: Mapping[str, tuple[str, ...]]

    @property
    def divides(self) -> bool:
        """A course of one section is that section."""
        return len(self.names) > 1


def division(rows: Iterable[Mapping[str, Any]]) -> Division:
    """Read the division off the members who are in the course now; each may be listed more than once."""
    names: dict[str, str] = {}
    members: dict[str, tuple[str, ...]] = {}
    for row in rows:
        user_id = str(row["user_id"])
        found = said_sections(_custom(row))
        for section_id, name in found.items():
            names[section_id] = names.get(section_id) or name
        if found:
            members[user_id] = tuple(dict.fromkeys((*members.get(user_id, ()), *found)))
    return Division(names=names, members=members)


def said_sections(custom: Mapping[str, Any]) -> dict[str, str]:
    """Names by id of somebody's sections; empty where they are not said, not expanded or make no sense."""
    raw = custom.get(IDS)
    ids = [one.strip() for one in str(raw).split(",")] if _written(raw) else []
    fits = 0 < len(ids) <= MOST_SECTIONS and all(
        one.isascii() and one.isalnum() and len(one) <= LONGEST_ID for one in ids
    )
    if not fits:
        return {}
    names = _names(custom.get(NAMES))
    # Without a name for each, none can be told to be whose.
    return dict(zip(ids, names if len(names) == len(ids) else [""] * len(ids), strict=True))


def section_source_id(course: str, section_id: str) -> str:
    """A section's id at its source: unique within the deployment, as the course's own id is."""
    return f"{course}:{section_id}"


def section_name(title: str, name: str, section_id: str) -> str:
    """What its teachers read: the course and the section, or either where the other adds nothing."""
    if not name:
        return f"{title} ({section_id})"
    return name if name == title or not title else f"{title}: {name}"


def _written(raw: object) -> bool:
    """Canvas writes a single id as a number now and then."""
    return isinstance(raw, (str, int)) and not isinstance(raw, bool)


def _custom(row: Mapping[str, Any]) -> Mapping[str, Any]:
    messages = row.get("message")
    for message in messages if isinstance(messages, list) else ():
        found = message.get(CUSTOM) if isinstance(message, Mapping) else None
        if isinstance(found, Mapping):
            return found
    return {}


def _names(raw: object) -> list[str]:
    if not isinstance(raw, str) or raw.startswith("$"):
        return []
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        return []
    return [one.replace("\x00", "").strip()[:LONGEST_NAME] for one in found]
