"""What Facebook posts by itself: the app is removed there, or somebody wants to be deleted; and the page of that."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.accounts.model import Kind
from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.privacy.districts import District
from lti_server.sign_in_parts import SignInHouse
from tests.functional.sign_in.conftest import begin, local
from tests.functional.sign_in.facebook_staff import GRACE, district, facebook, house, somebody
from tests.functional.test_inspector import signed_in
from tests.peers.facebook import Facebook

NOBODY = "10226400000000009"

__all__ = ["district", "facebook", "house"]


@pytest.fixture
def grace(browser: FlaskClient, facebook: Facebook, house: House, district: District) -> FlaskClient:
    """The browser in which she, who is of the staff and has linked Facebook, is signed in."""
    somebody(house, district, facebook, Kind.STAFF)
    assert browser.get(local(facebook.back(begin(browser, "north", "facebook"), GRACE))).status_code == 303
    return browser


@dataclasses.dataclass
class Posted:
    """The callbacks of Facebook, to this district's connection."""

    app: Flask
    house: House
    district: District
    facebook: Facebook

    def __call__(self, event: str, user_id: str = GRACE, *, late_s: float = 0, **changed: Any) -> TestResponse:
        at = self.house.clock.now().timestamp() - late_s
        return self.send(event, self.facebook.signed_request(user_id, at, **changed))

    def send(self, event: str, signed_request: str, address: str = "") -> TestResponse:
        (row,) = self.rows("SELECT id FROM grants WHERE provider = 'facebook'")
        path = address or f"/signals/facebook?grant={row.id}"
        query = f"{'&' if '?' in path else '?'}event={event}"
        return self.app.test_client().post(path + query, data={"signed_request": signed_request})

    def rows(self, statement: str) -> list[sa.Row[Any]]:
        with self.house.database.tenant(self.district.id) as connection:
            return list(connection.execute(sa.text(statement)))

    def page(self, answer: TestResponse, lang: str = "en") -> str:
        """The page of a deletion, as Facebook leads somebody there."""
        assert answer.json is not None
        path = answer.json["url"].removeprefix(self.house.settings.base_url)
        shown = self.app.test_client().get(f"{path}?lang={lang}")
        assert shown.status_code == 200
        assert shown.headers["Cache-Control"] == "no-store"
        return str(re.sub(r"\s+", " ", shown.text))


@pytest.fixture
def posted(app: Flask, house: House, district: District, facebook: Facebook) -> Posted:
    return Posted(app, house, district, facebook)


def is_in(browser: FlaskClient) -> bool:
    return browser.get("/learn").status_code == 200


def timed(posted: Posted, event: str) -> tuple[TestResponse, float]:
    """An answer, and how long the sessions went on, by the clock of the database."""
    clock, live = "SELECT clock_timestamp() AS at", "SELECT 1 FROM session WHERE ended_at IS NULL"
    began = posted.rows(clock)[0].at
    answer = posted(event)
    assert posted.rows(live) == []
    return answer, (posted.rows(clock)[0].at - began).total_seconds()


def test_an_app_that_is_removed_there_is_a_way_in_no_more_within_a_second(posted: Posted, grace: FlaskClient) -> None:
    answer, took = timed(posted, "deauthorize")
    print(f"deauthorize: sessions gone after {took * 1000:.0f} ms")
    assert (answer.status_code, took < 1) == (200, True)
    assert not is_in(grace)
    (row,) = posted.rows("SELECT i.ended_at IS NOT NULL AS over, p.wrapped_key FROM identity i, person p")
    assert row.over
    assert row.wrapped_key is not None
    (receipt,) = posted.rows("SELECT kind, outcome, sessions FROM signal_receipt")
    assert tuple(receipt) == ("grant_revoked", "way_ended", 1)
    assert posted.rows("SELECT 1 FROM own_request") == []
    assert posted.rows("SELECT 1 FROM grants WHERE state <> 'active'") == []  # of one person, never of all


def test_a_deletion_ends_the_sessions_and_opens_the_case_that_a_wish_on_the_own_page_opens(
    posted: Posted, grace: FlaskClient
) -> None:
    answer, took = timed(posted, "deletion")
    print(f"data deletion: sessions gone after {took * 1000:.0f} ms")
    assert took < 1
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json.keys() == {"url", "confirmation_code"}
    assert re.fullmatch("[0-9a-f]{48}", answer.json["confirmation_code"])
    assert answer.json["url"].endswith(answer.json["confirmation_code"])
    assert not is_in(grace)
    (case,) = posted.rows("SELECT wish, sealed FROM own_request")
    assert (case.wish, case.sealed) == ("erase", None)
    page = posted.page(answer)
    assert "Your request was received on" in page
    assert "every session of it has ended" in page
    assert GRACE not in page
    assert str(posted.rows("SELECT id FROM person")[0].id) not in page
    assert "Votre demande a été reçue le" in posted.page(answer, "fr")


