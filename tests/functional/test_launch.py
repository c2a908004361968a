"""What a launch does, and does once."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import RSAKey

from lti_server.accounts.store import fields_of
from lti_server.app import House
from lti_server.db import database_name
from lti_server.ids import DistrictId
from lti_server.lessons import catalogue
from lti_server.lti.signature import signing_keys
from lti_server.privacy import log
from lti_server.privacy.districts import District
from lti_server.privacy.reading import of_own_data
from lti_server.statements import SingleStatements, Statement
from tests import world
from tests.clock import FakeClock
from tests.peers.bare_platform import MEMBERSHIP, Platform, rsa_key

pytestmark = pytest.mark.usefixtures("district")


def rows(house: House, district_id: DistrictId, query: str) -> list[sa.Row[tuple[object, ...]]]:
    with house.database.tenant(district_id) as connection:
        return list(connection.execute(sa.text(query)))


def test_a_first_launch_makes_one_person_one_section_and_one_membership(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    assert world.launch(client, platform, house).status_code == 303
    (person,) = rows(house, district.id, "SELECT id, kind FROM person")
    (section,) = rows(house, district.id, "SELECT name, source_id FROM section")
    (membership,) = rows(house, district.id, "SELECT person_id, role, source, epoch FROM membership")
    assert person.kind == "pupil"
    assert (section.name, section.source_id) == ("Class 5b", "course-1")
    assert (membership.person_id, membership.role, membership.source, membership.epoch) == (
        person.id,
        "pupil",
        "launch",
        1,
    )


def test_a_second_launch_makes_nobody_anew(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    for _ in range(3):
        assert world.launch(client, platform, house).status_code == 303
    assert len(rows(house, district.id, "SELECT id FROM person")) == 1
    assert len(rows(house, district.id, "SELECT id FROM membership")) == 1
    assert len(rows(house, district.id, "SELECT id FROM session")) == 3


def test_only_what_the_contract_allows_is_kept_and_the_rest_is_counted(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    world.launch(client, platform, house, picture="https://lms.example/p.png", birthdate="2015-05-05", nickname="Mina")
    (person,) = rows(house, district.id, "SELECT id FROM person")
    with house.database.tenant(district.id) as connection:
        kept = fields_of(connection, district.keys, [person.id], of_own_data())[person.id]
    assert kept == {"name": "Amina Example", "given_name": "Amina", "family_name": "Example", "nickname": "Mina"}
    (entry,) = rows(house, district.id, "SELECT payload, decision, elements FROM log_entry")
    told = log.payload_of(district.keys, bytes(entry.payload))
    assert told["refused"] == {"email": 1, "picture": 1, "birthdate": 1}
    assert entry.elements == ["student_identifiers.app_assigned_id", "student_name.first_and_or_last"]


def test_a_name_that_changes_upstream_changes_here_and_one_that_goes_is_dropped(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    world.launch(client, platform, house)
    world.launch(client, platform, house, name="Amina New", given_name=None)
    (person,) = rows(house, district.id, "SELECT id FROM person")
    with house.database.tenant(district.id) as connection:
        kept = fields_of(connection, district.keys, [person.id], of_own_data())[person.id]
    assert kept == {"name": "Amina New", "family_name": "Example"}


def test_names_are_ciphertext_in_the_database(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    world.launch(client, platform, house)
    for row in rows(
        house, district.id, "SELECT p.*, f.*, i.* FROM person p JOIN person_field f ON true JOIN identity i ON true"
    ):
        raw = b"".join(bytes(value) if isinstance(value, (bytes, memoryview)) else str(value).encode() for value in row)
        assert b"Amina" not in raw
        assert b"pupil-1" not in raw


def test_a_role_that_changes_ends_one_membership_and_starts_another(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    world.launch(client, platform, house)
    world.launch(client, platform, house, lti_roles=[MEMBERSHIP + "Mentor"])
    found = rows(house, district.id, "SELECT role, ended_at IS NULL AS live FROM membership ORDER BY started_at, live")
    assert sorted((row.role, row.live) for row in found) == [("observer", True), ("pupil", False)]


def test_fifty_posts_of_one_launch_open_exactly_one_session(
    app: Flask, client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    begun = world.begin(client, platform)
    form = {"id_token": platform.sign(platform.claims(begun.nonce, house.clock.now())), "state": begun.state}
    cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in (client._cookies or {}).values())
    answers: list[int] = []

    def post() -> None:
        answers.append(
            app.test_client(use_cookies=False).post("/lti/launch", data=form, headers={"Cookie": cookies}).status_code
        )

    threads = [threading.Thread(target=post) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [303] + [403] * 49
    assert len(rows(house, district.id, "SELECT id FROM session")) == 1


def test_two_first_launches_at_once_make_one_person(
    app: Flask, platform: Platform, house: House, district: District
) -> None:
    answers: list[int] = []

    def open_one() -> None:
        answers.append(world.launch(app.test_client(), platform, house).status_code)

    threads = [threading.Thread(target=open_one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [303] * 8
    assert len(rows(house, district.id, "SELECT id FROM person")) == 1
    assert len(rows(house, district.id, "SELECT id FROM membership WHERE ended_at IS NULL")) == 1


def test_a_refused_launch_writes_nothing_but_its_refusal(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    assert world.launch(client, platform, house, lti_roles="x").status_code == 403
    for table in ("person", "identity", "section", "membership", "session", "spent_nonce", "person_field"):
        assert rows(house, district.id, f"SELECT 1 FROM {table}") == []
    (entry,) = rows(house, district.id, "SELECT decision, payload FROM log_entry")
    assert entry.decision == "refused"
    (registered,) = house.registrations.every(district.id)
    assert log.payload_of(district.keys, bytes(entry.payload)) == {
        "reason": "malformed-claim",
        "registration": str(registered.id),
    }


def test_a_contract_that_has_expired_opens_nothing(
    client: FlaskClient, platform: Platform, house: House, clock: FakeClock
) -> None:
    assert world.launch(client, platform, house).status_code == 303
    clock.pass_s(367 * 86_400)
    platform.broken = False
    answer = world.launch(client, platform, house)
    assert answer.status_code == 403
    assert "contract" in answer.text


def test_many_launches_fetch_the_keys_once(client: FlaskClient, platform: Platform, house: House) -> None:
    for _ in range(20):
        assert world.launch(client, platform, house).status_code == 303
    assert platform.fetches == 1


def test_a_rotated_key_is_fetched_at_once_and_random_kids_at_most_once_a_minute(
    client: FlaskClient, platform: Platform, house: House, clock: FakeClock
) -> None:
    world.launch(client, platform, house)
    platform.keys = {"key-1": rsa_key("key-1"), "key-3": rsa_key("key-3")}
    begun = world.begin(client, platform)
    token = platform.sign(platform.claims(begun.nonce, clock.now()), kid="key-3")
    assert client.post("/lti/launch", data={"id_token": token, "state": begun.state}).status_code == 303
    assert platform.fetches == 2
    for count in range(30):
        begun = world.begin(client, platform)
        token = platform.sign(platform.claims(begun.nonce, clock.now()), header={"kid": f"random-{count}"})
        assert client.post("/lti/launch", data={"id_token": token, "state": begun.state}).status_code == 403
    assert platform.fetches == 2
    clock.pass_s(61)
    begun = world.begin(client, platform)
    token = platform.sign(platform.claims(begun.nonce, clock.now()), header={"kid": "random"})
    client.post("/lti/launch", data={"id_token": token, "state": begun.state})
    assert platform.fetches == 3


def test_a_withdrawn_key_is_refused_once_the_set_is_new(
    client: FlaskClient, platform: Platform, house: House, clock: FakeClock
) -> None:
    world.launch(client, platform, house)
    platform.keys = {"key-3": rsa_key("key-3")}
    begun = world.begin(client, platform)
    token = platform.sign(platform.claims(begun.nonce, clock.now()), kid="key-3")
    assert client.post("/lti/launch", data={"id_token": token, "state": begun.state}).status_code == 303
    assert world.launch(client, platform, house).status_code == 403


def test_known_keys_go_on_working_while_the_platform_is_down(
    client: FlaskClient, platform: Platform, house: House, clock: FakeClock
) -> None:
    world.launch(client, platform, house)
    platform.broken = True
    clock.pass_s(25 * 3600)
    assert world.launch(client, platform, house).status_code == 303
    clock.pass_s(50 * 3600)
    assert world.launch(client, platform, house).status_code == 403


def test_keys_that_cannot_be_read_are_a_refusal_and_back_off(
    client: FlaskClient, platform: Platform, house: House, clock: FakeClock
) -> None:
    platform.broken = True
    for _ in range(5):
        assert world.launch(client, platform, house).status_code == 403
    assert platform.fetches == 1
    platform.broken = False
    clock.pass_s(2)
    assert world.launch(client, platform, house).status_code == 303


def test_a_ticket_opens_the_lesson_once_and_only_within_a_minute(
    client: FlaskClient, platform: Platform, house: House, clock: FakeClock
) -> None:
    first = world.launch(client, platform, house).location
    page = client.get(first)
    assert page.status_code == 200
    assert 'id="launch-context"' in page.text
    assert house.handoff.exchange(first.rpartition("ticket=")[2]) is None
    second = world.launch(client, platform, house).location
    clock.pass_s(61)
    assert house.handoff.exchange(second.rpartition("ticket=")[2]) is None


def test_a_removed_platform_opens_nothing_more(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    ticket = world.launch(client, platform, house).location
    (registered,) = house.registrations.every(district.id)
    begun = world.begin(client, platform)
    house.registrations.remove(registered.id)
    assert house.handoff.exchange(ticket.rpartition("ticket=")[2]) is None
    form = {"id_token": platform.sign(platform.claims(begun.nonce, house.clock.now())), "state": begun.state}
    assert client.post("/lti/launch", data=form).status_code == 403
    assert (
        client.get(
            "/lti/login", query_string={"iss": platform.issuer, "login_hint": "h", "target_link_uri": "x"}
        ).status_code
        == 403
    )


def test_a_repeated_launch_takes_two_statements_that_are_transactions_by_themselves(
    client: FlaskClient, platform: Platform, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.launch(client, platform, house)
    begun = world.begin(client, platform)
    form = {"id_token": platform.sign(platform.claims(begun.nonce, house.clock.now())), "state": begun.state}
    seen: list[str] = []
    execute = psycopg.Cursor.execute

    def noted(cursor: psycopg.Cursor[Any], query: Any, *args: Any, **kwargs: Any) -> Any:
        # Databases for the next tests are made meanwhile, in a thread of their own.
        if cursor.connection.info.dbname == database_name(house.database.url):
            seen.append(str(query))
        return execute(cursor, query, *args, **kwargs)

    first = SingleStatements.first

    def noted_single(single: SingleStatements, statement: Statement, values: Any) -> Any:
        seen.append(statement.text)
        return first(single, statement, values)

    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    monkeypatch.setattr(SingleStatements, "first", noted_single)
    assert client.post("/lti/launch", data=form).status_code == 303
    assert ["launch_read" in seen[0], "launch_stands" in seen[1]] == [True, True]
    assert len(seen) == 2


def test_a_login_begins_by_get_or_by_post(client: FlaskClient, platform: Platform, house: House) -> None:
    asked = {
        "iss": platform.issuer, "login_hint": "h", "client_id": platform.client_id,
        "target_link_uri": "http://127.0.0.1:8000/lti/launch",
    }  # fmt: skip
    for answer in (client.get("/lti/login", query_string=asked), client.post("/lti/login", data=asked)):
        assert answer.status_code == 302, answer.text
        given = {name: value for name, (value,) in parse_qs(urlsplit(answer.location).query).items()}
        claims = platform.claims(given["nonce"], house.clock.now())
        opened = client.post("/lti/launch", data={"id_token": platform.sign(claims), "state": given["state"]})
        assert opened.status_code == 303, opened.text


def test_a_login_that_names_a_deployment_is_bound_to_it(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    second = Platform(
        issuer=platform.issuer, client_id=platform.client_id, deployment_id="deployment-2", address=platform.address
    )
    world.register(house, district, second)
    begun = world.begin(client, platform, lti_deployment_id="deployment-2")
    form = {"id_token": platform.sign(platform.claims(begun.nonce, house.clock.now())), "state": begun.state}
    answer = client.post("/lti/launch", data=form, headers={"Accept": "application/problem+json"})
    assert (answer.status_code, answer.json and answer.json["reason"]) == (403, "other-deployment")


def test_a_grant_that_is_not_active_opens_nothing(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE grants SET state = 'suspended'"))
    assert world.launch(client, platform, house).status_code == 403


def test_a_contract_that_names_other_providers_opens_nothing(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    world.sign(house, district, world.contract(house, more="providers: {oneroster: {}}"))
    assert world.launch(client, platform, house).status_code == 403


def test_a_lesson_on_a_site_that_the_contract_does_not_name_is_not_opened(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    lesson = (
        "id: elsewhere\ntitle: {en: Elsewhere}\nsummary: {en: A lesson of someone else.}\n"
        "url: https://lessons.example/play\nactivities:\n  - {id: one, title: {en: One}}\n"
    )
    with house.database.anyone() as connection:
        catalogue.add(connection, lesson.encode(), house.clock.now(), taken=())
    custom = {"lesson_id": "elsewhere"}
    assert world.launch(client, platform, house, lti_custom=custom).status_code == 403
    named = 'subprocessors: [{name: "Lessons", hosts: [lessons.example]}]'
    world.sign(house, district, world.contract(house, more=named))
    answer = world.launch(client, platform, house, lti_custom=custom)
    assert answer.status_code == 303
    assert answer.location.startswith("https://lessons.example/play#ticket=")


def test_weak_and_encryption_keys_do_not_sign_launches() -> None:
    good, weak = rsa_key("key-1"), rsa_key("weak", 1024)

    def jwk(key: RSAKey, **more: str) -> dict[str, Any]:
        return {**key.as_dict(private=False), "kid": "k", **more}

    assert list(signing_keys({"keys": [jwk(good)]})) == ["k"]
    for refused in (
        jwk(weak),
        jwk(good, use="enc"),
        jwk(good, alg="RS512"),
        {"kty": "oct", "kid": "k", "k": "eA"},
        {},
        7,
    ):
        assert signing_keys({"keys": [refused]}) == {}
    assert signing_keys({"keys": "x"}) == {}


def test_only_what_a_course_shows_may_be_framed_by_any_site(
    client: FlaskClient, platform: Platform, house: House
) -> None:
    page = client.get(world.launch(client, platform, house).location)
    assert "frame-ancestors *" in page.headers["Content-Security-Policy"]
    refusal = client.get("/lti/login")
    assert "frame-ancestors *" in refusal.headers["Content-Security-Policy"]
    for address in ("/", "/lessons", "/account", "/nothing-here"):
        assert "frame-ancestors 'self'" in client.get(address).headers["Content-Security-Policy"]
