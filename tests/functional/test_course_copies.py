"""A copied course: its links open what their origins opened, and no pupil's work is copied."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from lti_server.app import House
from lti_server.db import Door
from lti_server.lti import course_copies, store
from lti_server.lti.store import Standing
from lti_server.privacy.districts import District
from tests import world
from tests.functional.picking import choose, items, lesson_of, opened
from tests.peers.bare_platform import Platform

BARE = {"lti_custom": None, "lti_target_link_uri": "http://127.0.0.1:8000/lti/launch"}
PICK = "message-in-bits"
ORIGIN, COPY = {"id": "course-1", "title": "Class 5b"}, {"id": "course-2", "title": "Class 5b, next year"}
TITLED = {"id": "link-1", "title": "Bits"}
LTI = "https://purl.imsglobal.org/spec/lti/claim/"


@pytest.fixture
def pick(client: FlaskClient, platform: Platform, house: House, district: District) -> str:
    """One activity, chosen by a teacher and opened in the first course."""
    chosen = f"{PICK}/{house.catalogue.get(PICK).activities[1].id}"
    (item,) = items(choose(client, opened(client, platform, house), chosen), house)
    made = {"lti_target_link_uri": item["url"], "lti_custom": item["custom"]}
    answer = world.launch(client, platform, house, lti_resource_link=TITLED, lti_context=ORIGIN, **made)
    assert answer.status_code == 303, answer.text
    return chosen


def standing_of(house: House, platform: Platform, connection: sa.Connection) -> Standing:
    door = house.doors.of(Door.DEPLOYMENT, platform.issuer, platform.client_id, platform.deployment_id)
    found = store.standing(connection, house.ring, door, house.clock.now())
    assert found is not None
    return found


@pytest.mark.parametrize(
    "said",
    [
        {"lti_context": {**COPY, "origin_contexts": ["course-1"]}},
        {"lti_context": {**COPY, "origin_contexts": [{"id": "course-1"}]}},
        {"lti_context": COPY, LTI + "origin_contexts": ["course-1"]},
        {"lti_context": COPY, LTI + "platformnotificationservice": {"origin_contexts": ["course-1"]}},
        {"lti_context": COPY, "lti_custom": {"context_id_history": "course%2D1"}},
        {"lti_context": COPY, "lti_custom": {"resource_link_id_history": "link-0,link-1"}},
    ],
)
@pytest.mark.parametrize("address", ["/lti/launch", f"/lessons/{PICK}"])
def test_a_link_of_a_copied_course_opens_what_its_origin_opened(
    said: dict[str, Any], address: str, pick: str, client: FlaskClient, platform: Platform, house: House,
    district: District,
) -> None:  # fmt: skip
    copied = {**BARE, "lti_target_link_uri": f"http://127.0.0.1:8000{address}"}
    link = {"lti_resource_link": {"id": "link-77", "title": "Bits"}}
    for _ in range(2):
        assert world.launch(client, platform, house, **{**copied, **link, **said}).status_code == 303
        assert "/".join(lesson_of(house, district)) == pick
        said = {"lti_context": COPY}
    with house.database.tenant(district.id) as connection:
        origins = connection.execute(
            sa.text(
                "SELECT o.resource_link_id, l.deep_link_item_id = o.deep_link_item_id AS same FROM resource_link l"
                " JOIN resource_link o ON o.id = l.copied_from_id WHERE l.resource_link_id = 'link-77'"
            )
        ).all()
    assert [tuple(row) for row in origins] == [("link-1", True)]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"lti_context": {**COPY, "origin_contexts": "course-1"}},
        {"lti_context": {**COPY, "origin_contexts": [7, None, {"id": {}}, "x" * 300]}},
        {"lti_custom": {"context_id_history": "$Context.id.history"}},
        {"lti_context": {**COPY, "origin_contexts": ["course-9"]}},
        {"lti_context": {**COPY, "origin_contexts": ["course-1"]}, "lti_resource_link": {"id": "link-77"}},
    ],
)
def test_without_a_history_that_names_its_origin_a_bare_link_opens_nothing(
    said: dict[str, Any], pick: str, client: FlaskClient, platform: Platform, house: House
) -> None:
    bare = {**BARE, "lti_context": COPY, "lti_resource_link": {"id": "link-77", "title": "Bits"}, **said}
    assert world.launch(client, platform, house, **bare).status_code == 403


def test_nobody_guesses_between_two_links_of_one_title(
    pick: str, client: FlaskClient, platform: Platform, house: House
) -> None:
    other = {"lti_resource_link": {"id": "link-2", "title": "Bits"}, "lti_custom": {"lesson_id": "parcel-scales"}}
    address = {"lti_target_link_uri": "http://127.0.0.1:8000/lti/launch"}
    assert world.launch(client, platform, house, **other, **address, lti_context=ORIGIN).status_code == 303
    link = {"lti_resource_link": {"id": "link-77", "title": "Bits"}}
    copied = {"lti_context": {**COPY, "origin_contexts": ["course-1"]}}
    assert world.launch(client, platform, house, **{**BARE, **link, **copied}).status_code == 403


def test_a_copied_course_has_no_pupils_work(
    pick: str, client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    count = sa.text(
        "SELECT (SELECT count(*) FROM membership) AS members, (SELECT count(*) FROM progress_event) AS events,"
        " (SELECT count(*) FROM grade_delivery) AS grades, (SELECT count(*) FROM grade_column) AS columns"
    )
    with house.database.tenant(district.id) as connection:
        before = tuple(connection.execute(count).one())
        course_copies.record(
            connection, standing_of(house, platform, connection), "course-2", ["course-1"], house.clock.now()
        )
        assert tuple(connection.execute(count).one()) == before


def test_origins_are_told_over_generations_the_nearest_first_and_once(
    platform: Platform, house: House, district: District
) -> None:
    with house.database.tenant(district.id) as connection:
        standing, now = standing_of(house, platform, connection), house.clock.now()
        course_copies.record(connection, standing, "c", ["b", "a", "c"], now)
        course_copies.record(connection, standing, "d", ["c", "a"], now)
        course_copies.record(connection, standing, "d", ["c", "a"], now)
        course_copies.record(connection, standing, "a", ["d"], now)  # a circle
        assert course_copies.origins(connection, standing.deployment_row_id, "d") == ("c", "a", "b")
        assert course_copies.origins(connection, standing.deployment_row_id, "nowhere") == ()


def test_another_districts_copies_are_not_seen(platform: Platform, house: House, district: District) -> None:
    with house.database.tenant(district.id) as connection:
        standing = standing_of(house, platform, connection)
        course_copies.record(connection, standing, "c", ["b"], house.clock.now())
    other = world.district(house, "south")
    with house.database.tenant(other.id) as connection:
        assert course_copies.origins(connection, standing.deployment_row_id, "c") == ()