def test_the_page_says_when_it_was_answered_and_when_it_is_done(
    posted: Posted, grace: FlaskClient, house: House, district: District, app: Flask
) -> None:
    answer = posted("deletion")
    admin = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)
    (case,) = posted.rows("SELECT id, person_id FROM own_request")
    assert f"/district/people/{case.person_id}" in admin.get("/district/requests").text
    house.rights.own_requests.answered(district.id, case.id, by="test")
    assert "Your request was answered on" in posted.page(answer)
    house.rights.erase(district.id, case.person_id, by="test")
    assert "It is done: what was kept about you was deleted on" in posted.page(answer)
    (receipt,) = posted.rows("SELECT person_id, case_id, erased_at IS NOT NULL AS done FROM signal_receipt")
    assert tuple(receipt) == (None, None, True)


def test_removing_the_app_and_then_asking_for_deletion_is_both(posted: Posted, grace: FlaskClient) -> None:
    assert posted("deauthorize").status_code == 200
    assert "Your request was received on" in posted.page(posted("deletion"))
    assert len(posted.rows("SELECT 1 FROM own_request")) == 1


def test_who_asked_on_their_own_page_before_has_one_case(
    posted: Posted, grace: FlaskClient, house: House, district: District
) -> None:
    (person,) = posted.rows("SELECT id FROM person")
    house.rights.own_requests.ask(district.id, person.id, "erase", "")
    assert "Your request was received on" in posted.page(posted("deletion"))
    assert len(posted.rows("SELECT 1 FROM own_request")) == 1


def test_somebody_who_is_not_known_here_gets_a_page_that_says_so_and_leaves_nothing(
    posted: Posted, grace: FlaskClient
) -> None:
    answer = posted("deletion", NOBODY)
    assert "Nothing about this account is kept here." in posted.page(answer)
    assert is_in(grace)
    assert posted.rows("SELECT 1 FROM own_request") == []


def test_the_operator_s_application_answers_at_one_address(
    posted: Posted, grace: FlaskClient, signing_in: SignInHouse, facebook: Facebook, house: House
) -> None:
    signing_in.connections.application("facebook", facebook.application(), by="test")
    at = house.clock.now().timestamp()
    answer = posted.send("deletion", facebook.signed_request(GRACE, at), "/signals/facebook")
    assert "Your request was received on" in posted.page(answer)
    assert not is_in(grace)
    nobody = posted.send("deletion", facebook.signed_request(NOBODY, at), "/signals/facebook")
    assert "Nothing about this account is kept here." in posted.page(nobody)


def test_the_same_callback_again_does_nothing_and_has_the_same_code(
    posted: Posted, grace: FlaskClient, house: House, facebook: Facebook
) -> None:
    given = facebook.signed_request(GRACE, house.clock.now().timestamp())
    first, again = posted.send("deletion", given), posted.send("deletion", given)
    assert first.json == again.json
    assert len(posted.rows("SELECT 1 FROM signal_receipt")) == 1


@pytest.mark.parametrize("event", ["deauthorize", "deletion"])
def test_a_forged_a_late_and_another_app_s_callback_are_refused(
    posted: Posted, grace: FlaskClient, facebook: Facebook, house: House, event: str
) -> None:
    good = facebook.signed_request(GRACE, house.clock.now().timestamp())
    other = facebook.signed_request(NOBODY, house.clock.now().timestamp())
    refused = [
        posted(event, secret="the secret of another app"),
        posted(event, late_s=timedelta(days=2).total_seconds()),
        posted(event, late_s=-timedelta(minutes=10).total_seconds()),
        posted(event, algorithm="none"),
        posted(event, code="of a login"),
        posted.send(event, f"{good.split('.')[0]}.{other.split('.')[1]}"),
        posted.send(event, f".{good.split('.')[1]}"),
        posted.send(event, "nonsense"),
    ]
    assert {one.status_code for one in refused} == {403}
    assert posted.send("", good).status_code == 422
    assert is_in(grace)
    assert posted.rows("SELECT 1 FROM signal_receipt") == []
    assert len(posted.rows("SELECT 1 FROM log_entry WHERE act = 'signal' AND decision = 'refused'")) == 9


@pytest.mark.parametrize("code", ["0" * 48, "a", "x" * 48, "0" * 24])
def test_a_code_that_was_given_to_nobody_leads_nowhere(posted: Posted, code: str) -> None:
    assert posted.app.test_client().get(f"/privacy/deletion/{code}").status_code == 404
