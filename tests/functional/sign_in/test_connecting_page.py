"""Connecting a provider from the console: what is offered, the form and its faults, once, and changed later."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.accounts.permissions import StaffRole
from lti_server.accounts.provider_connections import Opening
from lti_server.app import House
from lti_server.privacy.districts import District
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.functional.sign_in.conftest import Provider, begin, local, sign_in
from tests.functional.test_inspector import signed_in

NEW = "/district/connections/new"
SECRET = "a secret of this client"


@pytest.fixture
def owner(house: House) -> District:
    """A district under contract that has connected nothing."""
    return world.district(house)


@pytest.fixture
def admin(app: Flask, house: House, owner: District) -> FlaskClient:
    return signed_in(app, house, StaffRole.DISTRICT_ADMIN, owner)


def hidden(page: TestResponse, name: str) -> str:
    found = re.search(f'name="{name}" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def filled(provider: Provider, **more: str) -> dict[str, str]:
    config = provider.config(**more)
    return {f"config-{name}": str(value) for name, value in config.items()}


def send(admin: FlaskClient, form: dict[str, str], address: str = f"{NEW}/oidc") -> TestResponse:
    """Open the form, and send it as the page has it."""
    page = admin.get(address)
    assert page.status_code == 200, page.text
    hiddens = {name: hidden(page, name) for name in ("csrf_token", "form_id") if f'name="{name}"' in page.text}
    return admin.post(address, data={**hiddens, **form})


def kept(house: House, owner: District) -> list[sa.Row[Any]]:
    with house.database.tenant(owner.id) as connection:
        return list(
            connection.execute(
                sa.text(
                    "SELECT c.grant_id, c.provider, c.tenant, g.uses FROM provider_connection c"
                    " JOIN grants g ON g.id = c.grant_id WHERE c.ended_at IS NULL"
                )
            )
        )


def test_a_filled_form_connects_and_people_sign_in(
    admin: FlaskClient, browser: FlaskClient, house: House, owner: District, provider: Provider
) -> None:
    assert "OpenID Connect" in admin.get(NEW).text
    answer = send(admin, filled(provider))
    assert answer.status_code == 303, answer.text
    (made,) = kept(house, owner)
    assert answer.headers["Location"] == f"/district/connections/{made.grant_id}"
    assert (made.provider, made.uses) == ("oidc", ["signin"])  # the plugin has no class lists
    assert sign_in(browser, provider).headers["Location"] == "/learn"
    with house.database.tenant(owner.id) as connection:
        actor = connection.execute(sa.text("SELECT actor FROM log_entry WHERE act = 'provider connect'")).scalar_one()
    assert re.fullmatch("staff:[0-9a-f-]{36}", actor)


def test_the_form_shows_what_the_plugin_says_of_its_fields(
    admin: FlaskClient, house: House, provider: Provider
) -> None:
    page = admin.get(f"{NEW}/oidc").text
    for one in house.registry.manifest("oidc").config:
        assert f'name="config-{one.name}"' in page
    assert 'name="config-client_secret" type="password"' in page
    assert f"{house.settings.base_url}/auth/oidc/callback" in page


def test_every_fault_is_beside_its_field_and_nothing_is_made(
    admin: FlaskClient, house: House, owner: District, provider: Provider
) -> None:
    form = {**filled(provider), "config-issuer": "nowhere", "config-client_id": "", "config-colour": "red"}
    answer = send(admin, form)
    assert answer.status_code == 422
    assert answer.text.count('aria-invalid="true"') == 2
    assert "This must be an address" in answer.text
    assert "<code>colour</code>" in answer.text
    assert "red" not in re.findall(r'value="([^"]*)"', answer.text)
    assert SECRET not in answer.text
    assert kept(house, owner) == []


def test_a_form_that_comes_twice_connects_once(
    admin: FlaskClient, house: House, owner: District, provider: Provider
) -> None:
    page = admin.get(f"{NEW}/oidc")
    form = {**filled(provider), **{name: hidden(page, name) for name in ("csrf_token", "form_id")}}
    answers = [admin.post(f"{NEW}/oidc", data=form) for _ in range(2)]
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert len(kept(house, owner)) == 1
    # Another form does not quietly take the place of what is connected.
    assert send(admin, filled(provider, client_id="another")).status_code == 409


def test_a_configuration_is_changed_and_its_secret_stays_unseen(
    admin: FlaskClient, browser: FlaskClient, house: House, owner: District, provider: Provider
) -> None:
    send(admin, filled(provider))
    (made,) = kept(house, owner)
    address = f"/district/connections/{made.grant_id}/configuration"
    assert address in admin.get(f"/district/connections/{made.grant_id}").text
    page = admin.get(address)
    assert provider.issuer in page.text
    assert SECRET not in page.text
    answer = send(admin, {**filled(provider, client_id="renamed"), "config-client_secret": ""}, address)
    assert answer.status_code == 303, answer.text
    config = SignInHouse(house).connections.of_district("north", "oidc")[0].config
    assert (config["client_id"], config["client_secret"]) == ("renamed", SECRET)
    assert sign_in(browser, provider).status_code == 303


def test_a_secret_is_asked_for_again_where_an_address_changes(
    admin: FlaskClient, house: House, owner: District, provider: Provider
) -> None:
    send(admin, filled(provider))
    (made,) = kept(house, owner)
    form = {**filled(provider), "config-issuer": "https://elsewhere.example", "config-client_secret": ""}
    answer = send(admin, form, f"/district/connections/{made.grant_id}/configuration")
    assert answer.status_code == 422
    assert "Type the secret again" in answer.text


def test_what_the_contract_does_not_name_is_listed_with_the_reason(
    admin: FlaskClient, house: House, owner: District
) -> None:
    world.sign(house, owner, world.contract(house, more="providers: {google: {}}"))
    page = admin.get(NEW).text
    assert f'href="{NEW}/google"' in page
    assert f'href="{NEW}/oidc"' not in page
    assert "Your contract names its providers, and this one is not among them." in page
    assert admin.get(f"{NEW}/oidc").status_code == 404


def test_without_a_contract_nothing_can_be_connected(app: Flask, house: House) -> None:
    bare = world.district(house, "bare", None)
    page = signed_in(app, house, StaffRole.DISTRICT_ADMIN, bare).get(NEW).text
    assert "Your district has no contract in force." in page
    assert f'href="{NEW}/' not in page


def test_a_typed_tenant_holds_nothing_of_the_operators_application(
    admin: FlaskClient, browser: FlaskClient, house: House, owner: District, provider: Provider
) -> None:
    """Whoever types another district's tenant gets nobody of it."""
    SignInHouse(house).connections.application("oidc", provider.config(tenant_claim="org"), by="test")
    assert send(admin, filled(provider, tenant_claim="org", tenant="org-south")).status_code == 303
    provider.knows("eve", org="org-south")
    answer = browser.get(local(provider.back(begin(browser, ""), "eve")), headers={"Accept": "application/json"})
    assert json.loads(answer.text)["reason"] == "tenant-not-connected"
    # By the district's own application they come in, where they are of that tenant.
    assert sign_in(browser, provider, "eve").headers["Location"] == "/learn"
    # And whose the tenant is can connect it still.
    south = world.district(house, "south")
    SignInHouse(house).connections.connect(south.id, "oidc", {"tenant": "org-south"}, by="test")


