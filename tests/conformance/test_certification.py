"""The certification cases, one by one, against this server beside each vendor's LMS (lti.md 5.6)."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import sqlalchemy as sa
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests.conformance.certification import OPENED, REFUSED, TEACHER, Case, roles
from tests.conformance.conftest import Launching, Vendor, context_of
from tests.peers.bare_platform import LTI

DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
# As the certification suite sends them: the media types are one text.
ASKED = {
    "deep_link_return_url": "https://lms.example/deep-link/return",
    "accept_types": ["link", "file", "html", "ltiResourceLink", "image"],
    "accept_media_types": "image/*,text/html",
    "accept_presentation_document_targets": ["iframe", "window", "embed"],
    "accept_multiple": True,
    "auto_create": True,
    "title": "This is the default title",
    "text": "This is the default text",
    "data": "Some random opaque data that MUST be sent back",
}


def changed(claims: dict[str, Any], case: Case) -> Any:
    if case.body is not None:
        return case.body
    return {name: value for name, value in {**claims, **case.changes}.items() if value is not None}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_is_refused(case: Case, vendor: Vendor) -> None:
    before = len(vendor.sessions())
    launching = vendor.begin()
    answer = launching.send(changed(launching.claims, case), dict(case.header))
    assert 400 <= answer.status_code < 500
    assert "text/html" in answer.headers["Content-Type"]
    assert len(vendor.sessions()) == before


@pytest.mark.parametrize("case", OPENED, ids=lambda case: case.name)
def test_is_opened(case: Case, vendor: Vendor) -> None:
    before = len(vendor.sessions())
    person = vendor.teacher if "Instructor" in case.name else None
    launching = vendor.begin(person)
    answer = launching.send(changed(launching.claims, case))
    assert answer.status_code == 303, answer.text
    page = launching.browser.get(answer.headers["Location"], timeout=10)
    assert page.status_code == 200
    assert context_of(page)["token"]
    assert [one[0] for one in vendor.sessions()[before:]] == [case.role]


def asked(launching: Launching) -> dict[str, Any]:
    """A deep linking request in this vendor's form."""
    gone = {LTI + "resource_link": None, LTI + "target_link_uri": None, LTI + "custom": None}
    said = {LTI + "message_type": "LtiDeepLinkingRequest", DL + "deep_linking_settings": ASKED, **roles(TEACHER)}
    request = changed({**launching.claims, **said}, Case("", None, gone))
    assert isinstance(request, dict)
    return request


def picked(vendor: Vendor, *picks: str) -> dict[str, Any]:
    """The claims of the answer that the LMS gets when a teacher picks these."""
    launching = vendor.begin(vendor.teacher)
    answer = launching.send(asked(launching))
    assert answer.status_code == 303, answer.text
    address = answer.headers["Location"]
    assert requests.get(address, timeout=10).status_code == 200
    form = {
        "request": parse_qs(urlsplit(address).query)["request"][0], "do": "choose", "kind": "ltiResourceLink",
        "pick": list(picks), "graded": "yes",
    }  # fmt: skip
    page = requests.post(address.partition("?")[0], data=form, timeout=10)
    found = re.search(r'name="JWT" value="([^"]+)"', page.text)
    assert found, page.text
    published = requests.get(f"{vendor.street.tool_url}/lti/jwks", timeout=10).json()["keys"]
    keys = KeySet([RSAKey.import_key(one) for one in published])
    return dict(jwt.decode(unescape(found[1]), keys, algorithms=["RS256"]).claims)


def test_deep_linking_send_deep_linking_request(vendor: Vendor) -> None:
    described = vendor.street.lms.config.world.districts[0]
    claims = picked(vendor, "turtle-garden", "parcel-scales")
    assert claims["iss"] == described.client_id
    assert claims["aud"] == vendor.street.lms.issuer(described)
    assert claims[LTI + "deployment_id"] == described.deployment_id
    assert claims[LTI + "message_type"] == "LtiDeepLinkingResponse"
    assert claims[DL + "data"] == ASKED["data"]
    assert [item["type"] for item in claims[DL + "content_items"]] == ["ltiResourceLink"] * 2


