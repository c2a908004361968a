"""Rules of docs/reference/privacy-rules.md that no other test holds: mostly that something cannot be done here."""

from __future__ import annotations

import dataclasses
import re

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.app import House
from lti_server.errors import ContractForbids
from lti_server.lessons.model import Lesson
from lti_server.privacy.card_numbers import has_card_number
from lti_server.privacy.compile import compile_policy
from lti_server.privacy.contract_file import parse
from lti_server.privacy.districts import District
from lti_server.privacy.model import Purpose
from lti_server.progress.sites import named
from tests import world
from tests.functional.adversarial.stolen_dump import stolen
from tests.functional.test_progress import attempt, counted, post, token_of
from tests.peers.bare_platform import Platform

ASIDE = re.compile(r"upload|photo|picture|avatar|message|chat|post|share|social|friend|comment", re.IGNORECASE)


def test_there_is_no_way_to_send_a_file_a_picture_or_a_message(app: Flask) -> None:
    """A-16, A-17, A-19, A-25, A-61: no address for it, and no body that is a file but a roster's."""
    rules = [str(rule) for rule in app.url_map.iter_rules() if not rule.endpoint.endswith("static")]
    assert [rule for rule in rules if ASIDE.search(rule)] == []


def test_asking_to_share_a_creation_is_refused_and_nothing_is_kept(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    """A-24: what a pupil makes is private, and there is no sharing to ask for."""
    token = token_of(client, platform, house)
    answer = post(client, token, attempt(house, share=True))
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.get_json()["errors"]] == ["/share"]
    assert counted(house, district, "progress_event") == 0


def test_no_network_address_comes_to_rest(client: FlaskClient, platform: Platform, house: House) -> None:
    """A-26: not even for the limits by address, which keep a keyed hash in memory."""
    world.register(house, world.district(house), platform)
    client.environ_base["REMOTE_ADDR"] = "203.0.113.77"
    token = token_of(client, platform, house)
    assert post(client, token, attempt(house)).status_code == 200
    assert not stolen(house.database.url).holds("203.0.113.77")


@pytest.mark.parametrize("path", ["/", "/lessons/message-in-bits", "/privacy"])
def test_no_page_may_ask_for_a_place_a_camera_or_a_microphone(client: FlaskClient, path: str) -> None:
    """A-27."""
    asked = client.get(path).headers["Permissions-Policy"]
    for name in ("geolocation=()", "camera=()", "microphone=()"):
        assert name in asked


def test_there_is_no_purpose_for_advertising_or_sale() -> None:
    """A-48: the purposes are three, and a contract can name no other."""
    assert {one.value for one in Purpose} == {"instruction", "progress_reporting", "evaluation"}


def test_a_lesson_on_a_site_that_the_contract_no_longer_names_goes_on_no_more(house: House) -> None:
    """A-49: narrowing acts on a lesson that is open, too."""
    lesson = house.catalogue.get("message-in-bits")
    assert isinstance(lesson, Lesson)
    away = dataclasses.replace(lesson, url="https://lesson.example/play", extra_hosts=())
    terms = "subprocessors: [{name: A lesson's site, hosts: [lesson.example]}]"
    named(compile_policy(parse(world.contract(house, more=terms))), away)
    for policy in (compile_policy(parse(world.contract(house))), None):
        with pytest.raises(ContractForbids):
            named(policy, away)


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "5500-0000-0000-0004",
        "340000000000009",
        "4111\u200b1111\u200b1111\u200b1111",
        "\uff14" + "\uff11" * 15,
        "\u0664" + "\u0661" * 15,
    ],
)
def test_a_payment_card_number_is_refused_in_free_text(
    client: FlaskClient, platform: Platform, house: House, district: District, number: str
) -> None:
    """A-70."""
    token = token_of(client, platform, house)
    answer = post(client, token, attempt(house, answers={"why": f"Mine is {number}."}))
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"] == "/answers"
    assert number not in answer.text
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM progress_event")).scalar_one() == 0


@pytest.mark.parametrize(
    "text", ["", "1010101010101010", "0000000000000", "4111111111111112", "42", "41111111111111111111"]
)
def test_other_numbers_are_no_card_numbers(text: str) -> None:
    assert not has_card_number(f"It is {text}.")
