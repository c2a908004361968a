"""Launches and pages as a browser sees them."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

LTI = "https://purl.imsglobal.org/spec/lti/claim/"


def login(lms: Any, link: int = 0) -> dict[str, str]:
    """What the platform sends to the tool's login."""
    answer = lms.client.get(f"{lms.path}/launch/{lms.course.links[link].id}?in=frame")
    assert answer.status_code == 302
    assert answer.location.startswith(f"{lms.tool_url}/lti/login?")
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.location).query).items()}


def authorize(lms: Any, **changes: str | None) -> Any:
    begun = login(lms)
    query = {
        "client_id": begun["client_id"], "redirect_uri": f"{lms.tool_url}/lti/launch", "scope": "openid",
        "response_type": "id_token", "response_mode": "form_post", "prompt": "none", "nonce": "n-1", "state": "s-1",
        "login_hint": begun["login_hint"], "lti_message_hint": begun["lti_message_hint"], **changes,
    }  # fmt: skip
    given = {name: value for name, value in query.items() if value is not None}
    return lms.client.get(f"{lms.path}/auth", query_string=given)


def posted(answer: Any) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', answer.text)
    return {name: html.unescape(value) for name, value in found}


def test_a_launch_says_who_where_and_what(lms: Any) -> None:
    pupil = lms.course.pupils[3]
    lms.sign_in(pupil)
    answer = authorize(lms)
    fields = posted(answer)
    assert f'action="{lms.tool_url}/lti/launch"' in answer.text
    assert fields["state"] == "s-1"
    keys = KeySet.import_key_set(lms.client.get(f"{lms.path}/jwks").json)
    said = jwt.decode(fields["id_token"], keys, algorithms=["RS256"]).claims
    assert (said["iss"], said["aud"], said["nonce"]) == (lms.issuer, lms.district.client_id, "n-1")
    assert (said["sub"], said["name"]) == (pupil.id, pupil.name)
    assert said["exp"] - said["iat"] == 300
    assert said[LTI + "custom"] == {"lesson_id": "turtle-garden"}
    assert said[LTI + "lis"]["person_sourcedid"] == pupil.sourcedid
    assert [role.rpartition("#")[2] for role in said[LTI + "roles"]] == ["Learner", "Student"]
    assert said[LTI + "launch_presentation"]["document_target"] == "iframe"


@pytest.mark.parametrize("changes", [{"client_id": "other"}, {"redirect_uri": "http://evil.example/lti/launch"}])
def test_nothing_is_sent_to_a_tool_that_is_not_the_registered_one(lms: Any, changes: dict[str, str]) -> None:
    lms.sign_in(lms.course.pupils[0])
    answer = authorize(lms, **changes)
    assert answer.status_code == 400
    assert "<form id" not in answer.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": "profile"}, "invalid_scope"),
        ({"response_type": "code"}, "invalid_request"),
        ({"response_mode": None}, "invalid_request"),
        ({"prompt": "login"}, "invalid_request"),
        ({"nonce": None}, "invalid_request"),
        ({"state": None}, "invalid_request"),
        ({"login_hint": "somebody-else"}, "login_required"),
        ({"lti_message_hint": "frame:no-link"}, "invalid_request"),
        ({"lti_message_hint": None}, "invalid_request"),
    ],
    ids=str,
)
def test_a_wrong_request_is_answered_by_an_error(lms: Any, changes: dict[str, Any], error: str) -> None:
    lms.sign_in(lms.course.pupils[0])
    fields = posted(authorize(lms, **changes))
    assert fields["error"] == error
    assert "id_token" not in fields


def test_nobody_launches_into_a_course_that_is_not_theirs(lms: Any) -> None:
    stranger = lms.district.courses[1].pupils[-1]
    lms.sign_in(stranger)
    assert lms.client.get(f"{lms.path}/launch/{lms.course.links[0].id}").status_code == 404
    assert lms.client.get(f"{lms.path}/courses/{lms.course.id}/gradebook").status_code == 404


def test_a_link_with_one_column_names_it(lms: Any) -> None:
    column = lms.column(resourceLinkId=lms.course.links[0].id)
    lms.sign_in(lms.course.pupils[0])
    keys = KeySet.import_key_set(lms.client.get(f"{lms.path}/jwks").json)
    said = jwt.decode(posted(authorize(lms))["id_token"], keys, algorithms=["RS256"]).claims
    endpoint = said["https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"]
    assert endpoint["lineitem"].endswith(column)


def test_the_gradebook_shows_hostile_titles_as_text(lms: Any) -> None:
    lms.column("<script>alert(1)</script>")
    lms.sign_in(lms.course.teachers[0])
    page = lms.client.get(f"{lms.path}/courses/{lms.course.id}/gradebook").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_teacher_sees_the_class_and_a_pupil_their_own_row(lms: Any) -> None:
    first, second = lms.course.pupils[:2]
    column = lms.column()
    lms.score(column, first.id, scoreGiven=87.5, activityProgress="InProgress")
    page = f"{lms.path}/courses/{lms.course.id}/gradebook"
    lms.sign_in(lms.course.teachers[0])
    assert lms.client.get(page).text.count("data-person=") == len(lms.course.pupils)
    assert "87.5 / 100" in lms.client.get(page).text
    lms.sign_in(second)
    seen = lms.client.get(page).text
    assert seen.count("data-person=") == 1
    assert "87.5" not in seen


def test_pages_speak_french_and_allow_no_inline_script(lms: Any) -> None:
    answer = lms.client.get("/", headers={"Accept-Language": "fr-CA,fr;q=0.9"})
    assert '<html lang="fr">' in answer.text
    assert "Choisissez un district" in answer.text
    assert "'unsafe" not in answer.headers["Content-Security-Policy"]
    assert f"frame-src 'self' {lms.tool_url}" in answer.headers["Content-Security-Policy"]


def test_pages_say_where_nothing_is(lms: Any) -> None:
    for path in ("/nowhere/", f"{lms.path}/courses/none", f"{lms.path}/links/none", "/static/none"):
        assert lms.client.get(path).status_code == 404
    assert lms.client.get(f"{lms.path}/courses/{lms.course.id}").location == f"{lms.path}/"
