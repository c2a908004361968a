"""The ids that a vendor's platform gives to districts, courses and people."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from uuid import NAMESPACE_URL, uuid5

from lti_server_demo_lms.profiles import Profile
from lti_server_demo_lms.world import Course, District, Person, World


def named(world: World, profile: Profile) -> World:
    """The same world under the profile's ids. Links keep theirs."""
    return World(
        districts=tuple(_district(one, number, profile) for number, one in enumerate(world.districts, start=1))
    )


def legacy_user_id(person: Person) -> str:
    """What the platform called somebody in LTI 1.1 (NRPS 2.0, 2.2)."""
    return hashlib.sha1(f"lti-1.1:{person.id}".encode(), usedforsecurity=False).hexdigest()


def _district(district: District, number: int, profile: Profile) -> District:
    people = _people(district, profile)
    return replace(
        district,
        client_id=_form(profile.client_id, district.client_id, f"client:{district.slug}", number),
        deployment_id=_form(profile.deployment_id, district.deployment_id, f"deployment:{district.slug}", number),
        courses=tuple(_course(district.slug, course, people, profile) for course in district.courses),
        administrators=tuple(
            _person(district.slug, one, number, profile) for number, one in enumerate(district.administrators, start=1)
        ),
    )


def _course(slug: str, course: Course, people: dict[str, Person], profile: Profile) -> Course:
    return replace(
        course,
        id=profile.context_id.format(id=course.id, slug=slug),
        enrolments=tuple(replace(one, person=people[one.person.id]) for one in course.enrolments),
    )


def _people(district: District, profile: Profile) -> dict[str, Person]:
    """Each person once, by their id in the world."""
    once = {one.person.id: one.person for course in district.courses for one in course.enrolments}
    return {
        person.id: _person(district.slug, person, number, profile)
        for number, person in enumerate(once.values(), start=101)
    }


def _person(slug: str, person: Person, number: int, profile: Profile) -> Person:
    return replace(person, id=_form(profile.person_id, person.id, f"tenant:{slug}", number))


def _form(form: str, own: str, what: str, number: int) -> str:
    """`hash` and `uuid` are those of `what`: the same at every start."""
    digest = hashlib.sha1(what.encode(), usedforsecurity=False).hexdigest()
    return form.format(id=own, number=number, hash=digest, uuid=uuid5(NAMESPACE_URL, f"urn:demo-lms:{what}"))
