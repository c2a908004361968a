"""Sign-ins that must not open anything: each is refused by its reason, and leaves nobody and no session behind."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from lti_server_oidc import OpenIdConnect
from werkzeug.test import TestResponse

from lti_server.accounts.connected import Connected
from lti_server.accounts.proving import Proving
from lti_server.app import House
from lti_server.errors import Conflict, ContractForbids, InvalidInput, NoContract
from lti_server.privacy.districts import District
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.clock import FakeClock
from tests.functional.sign_in.conftest import Provider, begin, sign_in

JSON = {"Accept": "application/problem+json"}
TENANT = {"tenant_claim": "org", "tenant": "org-north"}


def reason(answer: TestResponse) -> str:
    assert answer.status_code == 403, answer.text
    found = json.loads(answer.text)["reason"]
    assert isinstance(found, str)
    return found


def callback(browser: FlaskClient, address: str, **changes: str | None) -> TestResponse:
    """Come back by this address, with parameters changed or left out (None)."""
    parts = urlsplit(address)
    params: dict[str, str | None] = {name: values[0] for name, values in parse_qs(parts.query).items()}
    kept = {name: value for name, value in {**params, **changes}.items() if value is not None}
    return browser.get(f"{parts.path}?{urlencode(kept)}", headers=JSON)


def nobody_is_in(house: House, district: District) -> None:
    with house.database.tenant(district.id) as connection:
        for table in ("person", "identity", "session"):
            assert connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() == 0


@pytest.fixture
def back(browser: FlaskClient, provider: Provider, district: District) -> str:
    """The address with which the provider sends the browser back."""
    return provider.back(begin(browser), "ada")


def test_a_connection_that_is_suspended_at_the_last_moment_lets_nobody_in(
    browser: FlaskClient, back: str, house: House, district: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = Proving._of

    def then_suspended(self: Proving, *said: Any) -> Connected:
        found = of(self, *said)
        house.grants.withdraw.suspend(district.id, found.grant_id, by="test")
        return found

    monkeypatch.setattr(Proving, "_of", then_suspended)
    assert reason(callback(browser, back)) == "withdrawn"
    nobody_is_in(house, district)


STATES: dict[str, Callable[[str], str]] = {
    "one that is no state": lambda _: "x",
    "an empty one": lambda _: "",
    "a changed one": lambda state: ("B" if state[0] == "A" else "A") + state[1:],
    "one that is too long": lambda state: state + "x" * 5_000,
    "one with half a surrogate": lambda _: "\ud83d".encode("utf-8", "surrogatepass").decode("latin-1"),
}


@pytest.mark.parametrize("name", STATES)
def test_a_wrong_state_fails_hard(browser: FlaskClient, back: str, house: House, district: District, name: str) -> None:
    state = parse_qs(urlsplit(back).query)["state"][0]
    answer = callback(browser, back, state=STATES[name](state))
    assert reason(answer) == "state-forged"
    assert "Location" not in answer.headers
    nobody_is_in(house, district)


def test_the_state_of_another_browser_is_refused(app: Flask, back: str, house: House, district: District) -> None:
    """Somebody sends a pupil the end of a sign-in of their own (login CSRF)."""
    assert reason(callback(app.test_client(), back)) == "other-browser"
    nobody_is_in(house, district)


def test_a_state_is_too_old_after_ten_minutes(
    browser: FlaskClient, back: str, clock: FakeClock, house: House, district: District
) -> None:
    clock.pass_s(601)
    assert reason(callback(browser, back)) == "state-expired"
    nobody_is_in(house, district)


def test_the_state_of_one_provider_is_worth_nothing_at_another(
    browser: FlaskClient, back: str, house: House, district: District
) -> None:
    answer = callback(browser, back.replace("/auth/oidc/", "/auth/google/"))
    assert reason(answer) == "state-of-another-provider"
    nobody_is_in(house, district)


def test_a_code_opens_once(app: Flask, back: str, browser: FlaskClient, house: House, district: District) -> None:
    cookies = [(one.key, one.value) for one in (browser._cookies or {}).values()]
    assert callback(browser, back).status_code == 303
    thief = app.test_client()
    for name, value in cookies:
        thief.set_cookie(name, value, path="/auth")
    assert reason(callback(thief, back)) == "declined"


def test_whoever_comes_back_twice_goes_on_and_nothing_is_exchanged_again(browser: FlaskClient, back: str) -> None:
    callback(browser, back)
    again = callback(browser, back)
    assert (again.status_code, again.headers["Location"]) == (303, "/learn")


def test_a_declined_sign_in_says_so(browser: FlaskClient, provider: Provider, house: House, district: District) -> None:
    answer = callback(browser, provider.declined(begin(browser)), state=None)
    assert reason(answer) == "declined"
    nobody_is_in(house, district)


def test_the_code_of_another_account_is_not_taken_for_the_own_nonce(
    app: Flask, browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    """A code that was caught in one browser, and put into the sign-in of another (code injection)."""
    stolen = parse_qs(urlsplit(provider.back(begin(app.test_client()), "victim")).query)["code"][0]
    mine = provider.back(begin(browser), "thief")
    assert reason(callback(browser, mine, code=stolen)) in ("declined", "provider-failed")
    nobody_is_in(house, district)


@pytest.mark.parametrize("sub", ["x" * 300])
def test_a_subject_that_no_provider_may_send_is_refused(
    browser: FlaskClient, provider: Provider, house: House, district: District, sub: str
) -> None:
    answer = callback(browser, provider.back(begin(browser), sub))
    assert reason(answer) == "provider-failed"
    nobody_is_in(house, district)


@pytest.mark.parametrize("name", ["issuer", "client_id", "subject"])
@pytest.mark.parametrize("value", ["", "x" * 256, "a\x00b", "half a \ud83d pair", 7, None])
def test_a_plugin_that_gives_no_usable_key_of_an_account_signs_nobody_in(
    browser: FlaskClient, back: str, house: House, district: District, monkeypatch: pytest.MonkeyPatch, name: str,
    value: Any,
) -> None:  # fmt: skip
    identity = OpenIdConnect.identity
    monkeypatch.setattr(OpenIdConnect, "identity", lambda *said: dataclasses.replace(identity(*said), **{name: value}))
    assert reason(callback(browser, back)) == "provider-failed"
    nobody_is_in(house, district)


@pytest.mark.parametrize("value", ["x" * 256, "a\x00b", "half a \ud83d pair", 7, None, ["org-north"]])
def test_a_tenant_that_is_no_name_signs_nobody_in(
    browser: FlaskClient, back: str, house: House, district: District, monkeypatch: pytest.MonkeyPatch, value: Any
) -> None:
    identity = OpenIdConnect.identity
    monkeypatch.setattr(OpenIdConnect, "identity", lambda *said: dataclasses.replace(identity(*said), tenant=value))
    assert reason(callback(browser, back)) == "provider-failed"
    nobody_is_in(house, district)


def test_of_many_sign_ins_in_one_browser_the_oldest_are_let_go_of(
    browser: FlaskClient, provider: Provider, district: District, clock: FakeClock
) -> None:
    addresses = []
    for _ in range(9):
        addresses.append(begin(browser))
        clock.pass_s(1)
    assert reason(callback(browser, provider.back(addresses[3], "ada"))) == "other-browser"
    assert callback(browser, provider.back(addresses[4], "ada")).status_code == 303


@pytest.mark.parametrize(
    "claims",
    [
        {"given_name": "x" * 20_000, "family_name": "\u202eevil", "email": "a\x00b@x"},
        {"given_name": ["a", "list"], "family_name": {"an": "object"}, "email": 7, "birthdate": []},
        {"given_name": "=HYPERLINK(1)", "family_name": "<script>alert(1)</script>", "name": None},
    ],
)
def test_hostile_claims_are_kept_as_text_or_not_at_all(
    browser: FlaskClient, provider: Provider, district: District, claims: dict[str, Any]
) -> None:
    provider.knows("ada", **claims)
    assert sign_in(browser, provider).status_code == 303
    assert "<script>alert" not in browser.get("/learn").text


def test_a_provider_that_is_out_is_a_page_and_no_fault_of_ours(
    browser: FlaskClient, house: House, signing_in: SignInHouse
) -> None:
    out = world.district(house, "south")
    signing_in.connections.connect(out.id, "oidc", {"issuer": "https://id.invalid", "client_id": "x"}, by="test")
    answer = browser.get("/auth/oidc/login?district=south", headers=JSON)
    assert answer.status_code == 502


@pytest.mark.parametrize("address", ["/auth/oidc/login", "/auth/oidc/login?district=nowhere", "/auth/nothing/login"])
def test_a_way_in_that_nobody_has_connected_is_told(browser: FlaskClient, district: District, address: str) -> None:
    assert browser.get(address, headers=JSON).status_code in (403, 404)


class TestTenants:
    """One application of the operator, and two districts that each have a tenant of it."""

    @pytest.fixture
    def districts(self, house: House, signing_in: SignInHouse, provider: Provider) -> tuple[District, District]:
        signing_in.connections.application("oidc", provider.config(tenant_claim="org"), by="test")
        north, south = world.district(house, "north"), world.district(house, "south")
        for one in (north, south):
            signing_in.connections.connect(one.id, "oidc", {"tenant": f"org-{one.slug}"}, by="test")
        return north, south

    def count(self, house: House, owner: District) -> int:
        with house.database.tenant(owner.id) as connection:
            return int(connection.execute(sa.text("SELECT count(*) FROM person")).scalar_one())

    def test_the_tenant_decides_and_not_the_school_that_was_chosen_before(
        self, browser: FlaskClient, provider: Provider, house: House, districts: tuple[District, District]
    ) -> None:
        north, south = districts
        provider.knows("ada", org="org-south")
        assert callback(browser, provider.back(begin(browser, "north"), "ada")).status_code == 303
        assert (self.count(house, north), self.count(house, south)) == (0, 1)

    def test_nobody_needs_to_choose_a_school(
        self, browser: FlaskClient, provider: Provider, house: House, districts: tuple[District, District]
    ) -> None:
        provider.knows("ada", org="org-north")
        assert callback(browser, provider.back(begin(browser, ""), "ada")).status_code == 303
        assert self.count(house, districts[0]) == 1

    @pytest.mark.parametrize(
        ("claims", "said"),
        [
            ({"org": "org-west"}, "tenant-not-connected"),
            ({"org": "ORG-NORTH"}, "tenant-not-connected"),
            ({"org": ["org-north"]}, "no-tenant"),
            ({"org": ""}, "no-tenant"),
            ({}, "no-tenant"),
        ],
    )
    def test_an_account_of_no_connected_tenant_is_told_what_to_ask_for(
        self, browser: FlaskClient, provider: Provider, house: House, districts: tuple[District, District],
        claims: dict[str, Any], said: str,
    ) -> None:  # fmt: skip
        provider.knows("ada", **claims)
        assert reason(callback(browser, provider.back(begin(browser, "north"), "ada"))) == said
        assert [self.count(house, one) for one in districts] == [0, 0]

    def test_two_districts_that_share_a_subject_share_nothing(
        self, app: Flask, provider: Provider, house: House, districts: tuple[District, District]
    ) -> None:
        for org in ("org-north", "org-south"):
            provider.knows("ada", org=org, email="ada@x.example")
            browser = app.test_client()
            assert callback(browser, provider.back(begin(browser, ""), "ada")).status_code == 303
        assert [self.count(house, one) for one in districts] == [1, 1]

    def test_a_tenant_is_one_districts(
        self, house: House, signing_in: SignInHouse, districts: tuple[District, District]
    ) -> None:
        with pytest.raises(Conflict, match="cannot be connected"):
            signing_in.connections.connect(districts[1].id, "oidc", {"tenant": "org-north"}, by="test")

    def test_a_portal_that_sends_somebody_by_itself_begins_a_sign_in_here(
        self, browser: FlaskClient, provider: Provider, house: House, districts: tuple[District, District]
    ) -> None:
        provider.knows("ada", org="org-north")
        answer = browser.get("/auth/oidc/callback?code=a-code-of-the-portal&scope=x")
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith(provider.issuer)
        assert "a-code-of-the-portal" not in answer.headers["Location"]
        assert callback(browser, provider.back(answer.headers["Location"], "ada")).status_code == 303
        assert self.count(house, districts[0]) == 1

    def test_a_portal_that_sends_in_a_circle_is_stopped(
        self, browser: FlaskClient, districts: tuple[District, District]
    ) -> None:
        assert browser.get("/auth/oidc/callback?code=one").status_code == 302
        assert reason(browser.get("/auth/oidc/callback?code=two", headers=JSON)) == "in-a-circle"

    def test_the_next_pupil_on_a_shared_device_may_come_from_the_portal_at_once(
        self, browser: FlaskClient, provider: Provider, districts: tuple[District, District]
    ) -> None:
        for sub in ("ada", "grace"):
            provider.knows(sub, org="org-north")
            answer = browser.get("/auth/oidc/callback?code=x")
            assert answer.status_code == 302
            assert callback(browser, provider.back(answer.headers["Location"], sub)).status_code == 303


class TestConnecting:
    """What connecting refuses."""

    @pytest.mark.parametrize(
        "config",
        [{}, {"issuer": "not an address", "client_id": "x"}, {"issuer": "https://x.example", "client_id": "x", "y": 1}],
    )
    def test_a_configuration_that_does_not_fit_is_refused_whole(
        self, house: House, signing_in: SignInHouse, config: dict[str, object]
    ) -> None:
        owner = world.district(house)
        with pytest.raises(InvalidInput):
            signing_in.connections.connect(owner.id, "oidc", config, by="test")
        with house.database.tenant(owner.id) as connection:
            assert connection.execute(sa.text("SELECT count(*) FROM grants")).scalar_one() == 0

    def test_no_contract_and_a_contract_without_this_provider_refuse_it(
        self, house: House, signing_in: SignInHouse, provider: Provider
    ) -> None:
        with pytest.raises(NoContract):
            signing_in.connections.connect(
                world.district(house, "bare", terms=None).id, "oidc", provider.config(), by="test"
            )
        owner = world.district(house, terms=world.contract(house, more="providers: {lti: {}}"))
        with pytest.raises(ContractForbids):
            signing_in.connections.connect(owner.id, "oidc", provider.config(), by="test")

    def test_connected_again_it_keeps_its_grant_and_its_people(
        self, browser: FlaskClient, house: House, signing_in: SignInHouse, provider: Provider, district: District
    ) -> None:
        sign_in(browser, provider)
        (before,) = signing_in.connections.of_district("north", "oidc")
        after = signing_in.connections.connect(
            district.id, "oidc", provider.config(client_secret="a new secret"), by="test"
        )
        assert after.grant_id == before.grant_id
        assert signing_in.connections.one(after.id).config["client_secret"] == "a new secret"
        assert browser.get("/learn").status_code == 200

    def test_a_dump_of_the_tables_holds_no_secret_and_no_issuer(
        self, house: House, signing_in: SignInHouse, provider: Provider, district: District
    ) -> None:
        signing_in.connections.application("oidc", provider.config(), by="test")
        with house.database.tenant(district.id) as connection:
            found = str(connection.execute(sa.text("SELECT * FROM provider_connection")).all())
            found += str(connection.execute(sa.text("SELECT * FROM provider_application")).all())
        assert "a secret of this client" not in found
        assert provider.issuer not in found

    def test_a_token_of_the_provider_is_kept_nowhere(
        self, browser: FlaskClient, house: House, provider: Provider, district: District
    ) -> None:
        sign_in(browser, provider)
        assert requests.get(f"{provider.issuer}/userinfo", timeout=5).status_code == 401
        with house.database.tenant(district.id) as connection:
            assert connection.execute(sa.text("SELECT count(*) FROM upstream_revocation")).scalar_one() == 0


def test_who_is_in_no_class_that_the_contract_names_is_refused_and_whoever_is_in_one_comes_in(
    browser: FlaskClient, provider: Provider, house: House, district: District
) -> None:
    def answer() -> TestResponse:
        return callback(browser, provider.back(begin(browser), "ada"))

    def signed(lists: str) -> None:
        world.sign(house, district, world.contract(house, more=f"providers: {{oidc: {{population: {lists}}}}}"))

    signed("{schools: [Hill]}")
    assert reason(answer()) == "outside-population"
    nobody_is_in(house, district)
    signed("all")
    assert answer().status_code == 303
    with house.database.tenant(district.id) as connection:
        connection.execute(
            sa.text(
                "WITH made AS (INSERT INTO section (id, district_id, grant_id, provider, source_scope, source_id, name,"
                " school, created_at) SELECT gen_random_uuid(), district_id, id, 'oidc', '', 'a', '', 'Hill', now()"
                " FROM grants RETURNING id, district_id, grant_id)"
                " INSERT INTO membership (id, district_id, section_id, person_id, role, source, grant_id, epoch,"
                " started_at) SELECT gen_random_uuid(), m.district_id, m.id, p.id, 'pupil', 'roster', m.grant_id, 1,"
                " now() FROM made m, person p"
            )
        )
    signed("{schools: [Dale]}")
    assert reason(answer()) == "outside-population"
    signed("{schools: [Hill]}")
    assert answer().status_code == 303
