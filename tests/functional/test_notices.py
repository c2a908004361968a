"""Notices of a platform: taken once, however often they come; one bad one does not sink a batch."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from lti_server.app import House
from lti_server.lti import course_copies
from lti_server.privacy.districts import District
from tests import world
from tests.clock import FakeClock
from tests.functional.notifying import COPY, HELLO, claims, copied, handle, kept, post, send
from tests.peers.bare_platform import LTI, Platform, part, rsa_key

pytestmark = pytest.mark.usefixtures("district")


def origins(house: House, district: District, context: str) -> tuple[str, ...]:
    with house.database.tenant(district.id) as connection:
        deployment = connection.execute(sa.text("SELECT id FROM deployment")).scalar_one()
        return course_copies.origins(connection, deployment, context)


def test_of_a_hundred_notices_ten_bad_ones_are_named_and_ninety_handled_within_two_seconds(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    batch = [platform.sign(copied(platform, house, f"copy-{number}", "course-1")) for number in range(100)]
    for number in range(0, 100, 10):
        batch[number] = batch[number][:-40] + "A" * 40
    began = time.monotonic()
    answer = send(client, *batch)
    assert time.monotonic() - began < 2
    assert answer.status_code == 200
    assert answer.json["handled"] == 90
    assert [one["index"] for one in answer.json["refused"]] == list(range(0, 100, 10))
    assert {one["reason"] for one in answer.json["refused"]} == {"signature"}
    assert handle(house, district) == 90
    assert kept(house, district) == [(COPY, True)] * 90
    assert origins(house, district, "copy-7") == ("course-1",)
    assert origins(house, district, "copy-10") == ()


def test_the_same_notice_three_times_is_one_effect(
    client: FlaskClient, platform: Platform, house: House, district: District, clock: FakeClock
) -> None:
    said = copied(platform, house, "course-2", "course-1")
    for _ in range(2):
        assert send(client, platform.sign(said)).json == {"handled": 1, "refused": []}
    assert send(client, platform.sign(said), platform.sign({**said, "exp": said["exp"] + 9})).json["handled"] == 2
    assert handle(house, district) == 1
    assert kept(house, district) == [(COPY, True)]


def test_a_job_that_runs_twice_does_nothing_more(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    send(client, platform.sign(copied(platform, house, "course-2", "course-1")))
    with house.database.anyone() as connection:
        args = connection.execute(sa.text("SELECT args FROM procrastinate_jobs")).scalar_one()
    for _ in range(2):
        house.handlers()["notices.handle"](**args)
    assert origins(house, district, "course-2") == ("course-1",)


def test_a_type_that_nobody_handles_is_acknowledged_and_ignored(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    about = {LTI + "for_user": {"user_id": "pupil-1", "name": "Amina Example"}}
    said = claims(platform, house, "LtiAssetProcessorSubmissionNotice", **about)
    assert send(client, platform.sign(said)).json == {"handled": 1, "refused": []}
    assert handle(house, district) == 0
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT said FROM notice")).scalar_one() == {}


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("issuer unknown", {"iss": "https://elsewhere.example"}),
        ("issuer no text", {"iss": 7}),
        ("audience", {"aud": "other"}),
        ("audience", {"aud": None}),
        ("audience", {"aud": ["client-1", "other"]}),
        ("authorized-party", {"azp": "client-1", "aud": ["client-1", "x"], "exp": 1}),
        ("azp", {"azp": "other"}),
        ("expired", {"exp": 1}),
        ("times-missing", {"exp": None}),
        ("times-missing", {"iat": None}),
        ("too-old", {"iat": 1}),
        ("not-yet-valid", {"iat": 99_999_999_999, "exp": 99_999_999_999}),
        ("claims-missing", {"lti_deployment_id": None}),
        ("unknown-deployment", {"lti_deployment_id": "deployment-9"}),
        ("claims-missing", {"lti_version": None}),
        ("version", {"lti_version": "11.3"}),
        ("claims-missing", {"lti_notice": None}),
        ("malformed-claim", {"lti_notice": "hello"}),
        ("malformed-claim", {"lti_notice": {"id": "", "timestamp": "t", "type": HELLO}}),
        ("malformed-claim", {"lti_notice": {"id": "x" * 300, "timestamp": "t", "type": HELLO}}),
        ("malformed-claim", {"lti_notice": {"id": "\x00", "timestamp": "t", "type": HELLO}}),
        ("malformed-claim", {"lti_notice": {"id": 1, "timestamp": "t", "type": HELLO}}),
        ("malformed-claim", {"lti_notice": {"id": "n", "timestamp": None, "type": HELLO}}),
        ("malformed-claim", {"lti_notice": {"id": "n", "timestamp": "t", "type": COPY}}),
    ],
)
def test_a_notice_that_is_not_in_order_is_refused_and_the_next_one_taken(
    reason: str, changes: dict[str, Any], client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    answer = send(client, platform.sign(claims(platform, house, **changes)), platform.sign(claims(platform, house)))
    assert answer.status_code == 200
    assert answer.json["handled"] == 1, reason
    (refused,) = answer.json["refused"]
    assert refused["index"] == 0
    if reason in ("expired", "times-missing", "too-old", "not-yet-valid", "version", "malformed-claim"):
        assert refused["reason"] == reason
    assert kept(house, district) == [(HELLO, False)]


def test_a_token_that_is_no_token_is_refused_and_the_next_one_taken(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    said = claims(platform, house)
    good = platform.sign(said)
    twice = json.dumps(said)[:-1] + f', "{LTI}version": "1.3.0"}}'
    bad: list[object] = [
        None, 7, {}, [], "", "a.b.c", "x" * 70_000, part({"alg": "none"}) + "." + part(said) + ".",
        platform.sign(said, header={"alg": "HS256"}), platform.sign(said, header={"kid": None}),
        platform.sign(twice.encode()), platform.sign([1]), platform.sign(said, kid="key-9"),
    ]  # fmt: skip
    answer = send(client, *bad, good)
    assert answer.status_code == 200
    assert answer.json["handled"] == 1
    assert len(answer.json["refused"]) == len(bad)
    assert answer.json["refused"][-1]["reason"] == "kid-unknown"


@pytest.mark.parametrize(
    "body",
    [
        "", "{", "[]", "null", "7", '"x"', "{}", '{"notices": {}}', '{"notices": null}', "\x00", "[" * 100_000,
        '{"notices": [], "notices": [{}]}', '{"notices": NaN}', b"\xff\xfe",
    ],
)  # fmt: skip
def test_a_body_that_is_no_batch_is_a_problem_document_and_never_a_fault(
    body: bytes | str, client: FlaskClient
) -> None:
    answer = post(client, body)
    assert answer.status_code == 422


def test_a_batch_of_nothing_is_taken_and_one_of_too_many_refused(client: FlaskClient) -> None:
    assert post(client, '{"notices": []}').json == {"handled": 0, "refused": []}
    assert send(client, *["x"] * 101).status_code == 413
    assert post(client, b'{"notices": [' + b"1," * 1_000_000 + b"1]}").status_code == 413


def test_a_platform_whose_keys_hang_does_not_make_the_others_wait(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    send(client, platform.sign(claims(platform, house)))  # the keys are here now
    before = platform.fetches
    stranger = [platform.sign(claims(platform, house), kid=f"key-{number}") for number in range(2, 6)]
    assert send(client, *stranger, platform.sign(claims(platform, house))).json["handled"] == 1
    assert platform.fetches == before + 1


def test_a_key_that_the_platform_began_to_use_is_fetched_once(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    send(client, platform.sign(claims(platform, house)))
    platform.keys["key-2"] = rsa_key("key-2")
    batch = [platform.sign(claims(platform, house), kid="key-2") for _ in range(5)]
    assert send(client, *batch).json["handled"] == 5


def test_one_batch_of_two_districts_goes_to_each_its_own(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    other = Platform(deployment_id="deployment-2", address=platform.address)
    south = world.district(house, "south")
    world.register(house, south, other)
    same = {"id": "one-id", "timestamp": "2026-01-01T00:00:00Z", "type": HELLO}
    batch = [one.sign(claims(one, house, lti_notice=same)) for one in (platform, other)]
    assert send(client, *batch).json["handled"] == 2
    assert kept(house, district) == kept(house, south) == [(HELLO, False)]


def test_a_platform_that_was_switched_off_is_not_heard(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE grants SET state = 'suspended'"))
    answer = send(client, platform.sign(claims(platform, house)))
    assert [one["reason"] for one in answer.json["refused"]] == ["grant-not-active"]
    assert kept(house, district) == []


def test_the_answer_says_nothing_of_the_notice(client: FlaskClient, platform: Platform, house: House) -> None:
    said = claims(platform, house, name="Amina Example", lti_notice={"id": "amina-1"})
    text = send(client, platform.sign(said)).text
    assert not [word for word in ("Amina", "amina", "eyJ") if word in text]


def test_the_inspector_says_what_came_and_why_it_was_refused(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    send(client, platform.sign(claims(platform, house)), platform.sign(claims(platform, house, exp=1)))
    (registered,) = house.registrations.every(district.id)
    seen = house.inspector(registered.id).launches
    assert {(one.act, one.opened, one.reason) for one in seen} == {("notice", True, ""), ("notice", False, "expired")}
