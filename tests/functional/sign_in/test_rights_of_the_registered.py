"""Whoever registered themself has every right that a pupil of a district has, under the notice as their contract."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from psycopg import sql

from lti_server.accounts.registering import Desk
from lti_server.app import House
from lti_server.errors import ContractForbids, InvalidInput
from lti_server.ids import PersonId
from lti_server.own_door_parts import OwnDoorHouse
from lti_server.privacy import contract_file, contracts, own_terms
from lti_server.privacy.element_names import element_names
from lti_server.privacy.notice import contract_lines
from lti_server.privacy.rights import Asked
from lti_server.sign_in_parts import SignInHouse
from tests.clock import FakeClock
from tests.functional.sign_in.own_door import ADA, asked, code_in, count, desk, house, peer, post, registered
from tests.peers.smtp import MailServer

__all__ = ["desk", "house", "peer"]


EXPORT = Asked(by="test", act="person export", reason="they asked")


def somebody(house: House, desk: Desk) -> PersonId:
    with house.database.tenant(desk.district.id) as connection:
        return PersonId(connection.execute(sa.text("SELECT id FROM person")).scalar_one())


def everything(url: str) -> str:
    """Each row of each table, the queue's too, as text; bytes as hex."""
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        return "\n".join(
            str(row[0])
            for (name,) in names.fetchall()
            for row in connection.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name)))
        )


def forms_of(address: str) -> list[str]:
    """An address and its parts, as text, hex and base64."""
    plain = address.encode()
    return [
        address,
        address.partition("@")[0],
        plain.hex(),
        plain.partition(b"@")[0].hex(),
        base64.b64encode(plain).decode()[:-4],
    ]


def test_an_address_that_a_child_types_is_nowhere(
    browser: FlaskClient, app: Flask, peer: MailServer, house: House, desk: Desk, database_url: str,
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    for page in ("/signin/email", "/recover"):
        post(app.test_client(), page, address=ADA)
    peer.refusal = "550 no such address"
    asked(app.test_client())
    peer.refusal = ""
    asked(browser)
    before = everything(database_url)
    assert len(peer.received) == 3, "the letters went to the address"
    with house.database.tenant(desk.district.id) as connection:
        rows = connection.execute(sa.text("SELECT id, sealed FROM email_code WHERE sealed IS NOT NULL")).all()
        sealed = [desk.district.keys.open("email_code", "sealed", row.id, bytes(row.sealed)) for row in rows]
    post(browser, "/signin/code", code=code_in(peer))
    assert count(house, desk, "person") == 1
    files = "".join(one.read_bytes().decode("latin-1") for one in tmp_path.rglob("*") if one.is_file())
    told = capfd.readouterr()
    places = {
        "the database": everything(database_url), "the database while a code is open": before,
        "sealed rows": str(sealed), "files": files, "the log": caplog.text + told.out + told.err,
    }  # fmt: skip
    assert len(sealed) == 2
    assert {(place, form) for place, text in places.items() for form in forms_of(ADA) if form in text} == set()


def test_a_child_s_name_is_kept_and_of_the_address_a_hash(
    browser: FlaskClient, peer: MailServer, house: House, desk: Desk
) -> None:
    registered(browser, peer)
    with house.database.tenant(desk.district.id) as connection:
        found = connection.execute(
            sa.text(
                "SELECT field, ciphertext IS NULL AS bare, lookup IS NOT NULL AS hashed FROM person_field ORDER BY 1"
            )
        ).all()
        assert connection.execute(sa.text("SELECT subject FROM identity")).scalar_one() is None
    assert [tuple(one) for one in found] == [("email", True, True), ("nickname", False, False)]


def test_of_whoever_is_no_child_the_address_is_kept_encrypted_and_they_are_not_asked_their_age_again(
    browser: FlaskClient, peer: MailServer, house: House, desk: Desk, database_url: str
) -> None:
    registered(browser, peer, years=13)
    assert browser.get("/learn").status_code == 200
    assert count(house, desk, "person_age WHERE source = 'self'") == 1
    assert (
        count(house, desk, "person_field WHERE field = 'email' AND ciphertext IS NOT NULL AND lookup IS NOT NULL") == 1
    )
    text = everything(database_url)
    assert not any(form in text for form in forms_of(ADA))
    found = house.rights.rights.export(desk.district.id, somebody(house, desk), EXPORT)
    assert ADA in json.dumps(found)


def test_the_notice_and_the_contract_of_whoever_registers_say_the_same(house: House, desk: Desk) -> None:
    notice = OwnDoorHouse(house).registering.notice()
    with house.database.tenant(desk.district.id) as connection:
        (signed,) = contracts.versions(connection, desk.district.zone, house.clock.now())
    assert contract_lines(signed.terms) == own_terms.own_lines(notice)
    assert contract_file.parse(signed.document).valid_to == desk.valid_to
    assert (desk.terms, signed.state) == (notice.version, "in_force")


def test_the_notice_shows_what_is_kept_of_whoever_registers_where_somebody_may(
    browser: FlaskClient, house: House
) -> None:
    assert "register themselves" not in browser.get("/privacy").text
    OwnDoorHouse(house).registering.enable("US", by="test")
    page = browser.get("/privacy").text
    assert "register themselves" in page
    with browser.application.test_request_context():
        names = element_names()
    for line in own_terms.own_lines(OwnDoorHouse(house).registering.notice()):
        assert str(names[line.element]) in html.unescape(page)
    assert browser.get("/privacy/districts/public-us").status_code == 200


def test_enabled_again_it_signs_anew_only_where_the_notice_has_changed(
    house: House, desk: Desk, clock: FakeClock
) -> None:
    registering = OwnDoorHouse(house).registering
    assert registering.enable("us", by="test").terms == 1
    assert count(house, desk, "contract") == 1
    with house.database.anyone() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO policy_version (id, version, acts_on, material, purposes, summary_en, summary_fr,"
                " announced_at) VALUES (gen_random_uuid(), 2, :day, false, ARRAY['instruction'], 'x', 'x', :now)"
            ),
            {"day": clock.now().date(), "now": clock.now()},
        )
    assert registering.every()[0].terms == 1
    assert registering.enable("US", by="test").terms == 2
    assert count(house, desk, "contract") == 2


