"""What a lesson's token may do, and what nobody's may."""

from __future__ import annotations

import json
import re
import threading
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.app import House
from lti_server.privacy.districts import District
from tests import world
from tests.clock import FakeClock
from tests.peers.bare_platform import MEMBERSHIP, Platform

AGS = {
    "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint": {
        "scope": [
            "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem",
            "https://purl.imsglobal.org/spec/lti-ags/scope/score",
        ],
        "lineitems": "https://lms.example/lineitems",
    }
}


def token_of(client: FlaskClient, platform: Platform, house: House, **changes: Any) -> str:
    """The token in the page that a launch opens."""
    page = client.get(world.launch(client, platform, house, **changes).location)
    found = re.search(r'id="launch-context">(.*?)</script>', page.text, re.DOTALL)
    assert found, page.text
    token = json.loads(found[1])["token"]
    assert isinstance(token, str)
    return token


def attempt(house: House, **changes: Any) -> dict[str, Any]:
    lesson = house.catalogue.get("message-in-bits")
    return {
        "attempt_id": str(uuid4()),
        "activity_id": lesson.activities[0].id,
        "score": 0.5,
        "completed": False,
        "occurred_at": house.clock.now().isoformat(),
        **changes,
    }


def post(client: FlaskClient, token: str | None, body: Any) -> TestResponse:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return client.post("/api/v1/progress", json=body, headers=headers)


@pytest.fixture
def token(client: FlaskClient, platform: Platform, house: House, district: District) -> str:
    return token_of(client, platform, house)


def counted(house: House, district: District, table: str) -> int:
    with house.database.tenant(district.id) as connection:
        found = connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()
    assert isinstance(found, int)
    return found


def test_an_attempt_is_saved_and_added_up(client: FlaskClient, house: House, token: str) -> None:
    assert post(client, token, attempt(house)).json == {
        "saved": True,
        "summary": {"attempts": 1, "best_score": 0.5, "completed": False},
    }
    post(client, token, attempt(house, score=1, completed=True))
    assert post(client, token, attempt(house, score=0.2)).json == {
        "saved": True,
        "summary": {"attempts": 3, "best_score": 1.0, "completed": True},
    }


def test_an_attempt_under_the_id_of_another_is_refused_and_nothing_is_kept(
    client: FlaskClient, house: House, token: str
) -> None:
    first, second = (one.id for one in house.catalogue.get("message-in-bits").activities[:2])
    said = attempt(house, activity_id=first)
    assert post(client, token, said).status_code == 200
    answer = post(client, token, {**said, "activity_id": second})
    assert answer.status_code == 422
    assert answer.json is not None
    assert [fault["pointer"] for fault in answer.json["errors"]] == ["/attempt_id"]
    state = client.get("/api/v1/progress", headers={"Authorization": f"Bearer {token}"})
    assert state.json is not None
    assert [one["activity_id"] for one in state.json["activities"]] == [first]


def test_the_same_attempt_again_changes_nothing(
    client: FlaskClient, house: House, token: str, district: District
) -> None:
    body = attempt(house)
    first, second = post(client, token, body), post(client, token, {**body, "score": 0.9})
    assert first.json == second.json
    assert counted(house, district, "progress_event") == 1


def test_one_attempt_sent_by_many_at_once_counts_once(app: Flask, house: House, token: str, district: District) -> None:
    body = attempt(house)
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(post(app.test_client(), token, body).json)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answer["summary"]["attempts"] == 1 for answer in answers)
    assert counted(house, district, "progress_event") == 1


def test_without_an_account_nothing_is_kept(client: FlaskClient, house: House, district: District) -> None:
    answer = post(client, None, attempt(house))
    assert (answer.status_code, answer.json) == (200, {"saved": False})
    assert counted(house, district, "progress_event") == 0
    assert "Set-Cookie" not in answer.headers


