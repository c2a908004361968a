"""A launch that names nobody (LTI Core 5.3.6): refused, unless the deployment allows it; nothing is kept then."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from lti_server.app import House
from lti_server.errors import NotFound
from lti_server.ids import RegistrationId, new_id
from lti_server.privacy.districts import District
from tests import world
from tests.peers.bare_platform import MEMBERSHIP, Platform


@pytest.fixture
def allowed(house: House, district: District, platform: Platform) -> RegistrationId:
    (registered,) = house.registrations.every(district.id)
    house.deployments.allow_anonymous(registered.id, platform.deployment_id, True)
    return registered.id


@pytest.mark.usefixtures("allowed")
def test_it_opens_the_lesson_as_it_is_without_an_account_and_keeps_nothing(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    answer = world.launch(client, platform, house, sub=None, lti_roles=[MEMBERSHIP + "Instructor"])
    assert (answer.status_code, answer.location) == (303, "http://127.0.0.1:8000/lessons/message-in-bits")
    assert client.get("/lessons/message-in-bits").status_code == 200
    with house.database.tenant(district.id) as connection:
        for table in ("person", "identity", "person_field", "session", "section", "membership", "resource_link"):
            assert connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() == 0
        assert connection.execute(sa.text("SELECT decision FROM log_entry")).scalars().all() == ["allowed"]


@pytest.mark.usefixtures("allowed")
def test_it_opens_once(client: FlaskClient, platform: Platform, house: House) -> None:
    begun = world.begin(client, platform)
    claims = platform.claims(begun.nonce, house.clock.now(), sub=None)
    form = {"id_token": platform.sign(claims), "state": begun.state}
    cookies = "; ".join(f"{one.key}={one.value}" for one in (client._cookies or {}).values())
    bare = client.application.test_client(use_cookies=False)
    found = [bare.post("/lti/launch", data=form, headers={"Cookie": cookies}).status_code for _ in range(2)]
    assert found == [303, 403]


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    "fault", [{"sub": ""}, {"sub": 7}, {"lti_resource_link": None}, {"lti_version": "11.3"}, {"lti_custom": None}]
)
def test_every_other_check_still_holds(
    fault: dict[str, object], client: FlaskClient, platform: Platform, house: House
) -> None:
    assert world.launch(client, platform, house, **{"sub": None, **fault}).status_code == 403


@pytest.mark.usefixtures("allowed")
def test_a_launch_that_names_its_reader_is_as_ever(client: FlaskClient, platform: Platform, house: House) -> None:
    assert "ticket=" in world.launch(client, platform, house).location


def test_it_can_be_refused_again(
    allowed: RegistrationId, client: FlaskClient, platform: Platform, house: House
) -> None:
    house.deployments.allow_anonymous(allowed, platform.deployment_id, False)
    assert world.launch(client, platform, house, sub=None).status_code == 403


def test_only_a_deployment_that_is_there_can_allow_it(
    allowed: RegistrationId, house: House, platform: Platform
) -> None:
    for registration_id, deployment_id in ((allowed, "other"), (RegistrationId(new_id()), platform.deployment_id)):
        with pytest.raises(NotFound):
            house.deployments.allow_anonymous(registration_id, deployment_id, True)
