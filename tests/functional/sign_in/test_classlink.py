"""Signing in with ClassLink: by its page, from LaunchPad, before and after a district has a roster there."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.accounts.permissions import StaffRole
from lti_server.app import House, build_house
from lti_server.privacy.districts import District
from lti_server.settings import Settings
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.clock import FakeClock
from tests.functional.sign_in import hostile
from tests.functional.sign_in.conftest import again, begin, local
from tests.functional.sign_in.test_tenant_claims import claim, take
from tests.functional.test_inspector import signed_in
from tests.peers.classlink import NORTH, SOUTH, ClassLink, running
from tests.peers.descriptions import description

JSON = {"Accept": "application/problem+json"}
ADA, GRACE = 480215, 480216


@pytest.fixture
def classlink() -> Iterator[ClassLink]:
    peer = ClassLink()
    peer.knows(ADA)
    with running(peer) as found:
        yield found


@pytest.fixture
def house(settings: Settings, database_url: str, clock: FakeClock, classlink: ClassLink) -> Iterator[House]:
    found = build_house(dataclasses.replace(settings, insecure_hosts=classlink.hosts), database_url, clock)
    classlink.redirect_uris = [f"{found.settings.base_url}/auth/classlink/callback"]
    yield found
    found.database.dispose()


@pytest.fixture
def district(house: House, signing_in: SignInHouse, classlink: ClassLink) -> District:
    """A district that has connected its tenant of the operator's application."""
    signing_in.connections.application("classlink", classlink.application(), by="test")
    made = world.district(house)
    signing_in.connections.connect(made.id, "classlink", {"tenant_id": str(NORTH)}, by="test")
    return made


def rows(house: House, district: District, statement: str) -> list[sa.Row[Any]]:
    with house.database.tenant(district.id) as connection:
        return list(connection.execute(sa.text(statement)))


def counts(house: House, district: District) -> tuple[int, int]:
    """Of people, and of the ids by which they come."""
    (found,) = rows(
        house, district, "SELECT (SELECT count(*) FROM person) AS people, (SELECT count(*) FROM identity) AS ids"
    )
    return found.people, found.ids


def come(browser: FlaskClient, classlink: ClassLink, user_id: int = ADA, slug: str = "north") -> TestResponse:
    """The whole way there and back."""
    return browser.get(local(classlink.back(begin(browser, slug, "classlink"), user_id)), headers=JSON)


def reason(answer: TestResponse) -> str:
    assert answer.status_code == 403, answer.text
    return str(json.loads(answer.text)["reason"])


def test_a_pupil_signs_in_and_is_who_the_district_says(
    browser: FlaskClient, classlink: ClassLink, house: House, district: District
) -> None:
    answer = come(browser, classlink)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/learn")
    assert browser.get("/learn").status_code == 200
    (found,) = rows(house, district, "SELECT p.kind, i.issuer, i.client_id FROM person p JOIN identity i ON true")
    assert tuple(found) == ("pupil", classlink.site, "client-of-classlink")


def test_launchpad_comes_without_a_state_and_the_sign_in_begins_here(
    browser: FlaskClient, classlink: ClassLink, house: House, district: District
) -> None:
    arrival = classlink.launchpad(ADA)
    address = browser.get(local(arrival)).headers["Location"]
    assert address.startswith(f"{classlink.site}/oauth2/v2/auth?")
    assert parse_qs(urlsplit(arrival).query)["code"][0] not in address
    assert ("POST", "/oauth2/v2/token") not in classlink.asked  # its code is not exchanged
    assert browser.get(local(classlink.back(address, ADA))).status_code == 303


def test_launchpad_that_sends_in_a_circle_is_stopped(
    browser: FlaskClient, classlink: ClassLink, district: District
) -> None:
    assert browser.get(local(classlink.launchpad(ADA))).status_code == 302
    assert reason(browser.get(local(classlink.launchpad(ADA)), headers=JSON)) == "in-a-circle"


def test_a_wrong_state_fails_hard_and_nothing_is_exchanged(
    browser: FlaskClient, classlink: ClassLink, district: District
) -> None:
    address = classlink.back(begin(browser, "north", "classlink"), ADA)
    answer = browser.get(local(address.replace("state=", "state=x")), headers=JSON)
    assert reason(answer) == "state-forged"
    assert ("POST", "/oauth2/v2/token") not in classlink.asked


