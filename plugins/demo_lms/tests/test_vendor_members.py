"""Member lists as each vendor gives them: pages, links, roles, leavers, and what goes wrong on a page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from lti_server_demo_lms import LINK_FORMS, PROFILES, Answer, Profile, ResourceLink, Role, generated_world, sample_world

AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
LTI = "https://purl.imsglobal.org/spec/lti/claim/"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
PLAIN = PROFILES["plain"]


@pytest.mark.parametrize(
    ("name", "query", "sizes"),
    [
        ("plain", "", [10] * 12 + [1]),
        ("plain", "?limit=500", [10] * 12 + [1]),
        ("canvas", "", [50, 50, 21]),
        ("canvas", "?limit=100", [50, 50, 21]),
        ("canvas", "?limit=40", [40, 40, 40, 1]),
        ("schoology", "", [100, 21]),
        ("schoology", "?limit=1000", [100, 21]),
        ("moodle", "", [121]),
        ("moodle", "?limit=70", [70, 51]),
        ("openedx", "", [121]),
        ("openedx", "?limit=100", [100, 21]),
    ],
)
def test_pages_are_as_long_as_the_vendor_makes_them(launched: Any, name: str, query: str, sizes: list[int]) -> None:
    found = launched(PROFILES[name], world=generated_world(120)).members(query)
    assert [len(page) for page in found] == sizes
    assert len({one["user_id"] for page in found for one in page}) == 121


def test_a_course_of_five_thousand_comes_whole(launched: Any) -> None:
    lms = launched(PROFILES["canvas"], world=generated_world(5_000))
    found = lms.members()
    assert len(found) == 101
    assert len({one["user_id"] for page in found for one in page}) == 5_001
    assert len({one["lis_person_sourcedid"] for page in found for one in page}) == 5_001


def test_generated_people_are_the_same_at_every_call() -> None:
    assert generated_world(30) == generated_world(30)
    assert len(generated_world(30, assistants=2).districts[0].courses[0].enrolments) == 33
    assert (
        generated_world(30).districts[0].courses[0].enrolments
        == (generated_world(40).districts[0].courses[0].enrolments[:31])
    )


@pytest.mark.parametrize(("query", "status"), [("", 403), ("?limit=600", 200)])
def test_open_edx_refuses_a_large_course_in_one_page(launched: Any, query: str, status: int) -> None:
    lms = launched(PROFILES["openedx"], world=generated_world(1_000))
    answer = lms.get(f"{lms.path}/memberships/{lms.course.id}{query}", NRPS)
    assert answer.status_code == status
    assert (answer.json.get("error") == "above_response_limit") is (status == 403)


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("quoted", r'<[^>]+&page=2>; rel="next"'),
        ("unquoted", r"<[^>]+&page=2>; rel=next"),
        ("extra", r'<[^>]+&page=2>; title="the next; of <many>, all"; type=json; rel="next"'),
        ("several", r'<[^>]+&page=2>; rel="next last"'),
        ("curly", r"<[^>]+&amp;page=2>; rel=“next”"),
        ("mixed", r'<[^>]+&page=Bm2Xq>; Rel="Next"'),
    ],
)
def test_the_next_page_is_linked_in_this_form(launched: Any, form: str, written: str) -> None:
    lms = launched(replace(PLAIN, members_link=LINK_FORMS[form]))
    answers = lms.pages(f"{lms.path}/memberships/{lms.course.id}?limit=9")
    said = answers[0].headers["Link"].encode("latin-1").decode()
    assert re.fullmatch(written, said)
    assert [len(answer.json["members"]) for answer in answers] == [9, 9, 8]
    assert "Link" not in answers[-1].headers


@pytest.mark.parametrize("page", ["bm2xq", "2", "Bm0Xq", "Bm2Xq1"])
def test_a_bookmark_in_another_case_is_refused(launched: Any, page: str) -> None:
    lms = launched(replace(PLAIN, members_link=LINK_FORMS["mixed"]))
    assert lms.get(f"{lms.path}/memberships/{lms.course.id}?page={page}", NRPS).status_code == 400


def test_moodle_links_grades_in_curly_quotes_and_members_in_straight_ones(launched: Any) -> None:
    lms = launched(PROFILES["moodle"])
    column = lms.column()
    lms.column("Second")
    for pupil in lms.course.pupils[:2]:
        lms.score(column, pupil.id)
    items = lms.get(f"{lms.path}/lineitems/{lms.course.id}?type_id=2&limit=1", AGS + "lineitem.readonly")
    results = lms.get(lms.below(column, "results") + "&limit=1", AGS + "result.readonly")
    for answer in (items, results):
        said = answer.headers["Link"].encode("latin-1").decode()
        assert said.endswith("; rel=“next”")
        assert "type_id=2&amp;limit=1&amp;page=2>" in said
    members = lms.get(f"{lms.path}/memberships/{lms.course.id}?limit=5", NRPS)
    assert members.headers["Link"].endswith('limit=5&page=2>; rel="next"')


@pytest.mark.parametrize(
    ("name", "sizes"),
    # Moodle's second page is of everybody, teachers first, whoever was asked for.
    [("plain", [5, 5, 5, 5, 4]), ("moodle", [5, 5, 5, 5, 5, 1])],
)
def test_the_next_link_keeps_the_role_but_in_moodle(launched: Any, name: str, sizes: list[int]) -> None:
    found = launched(PROFILES[name]).members("?limit=5&role=Learner")
    assert [len(page) for page in found] == sizes
    assert all(one["roles"][0].endswith("Learner") for one in found[0])


@pytest.mark.parametrize(
    ("name", "teacher", "assistant", "pupil"),
    [
        ("plain", MEMBERSHIP + "Instructor", MEMBERSHIP + "Instructor", MEMBERSHIP + "Learner"),
        ("moodle", "Instructor", "Learner", "Learner"),
    ],
)
def test_roles_are_spelt_as_the_vendor_spells_them(
    launched: Any, name: str, teacher: str, assistant: str, pupil: str
) -> None:
    lms = launched(PROFILES[name], world=sample_world(assistants=1))
    people = lms.course.people(Role.ASSISTANT)
    roles = {one["user_id"]: one["roles"] for page in lms.members() for one in page}
    assert roles[lms.course.teachers[0].id] == [teacher]
    assert [roles[one.id] for one in people] == [[assistant]]
    assert roles[lms.course.pupils[0].id] == [pupil]
    # At launch they teach, and their role is a whole address.
    assert MEMBERSHIP + "Instructor" in lms.launch(people[0])[LTI + "roles"]
    assert lms.score(lms.column(), people[0].id).status_code in (400, 422)


@pytest.mark.parametrize(
    ("name", "status", "listed"),
    [
        ("plain", "Inactive", "Inactive"),
        ("plain", "Deleted", None),
        ("moodle", "Inactive", None),
        ("moodle", "Deleted", None),
    ],
)
def test_who_left_is_inactive_or_not_there(launched: Any, name: str, status: str, listed: str | None) -> None:
    lms = launched(PROFILES[name])
    gone, column = lms.course.pupils[1], lms.column()
    seat = lms.course.enrolment(gone.id)
    lms.parts.roster.leave(lms.district.slug, lms.course.id, gone.id, status)
    found = {one["user_id"]: one["status"] for page in lms.members() for one in page}
    assert found.get(gone.id) == listed
    assert set(found.values()) - {"Active"} == ({listed} if listed else set())
    assert lms.score(column, gone.id).status_code in (400, 404)
    lms.sign_in(gone)
    assert lms.client.get(f"{lms.path}/launch/{lms.course.links[0].id}").status_code == 404
    lms.parts.roster.join(lms.district.slug, lms.course.id, seat)
    assert {one["user_id"]: one["status"] for page in lms.members() for one in page}[gone.id] == "Active"


def test_the_course_s_page_says_who_teaches_and_who_assists(launched: Any) -> None:
    lms = launched(PLAIN, world=sample_world(assistants=1))
    [assistant] = lms.course.people(Role.ASSISTANT)
    lms.sign_in(assistant)
    page = lms.client.get(f"{lms.path}/courses/{lms.course.id}").text
    assert (page.count("<small>teacher</small>"), page.count("<small>assistant</small>")) == (2, 1)
    lms.score(lms.column(), lms.course.pupils[0].id)
    grades = lms.client.get(f"{lms.path}/courses/{lms.course.id}/gradebook").text
    assert grades.count("data-person=") == len(lms.course.pupils)


def test_nobody_leaves_where_they_are_not(launched: Any) -> None:
    roster = launched(PLAIN).parts.roster
    for slug, course in (("north-valley", "nv-math-5"), ("north-valley", "none"), ("none", "nv-math-5")):
        with pytest.raises(LookupError):
            roster.leave(slug, course, "nobody", "Deleted")


def test_differences_name_who_changed_since_the_first_page(launched: Any) -> None:
    lms = launched(replace(PLAIN, differences=True))
    first, *_, last = lms.pages(f"{lms.path}/memberships/{lms.course.id}")
    link = re.fullmatch(r'<([^>]+)>; rel="differences"', last.headers["Link"])
    assert link is not None
    assert 'rel="differences"' not in first.headers["Link"]
    assert [page.json["members"] for page in lms.pages(link[1])] == [[]]
    gone, suspended = lms.course.pupils[1:3]
    # One leaves between the first page and the last: the differences after that reading name them.
    middle = re.search(r"<([^>]+)>", first.headers["Link"])
    lms.parts.roster.leave(lms.district.slug, lms.course.id, gone.id, "Deleted")
    late = lms.pages(middle[1])[-1].headers["Link"] if middle else ""
    lms.parts.roster.leave(lms.district.slug, lms.course.id, suspended.id, "Inactive")
    for since in (link[1], late[1 : late.index(">")]):
        [page] = lms.pages(since)
        statuses = [(one["user_id"], one["status"]) for one in page.json["members"]]
        assert statuses == [(gone.id, "Deleted"), (suspended.id, "Inactive")]
        assert 'rel="differences"' in page.headers["Link"]


@pytest.mark.parametrize("name", ["plain", "moodle"])
def test_no_differences_are_linked_where_there_are_none(launched: Any, name: str) -> None:
    lms = launched(PROFILES[name])
    assert all(
        "differences" not in one.headers.get("Link", "") for one in lms.pages(f"{lms.path}/memberships/{lms.course.id}")
    )


@pytest.mark.parametrize(
    ("profile", "before", "after"),
    [
        (PROFILES["plain"], 26, 26),
        (PROFILES["d2l"], 0, 1),
        (replace(PROFILES["d2l"], only_launched=False), 26, 26),
    ],
    ids=["plain", "d2l", "d2l with the switch"],
)
def test_d2l_lists_only_who_has_launched_unless_it_is_switched(
    launched: Any, profile: Profile, before: int, after: int
) -> None:
    lms = launched(profile)
    assert sum(map(len, lms.members())) == before
    lms.launch(lms.course.pupils[4])
    found = [one["user_id"] for page in lms.members() for one in page]
    assert len(found) == after
    assert lms.course.pupils[4].id in found


SECTIONS = ResourceLink(
    id="the-link",
    title="Sections",
    parameters=(
        ("section_ids", "$Canvas.course.sectionIds"),
        ("section_names", "$com.instructure.User.sectionNames"),
    ),
)


def test_every_member_carries_their_sections_in_canvas(launched: Any) -> None:
    lms = launched(PROFILES["canvas"], link=SECTIONS)
    [members] = lms.members(f"?rlid={SECTIONS.id}")
    customs = {one["user_id"]: one["message"][0][LTI + "custom"] for one in members}
    teacher, first, second = lms.course.teachers[0], *lms.course.pupils[:2]
    assert [customs[one.id]["section_ids"] for one in (teacher, first, second)] == ["1,2", "1", "2"]
    names = [json.loads(customs[one.id]["section_names"]) for one in (teacher, first, second)]
    assert names == [["Section A", "Section B, late"], ["Section A"], ["Section B, late"]]
    assert len(customs) == 26


@pytest.mark.parametrize(
    ("name", "rlid", "status"),
    [
        ("plain", "nv-math-5-turtle-garden", 200),
        ("plain", "nv-math-5", 400),
        ("plain", "rb-lab-7-turtle-garden", 400),
        ("canvas", "nv-math-5", 200),
        ("canvas", "rb-lab-7", 400),
    ],
)
def test_a_member_list_is_for_a_link_of_its_course(launched: Any, name: str, rlid: str, status: int) -> None:
    lms = launched(PROFILES[name])
    answer = lms.get(f"{lms.path}/memberships/{lms.course.id}?rlid={rlid}", NRPS)
    assert answer.status_code == status
    assert status == 400 or all("message" in one for one in answer.json["members"])


def test_messages_are_only_there_with_rlid(launched: Any) -> None:
    assert all("message" not in one for page in launched(PROFILES["canvas"]).members() for one in page)


@pytest.mark.parametrize(("name", "count"), [("plain", 24), ("canvas", 26)])
def test_canvas_forgets_the_role_beside_rlid(launched: Any, name: str, count: int) -> None:
    lms = launched(PROFILES[name])
    found = lms.members(f"?role=Learner&rlid={lms.course.links[0].id}")
    assert sum(map(len, found)) == count


@pytest.mark.parametrize("profile", [PLAIN, replace(PLAIN, members_link=LINK_FORMS["mixed"])], ids=["plain", "mixed"])
def test_a_fault_waits_on_its_page(launched: Any, profile: Profile) -> None:
    lms = launched(profile)
    lms.faults.members_pages.answers[2] = [Answer(503, {"Retry-After": "7"})]
    first = lms.get(f"{lms.path}/memberships/{lms.course.id}", NRPS)
    following = re.search(r"<([^>]+)>", first.headers["Link"])
    assert first.status_code == 200
    assert following is not None
    failed, again = (lms.get(following[1], NRPS) for _ in range(2))
    assert (failed.status_code, failed.headers["Retry-After"]) == (503, "7")
    assert len(again.json["members"]) == 10


def test_a_page_may_link_to_itself(launched: Any) -> None:
    lms = launched(PLAIN)
    lms.faults.members_pages.looping.add(2)
    own = f"http://127.0.0.1:8001{lms.path}/memberships/{lms.course.id}?page=2"
    for _ in range(2):
        assert lms.get(own, NRPS).headers["Link"] == f'<{own}>; rel="next"'


def test_a_page_may_link_to_another_host(launched: Any) -> None:
    lms = launched(PLAIN)
    lms.faults.members_pages.foreign[1] = "http://evil.example"
    address = f"{lms.path}/memberships/{lms.course.id}"
    assert lms.get(f"{address}?limit=5", NRPS).headers["Link"] == (
        f'<http://evil.example{address}?limit=5&page=2>; rel="next"'
    )
    assert "127.0.0.1" in lms.get(f"{address}?limit=5&page=2", NRPS).headers["Link"]


def test_all_is_well_after_the_faults_are_cleared(launched: Any) -> None:
    lms = launched(PLAIN)
    pages = lms.faults.members_pages
    pages.answers[1] = [Answer(500)]
    pages.looping.add(1)
    pages.foreign[2] = "http://evil.example"
    lms.faults.clear()
    assert [len(page) for page in lms.members()] == [10, 10, 6]