def test_a_teacher_plays_and_nothing_is_kept(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    token = token_of(client, platform, house, lti_roles=[MEMBERSHIP + "Instructor"])
    assert post(client, token, attempt(house)).json == {"saved": False}
    assert counted(house, district, "progress_event") == 0


def test_a_launch_outside_a_course_saves_nothing(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    assert post(client, token_of(client, platform, house, lti_context=None), attempt(house)).json == {"saved": False}


def test_a_contract_without_performance_saves_nothing(
    client: FlaskClient, house: House, token: str, district: District
) -> None:
    world.sign(house, district, world.contract(house, without=("in_app_performance.program_performance",)))
    assert post(client, token, attempt(house)).json == {"saved": False}
    assert counted(house, district, "progress_event") == 0


def test_work_comes_back_to_go_on_from_and_answers_do_not(client: FlaskClient, house: House, token: str) -> None:
    post(client, token, attempt(house, work={"bits": [1, 0]}))
    found = client.get("/api/v1/progress", headers={"Authorization": f"Bearer {token}"}).json
    assert found is not None
    (activity,) = found["activities"]
    assert activity["work"] == {"bits": [1, 0]}
    assert "answers" not in activity


def test_work_is_ciphertext(client: FlaskClient, platform: Platform, house: House, district: District) -> None:
    token = token_of(client, platform, house, lti_custom={"lesson_id": "turtle-garden"})
    activity = house.catalogue.get("turtle-garden").activities[0].id
    body = attempt(house, activity_id=activity, work="canary-work", answers="canary-answer")
    assert post(client, token, body).json["saved"] is True  # type: ignore[index]  # a JSON object
    with house.database.tenant(district.id) as connection:
        row = connection.execute(sa.text("SELECT work, answers FROM progress_event")).one()
    assert row.work is not None
    assert row.answers is not None
    assert b"canary" not in bytes(row.work) + bytes(row.answers)


def test_a_lesson_without_personal_data_takes_no_answers(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    bare = next(one for one in house.catalogue.lessons() if one.no_pii)
    token = token_of(client, platform, house, lti_custom={"lesson_id": bare.id})
    activity = bare.activities[0].id
    assert post(client, token, attempt(house, activity_id=activity, answers="x")).status_code == 422
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM person_field")).scalar_one() == 0


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"score": 1.01}, "/score"),
        ({"score": -0.1}, "/score"),
        ({"score": "0.5"}, "/score"),
        ({"score": True}, "/score"),
        ({"score": None}, "/score"),
        ({"completed": "yes"}, "/completed"),
        ({"attempt_id": "1"}, "/attempt_id"),
        ({"activity_id": ""}, "/activity_id"),
        ({"activity_id": "no-such"}, "/activity_id"),
        ({"occurred_at": "yesterday"}, "/occurred_at"),
        ({"occurred_at": "2026-01-01T00:00:00"}, "/occurred_at"),
        ({"occurred_at": "2999-01-01T00:00:00Z"}, "/occurred_at"),
        ({"duration_s": -1}, "/duration_s"),
        ({"work": "x" * 70_000}, "/work"),
        ({"name": "Amina"}, "/name"),
    ],
    ids=str,
)
def test_an_impossible_attempt_is_refused_with_its_place(
    client: FlaskClient, house: House, token: str, changes: dict[str, Any], pointer: str
) -> None:
    answer = post(client, token, attempt(house, **changes))
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None
    assert [fault["pointer"] for fault in answer.json["errors"]] == [pointer]
    assert "Amina" not in answer.text


@pytest.mark.parametrize("body", ["", "[]", "{", '"x"', "null", "\xff"])
def test_a_body_that_is_no_attempt_is_a_problem(client: FlaskClient, token: str, body: str) -> None:
    answer = client.post(
        "/api/v1/progress",
        data=body.encode("latin-1"),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    assert 400 <= answer.status_code < 500
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize("given", ["Bearer", "Bearer x", "Basic abc", "", "Bearer " + "x" * 5000])
def test_a_token_that_does_not_stand_is_401(client: FlaskClient, house: House, district: District, given: str) -> None:
    answer = client.post("/api/v1/progress", json=attempt(house), headers={"Authorization": given})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_lives_two_hours_and_is_renewed_until_the_session_ends(
    client: FlaskClient, house: House, token: str, clock: FakeClock
) -> None:
    clock.pass_s(2 * 3600 - 1)
    renewed = client.post("/api/v1/token/renew", headers={"Authorization": f"Bearer {token}"}).json
    assert renewed is not None
    clock.pass_s(2)
    assert post(client, token, attempt(house)).status_code == 401
    assert post(client, renewed["token"], attempt(house)).status_code == 200
    clock.pass_s(12 * 3600)
    assert (
        client.post("/api/v1/token/renew", headers={"Authorization": f"Bearer {renewed['token']}"}).status_code == 401
    )


def test_a_revoked_grant_ends_the_token_at_once(
    client: FlaskClient, house: House, token: str, district: District
) -> None:
    (registered,) = house.registrations.every(district.id)
    house.registrations.remove(registered.id)
    assert post(client, token, attempt(house)).status_code == 401


def test_a_grade_is_queued_in_the_transaction_that_saves(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    token = token_of(client, platform, house, **AGS)
    post(client, token, attempt(house, score=1, completed=True))
    with house.database.tenant(district.id) as connection:
        delivery = connection.execute(sa.text("SELECT state, score, completed FROM grade_delivery")).one()
        jobs = connection.execute(sa.text("SELECT task_name, args FROM procrastinate_jobs")).all()
    count = len(house.catalogue.get("message-in-bits").activities)
    assert (delivery.state, delivery.score, delivery.completed) == ("queued", pytest.approx(1 / count, abs=1e-6), False)
    (job,) = jobs
    assert job.task_name == "grades.deliver"
    assert set(job.args) == {"district_id", "delivery_id"}


def test_a_contract_that_closes_the_gradebook_queues_no_grade(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    world.sign(house, district, world.contract(house, more="providers: {lti: {gradebook: false}}"))
    token = token_of(client, platform, house, **AGS)
    assert post(client, token, attempt(house)).json["saved"] is True  # type: ignore[index]  # a JSON object
    assert counted(house, district, "grade_delivery") == 0
