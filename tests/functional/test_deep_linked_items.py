"""A link that the picker made opens exactly its item, whatever became of it on its way through courses."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.app import House
from lti_server.privacy.districts import District
from tests import world
from tests.functional.picking import choose, items, lesson_of, opened
from tests.peers.bare_platform import Platform

pytestmark = pytest.mark.usefixtures("district")


def launch_item(
    client: FlaskClient, platform: Platform, house: House, item: dict[str, Any], **changes: Any
) -> TestResponse:
    """The made link, as its course launches it."""
    return world.launch(
        client, platform, house,
        **{"lti_target_link_uri": item["url"], "lti_custom": item["custom"], **changes},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("as it was made", {}),
        ("custom parameters are gone", {"lti_custom": None}),
        ("custom parameters are empty", {"lti_custom": {}}),
        ("custom parameters are not expanded", {"lti_custom": {"lesson_id": "$lesson_id", "item": "$item"}}),
        ("the address is the launch address", {"lti_target_link_uri": "http://127.0.0.1:8000/lti/launch"}),
        ("another lesson's custom parameter", {"lti_custom": {"lesson_id": "turtle-garden"}}),
        ("the course was copied", {"lti_context": {"id": "course-2"}, "lti_resource_link": {"id": "link-77"}}),
    ],
)
def test_a_made_link_opens_exactly_its_item(
    name: str, changes: dict[str, Any], client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    pick = "message-in-bits/" + house.catalogue.get("message-in-bits").activities[1].id
    (item,) = items(choose(client, opened(client, platform, house), pick), house)
    assert launch_item(client, platform, house, item, **changes).status_code == 303, name
    assert "/".join(lesson_of(house, district)) == pick


def test_a_made_link_opens_its_item_when_its_address_was_encoded_twice(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    (item,) = items(choose(client, opened(client, platform, house), "parcel-scales"), house)
    mangled = item["url"].replace("?", "%3F").replace("=", "%3D")
    assert launch_item(client, platform, house, item, lti_target_link_uri=mangled, lti_custom={}).status_code == 303
    assert lesson_of(house, district) == ("parcel-scales", "")


def test_a_link_that_opened_before_opens_the_same_when_everything_else_was_lost(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    (item,) = items(choose(client, opened(client, platform, house), "parcel-scales"), house)
    launch_item(client, platform, house, item)
    bare = {"lti_custom": None, "lti_target_link_uri": "http://127.0.0.1:8000/lti/launch"}
    assert launch_item(client, platform, house, item, **bare).status_code == 303
    assert lesson_of(house, district) == ("parcel-scales", "")


def test_another_districts_item_is_nobodys_here(client: FlaskClient, platform: Platform, house: House) -> None:
    (item,) = items(choose(client, opened(client, platform, house), "parcel-scales"), house)
    other = Platform(issuer="https://other.example", client_id="c-9", deployment_id="d-9", address=platform.address)
    world.register(house, world.district(house, "south"), other)
    bare = {"lti_target_link_uri": "http://127.0.0.1:8000/lti/launch", "lti_custom": {"item": item["custom"]["item"]}}
    assert world.launch(client, other, house, **bare).status_code == 403
