"""A section's members as they stand and as a source tells of them: values alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from lti_server.ids import GrantId, MembershipId, PersonId, SectionId


class RunState(StrEnum):
    PLANNED = "planned"
    APPLIED = "applied"
    HELD = "held"
    FAILED = "failed"


class Divided(StrEnum):
    """Whether a course is one section here (`none`), its platform's sections, or one because they were not told."""

    NONE = "none"
    SECTIONS = "sections"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableSection:
    """A course whose members its platform tells of.

    `differences_url` tells of the changes since the last read; `read_whole_at` is when all of it was read last.
    """

    id: SectionId
    grant_id: GrantId
    source_id: str
    name: str
    memberships_url: str
    scope: str = ""
    differences_url: str | None = None
    read_whole_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A live membership. `ours`: this grant added it, so this grant may end it (law 11). `launched`: by a launch."""

    id: MembershipId
    person_id: PersonId
    role: str
    ours: bool
    launched: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why a plan waits for a person to look. `scope` is an id of ours."""

    rule: str
    scope: str
    detail: str


@dataclass(slots=True, kw_only=True)
class Count:
    """How many of one kind."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0

    def add(self, other: Count) -> None:
        self.added += other.added
        self.changed += other.changed
        self.removed += other.removed
        self.unchanged += other.unchanged

    def plain(self) -> dict[str, int]:
        return {
            "added": self.added, "changed": self.changed, "removed": self.removed, "unchanged": self.unchanged
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Counts:
    """What a run did, or would do."""

    people: Count = field(default_factory=Count)
    sections: Count = field(default_factory=Count)
    memberships: Count = field(default_factory=Count)

    def add(self, other: Counts) -> None:
        self.people.add(other.people)
        self.sections.add(other.sections)
        self.memberships.add(other.memberships)

    def plain(self) -> dict[str, dict[str, int]]:
        return {
            "people": self.people.plain(),
            "sections": self.sections.plain(),
            "memberships": self.memberships.plain(),
        }
