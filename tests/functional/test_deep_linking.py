"""Choosing lessons for a course (Deep Linking 2.0): what the picker offers, and what goes back to the LMS."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.app import House
from lti_server.lessons import catalogue
from lti_server.privacy.districts import District
from tests import world
from tests.clock import FakeClock
from tests.functional.picking import DL, EVERYTHING, JSON, answered, ask, choose, items, opened, settings
from tests.peers.bare_platform import LTI, MEMBERSHIP, Platform

pytestmark = pytest.mark.usefixtures("district")


def test_the_answer_is_signed_for_the_platform_and_repeats_its_data(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    claims = answered(choose(client, opened(client, platform, house), "turtle-garden"), house)
    now = int(house.clock.now().timestamp())
    assert (claims["iss"], claims["aud"]) == (platform.client_id, platform.issuer)
    assert claims["iat"] == now < claims["exp"] <= now + 600
    assert claims["nonce"]
    assert claims[LTI + "message_type"] == "LtiDeepLinkingResponse"
    assert claims[LTI + "version"] == "1.3.0"
    assert claims[LTI + "deployment_id"] == platform.deployment_id
    assert claims[DL + "data"] == "csrf:op4que"


def test_no_data_is_sent_where_none_came(client: FlaskClient, platform: Platform, house: House) -> None:
    claims = answered(choose(client, opened(client, platform, house, data=None), "turtle-garden"), house)
    assert DL + "data" not in claims


def test_empty_data_is_sent_back_as_it_came(client: FlaskClient, platform: Platform, house: House) -> None:
    assert answered(choose(client, opened(client, platform, house, data=""), "turtle-garden"), house)[DL + "data"] == ""


def test_a_resource_link_says_all_that_its_course_needs(client: FlaskClient, platform: Platform, house: House) -> None:
    (item,) = items(
        choose(
            client, opened(client, platform, house), "parcel-scales", graded="yes", points="20", target="iframe",
            available_from="2026-09-01T08:00", available_until="2026-09-30T18:00", due="2026-09-15T12:00",
        ),
        house,
    )  # fmt: skip
    assert item["type"] == "ltiResourceLink"
    assert urlsplit(item["url"]).path == "/lessons/parcel-scales"
    assert item["custom"]["lesson_id"] == "parcel-scales"
    assert all(isinstance(value, str) for value in item["custom"].values())
    assert item["lineItem"]["scoreMaximum"] == 20
    assert item["lineItem"]["resourceId"] == "parcel-scales"
    assert item["available"] == {
        "startDateTime": "2026-09-01T08:00:00+00:00",
        "endDateTime": "2026-09-30T18:00:00+00:00",
    }
    assert item["submission"] == {"endDateTime": "2026-09-15T12:00:00+00:00"}
    assert item["iframe"] == {"width": 1000, "height": 720}
    assert "window" not in item
    assert item["icon"]["url"].startswith("http://127.0.0.1:8000/static/")
    for picture in ("icon", "thumbnail"):
        with client.get(urlsplit(item[picture]["url"]).path) as shown:
            assert shown.mimetype == "image/png"


@pytest.mark.parametrize("kind", EVERYTHING)
def test_each_of_the_five_types_is_made_and_leads_somewhere(
    kind: str, client: FlaskClient, platform: Platform, house: House
) -> None:
    (item,) = items(choose(client, opened(client, platform, house), "turtle-garden", kind=kind), house)
    assert item["type"] == kind
    assert item["title"]
    address = item["url"] if kind != "html" else re.findall('href="([^"]+)"', item["html"])[0]
    with client.get(urlsplit(unescape(address)).path) as found:
        assert found.status_code == 200


@pytest.mark.parametrize("kind", EVERYTHING)
def test_only_accepted_types_are_offered_and_taken(
    kind: str, client: FlaskClient, platform: Platform, house: House
) -> None:
    others = [one for one in EVERYTHING if one != kind]
    token = opened(client, platform, house, accept_types=others)
    page = client.get("/lti/choose", query_string={"request": token})
    assert f'value="{kind}"' not in page.text
    assert all(f'value="{one}"' in page.text for one in others)
    assert choose(client, token, "turtle-garden", kind=kind).status_code == 422


def test_a_file_or_picture_is_offered_only_where_its_media_type_is_taken(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    token = opened(client, platform, house, accept_media_types="image/*,audio/mpeg")
    page = client.get("/lti/choose", query_string={"request": token}).text
    assert 'value="image"' in page
    assert 'value="file"' not in page


def test_one_thing_at_a_time_where_the_course_takes_one(client: FlaskClient, platform: Platform, house: House) -> None:
    token = opened(client, platform, house, accept_multiple=None)
    assert 'type="checkbox" name="pick"' not in client.get("/lti/choose", query_string={"request": token}).text
    assert choose(client, token, "turtle-garden", "parcel-scales").status_code == 422
    assert len(items(choose(client, token, "turtle-garden"), house)) == 1


def test_several_things_at_once_where_the_course_takes_several(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    token = opened(client, platform, house)
    made = items(choose(client, token, "turtle-garden", "parcel-scales", "message-in-bits", "turtle-garden"), house)
    assert [item["custom"]["lesson_id"] for item in made] == ["turtle-garden", "parcel-scales", "message-in-bits"]
    assert len({item["custom"]["item"] for item in made}) == 3


@pytest.mark.parametrize(("said", "made"), [(True, True), (None, True), (False, False), ("false", False)])
def test_a_column_is_asked_for_unless_the_platform_takes_none(
    said: object, made: bool, client: FlaskClient, platform: Platform, house: House
) -> None:
    token = opened(client, platform, house, accept_lineitem=said)
    (item,) = items(choose(client, token, "turtle-garden", graded="yes"), house)
    assert ("lineItem" in item) is made


def test_no_column_is_asked_for_where_the_teacher_wants_none(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    (item,) = items(choose(client, opened(client, platform, house), "turtle-garden"), house)
    assert "lineItem" not in item


def test_cancelling_sends_an_empty_list_and_the_data(client: FlaskClient, platform: Platform, house: House) -> None:
    page = client.post("/lti/choose", data={"request": opened(client, platform, house), "do": "cancel"})
    claims = answered(page, house)
    assert claims[DL + "content_items"] == []
    assert claims[DL + "data"] == "csrf:op4que"
    assert DL + "errormsg" not in claims


def test_a_picker_that_stood_open_too_long_goes_back_with_an_error(
    client: FlaskClient, platform: Platform, house: House, clock: FakeClock
) -> None:
    token = opened(client, platform, house)
    clock.pass_s(3601)
    assert "too long" in client.get("/lti/choose", query_string={"request": token}).text
    claims = answered(choose(client, token, "turtle-garden"), house)
    assert claims[DL + "content_items"] == []
    assert "too long" in claims[DL + "errormsg"]
    assert claims[DL + "errorlog"] == "picker-expired"
    assert claims[DL + "data"] == "csrf:op4que"


def test_a_choice_is_sent_once(client: FlaskClient, platform: Platform, house: House) -> None:
    token = opened(client, platform, house)
    assert choose(client, token, "turtle-garden").status_code == 200
    assert choose(client, token, "turtle-garden").status_code == 404
    assert client.get("/lti/choose", query_string={"request": token}).status_code == 404


def test_the_picker_needs_no_cookie_and_sets_none(
    client: FlaskClient, app: Flask, platform: Platform, house: House
) -> None:
    token = opened(client, platform, house)
    bare = app.test_client()
    page = bare.get("/lti/choose", query_string={"request": token})
    assert page.status_code == 200
    assert "Set-Cookie" not in page.headers
    assert choose(bare, token, "turtle-garden").status_code == 200


def test_what_the_lms_asked_for_never_reaches_the_browser(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    token = opened(client, platform, house)
    page = client.get("/lti/choose", query_string={"request": token}).text
    assert "op4que" not in page
    assert "deep-link/return" not in page
    with house.database.tenant(district.id) as connection:
        (sealed,) = connection.execute(sa.text("SELECT settings FROM deep_link_request")).one()
    assert b"op4que" not in bytes(sealed)


def test_the_way_back_is_escaped_and_its_policy_names_the_lms_alone(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    evil = 'https://lms.example/back?x="><script>alert(1)</script>&y=1'
    page = choose(client, opened(client, platform, house, deep_link_return_url=evil), "turtle-garden")
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "form-action https://lms.example;" in page.headers["Content-Security-Policy"]
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "address",
    ["http://lms.example/back", "javascript:alert(1)", "https://user@lms.example/", "//lms.example/back", "ftp://x/"],
)
def test_an_unsafe_way_back_is_refused(address: str, client: FlaskClient, platform: Platform, house: House) -> None:
    answer = ask(client, platform, house, settings(deep_link_return_url=address))
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("name", "asked", "changes", "reason"),
    [
        ("no settings", False, {DL + "deep_linking_settings": None}, "claims-missing"),
        ("settings are text", "x", {}, "claims-missing"),
        ("no return url", settings(deep_link_return_url=None), {}, "claims-missing"),
        ("no types", settings(accept_types=None), {}, "claims-missing"),
        ("no targets", settings(accept_presentation_document_targets=None), {}, "claims-missing"),
        ("types hold a number", settings(accept_types=[7]), {}, "malformed-claim"),
        ("data is a number", settings(data=7), {}, "malformed-claim"),
        ("data is 20,000 characters", settings(data="x" * 20_000), {}, "malformed-claim"),
        ("a pupil", None, {"lti_roles": [MEMBERSHIP + "Learner"]}, "not-a-teacher"),
        ("no role", None, {"lti_roles": []}, "not-a-teacher"),
        ("an unknown role", None, {"lti_roles": ["urn:unknown:role"]}, "not-a-teacher"),
        ("roles is text", None, {"lti_roles": "Instructor"}, "malformed-claim"),
    ],
)
def test_a_request_that_is_not_in_order_is_refused_by_name(
    name: str, asked: Any, changes: dict[str, Any], reason: str, client: FlaskClient, platform: Platform, house: House
) -> None:
    begun = world.begin(client, platform)
    claims = platform.claims(
        begun.nonce, house.clock.now(),
        **{
            "lti_message_type": "LtiDeepLinkingRequest", "lti_resource_link": None, "lti_target_link_uri": None,
            "lti_roles": [MEMBERSHIP + "Instructor"],
            DL + "deep_linking_settings": settings() if asked is None else asked, **changes,
        },
    )  # fmt: skip
    form = {"id_token": platform.sign(claims), "state": begun.state}
    answer = client.post("/lti/launch", data=form, headers=JSON)
    assert (answer.status_code, answer.json and answer.json["reason"]) == (403, reason), name


def test_a_request_opens_one_picker_however_often_it_is_sent(
    client: FlaskClient, app: Flask, platform: Platform, house: House
) -> None:
    begun = world.begin(client, platform)
    claims = platform.claims(
        begun.nonce, house.clock.now(), lti_message_type="LtiDeepLinkingRequest",
        lti_roles=[MEMBERSHIP + "Instructor"], **{DL + "deep_linking_settings": settings()},
    )  # fmt: skip
    form = {"id_token": platform.sign(claims), "state": begun.state}
    jar = {one.key: one.value for one in (client._cookies or {}).values()}
    twin = app.test_client(use_cookies=False)
    header = {"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items()), **JSON}
    answers = [twin.post("/lti/launch", data=form, headers=header) for _ in range(2)]
    assert [one.status_code for one in answers] == [303, 403]
    assert answers[1].get_json()["reason"] == "used-before"


def test_choosing_keeps_nothing_of_the_person(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    choose(client, opened(client, platform, house), "turtle-garden")
    with house.database.tenant(district.id) as connection:
        for table in ("person", "identity", "person_field", "session", "membership"):
            assert connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() == 0


def test_a_lesson_on_a_site_that_the_contract_does_not_name_is_not_offered(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    with house.database.anyone() as connection:
        catalogue.add(
            connection,
            b"lessons:\n- id: far-away\n  title: {en: Far away}\n  summary: {en: On another site}\n"
            b"  url: https://far.example/play\n  activities: [{id: one, title: {en: One}}]\n",
            house.clock.now(),
            taken=house.catalogue.packaged_ids,
        )
    token = opened(client, platform, house)
    assert "far-away" not in client.get("/lti/choose", query_string={"request": token}).text
    assert choose(client, token, "far-away").status_code == 422


def test_a_picker_ends_with_its_grant(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    token = opened(client, platform, house)
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE grants SET epoch = epoch + 1"))
    assert client.get("/lti/choose", query_string={"request": token}).status_code == 404
    assert choose(client, token, "turtle-garden").status_code == 404
