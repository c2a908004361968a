"""A school system that nobody has connected waits, and a district's administrator claims it with proof."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.accounts.permissions import StaffRole
from lti_server.accounts.waiting_tenants import DAYS_KEPT, MOST_OF_A_PROVIDER
from lti_server.app import House, build_house
from lti_server.cli import provider as provider_commands
from lti_server.privacy.districts import District
from lti_server.settings import Settings
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.clock import FakeClock
from tests.commands import typed
from tests.functional.sign_in.conftest import begin, local
from tests.functional.test_inspector import signed_in
from tests.peers.clever import NORTH, SOUTH, Clever, running

JSON = {"Accept": "application/problem+json"}
NEW = "/district/connections/new/clever"


@pytest.fixture
def clever() -> Iterator[Clever]:
    peer = Clever()
    peer.has_district(NORTH, "North")
    peer.has_district(SOUTH, "South")
    peer.knows("ada", student={"legacy_id": "old-1"})
    peer.knows("grace", district_admin={"legacy_id": "old-9"})
    peer.knows("teacher", teacher={"legacy_id": "old-2"})
    with running(peer) as found:
        yield found


@pytest.fixture
def house(settings: Settings, database_url: str, clock: FakeClock, clever: Clever) -> Iterator[House]:
    found = build_house(dataclasses.replace(settings, insecure_hosts=clever.hosts), database_url, clock)
    clever.redirect_uris = [f"{found.settings.base_url}/auth/clever/callback"]
    SignInHouse(found).connections.application("clever", clever.application(), by="test")
    yield found
    found.database.dispose()


@pytest.fixture
def owner(house: House) -> District:
    """A district under contract that has connected nothing."""
    return world.district(house)


@pytest.fixture
def admin(app: Flask, house: House, owner: District) -> FlaskClient:
    return signed_in(app, house, StaffRole.DISTRICT_ADMIN, owner)


def token_of(page: TestResponse) -> str:
    found = re.search('name="csrf_token" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def claim(admin: FlaskClient, provider: str = "clever") -> str:
    """Begin a claim; the address of its page."""
    page = admin.get(f"/district/connections/new/{provider}")
    answer = admin.post(f"/district/connections/new/{provider}/claim", data={"csrf_token": token_of(page)})
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def prove(admin: FlaskClient, clever: Clever, page: str, user_id: str) -> TestResponse:
    """Go to Clever and back as somebody."""
    address = admin.get(f"{page}/go").headers["Location"]
    return admin.get(local(clever.back(address, user_id)), headers=JSON)


def take(admin: FlaskClient, page: str) -> TestResponse:
    return admin.post(page, data={"csrf_token": token_of(admin.get("/privacy/request"))}, headers=JSON)


def come(browser: FlaskClient, clever: Clever, user_id: str = "ada") -> TestResponse:
    return browser.get(local(clever.back(begin(browser, "", "clever"), user_id)), headers=JSON)


def count(house: House, owner: District, table: str) -> int:
    with house.database.tenant(owner.id) as connection:
        found = connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()
    assert isinstance(found, int)
    return found


def test_a_tenant_that_nobody_connected_waits_and_is_claimed_by_who_administers_it(
    admin: FlaskClient, app: Flask, clever: Clever, house: House, owner: District
) -> None:
    assert come(app.test_client(), clever).status_code == 403
    (waits,) = SignInHouse(house).waiting.every()
    assert (waits.provider, waits.tenant, waits.times) == ("clever", NORTH, 1)
    page = claim(admin)
    assert prove(admin, clever, page, "grace").headers["Location"] == page
    shown = admin.get(page)
    assert NORTH in shown.text
    assert str(waits.first_seen_on) in shown.text
    assert take(admin, page).status_code == 303
    assert SignInHouse(house).waiting.every() == []
    assert come(app.test_client(), clever).headers["Location"] == "/learn"


def test_nothing_of_the_account_that_proves_is_kept(
    admin: FlaskClient, clever: Clever, house: House, owner: District
) -> None:
    page = claim(admin)
    prove(admin, clever, page, "grace")
    take(admin, page)
    assert [count(house, owner, table) for table in ("person", "identity", "person_field")] == [0, 0, 0]
    assert count(house, owner, "session") == 1  # the console's own
    assert admin.get_cookie("lti_session") is None


def test_whoever_comes_from_it_before_gets_a_page_that_says_what_to_ask_for(
    browser: FlaskClient, clever: Clever, house: House, owner: District
) -> None:
    back = local(clever.back(begin(browser, "", "clever"), "ada"))
    page = browser.get(back)
    assert page.status_code == 403
    for words in ("What to ask for", "Show by signing in there", "has to allow Clever", "give this number"):
        assert words in page.text
    assert browser.get(back, headers=JSON).content_type == "application/problem+json"


@pytest.mark.parametrize("user_id", ["teacher", "ada"])
def test_without_proof_nothing_is_bound_and_the_page_says_what_to_ask(
    admin: FlaskClient, clever: Clever, house: House, owner: District, user_id: str
) -> None:
    page = claim(admin)
    prove(admin, clever, page, user_id)
    shown = admin.get(page)
    assert shown.status_code == 403
    assert "does not call this account an administrator" in shown.text
    assert NORTH not in shown.text
    assert take(admin, page).status_code == 409
    assert count(house, owner, "provider_connection") == 0
    # An administrator who comes afterwards does not heal it: a claim has one answer.
    assert prove(admin, clever, page, "grace").status_code == 409
    assert take(admin, page).status_code == 409


def test_a_claim_without_a_sign_in_binds_nothing(admin: FlaskClient, house: House, owner: District) -> None:
    assert take(admin, claim(admin)).status_code == 409
    assert count(house, owner, "provider_connection") == 0


def test_what_an_administrator_does_not_share_is_no_proof(
    admin: FlaskClient, clever: Clever, house: House, owner: District
) -> None:
    clever.redaction, clever.redacted = "null", ("roles",)
    page = claim(admin)
    prove(admin, clever, page, "grace")
    assert take(admin, page).status_code == 409


def test_a_claim_is_over_after_ten_minutes(
    admin: FlaskClient, clever: Clever, clock: FakeClock, house: House, owner: District
) -> None:
    page = claim(admin)
    prove(admin, clever, page, "grace")
    clock.pass_s(601)
    assert take(admin, page).status_code == 404
    assert count(house, owner, "provider_connection") == 0


def test_a_claim_makes_one_connection_and_no_second(
    admin: FlaskClient, clever: Clever, house: House, owner: District
) -> None:
    page = claim(admin)
    prove(admin, clever, page, "grace")
    first, again = take(admin, page), take(admin, page)
    assert first.headers["Location"] == again.headers["Location"]
    (grant,) = house_grants(house, owner)
    house.grants.withdraw.begin(owner.id, grant, by="test", reason="over")
    assert house.grants.withdraw.finish(owner.id, grant, patience_s=5)
    assert take(admin, page).status_code == 409
    assert len(house_grants(house, owner)) == 1


def house_grants(house: House, owner: District) -> list[Any]:
    with house.database.tenant(owner.id) as connection:
        return list(connection.execute(sa.text("SELECT id FROM grants")).scalars())


def test_a_claim_belongs_to_one_session_of_one_district(
    app: Flask, admin: FlaskClient, clever: Clever, house: House, owner: District
) -> None:
    south = world.district(house, "south")
    page = claim(admin)
    address = admin.get(f"{page}/go").headers["Location"]
    back = local(clever.back(address, "grace"))
    for other in (
        signed_in(app, house, StaffRole.DISTRICT_ADMIN, owner),  # a colleague of the same district
        signed_in(app, house, StaffRole.DISTRICT_ADMIN, south),
    ):
        assert other.get(page).status_code == 404
        for one in (admin._cookies or {}).values():  # a thief has the binding cookie, too
            if one.key.startswith("lti_signin_"):
                other.set_cookie(one.key, one.value, path="/auth")
        assert other.get(back, headers=JSON).status_code == 403
        assert take(other, page).status_code == 404
    stranger = app.test_client()
    assert json.loads(stranger.get(back, headers=JSON).text)["reason"] == "other-browser"
    assert (count(house, owner, "provider_connection"), count(house, south, "provider_connection")) == (0, 0)


def test_a_tenant_of_one_district_cannot_be_claimed_by_another_which_learns_not_whose_it_is(
    app: Flask, admin: FlaskClient, clever: Clever, house: House, owner: District
) -> None:
    south = world.district(house, "south")
    SignInHouse(house).connections.connect(south.id, "clever", {"district_id": NORTH}, by="test")
    page = claim(admin)
    prove(admin, clever, page, "grace")
    refused = take(admin, page)
    assert refused.status_code == 409
    assert "south" not in refused.text.lower()
    assert count(house, owner, "provider_connection") == 0
    assert come(app.test_client(), clever).status_code == 303
    assert count(house, south, "person") == 1


@pytest.mark.parametrize("role", [role for role in StaffRole if role is not StaffRole.DISTRICT_ADMIN])
def test_nobody_else_claims(role: StaffRole, app: Flask, house: House, owner: District) -> None:
    browser = signed_in(app, house, role, None if role is StaffRole.OPERATOR else owner)
    token = token_of(browser.get("/privacy/request"))
    assert browser.post(f"{NEW}/claim", data={"csrf_token": token}).status_code == 403


def test_where_a_provider_names_no_administrators_the_page_says_whom_to_ask(
    admin: FlaskClient, house: House, owner: District
) -> None:
    config = {"client_id": "everybody's", "client_secret": "of the operator"}
    SignInHouse(house).connections.application("google", config, by="test")
    page = admin.get("/district/connections/new/google")
    assert "Ask the operator to connect your school system there" in page.text
    answer = admin.post("/district/connections/new/google/claim", data={"csrf_token": token_of(page)})
    assert answer.status_code == 404


def test_the_contract_decides_about_a_claim_too(
    admin: FlaskClient, clever: Clever, house: House, owner: District
) -> None:
    page = claim(admin)
    prove(admin, clever, page, "grace")
    world.sign(house, owner, world.contract(house, more="providers: {google: {}}"))
    assert take(admin, page).status_code == 404
    assert count(house, owner, "provider_connection") == 0


def test_strangers_fill_no_more_than_a_page_and_what_nobody_asks_for_is_gone(
    app: Flask, clever: Clever, clock: FakeClock, house: House, owner: District
) -> None:
    waiting = SignInHouse(house).waiting
    for number in range(MOST_OF_A_PROVIDER + 5):
        waiting.seen("clever", f"made-up-{number}")
    assert len(waiting.every()) == MOST_OF_A_PROVIDER
    waiting.seen("clever", "made-up-0")
    assert {one.tenant: one.times for one in waiting.every()}["made-up-0"] == 2
    waiting.seen("clever", "x" * 300)
    waiting.seen("clever", "a\nb")
    waiting.seen("classlink", "7")
    assert len(waiting.every()) == MOST_OF_A_PROVIDER + 1
    clock.pass_s(int(timedelta(days=DAYS_KEPT).total_seconds()))
    waiting.seen("classlink", "7")
    clock.pass_s(86_400)
    assert [one.tenant for one in waiting.every()] == ["7"]
    assert waiting.forget() == MOST_OF_A_PROVIDER
    with house.database.anyone() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM waiting_tenant")).scalar_one() == 1


def test_a_tenant_that_only_a_districts_own_application_knows_waits_for_nobody(
    app: Flask, clever: Clever, house: House, owner: District
) -> None:
    own = {**clever.application(), "district_id": SOUTH}
    SignInHouse(house).connections.connect(owner.id, "clever", own, by="test")
    answer = app.test_client()
    back = local(clever.back(begin(answer, "north", "clever"), "ada"))
    assert json.loads(answer.get(back, headers=JSON).text)["reason"] == "tenant-not-connected"
    assert SignInHouse(house).waiting.every() == []


def test_the_operator_sees_which_wait_and_which_are_claimed(
    app: Flask, clever: Clever, house: House, owner: District, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    come(app.test_client(), clever)
    SignInHouse(house).connections.connect(owner.id, "clever", {"district_id": SOUTH}, by="test")
    monkeypatch.setattr(provider_commands, "open_house", lambda: house)
    told = typed(["provider", "tenants"], monkeypatch, capsys)
    assert [(one["tenant"], one["times"]) for one in told["waiting"]] == [(NORTH, 1)]
    assert [(one["district"], one["tenant"], one["state"]) for one in told["claimed"]] == [("north", SOUTH, "active")]
