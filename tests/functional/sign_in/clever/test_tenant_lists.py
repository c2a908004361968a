"""Clever's list of the districts that use the application: who is not on it is suspended, and goes on once back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask, Response, jsonify, make_response
from flask.testing import FlaskClient
from lti_server_clever import Clever as Plugin

from lti_server.accounts.tenant_lists import LOOK_EVERY, TASK
from lti_server.app import House, run_worker
from lti_server.privacy.districts import District
from lti_server.privacy.inference import Evidence
from lti_server.privacy.journal import JournalKind
from lti_server.providers import BrokeContract, Misconfigured, RejectedCredentials
from lti_server.sign_in_parts import SignInHouse
from lti_server.tasks import Worker
from tests import world
from tests.functional.sign_in.clever.conftest import STUDENT, come, grant_of, rows, standing
from tests.peers.clever import NORTH, SOUTH, Clever

SELF = [{"rel": "self", "uri": "/oauth/tokens?owner_type=district"}]
ROW = {"id": "t", "owner": {"type": "district", "id": NORTH}, "access_token": "x", "scopes": []}


def acts(house: House, district: District) -> list[tuple[str, str]]:
    found = rows(house, district, "SELECT act, actor FROM log_entry WHERE act LIKE 'grant %' ORDER BY at, id")
    return [(row.act, row.actor) for row in found]


def journaled(house: House) -> list[JournalKind]:
    return [entry.kind for entry in house.journal.entries()]


def nothing_is_revoked(house: House, district: District) -> None:
    assert rows(house, district, "SELECT 1 FROM revocation") == []
    assert rows(house, district, "SELECT 1 FROM provider_connection WHERE sealed IS NULL OR ended_at IS NOT NULL") == []
    assert JournalKind.REVOCATION not in journaled(house)


def test_a_district_that_is_on_the_list_stays_as_it_is(
    house: House, clever: Clever, district: District, south: District, look: Callable[[], None]
) -> None:
    clever.page_size = 1  # each page has one
    look()
    assert [standing(house, one) for one in (district, south)] == [("active", None)] * 2
    assert len([path for method, path in clever.asked if method == "GET" and "owner_type" in path]) == 2
    assert acts(house, district) == []


def test_a_district_that_has_gone_there_is_suspended_here_and_nobody_is_removed(
    browser: FlaskClient, house: House, clever: Clever, district: District, south: District, look: Callable[[], None]
) -> None:
    come(browser, clever)
    clever.revoke(NORTH)
    look()
    assert standing(house, district) == ("suspended", "tenant_missing")
    assert standing(house, south) == ("active", None)
    assert browser.get("/learn").status_code == 303
    assert browser.get("/auth/clever/login?district=north").status_code == 403
    assert len(rows(house, district, "SELECT 1 FROM person WHERE wrapped_key IS NOT NULL")) == 1
    assert acts(house, district) == [("grant suspend", "inference")]
    assert journaled(house) == [JournalKind.SUSPENSION]
    nothing_is_revoked(house, district)


def test_once_it_is_back_it_goes_on_where_it_stood(
    browser: FlaskClient, house: House, clever: Clever, district: District, look: Callable[[], None]
) -> None:
    come(browser, clever)
    clever.revoke(NORTH)
    look()
    clever.authorise(NORTH)
    look()
    assert standing(house, district) == ("active", None)
    assert browser.get("/learn").status_code == 200
    assert acts(house, district) == [("grant suspend", "inference"), ("grant resume", "inference")]
    assert journaled(house) == [JournalKind.SUSPENSION, JournalKind.RESUMPTION]


def test_what_somebody_has_suspended_stays_suspended_whatever_the_list_says(
    house: House, clever: Clever, district: District, look: Callable[[], None]
) -> None:
    grant_id = grant_of(house, district)
    house.grants.withdraw.suspend(district.id, grant_id, by="staff:1", reason="a look")
    look()
    for change in (clever.revoke, clever.authorise):
        change(NORTH)
        look()
        assert standing(house, district) == ("suspended", None)
    # Also where the list had suspended it before.
    house.grants.withdraw.resume(district.id, grant_id, by="staff:1")
    clever.revoke(NORTH)
    look()
    assert standing(house, district) == ("suspended", "tenant_missing")
    house.grants.withdraw.resume(district.id, grant_id, by="staff:1")
    house.grants.withdraw.suspend(district.id, grant_id, by="staff:1")
    clever.authorise(NORTH)
    look()
    assert standing(house, district) == ("suspended", None)


def test_what_went_while_somebody_had_suspended_it_suspends_it_once_they_resume(
    house: House, clever: Clever, district: District, look: Callable[[], None]
) -> None:
    grant_id = grant_of(house, district)
    house.grants.withdraw.suspend(district.id, grant_id, by="staff:1", reason="holidays")
    clever.revoke(NORTH)
    look()
    house.grants.withdraw.resume(district.id, grant_id, by="staff:1")
    look()
    assert standing(house, district) == ("suspended", "tenant_missing")


def test_what_somebody_suspends_while_the_list_is_read_stays_suspended(
    house: House, clever: Clever, district: District, look: Callable[[], None]
) -> None:
    grant_id = grant_of(house, district)
    clever.revoke(NORTH)
    look()
    house.grants.withdraw.resume(district.id, grant_id, by="staff:1")
    house.grants.withdraw.suspend(district.id, grant_id, by="staff:1")
    assert not house.grants.suspect.lift(district.id, grant_id, "clever", Evidence.TENANT_MISSING)
    assert standing(house, district) == ("suspended", None)


def test_whoever_resumes_it_by_hand_is_not_overruled_by_the_same_list(
    house: House, clever: Clever, district: District, look: Callable[[], None]
) -> None:
    clever.revoke(NORTH)
    look()
    house.grants.withdraw.resume(district.id, grant_of(house, district), by="staff:1")
    look()
    look()
    assert standing(house, district) == ("active", None)
    clever.authorise(NORTH)
    look()
    clever.revoke(NORTH)  # a second time is new evidence
    look()
    assert standing(house, district) == ("suspended", "tenant_missing")


def test_an_outage_of_the_list_suspends_at_the_third_look_revokes_nothing_and_is_over_with_it(
    browser: FlaskClient, house: House, clever: Clever, district: District, south: District, look: Callable[[], None]
) -> None:
    come(browser, clever)
    clever.out = True
    states = []
    for _ in range(5):
        look()
        states.append(standing(house, district))
    assert states == [("active", None)] * 2 + [("suspended", "tenants_unread")] * 3
    assert standing(house, south) == ("suspended", "tenants_unread")
    nothing_is_revoked(house, district)
    clever.out = False
    look()
    assert [standing(house, one) for one in (district, south)] == [("active", None)] * 2
    assert browser.get("/learn").status_code == 200
    assert acts(house, district) == [("grant suspend", "inference"), ("grant resume", "inference")]


def test_looks_that_fail_now_and_then_are_no_evidence(
    house: House, clever: Clever, district: District, look: Callable[[], None]
) -> None:
    for _ in range(3):
        for out in (True, True, False):
            clever.out = out
            look()
            assert standing(house, district) == ("active", None)


def test_after_an_outage_a_list_without_the_district_is_the_reason_from_then_on(
    house: House, clever: Clever, district: District, look: Callable[[], None]
) -> None:
    clever.out = True
    for _ in range(3):
        look()
    clever.out = False
    clever.revoke(NORTH)
    look()
    assert standing(house, district) == ("suspended", "tenant_missing")
    assert acts(house, district) == [("grant suspend", "inference")] * 2
    clever.authorise(NORTH)
    look()
    assert standing(house, district) == ("active", None)


def _page(body: object, status: int = 200) -> Callable[[], Response]:
    return lambda: make_response(jsonify(body), status)


SPOILED: dict[str, Callable[[], Response]] = {
    "a web page": lambda: make_response("<!DOCTYPE html><title>Sign in</title>", 200),
    "nothing at all": lambda: make_response("", 200),
    "an empty object": _page({}),
    "a page without its rows": _page({"links": SELF}),
    "a page whose rows are null": _page({"data": None, "links": SELF}),
    "a page without its links": _page({"data": []}),
    "a row without an owner": _page({"data": [ROW, {}], "links": SELF}),
    "a next page on another host": _page({"data": [ROW], "links": [{"rel": "next", "uri": "https://x.example/2"}]}),
    "a page that leads to itself": _page({"data": [], "links": [{"rel": "next", "uri": SELF[0]["uri"]}]}),
    "a limit": _page({"message": "Rate limit exceeded"}, 429),
    "a refusal": _page({"message": "Invalid client"}, 401),
    "an error": _page({"message": "Internal error"}, 500),
    "no such page": _page({"message": "Not found"}, 404),
}


@pytest.mark.parametrize("name", SPOILED)
def test_what_is_no_whole_list_is_taken_for_none(
    house: House, clever: Clever, district: District, look: Callable[[], None], name: str
) -> None:
    clever.tokens_say = SPOILED[name]
    look()
    look()
    assert standing(house, district) == ("active", None)
    look()
    assert standing(house, district) == ("suspended", "tenants_unread")
    nothing_is_revoked(house, district)


def test_a_list_that_breaks_off_after_its_first_page_removes_nobody_of_the_second(
    house: House, clever: Clever, district: District, south: District, look: Callable[[], None]
) -> None:
    first = {"data": [ROW], "links": [{"rel": "next", "uri": "/oauth/tokens?owner_type=district&starting_after=x"}]}
    answers = iter([_page(first), _page({"message": "gone"}, 503)])
    clever.tokens_say = lambda: next(answers)()
    look()
    assert standing(house, south) == ("active", None)


def test_an_empty_list_suspends_everybody_and_revokes_nobody(
    house: House, clever: Clever, district: District, south: District, look: Callable[[], None]
) -> None:
    clever.tokens_say = _page({"data": [], "links": SELF})
    look()
    for one in (district, south):
        assert standing(house, one) == ("suspended", "tenant_missing")
        nothing_is_revoked(house, one)
    clever.tokens_say = None
    look()
    assert [standing(house, one) for one in (district, south)] == [("active", None)] * 2


@pytest.mark.parametrize("found", ["5f1a7c0000000000000000d1", None, [7], [None], 7])
def test_a_plugin_that_gives_no_list_gives_none(
    house: House, clever: Clever, district: District, look: Callable[[], None], monkeypatch: pytest.MonkeyPatch,
    found: object,
) -> None:  # fmt: skip
    monkeypatch.setattr(Plugin, "tenants", lambda self: found)
    for _ in range(3):
        look()
    assert standing(house, district) == ("suspended", "tenants_unread")


@pytest.mark.parametrize("fault", [RuntimeError(), BrokeContract("x"), RejectedCredentials("x"), RecursionError()])
def test_whatever_a_plugin_raises_is_a_look_that_failed(
    house: House, clever: Clever, district: District, look: Callable[[], None], monkeypatch: pytest.MonkeyPatch,
    fault: Exception,
) -> None:  # fmt: skip
    def fails(self: Plugin) -> None:
        raise fault

    monkeypatch.setattr(Plugin, "tenants", fails)
    look()
    assert standing(house, district) == ("active", None)
    assert rows(house, district, "SELECT tenants_unread FROM provider_connection")[0].tenants_unread == 1


def test_where_the_application_has_no_way_to_a_list_nobody_is_judged_by_it(
    house: House, clever: Clever, district: District, look: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def has_none(self: Plugin) -> None:
        raise Misconfigured(["There is no key for the list."])

    monkeypatch.setattr(Plugin, "tenants", has_none)
    for _ in range(5):
        look()
    assert standing(house, district) == ("active", None)
    assert rows(house, district, "SELECT tenants_looked_at FROM provider_connection")[0].tenants_looked_at is None


def test_an_application_of_the_districts_own_is_not_compared_with_the_operators_list(
    house: House, signing_in: SignInHouse, clever: Clever, district: District, look: Callable[[], None]
) -> None:
    own = world.district(house, "own")
    config = {**clever.application(), "client_id": "another", "client_secret": "another", "district_id": "d-own"}
    signing_in.connections.connect(own.id, "clever", config, by="test")
    looser = world.district(house, "looser")  # goes by the operator's, with a setting of its own
    signing_in.connections.connect(looser.id, "clever", {"district_id": "d-looser", "openid": True}, by="test")
    look()
    assert standing(house, own) == ("active", None)
    assert standing(house, looser) == ("suspended", "tenant_missing")


def test_every_worker_looks_at_the_lists_at_their_times(
    house: House, clever: Clever, district: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[str, str] = {}

    def run(self: Worker, **_how: object) -> None:
        app = self._app(1)
        found.update({one.task.name: one.cron for one in app.periodic_registry.periodic_tasks.values()})
        app.tasks[TASK].func(timestamp=0)

    monkeypatch.setattr(Worker, "run", run)
    clever.revoke(NORTH)
    run_worker(house)
    assert found[TASK] == LOOK_EVERY
    assert standing(house, district) == ("suspended", "tenant_missing")


def test_a_district_that_cannot_be_opened_spoils_no_others_look(
    house: House, clever: Clever, district: District, south: District, look: Callable[[], None]
) -> None:
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE provider_connection SET sealed = 'x'"))
    clever.revoke(SOUTH)
    look()
    assert standing(house, south) == ("suspended", "tenant_missing")


def test_nobody_is_asked_where_nobody_is_connected(
    house: House, signing_in: SignInHouse, clever: Clever, look: Callable[[], None]
) -> None:
    signing_in.connections.application("clever", clever.application(), by="test")
    look()
    assert clever.asked == []


def test_a_connection_that_is_revoked_is_not_looked_at_any_more(
    house: House, clever: Clever, district: District, look: Callable[[], None]
) -> None:
    grant_id = grant_of(house, district)
    house.grants.withdraw.begin(district.id, grant_id, by="test", reason="over")
    clever.asked.clear()
    look()
    house.grants.withdraw.finish(district.id, grant_id)
    look()
    assert clever.asked == []
    assert standing(house, district) == ("revoked", None)


def test_a_connection_that_is_revoked_while_the_list_is_read_stays_revoked(
    house: House, clever: Clever, district: District, look: Callable[[], None]
) -> None:
    def revoked_meanwhile() -> Response:
        house.grants.withdraw.begin(district.id, grant_of(house, district), by="test", reason="over")
        return make_response(jsonify({"data": [], "links": SELF}))

    clever.tokens_say = revoked_meanwhile
    look()
    assert standing(house, district)[0] == "revoking"


def test_a_pupil_of_a_suspended_district_comes_in_again_after_it(
    app: Flask, house: House, clever: Clever, district: District, look: Callable[[], None]
) -> None:
    clever.knows("grace", student=STUDENT)
    clever.revoke(NORTH)
    look()
    clever.authorise(NORTH)
    look()
    assert come(app.test_client(), clever, "grace").status_code == 303