def test_a_code_that_is_used_twice_is_a_page(
    app: Flask, browser: FlaskClient, classlink: ClassLink, house: House, district: District
) -> None:
    address = local(classlink.back(begin(browser, "north", "classlink"), ADA))
    other = again(app, browser)
    assert browser.get(address).status_code == 303
    assert browser.get(address).headers["Location"] == "/learn"  # a reload goes on
    assert reason(other.get(address, headers=JSON)) == "declined"
    assert counts(house, district) == (1, 1)


def test_an_account_of_another_tenant_gets_a_page_that_says_what_to_ask(
    browser: FlaskClient, classlink: ClassLink, house: House, district: District
) -> None:
    classlink.knows(GRACE, SOUTH)
    answer = browser.get(local(classlink.back(begin(browser, "north", "classlink"), GRACE)))
    assert answer.status_code == 403
    assert "Ask your administrator to connect it." in answer.text
    assert counts(house, district) == (0, 0)


def test_when_a_district_begins_a_roster_everybody_stays_who_they_are(
    app: Flask, classlink: ClassLink, house: House, district: District
) -> None:
    classlink.knows(ADA, SourcedId="")
    assert come(app.test_client(), classlink).status_code == 303
    assert counts(house, district) == (1, 1)
    classlink.knows(ADA, SourcedId="5678_0005")
    for _ in range(2):
        assert come(app.test_client(), classlink).status_code == 303
        assert counts(house, district) == (1, 2)
    classlink.knows(ADA, SourcedId="")  # and when it ends one
    assert come(app.test_client(), classlink).status_code == 303
    assert counts(house, district) == (1, 2)


def test_an_id_of_a_roster_that_is_another_persons_number_is_not_that_person(
    app: Flask, classlink: ClassLink, house: House, district: District
) -> None:
    classlink.knows(ADA, SourcedId="")
    classlink.knows(GRACE, SourcedId=str(ADA))
    for user_id in (ADA, GRACE):
        assert come(app.test_client(), classlink, user_id).status_code == 303
    assert counts(house, district)[0] == 2


def test_the_id_of_a_roster_wins_over_a_former_one_that_somebody_else_has(
    app: Flask, classlink: ClassLink, house: House, district: District
) -> None:
    classlink.knows(ADA, SourcedId="")
    classlink.knows(GRACE, SourcedId="of-grace")
    come(app.test_client(), classlink, ADA)
    (ada,) = rows(house, district, "SELECT id FROM person")
    come(app.test_client(), classlink, GRACE)
    classlink.knows(ADA, SourcedId="of-grace")  # the district gives Grace's id to Ada's account
    assert come(app.test_client(), classlink, ADA).status_code == 303
    sessions = rows(house, district, "SELECT person_id, count(*) AS n FROM session GROUP BY 1 ORDER BY 2")
    assert ([one.n for one in sessions], sessions[0].person_id, counts(house, district)) == ([1, 2], ada.id, (2, 2))


def test_whoever_is_blocked_under_a_former_id_is_blocked_under_the_new_one(
    app: Flask, browser: FlaskClient, classlink: ClassLink, house: House, district: District
) -> None:
    classlink.knows(ADA, SourcedId="")
    come(app.test_client(), classlink)
    (person,) = rows(house, district, "SELECT id FROM person")
    house.rights.blocks.of_person(district.id, person.id, by="test")
    house.rights.erase(district.id, person.id, by="test")
    classlink.knows(ADA, SourcedId="5678_0005")
    assert come(browser, classlink).headers["Location"] == "/lessons"
    assert browser.get_cookie("lti_session") is None
    assert rows(house, district, "SELECT 1 FROM person WHERE wrapped_key IS NOT NULL") == []


def test_what_is_not_told_keeps_nobody_out(
    browser: FlaskClient, classlink: ClassLink, house: House, district: District
) -> None:
    classlink.withheld = ("FirstName", "LastName", "Email", "LoginId", "Role", "OrgId", "DisplayName")
    assert come(browser, classlink).status_code == 303
    assert {row.field for row in rows(house, district, "SELECT field FROM person_field")} <= {"local_id"}


EVERY = (
    "SourcedId", "FirstName", "LastName", "DisplayName", "Email", "LoginId", "Role", "OrgId", "ImagePath", "UserId",
    "TenantId",
)  # fmt: skip


