"""Somebody tries to reach another's account by linking: nobody does, and whoever was tried is who they were."""

from __future__ import annotations

import json
import threading
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.app import House
from lti_server.ids import PersonId
from lti_server.privacy.districts import District
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.clock import FakeClock
from tests.functional.own_page import enter, post, ticket_of
from tests.functional.sign_in.conftest import Provider, begin, local, sign_in
from tests.functional.sign_in.two_doors import (
    ROLES,
    TEACHER,
    Platform,
    begun,
    by_lms,
    by_provider,
    confirmed,
    district,
    house,
    linked,
    platform,
    rows,
    whose,
)

__all__ = ["district", "house", "platform"]
JSON = {"Accept": "application/problem+json"}


def refused(answer: TestResponse) -> str:
    assert answer.status_code == 403, (answer.status_code, answer.headers.get("Location"))
    said = json.loads(answer.text)["reason"]
    assert isinstance(said, str)
    return said


def test_the_same_e_mail_at_two_providers_joins_nobody(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    world.sign(house, district, world.contract(house, more=f"  student_contact.email: {world.SCHOOL}"))
    mail = "ada@school.example"
    by_lms(app.test_client(), platform, house, sub="victim", email=mail, name="Ada Lovelace")
    provider.knows("thief", email=mail, email_verified=True, name="Ada Lovelace")
    thief = by_provider(app.test_client(), provider, "thief")
    assert whose(house, district) == {"people": 2, "ways": 2}
    linked(thief, provider, "thief-again")
    assert whose(house, district) == {"people": 2, "ways": 3}


def test_a_reused_e_mail_address_leads_to_nobody_who_had_it_before(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    world.sign(house, district, world.contract(house, more=f"  student_contact.email: {world.SCHOOL}"))
    provider.knows("left-school", email="ada@school.example", name="Ada Lovelace")
    by_provider(app.test_client(), provider, "left-school")
    provider.knows("left-school", email="somewhere-else@school.example")
    provider.knows("newcomer", email="ada@school.example", name="Ada Lovelace")
    by_provider(app.test_client(), provider, "newcomer")
    assert whose(house, district) == {"people": 2, "ways": 2}


@pytest.mark.parametrize("passes_s", [301, 599])
def test_a_stale_intent_links_nothing(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District, clock: FakeClock,
    passes_s: int,
) -> None:  # fmt: skip
    browser = by_lms(app.test_client(), platform, house)
    back = provider.back(begun(browser), "ada")
    clock.pass_s(passes_s)
    assert refused(browser.get(local(back), headers=JSON)) == "link-stale"
    assert whose(house, district) == {"people": 1, "ways": 1}


def test_an_intent_is_used_once_whoever_signs_in_the_second_time(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    browser = by_lms(app.test_client(), platform, house)
    address = begun(browser)
    cookies = [(one.key, one.value) for one in (browser._cookies or {}).values() if one.key.startswith("lti_signin")]
    assert browser.get(local(provider.back(address, "ada"))).status_code == 303
    for name, value in cookies:
        browser.set_cookie(name, value, path="/auth")
    assert refused(browser.get(local(provider.back(address, "grace")), headers=JSON)) == "link-stale"
    assert whose(house, district) == {"people": 1, "ways": 2}


def test_an_intent_that_failed_at_the_provider_is_used_as_well(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    browser = by_lms(app.test_client(), platform, house)
    address = begun(browser)
    back = provider.back(address, "ada")
    spoiled = back.replace("code=", "code=x")
    assert refused(browser.get(local(spoiled), headers=JSON)) == "declined"
    assert refused(browser.get(local(back), headers=JSON)) == "link-stale"
    assert whose(house, district) == {"people": 1, "ways": 1}


def test_of_two_that_come_back_at_once_one_links(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    browser = by_lms(app.test_client(), platform, house)
    address = begun(browser)
    backs = [local(provider.back(address, sub)) for sub in ("ada", "grace")]
    cookies = [(one.key, one.value) for one in (browser._cookies or {}).values() if one.key.startswith("lti_signin")]
    codes: list[int] = []

    def come(back: str) -> None:
        mine = app.test_client()
        for name, value in cookies:
            mine.set_cookie(name, value, path="/auth")
        codes.append(mine.get(back, headers=JSON).status_code)

    threads = [threading.Thread(target=come, args=(back,)) for back in backs]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert sorted(codes) == [303, 403]
    assert whose(house, district) == {"people": 1, "ways": 2}


def test_an_intent_for_another_target_links_nothing_to_whoever_is_lured_into_it(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    """A thief lets a victim finish an intent of the thief's own, so that the victim's account becomes the thief's."""
    thief, victim = by_lms(app.test_client(), platform, house, sub="thief"), app.test_client()
    back = local(provider.back(begun(thief), "victim"))
    assert refused(victim.get(back, headers=JSON)) == "other-browser"
    by_provider(victim, provider, "victim")
    back = local(provider.back(begun(thief), "victim"))
    answer = victim.get(back, headers=JSON)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/learn"), "as whoever reloads a page"
    assert whose(house, district) == {"people": 2, "ways": 2}


def test_the_state_of_a_sign_in_links_nothing_and_the_state_of_a_link_signs_nobody_in(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    browser = by_lms(app.test_client(), platform, house)
    linking, signing = begun(browser), begin(browser)
    state = {name: parse_qs(urlsplit(one).query)["state"][0] for name, one in (("l", linking), ("s", signing))}
    back = urlsplit(provider.back(linking, "ada"))
    params = {**{name: values[0] for name, values in parse_qs(back.query).items()}, "state": state["s"]}
    answer = browser.get(f"{back.path}?{urlencode(params)}", headers=JSON)
    assert answer.status_code == 403, "the code is of another sign-in: its verifier does not fit"
    assert whose(house, district) == {"people": 1, "ways": 1}


def test_an_intent_for_one_provider_is_worth_nothing_at_another(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    browser = by_lms(app.test_client(), platform, house)
    back = local(provider.back(begun(browser), "ada")).replace("/auth/oidc/", "/auth/google/")
    assert refused(browser.get(back, headers=JSON)) == "state-of-another-provider"
    assert whose(house, district) == {"people": 1, "ways": 1}


def test_an_intent_ends_with_the_session_that_it_was_made_in(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    browser = by_provider(app.test_client(), provider, "ada")
    back = provider.back(begun(browser), "grace")
    token = parse_csrf(browser)
    browser.post("/signout", data={"csrf_token": token})
    assert refused(browser.get(local(back), headers=JSON)) == "link-stale"
    assert whose(house, district) == {"people": 1, "ways": 1}


def parse_csrf(browser: FlaskClient) -> str:
    page = browser.get("/learn").text
    return page.split('name="csrf_token" value="')[1].split('"')[0]


def test_a_form_of_another_site_makes_no_intent(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    browser = by_lms(app.test_client(), platform, house)
    assert browser.post("/me/accounts/connect", data={"provider": "oidc"}).status_code in (400, 403, 422)
    assert rows(house, district, "SELECT 1 FROM link_intent") == []


def test_what_is_to_be_confirmed_is_the_sessions_own(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    """A thief cannot confirm what a victim has proven, nor see that there is anything."""
    by_provider(app.test_client(), provider, "ada")
    victim = by_lms(app.test_client(), platform, house, sub="victim")
    linked(victim, provider, "ada")
    for thief in (by_lms(app.test_client(), platform, house, sub="thief"),
                  by_lms(app.test_client(), platform, house, sub="victim")):  # fmt: skip
        assert thief.get("/me/accounts/confirm").status_code == 303
        assert post(thief, "/me/accounts/confirm").status_code == 403
    assert whose(house, district) == {"people": 3, "ways": 3}


def test_a_proof_is_too_old_to_be_confirmed_after_five_minutes(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District, clock: FakeClock
) -> None:
    by_provider(app.test_client(), provider, "ada")
    browser = by_lms(app.test_client(), platform, house)
    linked(browser, provider, "ada")
    clock.pass_s(301)
    assert browser.get("/me/accounts/confirm").status_code == 303
    assert post(browser, "/me/accounts/confirm").status_code == 403
    assert whose(house, district) == {"people": 2, "ways": 2}


def test_a_confirmation_counts_once(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    by_provider(app.test_client(), provider, "ada")
    browser = by_lms(app.test_client(), platform, house)
    linked(browser, provider, "ada")
    confirmed(browser)
    assert post(browser, "/me/accounts/confirm").status_code == 403
    assert len(rows(house, district, "SELECT 1 FROM merge_ledger")) == 1


@pytest.mark.parametrize("lured", ["pupil", "teacher"])
def test_a_pupil_and_a_teacher_are_never_linked_by_proof_of_both(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District, lured: str
) -> None:
    """Somebody may well have both: a pupil who knows a teacher's password gets no teacher's rights for good by it."""
    staff = by_lms(app.test_client(), platform, house, sub="teacher", **{ROLES: [TEACHER]})
    linked(staff, provider, "teachers-own")
    by_provider(app.test_client(), provider, "pupils-own")
    browser, sub = (
        (by_lms(app.test_client(), platform, house, sub="pupil"), "teachers-own") if lured == "pupil"
        else (staff, "pupils-own")
    )  # fmt: skip
    before = whose(house, district)
    back = local(provider.back(begun(browser), sub))
    assert refused(browser.get(back, headers=JSON)) == "link-not-possible"
    assert whose(house, district) == before
    said = "SELECT 1 FROM log_entry WHERE act = 'account link' AND decision = 'refused'"
    assert len(rows(house, district, said)) == 1


def test_an_account_of_another_district_is_not_linked(
    app: Flask, provider: Provider, platform: Platform, house: House, signing_in: SignInHouse
) -> None:
    owners = [world.district(house, slug) for slug in ("west", "east")]
    signing_in.connections.application("oidc", provider.config(tenant_claim="org"), by="test")
    for owner, org in zip(owners, ("org-west", "org-east"), strict=True):
        signing_in.connections.connect(owner.id, "oidc", {"tenant": org}, by="test")
    provider.knows("ada", org="org-west")
    provider.knows("eve", org="org-east")
    browser = app.test_client()
    assert sign_in(browser, provider, "ada", slug="west").status_code == 303
    enter(browser, ticket_of(browser.get("/learn").text))
    back = local(provider.back(begun(browser), "eve"))
    assert refused(browser.get(back, headers=JSON)) == "link-other-district"
    assert [whose(house, one)["ways"] for one in owners] == [1, 0]


def test_a_blocked_childs_account_is_not_linked_and_nobody_learns_why(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    by_provider(app.test_client(), provider, "blocked")
    ((person,),) = rows(house, district, "SELECT id FROM person")
    house.rights.blocks.of_person(district.id, PersonId(person), by="test")
    browser = by_lms(app.test_client(), platform, house, sub="somebody")
    answer = browser.get(local(provider.back(begun(browser), "blocked")), headers=JSON)
    assert refused(answer) == "link-not-possible"
    assert "block" not in answer.text
    assert rows(house, district, "SELECT 1 FROM identity WHERE ended_at IS NULL AND provider = 'oidc'") == []


def test_a_block_of_one_provider_is_to_every_account_there(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    browser = by_lms(app.test_client(), platform, house, sub="somebody")
    ((person,),) = rows(house, district, "SELECT id FROM person")
    house.rights.blocks.of_person(district.id, PersonId(person), provider="oidc", by="test")
    assert browser.get("/me").status_code == 401
    again = by_lms(app.test_client(), platform, house, sub="somebody")
    back = local(provider.back(begun(again), "another"))
    assert refused(again.get(back, headers=JSON)) == "link-not-possible"


def test_a_contract_that_names_other_providers_lets_nothing_be_linked(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    browser = by_lms(app.test_client(), platform, house)
    address = begun(browser)
    world.sign(house, district, world.contract(house, more="providers: {lti: {}}"))
    answer = browser.get(local(provider.back(address, "ada")), headers=JSON)
    assert refused(answer) == "provider-not-allowed"
    assert whose(house, district) == {"people": 1, "ways": 1}


def test_whoever_was_erased_meanwhile_is_linked_to_nothing(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    browser = by_lms(app.test_client(), platform, house)
    back = local(provider.back(begun(browser), "ada"))
    ((person,),) = rows(house, district, "SELECT id FROM person")
    house.rights.erase(district.id, PersonId(person), by="test", keeps_grades=True)
    assert refused(browser.get(back, headers=JSON)) == "link-stale"
    assert rows(house, district, "SELECT 1 FROM identity") == []


def test_a_merge_that_became_impossible_before_it_was_confirmed_changes_nothing(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    by_provider(app.test_client(), provider, "ada")
    ((person,),) = rows(house, district, "SELECT id FROM person")
    browser = by_lms(app.test_client(), platform, house)
    linked(browser, provider, "ada")
    page = browser.get("/me/accounts/confirm").text
    house.rights.blocks.of_person(district.id, PersonId(person), by="test")
    token = page.split('name="csrf_token" value="')[1].split('"')[0]
    assert browser.post("/me/accounts/confirm", data={"csrf_token": token}).status_code == 409
    assert rows(house, district, "SELECT 1 FROM merge_ledger") == []


def test_an_account_that_its_provider_disables_before_it_is_confirmed_is_not_linked(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    """Whoever has taken an account keeps nothing by having been quick."""
    by_provider(app.test_client(), provider, "hijacked")
    browser = by_lms(app.test_client(), platform, house)
    linked(browser, provider, "hijacked")
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE identity SET held_at = now() WHERE provider = 'oidc'"))
    assert post(browser, "/me/accounts/confirm").status_code == 403
    assert whose(house, district) == {"people": 2, "ways": 2}
    assert rows(house, district, "SELECT 1 FROM merge_ledger") == []


def test_an_account_that_its_provider_has_disabled_is_not_linked(
    app: Flask, provider: Provider, platform: Platform, house: House, district: District
) -> None:
    by_provider(app.test_client(), provider, "hijacked")
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE identity SET held_at = now() WHERE provider = 'oidc'"))
    browser = by_lms(app.test_client(), platform, house)
    back = local(provider.back(begun(browser), "hijacked"))
    assert refused(browser.get(back, headers=JSON)) == "link-not-possible"
    assert whose(house, district) == {"people": 2, "ways": 2}
