"""Which platform the demo does as: names, logins, launches and tokens of each vendor."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from lti_server_demo_lms import PROFILES, Profile, ResourceLink, registration
from lti_server_demo_lms.cli import main
from lti_server_demo_lms.logins import query

BASE = "http://127.0.0.1:8001"
AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
NRPS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
LTI = "https://purl.imsglobal.org/spec/lti/claim/"
ENDPOINT = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
VENDORS = ["canvas", "moodle", "blackboard", "d2l", "schoology", "sakai", "openedx"]


def test_there_is_a_profile_for_each_vendor() -> None:
    assert list(PROFILES) == ["plain", *VENDORS]
    assert all(name == profile.name for name, profile in PROFILES.items())


def test_a_profile_that_is_none_is_refused_at_the_command_line() -> None:
    answer = CliRunner().invoke(main, ["--profile", "nobody"])
    assert answer.exit_code == 2
    assert "'openedx'" in answer.output


@pytest.mark.parametrize("name", ["plain", *VENDORS])
def test_a_launch_and_every_service_work_as_each_vendor(launched: Any, name: str) -> None:
    lms = launched(PROFILES[name])
    pupil = lms.course.pupils[3]
    said = lms.launch(pupil)
    known = registration(lms.app, lms.district.slug)
    assert said["iss"] == known["issuer"]
    assert said["aud"] == known["client_id"]
    assert said[LTI + "deployment_id"] == known["deployment_id"]
    assert said["sub"] == pupil.id
    column = lms.column()
    assert lms.score(column, pupil.id).status_code == 200
    results = lms.get(lms.below(column, "results"), AGS + "result.readonly")
    assert [(one["userId"], one["resultScore"]) for one in results.json] == [(pupil.id, 80)]
    listed = lms.get(said[ENDPOINT]["lineitems"], AGS + "lineitem.readonly")
    assert [one["label"] for one in listed.json] == ["Turtle garden"]
    members = lms.get(f"{lms.path}/memberships/{lms.course.id}", NRPS)
    assert pupil.id in [one["user_id"] for one in members.json["members"]]


@pytest.mark.parametrize(
    ("name", "one_issuer", "one_client", "deployments"),
    [
        ("plain", False, False, ["north-valley-deployment", "river-bend-deployment"]),
        ("canvas", True, False, None),
        ("moodle", False, False, ["1", "2"]),
        ("blackboard", True, True, None),
        ("d2l", False, False, None),
        ("schoology", True, False, None),
        ("sakai", False, False, ["1", "2"]),
        ("openedx", False, False, ["1", "2"]),
    ],
)
def test_districts_share_what_the_vendor_shares(
    launched: Any, name: str, one_issuer: bool, one_client: bool, deployments: list[str] | None
) -> None:
    lms = launched(PROFILES[name])
    first, second = (registration(lms.app, slug) for slug in ("north-valley", "river-bend"))
    assert (first["issuer"] == second["issuer"]) is one_issuer
    assert (first["client_id"] == second["client_id"]) is one_client
    assert first["deployment_id"] != second["deployment_id"]
    assert first["deployment_id"] != first["client_id"]
    assert deployments in (None, [first["deployment_id"], second["deployment_id"]])
    addresses = ("auth_login_url", "auth_token_url", "jwks_url")
    # One client of one issuer has one set of addresses.
    assert all((first[one] == second[one]) is one_client for one in addresses)


@pytest.mark.parametrize(("name", "status"), [("schoology", 401), ("blackboard", 200)])
def test_a_token_is_good_at_every_school_of_blackboard(launched: Any, name: str, status: int) -> None:
    lms = launched(PROFILES[name])
    headers = lms.bearer(NRPS)
    assert lms.client.get("/river-bend/memberships/rb-lab-7", headers=headers).status_code == status


def test_the_address_that_schools_share_knows_who_signs_in(launched: Any) -> None:
    lms = launched(PROFILES["blackboard"])
    assert lms.client.get("/north-valley/jwks").status_code == 404
    assert lms.client.post("/river-bend/token").status_code == 404
    first, second = lms.parts.config.world.districts
    for district in (second, first):
        lms.district, lms.course = district, district.courses[0]
        said = lms.launch(lms.course.pupils[0])
        assert (said["sub"], said[LTI + "deployment_id"]) == (lms.course.pupils[0].id, district.deployment_id)


@pytest.mark.parametrize(
    ("name", "names", "form"),
    [
        ("canvas", "deployment_id", r"[0-9]+:[0-9a-f]{40}"),
        ("canvas", "client_id", r"1[0-9]{13}"),
        ("moodle", "client_id", r"[0-9a-f]{15}"),
        ("blackboard", "deployment_id", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    ],
)
def test_ids_have_the_vendor_s_form(launched: Any, name: str, names: str, form: str) -> None:
    assert re.fullmatch(form, registration(launched(PROFILES[name]).app, "north-valley")[names])


def test_ids_are_the_same_at_every_start(launched: Any) -> None:
    first, second = (launched(PROFILES["d2l"]) for _ in range(2))
    assert registration(first.app, "river-bend") == registration(second.app, "river-bend")
    assert first.course.enrolments == second.course.enrolments


def test_a_d2l_person_is_the_tenant_s_guid_and_a_number(launched: Any) -> None:
    lms = launched(PROFILES["d2l"])
    guid, _, number = lms.course.pupils[0].id.partition("_")
    assert re.fullmatch(r"[0-9a-f-]{36}", guid)
    assert number.isdecimal()
    ids = [one.person.id for course in lms.parts.config.world.districts[0].courses for one in course.enrolments]
    people = {one.person for course in lms.parts.config.world.districts[0].courses for one in course.enrolments}
    assert len(people) == len(set(ids)) < len(ids)


def test_an_open_edx_context_is_a_course_key(launched: Any) -> None:
    lms = launched(PROFILES["openedx"])
    said = lms.launch(lms.course.pupils[0])
    assert said[LTI + "context"]["id"] == "course-v1:north-valley+nv-math-5+2026"


@pytest.mark.parametrize(("name", "kind"), [("canvas", int), ("moodle", str)])
def test_a_client_id_is_a_number_in_the_json_of_canvas(launched: Any, name: str, kind: type) -> None:
    lms = launched(PROFILES[name])
    assert isinstance(lms.parts.client_id_in_json(lms.district), kind)
    assert str(lms.parts.client_id_in_json(lms.district)) == lms.launch(lms.course.pupils[0])["aud"]


@pytest.mark.parametrize(
    ("profile", "there", "missing"),
    [
        (PROFILES["plain"], {"client_id", "lti_deployment_id"}, {"deployment_id", "canvas_environment"}),
        (PROFILES["canvas"], {"client_id", "deployment_id", "canvas_environment"}, {"lti_deployment_id"}),
        (replace(PROFILES["plain"], login_deployment=None), {"client_id"}, {"lti_deployment_id", "deployment_id"}),
        (replace(PROFILES["plain"], login_client_id=False), {"lti_deployment_id"}, {"client_id"}),
    ],
    ids=["plain", "canvas", "no deployment", "no client"],
)
def test_a_login_says_what_the_vendor_says(launched: Any, profile: Profile, there: set[str], missing: set[str]) -> None:
    lms = launched(profile)
    lms.sign_in(lms.course.pupils[0])
    begun = lms.login()
    assert there <= set(begun)
    assert not missing & set(begun)
    deployment = begun.get("deployment_id") or begun.get("lti_deployment_id")
    assert deployment in (None, lms.district.deployment_id)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("plain", "_parent"),
        ("canvas", "post_message_forwarding"),
        ("blackboard", "lti_storage_frame"),
        ("moodle", None),
    ],
)
def test_a_login_in_a_frame_names_where_the_storage_is(launched: Any, name: str, target: str | None) -> None:
    lms = launched(PROFILES[name])
    pupil = lms.course.pupils[0]
    lms.sign_in(pupil)
    for framed, there in ((True, target), (False, None)):
        said = query(lms.parts, lms.district, pupil, "https://tool.example/", "hint", framed=framed)
        assert said.get("lti_storage_target") == there


@pytest.mark.parametrize(("name", "there"), [("plain", False), ("d2l", True)])
def test_a_launch_says_from_when_it_holds(launched: Any, name: str, there: bool) -> None:
    lms = launched(PROFILES[name])
    said = lms.launch(lms.course.pupils[0])
    assert ("nbf" in said) is there
    assert said.get("nbf", said["iat"]) == said["iat"]


@pytest.mark.parametrize(("name", "there"), [("plain", False), ("canvas", True)])
def test_who_somebody_was_in_lti_1_1_is_said_alike_at_launch_and_in_the_list(
    launched: Any, name: str, there: bool
) -> None:
    lms = launched(PROFILES[name])
    pupil = lms.course.pupils[0]
    old = lms.launch(pupil).get(LTI + "lti1p1", {}).get("user_id")
    member = next(one for one in lms.members()[0] if one["user_id"] == pupil.id)
    assert (old is not None) is there
    assert member.get("lti11_legacy_user_id") == old
    assert old != pupil.id


@pytest.mark.parametrize(("name", "email"), [("plain", None), ("d2l", "")])
def test_an_e_mail_address_may_be_empty(launched: Any, name: str, email: str | None) -> None:
    lms = launched(PROFILES[name])
    pupil = lms.course.pupils[0]
    wanted = pupil.email if email is None else email
    assert lms.launch(pupil)["email"] == wanted
    assert next(one for one in lms.members()[0] if one["user_id"] == pupil.id)["email"] == wanted


LINK = ResourceLink(
    id="the-link",
    title="Sections",
    lesson_id="turtle-garden",
    parameters=(
        ("ids", "$Canvas.course.sectionIds"),
        ("names", "$com.instructure.User.sectionNames"),
        ("who", "$User.id"),
        ("was", "$ResourceLink.id.history"),
        ("price", "5 $"),
    ),
    history=("old-link", "older-link"),
)


def test_canvas_writes_its_own_ids_as_numbers(launched: Any) -> None:
    link = replace(LINK, parameters=(("course", "$Canvas.course.id"),))
    courses = [launched(PROFILES[name], link=link) for name in ("canvas", "canvas", "moodle")]
    first, again, other = (lms.launch(lms.course.pupils[0], link.id)[LTI + "custom"]["course"] for lms in courses)
    assert isinstance(first, int)
    assert first == again
    assert other == "$Canvas.course.id"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("canvas", {"ids": "1", "names": '["Section A"]', "was": "old-link,older-link"}),
        ("plain", {"ids": "$Canvas.course.sectionIds", "was": "old-link,older-link"}),
        ("moodle", {"names": "$com.instructure.User.sectionNames", "was": "$ResourceLink.id.history"}),
        ("d2l", {"user_id": "$User.Id"}),
    ],
)
def test_custom_parameters_are_expanded_where_the_platform_knows_them(
    launched: Any, name: str, wanted: dict[str, str]
) -> None:
    lms = launched(PROFILES[name], link=LINK)
    pupil = lms.course.pupils[0]
    at_launch = lms.launch(pupil, LINK.id)[LTI + "custom"]
    members = lms.members(f"?rlid={LINK.id}")[0]
    [message] = next(one for one in members if one["user_id"] == pupil.id)["message"]
    assert message[LTI + "message_type"] == "LtiResourceLinkRequest"
    for said in (at_launch, message[LTI + "custom"]):
        assert said["lesson_id"] == "turtle-garden"
        assert said["who"] == pupil.id
        assert said["price"] == "5 $"
        assert wanted.items() <= said.items()


@pytest.mark.parametrize(
    ("name", "audience", "status"),
    [
        ("plain", f"{BASE}/north-valley/token", 200),
        ("plain", "https://api.brightspace.com/auth/token", 401),
        ("d2l", "https://api.brightspace.com/auth/token", 200),
        ("d2l", f"{BASE}/north-valley/token", 401),
        ("moodle", "https://anybody.example", 200),
    ],
)
def test_an_assertion_is_for_whom_the_vendor_wants(launched: Any, name: str, audience: str, status: int) -> None:
    lms = launched(PROFILES[name])
    assert lms.ask_token(lms.assertion(aud=audience)).status_code == status


def test_what_is_registered_names_another_audience_where_there_is_one(launched: Any) -> None:
    assert "token_audience" not in registration(launched(PROFILES["plain"]).app, "north-valley")
    known = registration(launched(PROFILES["d2l"]).app, "north-valley")
    assert known["token_audience"] == "https://api.brightspace.com/auth/token" != known["auth_token_url"]


@pytest.mark.parametrize(("name", "status"), [("plain", 401), ("moodle", 200)])
def test_an_assertion_is_taken_twice_by_moodle_alone(launched: Any, name: str, status: int) -> None:
    lms = launched(PROFILES[name])
    assertion = lms.assertion()
    assert lms.ask_token(assertion).status_code == 200
    assert lms.ask_token(assertion).status_code == status


@pytest.mark.parametrize(("name", "status"), [("plain", 200), ("moodle", 403)])
def test_line_items_are_read_for_the_scope_that_says_so(launched: Any, name: str, status: int) -> None:
    lms = launched(PROFILES[name])
    lms.column()
    listing = f"{lms.path}/lineitems/{lms.course.id}?type_id=2"
    assert lms.get(listing, AGS + "lineitem").status_code == status
    assert lms.get(listing, AGS + "lineitem.readonly").status_code == 200


@pytest.mark.parametrize(("name", "status"), [("plain", 200), ("moodle", 403)])
def test_a_call_without_a_user_agent_is_refused_by_moodle(launched: Any, name: str, status: int) -> None:
    lms = launched(PROFILES[name])
    headers = {**lms.bearer(NRPS), "User-Agent": ""}
    assert lms.client.get(f"{lms.path}/memberships/{lms.course.id}", headers=headers).status_code == status
