"""LTI member lists keep the promises that every stranger's plugin makes, and come in by the same entry point."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from lti_server.lti.memberships import MEDIA, LtiMemberships
from lti_server.providers.manifest import Capability
from lti_server.providers.registry import load_registry
from lti_server.testing import Exchange, RosterSourceContract

URL = "https://lms.example/members/course-1?type_id=2"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership#"


def member(user_id: str, role: str, name: str, **more: Any) -> dict[str, Any]:
    given, _, family = name.partition(" ")
    return {
        "user_id": user_id, "roles": [MEMBERSHIP + role], "status": "Active", "name": name, "given_name": given,
        "family_name": family, "email": f"{user_id}@school.example", "lis_person_sourcedid": f"sis-{user_id}", **more,
    }  # fmt: skip


def page(url: str, *members: dict[str, Any], following: str = "") -> Exchange:
    body = {"id": URL, "context": {"id": "course-1", "title": "Class 5b"}, "members": list(members)}
    links = {"Link": f'<{following}>; rel="next"'} if following else {}
    return Exchange(url=url, body=body, headers={"Content-Type": MEDIA, **links})


ADA = member("u1", "Learner", "Adelheid Lovelace")
BOB = member("u2", "Learner", "Robert Boole", roles=["Learner"])
EVE = member("u3", "Instructor", "Evangeline Noether")
MENTOR = member("u4", "Mentor", "Mo Observer")


class TestLtiMemberships(RosterSourceContract):
    provider = LtiMemberships
    config = {  # noqa: RUF012 - the kit reads it, and nothing writes it
        "memberships_url": URL,
        "token": "bearer-of-the-recording",
        "section": "course-1",
        "title": "Class 5b",
    }
    does_not_apply = {  # noqa: RUF012 - as above
        "revoking_twice_is_fine": "LTI has no way to give an access token back; it ends after an hour.",
        "a_read_resumed_from_any_cursor_gives_the_same": "A course's members come as one page, whole or not at all.",
    }
    recording = (
        page(URL, ADA, BOB, following=f"{URL}&Page=AbC"),
        page(f"{URL}&Page=AbC", EVE, MENTOR),
    )
    removal = (page(URL, ADA, EVE),)


def test_the_server_finds_it_as_it_finds_any_plugin() -> None:
    registry = load_registry([])
    assert registry.factory("lti", Capability.ROSTER) is LtiMemberships


def test_a_user_who_is_listed_once_a_role_is_one_member_who_teaches() -> None:
    contract = TestLtiMemberships()
    twice = page(URL, member("u1", "Learner", "Adelheid Lovelace"), member("u1", "Instructor", "Adelheid Lovelace"))
    (found,) = contract.run(recording=(twice,)).pages
    assert [(one.person_source_id, one.role) for one in found.memberships] == [("u1", "teacher")]


def test_who_is_listed_as_active_and_as_gone_is_there() -> None:
    contract = TestLtiMemberships()
    twice = page(URL, ADA, {**ADA, "status": "Inactive"})
    (found,) = contract.run(recording=(twice,)).pages
    assert [one.active for one in found.memberships] == [True]


def test_a_person_who_is_listed_under_a_former_id_too_is_one_person() -> None:
    contract = TestLtiMemberships()
    twice = page(URL, ADA, member("new-1", "Learner", "Adelheid Lovelace", lti11_legacy_user_id="u1"))
    (found,) = contract.run(recording=(twice,)).pages
    assert [one.source_id for one in found.people] == ["new-1"]


class _Teachers(TestLtiMemberships):
    config = {**TestLtiMemberships.config, "role": "Instructor"}  # noqa: RUF012 - the kit reads it


def test_a_list_of_one_role_is_asked_for_by_its_name_filtered_again_and_removes_nobody() -> None:
    asked = f"{URL}&role={quote(MEMBERSHIP + 'Instructor', safe='')}"
    # As Moodle's, the next page has lost the filter.
    recording = (page(asked, EVE, following=f"{URL}&page=2"), page(f"{URL}&page=2", ADA, BOB))
    (found,) = _Teachers().run(recording=recording).pages
    assert [one.source_id for one in found.people] == ["u3"]
    assert [one.person_source_id for one in found.memberships] == ["u3"]
    assert found.delta
