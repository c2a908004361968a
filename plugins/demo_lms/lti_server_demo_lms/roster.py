"""Who is in which course now: people leave and come back while the platform runs."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import Literal

from lti_server_demo_lms.world import Course, District, Enrolment, World

Status = Literal["Active", "Inactive", "Deleted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Somebody's status in a course became another one; `number` grows."""

    number: int
    district: str
    course: str
    enrolment: Enrolment
    status: Status


class Roster:
    """The world as it stands, and what has changed since the start. In memory: a restart brings everybody back."""

    def __init__(self, world: World) -> None:
        self._lock = threading.Lock()
        self._world = world
        self._changes: list[Change] = []

    def district(self, slug: str) -> District | None:
        with self._lock:
            return self._world.district(slug)

    @property
    def number(self) -> int:
        """That of the last change."""
        with self._lock:
            return len(self._changes)

    def leave(self, slug: str, course_id: str, person_id: str, status: Literal["Inactive", "Deleted"]) -> None:
        """Somebody is suspended (Inactive) or no more in the course (Deleted): no launch and no grade is theirs.

        Raises:
            LookupError: they are not in the course.
        """
        with self._lock:
            course = self._course(slug, course_id)
            found = course.enrolment(person_id)
            if found is None:
                raise LookupError(person_id)
            kept = tuple(one for one in course.enrolments if one is not found)
            self._put(slug, replace(course, enrolments=kept), found, status)

    def join(self, slug: str, course_id: str, enrolment: Enrolment) -> None:
        """Somebody new, or who comes back. Who is there already stays as they are.

        Raises:
            LookupError: there is no such course.
        """
        with self._lock:
            course = self._course(slug, course_id)
            if course.enrolment(enrolment.person.id) is None:
                self._put(slug, replace(course, enrolments=(*course.enrolments, enrolment)), enrolment, "Active")

    def add(self, slug: str, course: Course) -> None:
        """One more course, after the others."""
        with self._lock:
            self._world = World(
                districts=tuple(
                    replace(one, courses=(*one.courses, course)) if one.slug == slug else one
                    for one in self._world.districts
                )
            )

    def inactive(self, slug: str, course_id: str) -> list[Enrolment]:
        """Those who are suspended."""
        return [one.enrolment for one in self.changes(slug, course_id, 0) if one.status == "Inactive"]

    def changes(self, slug: str, course_id: str, since: int) -> list[Change]:
        """The last change of each person after number `since`."""
        with self._lock:
            last = {
                one.enrolment.person.id: one
                for one in self._changes[since:]
                if (one.district, one.course) == (slug, course_id)
            }
        return list(last.values())

    def _course(self, slug: str, course_id: str) -> Course:
        district = self._world.district(slug)
        course = district.course(course_id) if district else None
        if course is None:
            raise LookupError(course_id)
        return course

    def _put(self, slug: str, course: Course, enrolment: Enrolment, status: Status) -> None:
        districts = tuple(
            replace(one, courses=tuple(course if old.id == course.id else old for old in one.courses))
            if one.slug == slug
            else one
            for one in self._world.districts
        )
        self._world = World(districts=districts)
        number = len(self._changes) + 1
        self._changes.append(Change(number=number, district=slug, course=course.id, enrolment=enrolment, status=status))
