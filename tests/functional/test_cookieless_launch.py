"""Launches whose cookie did not come: by the platform's storage, in a new window, or not at all."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.app import House
from lti_server.lti.registrations import Platform as Described
from lti_server.privacy.districts import District
from tests import world
from tests.functional.picking import DL, settings
from tests.functional.street import HIDDEN
from tests.peers.bare_platform import MEMBERSHIP, Platform

pytestmark = pytest.mark.usefixtures("district")

TOOL = "http://127.0.0.1:8000"
OURS = {"Origin": TOOL}
FRAME = {"Sec-Fetch-Dest": "iframe"}
JSON = {"Accept": "application/problem+json"}
DATA = re.compile(r'<script type="application/json" id="storage">(.*?)</script>', re.DOTALL)
ONWARD = re.compile(r'<a href="([^"]+)" data-onward>')
ACTION = re.compile(r'<form [^>]*action="([^"]*)"')


@dataclass(frozen=True)
class Begun:
    """A login page: what its script is told, and where it goes on to."""

    page: TestResponse
    script: dict[str, Any]
    address: str
    state: str
    nonce: str


def begin(client: FlaskClient, platform: Platform, headers: Any = None, **more: str) -> Begun:
    """Begin a login as a platform with storage does, unless `more` says otherwise."""
    query = {
        "iss": platform.issuer,
        "login_hint": "hint & <more>",
        "target_link_uri": f"{TOOL}/lti/launch",
        "client_id": platform.client_id,
        "lti_deployment_id": platform.deployment_id,
        "lti_message_hint": "message",
        "lti_storage_target": "_parent",
        **more,
    }
    query = {name: value for name, value in query.items() if value}
    page = client.get("/lti/login", query_string=query, headers=headers or {})
    assert page.status_code == 200, page.text
    found, onward = DATA.search(page.text), ONWARD.search(page.text)
    assert found, page.text
    assert onward, page.text
    address = unescape(onward[1])
    said = parse_qs(urlsplit(address).query)
    return Begun(page, json.loads(found[1]), address, said["state"][0], said["nonce"][0])


def form_of(page: TestResponse) -> dict[str, str]:
    return {name: unescape(value) for name, value in HIDDEN.findall(page.text)}


def signed(begun: Begun, platform: Platform, house: House, **claims: Any) -> dict[str, str]:
    token = platform.sign(platform.claims(begun.nonce, house.clock.now(), **claims))
    return {"id_token": token, "state": begun.state}


def forget_cookies(client: FlaskClient) -> None:
    for cookie in list((client._cookies or {}).values()):
        client.delete_cookie(cookie.key, domain=cookie.domain, path=cookie.path)
    assert not client._cookies


def sessions(house: House, district: District) -> int:
    with house.database.tenant(district.id) as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM session")).scalar_one())


def test_a_login_with_storage_gives_the_binding_to_a_page_and_its_digest_to_the_state(
    client: FlaskClient, platform: Platform
) -> None:
    begun = begin(client, platform)
    assert begun.script["origin"] == "https://lms.example"
    assert begun.script["frame"] == "_parent"
    assert begun.script["key"].startswith("lti_login_")
    assert len(begun.script["value"]) >= 32
    assert begun.script["value"] not in begun.address
    assert begun.address.startswith("https://lms.example/auth?tenant=7&")
    kept = {cookie.key for cookie in (client._cookies or {}).values()}
    assert {begun.script["key"] + "_s", *begun.script["probes"]} <= kept
    assert begun.script["value"] not in {cookie.value for cookie in (client._cookies or {}).values()}
    assert "script-src 'self'" in begun.page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("issuer", "auth_login_url", "more", "origin", "frame"),
    [
        ("https://canvas.instructure.com", "https://canvas.instructure.com/api/lti/authorize_redirect", {},
         "https://sso.canvaslms.com", "_parent"),
        ("https://canvas.instructure.com", "https://sso.canvaslms.com/api/lti/authorize_redirect", {},
         "https://sso.canvaslms.com", "_parent"),
        ("https://blackboard.com", "https://developer.blackboard.com/api/v1/gateway/oidcauth",
         {"lti_storage_target": ""}, "https://developer.blackboard.com", "lti_storage_frame"),
        ("https://canvas.school.example", "https://canvas.instructure.com:8443/auth", {},
         "https://canvas.instructure.com:8443", "_parent"),
    ],
)  # fmt: skip
def test_storage_is_where_the_vendor_has_it_and_that_hangs_on_the_issuer(
    client: FlaskClient, platform: Platform, house: House, district: District, issuer: str, auth_login_url: str,
    more: dict[str, str], origin: str, frame: str,
) -> None:  # fmt: skip
    house.registrations.add(
        district.id,
        Described(
            issuer=issuer, client_id="vendor", auth_login_url=auth_login_url, auth_token_url="https://x.example/token",
            jwks_url="https://x.example/jwks", token_audience=None, shared_id=True, deployment_ids=("v1",),
        ),
    )  # fmt: skip
    begun = begin(client, platform, FRAME, iss=issuer, client_id="vendor", lti_deployment_id="v1", **more)
    assert (begun.script["origin"], begun.script["frame"]) == (origin, frame)


def test_without_scripts_a_login_goes_on_by_itself(client: FlaskClient, platform: Platform) -> None:
    begun = begin(client, platform)
    (refresh,) = re.findall(
        r'<noscript><meta http-equiv="refresh" content="0; url=([^"]+)"></noscript>', begun.page.text
    )
    assert unescape(refresh) == begun.address


def test_a_login_in_a_frame_without_storage_has_a_page_that_looks_for_its_cookie(
    client: FlaskClient, platform: Platform
) -> None:
    begun = begin(client, platform, FRAME, lti_storage_target="")
    assert (begun.script["frame"], begun.script["value"]) == (None, "")
    assert begun.script["probes"]


@pytest.mark.parametrize("target", ["", "a b", "x" * 256])
def test_a_login_without_frame_and_storage_goes_straight_on(
    client: FlaskClient, platform: Platform, target: str
) -> None:
    assert world.begin(client, platform, lti_storage_target=target).state


def test_a_launch_without_its_cookie_opens_by_what_the_platform_stored(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    begun = begin(client, platform)
    form = signed(begun, platform, house)
    forget_cookies(client)
    page = client.post("/lti/launch", data=form)
    assert page.status_code == 200
    assert sessions(house, district) == 0
    found = DATA.search(page.text)
    assert found
    assert json.loads(found[1]) == {"origin": "https://lms.example", "frame": "_parent", "key": begun.script["key"]}
    asked = form_of(page)
    assert {name: asked[name] for name in (*form, "binding")} == {**form, "binding": ""}
    assert begun.script["value"] not in page.text
    assert form["id_token"] not in "".join(ONWARD.findall(page.text) + ACTION.findall(page.text))
    assert page.headers["Referrer-Policy"] == "same-origin"
    opened = client.post("/lti/launch", data={**form, "binding": begun.script["value"]}, headers=OURS)
    assert opened.status_code == 200
    onward = ONWARD.search(opened.text)
    assert onward
    lesson = client.get(unescape(onward[1]))
    assert 'id="launch-context"' in lesson.text
    assert sessions(house, district) == 1


def test_a_launch_by_storage_opens_once(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    begun = begin(client, platform)
    form = {**signed(begun, platform, house), "binding": begun.script["value"]}
    forget_cookies(client)
    answers = [client.post("/lti/launch", data=form, headers={**OURS, **JSON}) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 403]
    assert answers[1].json
    assert answers[1].json["reason"] == "used-before"
    assert sessions(house, district) == 1


@pytest.mark.parametrize("origin", [None, "null", "https://lms.example", "http://127.0.0.1:8000.evil.example"])
def test_a_binding_that_another_page_posts_opens_nothing(
    client: FlaskClient, platform: Platform, house: House, district: District, origin: str | None
) -> None:
    begun = begin(client, platform)
    form = {**signed(begun, platform, house), "binding": begun.script["value"]}
    forget_cookies(client)
    answer = client.post("/lti/launch", data=form, headers={"Origin": origin} if origin else {})
    assert answer.status_code == 403
    assert "data-launch" not in answer.text
    assert sessions(house, district) == 0


def test_another_binding_opens_nothing_and_is_not_asked_for_again(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    begun, other = begin(client, platform), begin(client, platform)
    cookie = client.get_cookie(begun.script["key"] + "_s", path="/lti")
    assert cookie is not None
    form = signed(begun, platform, house)
    forget_cookies(client)
    for binding in ("", "x", other.script["value"], cookie.value):
        answer = client.post("/lti/launch", data={**form, "binding": binding}, headers=OURS)
        assert answer.status_code == 403
        assert "data-launch" not in answer.text
    assert sessions(house, district) == 0


def test_a_login_without_storage_opens_by_no_binding(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    begun = begin(client, platform, FRAME, lti_storage_target="")
    form = signed(begun, platform, house)
    forget_cookies(client)
    assert client.post("/lti/launch", data={**form, "binding": ""}, headers=OURS).status_code == 403
    assert sessions(house, district) == 0


def test_who_asks_for_a_document_is_refused_in_one(client: FlaskClient, platform: Platform, house: House) -> None:
    begun = begin(client, platform)
    form = signed(begun, platform, house)
    forget_cookies(client)
    answer = client.post("/lti/launch", data=form, headers=JSON)
    assert (answer.status_code, answer.json and answer.json["reason"]) == (403, "other-browser")


def test_what_is_no_token_is_not_carried_on(client: FlaskClient, platform: Platform) -> None:
    begun = begin(client, platform)
    forget_cookies(client)
    for id_token in ("", "<script>", "x" * 70_000):
        answer = client.post("/lti/launch", data={"id_token": id_token, "state": begun.state})
        assert answer.status_code == 403
        assert "<script>" not in answer.text


def test_in_a_frame_without_cookie_and_storage_the_login_begins_again_in_a_new_window(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    begun = begin(client, platform, FRAME, lti_storage_target="")
    forget_cookies(client)
    answer = client.post("/lti/launch", data=signed(begun, platform, house), headers=FRAME)
    assert answer.status_code == 403
    assert 'target="_blank"' in answer.text
    fields = form_of(answer)
    assert fields == {
        "iss": platform.issuer,
        "client_id": platform.client_id,
        "target_link_uri": f"{TOOL}/lti/launch",
        "login_hint": "hint & <more>",
        "lti_message_hint": "message",
        "lti_deployment_id": platform.deployment_id,
        "own_window": "yes",
    }
    assert sessions(house, district) == 0
    again = client.post("/lti/login", data=fields)
    assert again.status_code == 200
    assert "<form" not in again.text
    onward = ONWARD.search(again.text)
    assert onward
    said = parse_qs(urlsplit(unescape(onward[1])).query)
    assert (said["login_hint"], said["lti_message_hint"]) == (["hint & <more>"], ["message"])
    claims = platform.claims(said["nonce"][0], house.clock.now())
    form = {"id_token": platform.sign(claims), "state": said["state"][0]}
    assert client.post("/lti/launch", data=form).status_code == 303


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["only once", "reload the page of your course", "in a new window"]),
        ("fr", ["une seule fois", "rechargez la page de votre cours", "dans une nouvelle fenêtre"]),
    ],
)
def test_a_hint_that_the_platform_takes_once_ends_the_second_login_on_a_page_that_says_what_to_do(
    client: FlaskClient, platform: Platform, house: House, district: District, language: str, said: list[str]
) -> None:
    begun = begin(client, platform, FRAME, lti_storage_target="")
    forget_cookies(client)
    offered = client.post("/lti/launch", data=signed(begun, platform, house), headers=FRAME)
    again = client.post("/lti/login", data=form_of(offered))
    onward = ONWARD.search(again.text)
    assert onward, again.text
    state = parse_qs(urlsplit(unescape(onward[1])).query)["state"][0]
    answer = client.post(
        "/lti/launch",
        data={"error": "login_required", "error_description": "The hint was <used>.", "state": state},
        headers={"Accept": "text/html", "Accept-Language": language, "Sec-Fetch-Dest": "document"},
    )
    assert answer.status_code == 403
    for words in said:
        assert words in answer.text
    assert "<form" not in answer.text
    assert "hint was" not in answer.text
    assert sessions(house, district) == 0


def test_a_second_login_at_a_platform_that_was_taken_away_says_so(client: FlaskClient, platform: Platform) -> None:
    fields = form_of(begin(client, platform, FRAME, lti_storage_target="").page)
    answer = client.post("/lti/login", data={**fields, "client_id": "gone"})
    assert answer.status_code == 403
    assert "<h1>" in answer.text
    assert "Location" not in answer.headers


def test_another_browser_that_is_in_no_frame_is_refused(client: FlaskClient, platform: Platform, house: House) -> None:
    begun = begin(client, platform, FRAME, lti_storage_target="")
    forget_cookies(client)
    answer = client.post("/lti/launch", data=signed(begun, platform, house), headers={"Sec-Fetch-Dest": "document"})
    assert answer.status_code == 403
    assert 'target="_blank"' not in answer.text


def test_a_login_whose_hint_is_too_long_to_repeat_is_begun_again_from_the_course(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    hint = "".join(hashlib.sha512(bytes([number])).hexdigest() for number in range(60))
    begun = begin(client, platform, FRAME, lti_message_hint=hint)
    assert form_of(begun.page)["lti_message_hint"] == hint
    forget_cookies(client)
    page = client.post("/lti/launch", data=signed(begun, platform, house), headers=FRAME)
    assert "in a new window" in page.text
    assert 'target="_blank"' not in page.text


def test_a_picker_opens_by_storage_and_needs_no_cookie(client: FlaskClient, platform: Platform, house: House) -> None:
    begun = begin(client, platform)
    asked = {
        "lti_message_type": "LtiDeepLinkingRequest",
        "lti_resource_link": None,
        "lti_target_link_uri": None,
        "lti_custom": None,
        "lti_roles": [MEMBERSHIP + "Instructor"],
        DL + "deep_linking_settings": settings(),
    }
    form = {**signed(begun, platform, house, **asked), "binding": begun.script["value"]}
    forget_cookies(client)
    opened = client.post("/lti/launch", data=form, headers=OURS)
    onward = ONWARD.search(opened.text)
    assert onward, opened.text
    forget_cookies(client)
    assert "Choose lessons for your course" in client.get(unescape(onward[1])).text


def test_a_refusal_by_storage_goes_back_to_the_course_too(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    begun = begin(client, platform)
    back = {"return_url": "https://lms.example/courses/7"}
    said = signed(begun, platform, house, lti_custom={"lesson_id": "nothing-here"}, lti_launch_presentation=back)
    forget_cookies(client)
    answer = client.post("/lti/launch", data={**said, "binding": begun.script["value"]}, headers=OURS)
    onward = ONWARD.search(answer.text)
    assert onward
    assert unescape(onward[1]).startswith("https://lms.example/courses/7?lti_errormsg=")