@pytest.mark.parametrize("text", hostile.TEXTS.values(), ids=hostile.TEXTS)
def test_a_hostile_text_in_any_field_is_dropped_or_a_page_and_never_in_the_log(
    app: Flask, classlink: ClassLink, district: District, text: str
) -> None:
    for name in EVERY:
        classlink.knows(ADA)
        classlink.people[ADA][name] = text
        hostile.survives(lambda: come(app.test_client(), classlink), says=name)
    classlink.knows(ADA)
    for name in ("access_token", "token_type", "refresh_token", "expires_in", "error"):
        classlink.token_says = {name: text}
        hostile.survives(lambda: come(app.test_client(), classlink), says=name)
    classlink.token_says = {}
    hostile.answers_by_browser(app, "classlink", text)


def test_what_the_contract_does_not_allow_is_dropped_and_counted(
    browser: FlaskClient, classlink: ClassLink, house: House, district: District
) -> None:
    classlink.knows(ADA, Email=hostile.MARK, LoginId=hostile.MARK, ImagePath=hostile.MARK, Birthday=hostile.MARK)
    assert come(browser, classlink).status_code == 303
    assert hostile.refused_of(house, district) == {"email": 1, "username": 1}
    kept = {row.field for row in rows(house, district, "SELECT field FROM person_field")}
    assert kept == {"given_name", "family_name", "local_id"}


def test_the_answers_of_the_fake_are_as_classlinks_were_seen(
    app: Flask, classlink: ClassLink, district: District
) -> None:
    seen = description("samples/classlink-shapes.json")
    kinds: dict[str, set[type]] = {}
    for one in seen["v2_my_info"]:
        for name, value in one.items():
            kinds.setdefault(name, set()).add(type(value))
    for changed in ({}, {"SourcedId": "", "OrgId": ""}, {"Role": "Teacher", "Role_Level": 3}):
        classlink.knows(ADA, **changed)
        come(app.test_client(), classlink)
        bearer = {"Authorization": f"Bearer {list(classlink._bearers)[-1]}"}
        told = requests.get(f"{classlink.api}/v2/my/info", headers=bearer, timeout=10).json()
        assert {name: type(told[name]) in kinds[name] for name in told.keys() & kinds.keys()} == dict.fromkeys(
            told.keys() & kinds.keys(), True
        )
        assert {"UserId", "TenantId", "SourcedId", "Role"} <= told.keys() & kinds.keys()
    key = {"Authorization": f"Bearer {classlink.partner_key}"}
    listed = requests.get(f"{classlink.api}/applications", headers=key, timeout=10).json()
    rows_seen = {name: type(value) for name, value in seen["applications"]["applications"][0].items()}
    for row in listed["applications"]:
        assert {name: type(value) for name, value in row.items()}.items() <= rows_seen.items()


def test_a_limit_is_told_as_one_and_an_outage_signs_nobody_in(
    browser: FlaskClient, classlink: ClassLink, house: House, district: District
) -> None:
    address = local(classlink.back(begin(browser, "north", "classlink"), ADA))
    classlink.limited = True
    assert reason(browser.get(address, headers=JSON)) == "busy"
    classlink.limited = False
    address = local(classlink.back(begin(browser, "north", "classlink"), ADA))
    classlink.out = True
    assert reason(browser.get(address, headers=JSON)) == "provider-failed"
    assert counts(house, district) == (0, 0)


@pytest.mark.parametrize(("role", "status"), [("Tenant Administrator", 303), ("Administrator", 409)])
def test_a_tenant_is_claimed_by_whoever_administers_it(
    app: Flask, classlink: ClassLink, house: House, signing_in: SignInHouse, role: str, status: int
) -> None:
    signing_in.connections.application("classlink", classlink.application(), by="test")
    owner = world.district(house)
    classlink.knows(GRACE, Role=role)
    admin = signed_in(app, house, StaffRole.DISTRICT_ADMIN, owner)
    page = claim(admin, "classlink")
    address = admin.get(f"{page}/go").headers["Location"]
    assert admin.get(local(classlink.back(address, GRACE))).headers["Location"] == page
    assert take(admin, page).status_code == status
    assert come(app.test_client(), classlink, slug="").status_code == (303 if status == 303 else 403)
