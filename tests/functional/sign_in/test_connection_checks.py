"""Testing a connection from the console: what is asked and answered, and that nothing of it stays."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest
import responses
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.accounts.connection_checks import PATIENCE_S, Asked, ConnectionChecks, Outcome
from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.privacy.districts import District
from lti_server.providers import registry
from lti_server.sign_in_parts import SignInHouse
from tests.contract.chalk import CONFIG, ROSTER, ChalkRoster
from tests.functional.sign_in.conftest import Provider, local
from tests.functional.test_inspector import signed_in
from tests.peers.clever import NORTH, SOUTH, Clever, running

NEW = "/district/connections/new/oidc"
SECRET = "a secret of this client"


@pytest.fixture
def admin(app: Flask, house: House, district: District) -> FlaskClient:
    return signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)


@pytest.fixture
def address(house: House, district: District) -> str:
    """The page of the district's connection."""
    (found,) = SignInHouse(house).connections.of_district("north", "oidc")
    return f"/district/connections/{found.grant_id}"


def token_of(page: TestResponse, name: str = "csrf_token") -> str:
    found = re.search(f'name="{name}" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def people(house: House, district: District) -> list[int]:
    with house.database.tenant(district.id) as connection:
        return [
            connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in ("person", "identity", "person_field")
        ]


def test_a_connection_that_works_says_so(admin: FlaskClient, address: str, house: House, district: District) -> None:
    page = admin.get(address)
    answer = admin.post(f"{address}/test", data={"csrf_token": token_of(page)})
    assert answer.status_code == 200
    assert "The test went well" in answer.text
    assert "It said where." in answer.text
    assert SECRET not in answer.text
    assert people(house, district) == [0, 0, 0]
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM log_entry WHERE act = 'provider check'")).scalar_one()


def test_a_form_is_tested_before_anything_is_made(
    admin: FlaskClient, house: House, district: District, provider: Provider
) -> None:
    config = {f"config-{name}": str(value) for name, value in provider.config(client_id="another").items()}
    page = admin.get(NEW)
    hidden = {name: token_of(page, name) for name in ("csrf_token", "form_id")}
    good = admin.post(NEW, data={**config, **hidden, "test": "1"})
    assert (good.status_code, "The test went well" in good.text) == (200, True)
    bad = admin.post(NEW, data={**config, **hidden, "config-issuer": f"{provider.issuer}/elsewhere", "test": "1"})
    assert (bad.status_code, "The test did not go well" in bad.text) == (200, True)
    assert SECRET not in good.text + bad.text
    assert len(SignInHouse(house).connections.of_district("north", "oidc")) == 1


def test_a_changed_configuration_is_tested_and_not_saved(
    admin: FlaskClient, address: str, house: House, provider: Provider
) -> None:
    page = admin.get(f"{address}/configuration")
    form = {"config-issuer": provider.issuer, "config-client_id": "renamed", "test": "1"}
    answer = admin.post(f"{address}/configuration", data={**form, "csrf_token": token_of(page)})
    assert "The test went well" in answer.text
    (found,) = SignInHouse(house).connections.of_district("north", "oidc")
    assert found.config["client_id"] == "lti-server"


def test_a_sign_in_is_tried_and_makes_nobody(
    admin: FlaskClient, address: str, house: House, district: District, provider: Provider
) -> None:
    provider.knows("ada", given_name="Ada-of-the-test", email="ada@school.example", birthdate="2014-05-06")
    assert f"{address}/try" in admin.get(address).text
    away = admin.get(f"{address}/try")
    back = local(provider.back(away.headers["Location"], "ada"))
    answer = admin.get(back)
    assert answer.status_code == 200
    assert "Nobody was made or signed in here" in answer.text
    kept, _, refused = answer.text.partition("It would refuse")
    assert "<code>given_name</code> (student_name.first_and_or_last)" in kept
    assert "<code>email</code> (student_contact.email)" in refused
    assert "Ada-of-the-test" not in answer.text
    assert "ada@school.example" not in answer.text
    assert people(house, district) == [0, 0, 0]
    assert admin.get_cookie("lti_session") is None


def test_a_trial_belongs_to_the_session_in_which_it_began(
    app: Flask, admin: FlaskClient, address: str, house: House, district: District, provider: Provider
) -> None:
    away = admin.get(f"{address}/try")
    back = local(provider.back(away.headers["Location"], "ada"))
    admin.delete_cookie("lti_staff")
    assert admin.get(back).status_code == 401
    assert people(house, district) == [0, 0, 0]


def test_somebody_of_another_school_system_is_told_that_they_would_not_come_in(
    admin: FlaskClient, house: House, district: District, provider: Provider
) -> None:
    own = provider.config(client_id="of the north", tenant_claim="org", tenant="org-north")
    made = SignInHouse(house).connections.connect(district.id, "oidc", own, by="test")
    provider.knows("eve", org="org-south")
    away = admin.get(f"/district/connections/{made.grant_id}/try")
    answer = admin.get(local(provider.back(away.headers["Location"], "eve")))
    assert "it is of another school system" in answer.text
    assert "org-south" not in answer.text


@pytest.fixture
def clever() -> Iterator[Clever]:
    peer = Clever()
    peer.has_district(NORTH, "North")
    with running(peer) as found:
        yield found


@pytest.fixture
def checks(house: House, clever: Clever, monkeypatch: pytest.MonkeyPatch) -> ConnectionChecks:
    object.__setattr__(house.settings, "insecure_hosts", clever.hosts)
    return SignInHouse(house).checks


def asked(
    checks: ConnectionChecks, district: District, clever: Clever, *, tenant: str = "", **more: object
) -> dict[Asked, Outcome]:
    config = {**clever.application(), **more}
    found = checks.check(district.id, "clever", config, tenant=tenant, by="test")
    return {one.asked: one.outcome for one in found.steps}


def test_a_client_that_is_known_a_secret_that_is_not_and_a_list_that_names_others(
    checks: ConnectionChecks, district: District, clever: Clever, house: House
) -> None:
    clever.redirect_uris = [f"{house.settings.base_url}/auth/clever/callback"]
    assert asked(checks, district, clever, tenant=NORTH) == {
        Asked.WHERE: Outcome.NOT_ASKED, Asked.CLIENT: Outcome.GOOD, Asked.TENANTS: Outcome.GOOD,
    }  # fmt: skip
    assert asked(checks, district, clever, tenant=SOUTH)[Asked.TENANTS] is Outcome.NOT_LISTED
    wrong = asked(checks, district, clever, client_secret="another")
    assert wrong == {Asked.WHERE: Outcome.NOT_ASKED, Asked.CLIENT: Outcome.BAD}


def test_an_outage_is_told_and_ends_the_test(checks: ConnectionChecks, district: District, clever: Clever) -> None:
    clever.out = True
    assert asked(checks, district, clever)[Asked.CLIENT] is Outcome.BAD


def test_a_test_ends_when_its_time_is_over(house: House, district: District, clever: Clever) -> None:
    object.__setattr__(house.settings, "insecure_hosts", clever.hosts)
    here, times = SignInHouse(house), iter((0.0, PATIENCE_S + 1))
    checks = here.checks
    checks._elapsed = lambda: next(times)
    found = checks.check(district.id, "clever", clever.application(), tenant="", by="test")
    assert "took longer" in found.steps[-1].said
    assert clever.asked == []


def test_a_page_of_a_class_list_is_counted_and_none_of_it_stays(
    house: House, district: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("installed_chalk")
    monkeypatch.setitem(sys.modules, "installed_chalk", module)
    monkeypatch.setattr(module, "Chalk", ChalkRoster, raising=False)
    point = EntryPoint("chalk", "installed_chalk:Chalk", "lti_server.providers")
    monkeypatch.setitem(house.__dict__, "registry", registry.load_registry(None, discover=lambda: [point]))
    with responses.RequestsMock() as wire:
        wire.get(ROSTER[0].url, json=ROSTER[0].body, headers=dict(ROSTER[0].headers))
        found = SignInHouse(house).checks.check(district.id, "chalk", CONFIG, tenant="", by="test")
    assert found.good
    assert found.roster is not None
    assert found.roster.people > 0
    assert {one.field: one.kept for one in found.roster.fields if one.about == "pupil"}["email"] is False
    assert people(house, district) == [0, 0, 0]