def test_nobody_registers_by_a_provider_that_is_connected_to_their_tenant(house: House, desk: Desk) -> None:
    config = {"client_id": "a.apps.googleusercontent.com", "client_secret": "a secret"}
    with pytest.raises(ContractForbids):
        SignInHouse(house).connections.connect(desk.district.id, "google", config, by="test")


def test_there_is_no_desk_without_an_age_pack(house: House) -> None:
    with pytest.raises(InvalidInput, match="no age pack"):
        OwnDoorHouse(house).registering.enable("XX", by="test")


def test_whoever_registered_takes_everything_along(
    browser: FlaskClient, peer: MailServer, house: House, desk: Desk
) -> None:
    registered(browser, peer)
    found = house.rights.rights.export(desk.district.id, somebody(house, desk), EXPORT)
    assert "Cool Coder" in json.dumps(found)
    assert ADA not in json.dumps(found)


def test_an_account_that_is_erased_is_gone_and_may_be_made_anew(
    browser: FlaskClient, app: Flask, peer: MailServer, house: House, desk: Desk
) -> None:
    registered(browser, peer)
    house.rights.erase(desk.district.id, somebody(house, desk), by="test")
    assert browser.get("/learn").status_code == 303
    for table in ("identity", "person_field"):
        assert count(house, desk, table) == 0
    other = app.test_client()
    post(other, "/signin/email", address=ADA)
    assert re.search(r"\d{4} \d{4}", peer.received[-1].get_content()) is None
    registered(other, peer)
    assert count(house, desk, "person WHERE key_destroyed_at IS NULL") == 1


def test_codes_that_were_asked_for_with_an_address_go_with_whoever_it_is(
    browser: FlaskClient, app: Flask, peer: MailServer, house: House, desk: Desk
) -> None:
    registered(browser, peer)
    other, nobody = app.test_client(), app.test_client()
    asked(other, 30)
    asked(nobody, 30, "nobody@example.org")
    assert count(house, desk, "email_code") == 3
    house.rights.erase(desk.district.id, somebody(house, desk), by="test")
    assert count(house, desk, "email_code") == 1
    assert "This code is over" in post(other, "/signin/code", code="1234 5678").text


def test_a_guardian_s_block_ends_the_way_in_and_registering_again_leads_to_lessons_alone(
    browser: FlaskClient, app: Flask, peer: MailServer, house: House, desk: Desk
) -> None:
    registered(browser, peer)
    house.rights.blocks.of_person(desk.district.id, somebody(house, desk), by="test")
    assert browser.get("/learn").status_code == 303
    other = app.test_client()
    asked(other)
    answer = post(other, "/signin/code", code=code_in(peer))
    assert answer.headers["Location"] == "/lessons"
    assert count(house, desk, "person") == 1
    assert count(house, desk, "session WHERE ended_at IS NULL") == 0


def test_a_guardian_s_request_reaches_whoever_answers_for_the_registered(
    browser: FlaskClient, house: House, desk: Desk
) -> None:
    post(browser, "/privacy/request", district=desk.district.slug, text="Please erase my child's account.")
    (case,) = house.rights.requests.cases(desk.district.id, by="test")
    assert case.text == "Please erase my child's account."
    assert case.due_on is not None
