"""The invented districts, courses and people, and where lessons stand in their courses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import NAMESPACE_URL, uuid5

MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
INSTITUTION = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#"
ADMINISTRATOR = INSTITUTION + "Administrator"
LESSONS = (
    ("turtle-garden", "Turtle garden"),
    ("parcel-scales", "Parcel scales"),
    ("message-in-bits", "Message in bits"),
)


class Role(StrEnum):
    """What somebody is in a course; `uri` and `institution` spell it as LTI Core 1.3, A.2 does.

    An assistant teaches and does not edit the course.
    """

    TEACHER = "teacher"
    ASSISTANT = "assistant"
    PUPIL = "pupil"

    @property
    def uri(self) -> str:
        return MEMBERSHIP + ("Learner" if self is Role.PUPIL else "Instructor")

    @property
    def institution(self) -> str:
        return INSTITUTION + ("Student" if self is Role.PUPIL else "Faculty")

    @property
    def teaches(self) -> bool:
        return self is not Role.PUPIL


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody invented. `id` is the `sub` that tools know; `sourcedid` is the district’s own."""

    id: str
    name: str
    given: str
    family: str
    email: str
    sourcedid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a course, such as a group that meets at another hour."""

    id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    person: Person
    role: Role
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLink:
    """A lesson placed in a course: by custom parameter `lesson_id`, by its own target address, or both.

    `parameters` are more custom parameters, with `$Variables`; `history` the links that this is a copy of, oldest last;
    `out_of` the points of the platform's own column for it, None where the link is not graded.
    """

    id: str
    title: str
    lesson_id: str | None = None
    target: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    history: tuple[str, ...] = ()
    out_of: float | None = None

    @property
    def custom(self) -> dict[str, str]:
        own = {"lesson_id": self.lesson_id} if self.lesson_id else {}
        return {**own, **dict(self.parameters)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A course; `history` are those that it is a copy of, oldest last."""

    id: str
    title: str
    enrolments: tuple[Enrolment, ...]
    links: tuple[ResourceLink, ...]
    history: tuple[str, ...] = ()

    def enrolment(self, person_id: str) -> Enrolment | None:
        return next((one for one in self.enrolments if one.person.id == person_id), None)

    def people(self, role: Role) -> list[Person]:
        return [one.person for one in self.enrolments if one.role is role]

    @property
    def teachers(self) -> list[Person]:
        return self.people(Role.TEACHER)

    @property
    def pupils(self) -> list[Person]:
        return self.people(Role.PUPIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class District:
    """One platform: an issuer of its own, with its own client and deployment of the tool.

    `administrators` are in no course; `ADMINISTRATOR` is their role.
    """

    slug: str
    name: str
    client_id: str
    deployment_id: str
    courses: tuple[Course, ...] = field(repr=False)
    administrators: tuple[Person, ...] = ()

    def course(self, course_id: str) -> Course | None:
        return next((one for one in self.courses if one.id == course_id), None)

    def link(self, link_id: str) -> tuple[Course, ResourceLink] | None:
        """A link and the course that it stands in."""
        return next(((course, link) for course in self.courses for link in course.links if link.id == link_id), None)

    def people(self, role: Role) -> list[Person]:
        """Everybody who is this in some course, once."""
        return list({one.id: one for course in self.courses for one in course.people(role)}.values())

    def person(self, person_id: str) -> Person | None:
        found = (course.enrolment(person_id) for course in self.courses)
        seated = (one.person for one in found if one is not None)
        return next(seated, None) or self.administrator(person_id)

    def administrator(self, person_id: str) -> Person | None:
        return next((one for one in self.administrators if one.id == person_id), None)

    def courses_of(self, person: Person) -> list[Course]:
        return [course for course in self.courses if course.enrolment(person.id) is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    districts: tuple[District, ...]

    def district(self, slug: str) -> District | None:
        return next((one for one in self.districts if one.slug == slug), None)


GIVEN = (
    "Amara", "Bilal", "Chidi", "Dalia", "Emeka", "Freja", "Goran", "Hana", "Imani", "Jorge", "Kiona", "Linh", "Mateo",
    "Nadia", "Oskar", "Priya", "Quang", "Rosa", "Soren", "Tariq", "Ulla", "Valentina", "Wanjiru", "Xochitl", "Yusuf",
    "Zofia", "Anouk", "Bashir", "Citlali", "Dmitri",
)  # fmt: skip
FAMILY = (
    "Okonkwo", "Haddad", "Nguyen", "Lindqvist", "Castillo", "Begay", "Novak", "Kimura", "Osei", "Fernandes", "Roy",
    "Haugen", "Papadaki", "Tesfaye", "O’Malley", "Yazzie", "Rahman",
)  # fmt: skip
# Right-to-left, and longer than any column: what a page and a tool must bear.
HARD_NAMES = (
    ("ليلى", "حدّاد"),
    ("Maximiliana-Theodora Philippa", "Constantinopolitanska-Featherstonehaugh de la Vega y Montenegro"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """A course to be: its teachers and pupils by number, so that some are in two courses."""

    id: str
    title: str
    teachers: range
    pupils: range


_SHIFTS = {Role.TEACHER: 23, Role.ASSISTANT: 14, Role.PUPIL: 0}
_TURNS = {Role.TEACHER: 7, Role.ASSISTANT: 3, Role.PUPIL: 0}
SECTIONS = (Section(id="1", title="Section A"), Section(id="2", title="Section B, late"))

_PLANS = (
    ("north-valley", "North Valley Schools", (
        _Plan(id="nv-math-5", title="Mathematics 5B", teachers=range(0, 2), pupils=range(0, 24)),
        _Plan(id="nv-code-6", title="First steps in code", teachers=range(1, 2), pupils=range(20, 33)),
    )),
    ("river-bend", "River Bend District", (
        _Plan(id="rb-science-4", title="Science 4", teachers=range(0, 1), pupils=range(0, 12)),
        _Plan(id="rb-lab-7", title="Computing lab 7", teachers=range(0, 2), pupils=range(10, 17)),
    )),
)  # fmt: skip


def sample_world(lessons: Sequence[tuple[str, str]] = LESSONS, *, assistants: int = 0) -> World:
    """Two districts with two courses each, every lesson `(id, title)` linked in each course.

    Both use the same local numbers: a tool that mixes up districts is seen to. `assistants` are of each course.
    """
    return World(
        districts=tuple(
            District(
                slug=slug,
                name=name,
                client_id=f"{slug}-tool",
                deployment_id=f"{slug}-deployment",
                courses=tuple(_course(slug, plan, lessons, assistants) for plan in plans),
                administrators=(_administrator(slug),),
            )
            for slug, name, plans in _PLANS
        )
    )


def generated_world(members: int, lessons: Sequence[tuple[str, str]] = LESSONS, *, assistants: int = 0) -> World:
    """One district `great-plain` with one course `gp-all` of a teacher and `members` pupils, the same at every call.

    Names come again after some hundreds, as they do in a large district; ids do not.
    """
    plan = _Plan(id="gp-all", title="Everybody", teachers=range(1), pupils=range(members))
    slug = "great-plain"
    return World(
        districts=(
            District(
                slug=slug,
                name="Great Plain Schools",
                client_id=f"{slug}-tool",
                deployment_id=f"{slug}-deployment",
                courses=(_course(slug, plan, lessons, assistants),),
                administrators=(_administrator(slug),),
            ),
        )
    )


def _course(slug: str, plan: _Plan, lessons: Sequence[tuple[str, str]], assistants: int) -> Course:
    teachers = [_enrolment(slug, Role.TEACHER, number) for number in plan.teachers]
    assistant_seats = [_enrolment(slug, Role.ASSISTANT, number) for number in range(assistants)]
    pupils = [_enrolment(slug, Role.PUPIL, number) for number in plan.pupils]
    links = [
        ResourceLink(id=f"{plan.id}-{lesson_id}", title=title, lesson_id=lesson_id) for lesson_id, title in lessons
    ]
    return Course(id=plan.id, title=plan.title, enrolments=(*teachers, *assistant_seats, *pupils), links=tuple(links))


def _enrolment(slug: str, role: Role, number: int) -> Enrolment:
    """Teachers are in both sections, pupils in turn in one or the other."""
    sections = SECTIONS if role.teaches else (SECTIONS[number % 2],)
    return Enrolment(person=_person(slug, role, number), role=role, sections=sections)


def _administrator(slug: str) -> Person:
    given, family = ("Ingrid", "Achebe") if slug == "river-bend" else ("Tomasz", "Whitefeather")
    return _somebody(slug, "office-1", given, family)


def _person(slug: str, role: Role, number: int) -> Person:
    sourcedid = f"{role.value[0]}-{number + 1001}"
    # Other steps for each district and role, so that few names come twice.
    shift = number + (11 if slug == "river-bend" else 0) + _SHIFTS[role]
    turn = _TURNS[role]
    given, family = GIVEN[shift % len(GIVEN)], FAMILY[(shift * 5 + turn) % len(FAMILY)]
    if role is Role.PUPIL and number in (3, 11):
        given, family = HARD_NAMES[0 if number == 3 else 1]
    return _somebody(slug, sourcedid, given, family)


def _somebody(slug: str, sourcedid: str, given: str, family: str) -> Person:
    return Person(
        id=uuid5(NAMESPACE_URL, f"urn:demo-lms:{slug}:{sourcedid}").hex,
        name=f"{given} {family}",
        given=given,
        family=family,
        email=f"{sourcedid}@{slug}.example",
        sourcedid=sourcedid,
    )