@pytest.mark.parametrize("lost", ["nothing", "custom", "address"])
def test_deep_linking_core_launch_of_passed_lti_link(lost: str, vendor: Vendor) -> None:
    activity = vendor.street.house.catalogue.get("parcel-scales").activities[2].id
    (item,) = picked(vendor, f"parcel-scales/{activity}")[DL + "content_items"]
    launching = vendor.begin()
    said = {
        LTI + "resource_link": {"id": f"made-{lost}"},
        LTI + "target_link_uri": launching.action if lost == "address" else item["url"],
        LTI + "custom": {"item": "$item"} if lost == "custom" else item["custom"],
    }
    answer = launching.send({**launching.claims, **said})
    assert answer.status_code == 303, answer.text
    assert vendor.sessions()[-1][1:] == ("parcel-scales", activity)


def test_names_and_roles_the_members_of_the_course_are_the_section(vendor: Vendor) -> None:
    here = vendor.street
    course = here.lms.config.world.districts[0].courses[0]
    for person in (vendor.teacher, here.pupils[0]):
        launching = vendor.begin(person)
        assert launching.send(launching.claims).status_code == 303
    outcome = here.house.sync_roster()(here.district)
    assert outcome.state == "applied"
    with here.house.database.tenant(here.district.id) as connection:
        rows = connection.execute(
            sa.text(
                "SELECT m.role, count(*) AS n FROM membership m JOIN section s ON s.id = m.section_id"
                " WHERE s.source_id = :course AND m.ended_at IS NULL GROUP BY m.role"
            ),
            {"course": course.id},
        )
        found = {row.role: row.n for row in rows}
    if here.lms.config.profile.only_launched:
        assert found["teacher"] >= 1
        assert 1 <= found["pupil"] < len(course.pupils)
    else:
        assert found == {"teacher": len(course.teachers), "pupil": len(course.pupils)}


def test_assignments_and_grades_a_score_makes_its_column_and_stands_in_it(vendor: Vendor) -> None:
    here, pupil = vendor.street, vendor.street.pupils[2]
    launching = vendor.begin(pupil)
    page = launching.browser.get(launching.send(launching.claims).headers["Location"], timeout=10)
    here.save(context_of(page)["token"], lesson=launching_lesson(vendor))
    for row in here.deliveries():
        here.house.handlers()["grades.deliver"](str(here.district.id), str(row.id))
    assert {row.state for row in here.deliveries()} == {"delivered"}
    standing = [score for score in here.standing() if score["userId"] == pupil.id]
    assert len(standing) == 1
    assert standing[0]["scoreGiven"] > 0
    assert standing[0]["scoreMaximum"] > 0


def launching_lesson(vendor: Vendor) -> str:
    lesson_id = vendor.street.lms.config.world.districts[0].courses[0].links[0].lesson_id
    assert lesson_id is not None
    return lesson_id


def test_the_lms_is_taken_for_its_vendor_s(vendor: Vendor) -> None:
    launching = vendor.begin()
    said = {LTI + "resource_link": {"id": "made-for-the-vendor"}}
    assert launching.send({**launching.claims, **said}).status_code == 303
    (registered,) = vendor.street.house.registrations.every(vendor.street.district.id)
    assert registered.profile.name == vendor.street.lms.config.profile.name


def test_two_lmss_of_one_vendor_are_told_apart(vendor: Vendor) -> None:
    """The launch of a neighbour's deployment that nobody registered here is refused."""
    launching = vendor.begin()
    neighbour = vendor.street.lms.config.world.districts[1].deployment_id
    assert neighbour != vendor.street.lms.config.world.districts[0].deployment_id
    answer = launching.send({**launching.claims, LTI + "deployment_id": neighbour})
    assert answer.status_code == 403