def test_what_a_districts_own_application_says_of_tenants_leads_into_no_other_district(
    browser: FlaskClient, house: House, owner: District, provider: Provider
) -> None:
    connections, south = SignInHouse(house).connections, world.district(house, "south")
    connections.application("oidc", provider.config(tenant_claim="org"), by="test")
    connections.connect(south.id, "oidc", {"tenant": "org-south"}, by="test")
    own = provider.config(client_id="of the north", tenant_claim="org", tenant="org-north")
    connections.connect(owner.id, "oidc", own, by="test", opening=Opening(holds_tenant=False))
    provider.knows("eve", org="org-south")
    answer = browser.get(local(provider.back(begin(browser), "eve")), headers={"Accept": "application/json"})
    assert json.loads(answer.text)["reason"] == "tenant-not-connected"
    with house.database.tenant(south.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM person")).scalar_one() == 0


@pytest.mark.parametrize("role", [role for role in StaffRole if role is not StaffRole.DISTRICT_ADMIN])
def test_nobody_else_connects(role: StaffRole, app: Flask, house: House, owner: District, provider: Provider) -> None:
    browser = signed_in(app, house, role, None if role is StaffRole.OPERATOR else owner)
    assert browser.get(NEW).status_code == 403
    assert browser.get(f"{NEW}/oidc").status_code == 403
    assert app.test_client().get(NEW).status_code == 401


def test_a_form_from_elsewhere_connects_nothing(
    admin: FlaskClient, house: House, owner: District, provider: Provider
) -> None:
    page = admin.get(f"{NEW}/oidc")
    form = {**filled(provider), "form_id": hidden(page, "form_id")}
    assert admin.post(f"{NEW}/oidc", data=form).status_code == 403
    assert kept(house, owner) == []
