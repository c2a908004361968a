"""Nobody is staff here without having promised confidence, and the promise is kept as evidence (A-47)."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts import confidence
from lti_server.accounts.invitations import SESSION_LIFE
from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.db import Database, enter
from lti_server.privacy import log
from lti_server.privacy.districts import District
from tests.clock import FakeClock
from tests.functional.inviting import form_of

NEW = ("I keep it all to myself, from today on.",)


def promises(house: House, district: District | None) -> list[Any]:
    with house.database.anyone() as connection:
        if district is not None:
            enter(connection, district.id)
        return list(connection.execute(sa.text("SELECT * FROM confidence_promise ORDER BY promised_at, id")))


def invited(house: House, district: District | None, role: StaffRole) -> str:
    token, _ = house.invitations.invite(role, district.id if district else None)
    return f"/signin/invitation/{token}"


def comes_in(client: FlaskClient, house: House, district: District) -> None:
    path = invited(house, district, StaffRole.DISTRICT_ADMIN)
    assert client.post(path, data=form_of(client.get(path).text)).status_code == 303


@pytest.mark.parametrize("role", list(StaffRole))
def test_nobody_comes_in_as_staff_without_having_promised_confidence(
    house: House, district: District, client: FlaskClient, role: StaffRole
) -> None:
    where = None if role is StaffRole.OPERATOR else district
    path = invited(house, where, role)
    form = form_of(client.get(path).text)
    for without in ({}, {"promise": ""}, {"promise": "yes"}, {"promise": "0" * 64}):
        refused = client.post(path, data={"csrf_token": form["csrf_token"], **without})
        assert refused.status_code == 409
        assert form["promise"] in refused.text
        assert client.get_cookie("lti_staff") is None
    assert promises(house, where) == []
    assert client.post(path, data=form).status_code == 303, "what was refused has not spent the invitation"
    assert len(promises(house, where)) == 1


@pytest.mark.parametrize("locale", ["en", "fr"])
def test_a_promise_is_kept_with_who_when_until_when_and_which_words_were_read(
    house: House, district: District, client: FlaskClient, locale: str
) -> None:
    path = f"{invited(house, district, StaffRole.DATA_STEWARD)}?lang={locale}"
    page = client.get(path).text
    words = confidence.promise_in(locale).words
    assert len(words) == len(confidence.WORDS)
    assert (words == confidence.WORDS) is (locale == "en")
    for one in words:
        assert one.replace("'", "&#39;") in page
    assert client.post(path, data=form_of(page)).status_code == 303
    (kept,) = promises(house, district)
    with house.database.tenant(district.id) as connection:
        came = connection.execute(sa.text("SELECT id FROM invitation WHERE used_at IS NOT NULL")).scalar_one()
        session = connection.execute(sa.text("SELECT id, expires_at FROM session")).one()
        entry = connection.execute(sa.text("SELECT * FROM log_entry WHERE act = 'confidence promise'")).one()
        said = log.payload_of(district.keys, bytes(entry.payload))
    digest = hashlib.sha256("\n".join(words).encode()).digest()
    assert (kept.invitation_id, kept.session_id, kept.role) == (came, session.id, "data_steward")
    assert (bytes(kept.text_hash), kept.locale) == (digest, locale)
    assert (kept.promised_at, kept.expires_at) == (house.clock.now(), session.expires_at)
    assert kept.expires_at - kept.promised_at == SESSION_LIFE
    assert entry.actor == f"session:{session.id}"
    assert (said["words"], said["invitation"], said["role"]) == (digest.hex(), str(came), "data_steward")


def test_whoever_comes_again_promises_again(house: House, district: District, app: Flask) -> None:
    for _ in range(2):
        comes_in(app.test_client(), house, district)
    assert len({one.session_id for one in promises(house, district)}) == 2


def test_new_words_open_nothing_until_they_are_promised_and_make_no_session_longer(
    house: House, district: District, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    comes_in(client, house, district)
    assert client.get("/district").status_code == 200
    (first,) = promises(house, district)
    old = confidence.promise_in("en").digest.hex()
    monkeypatch.setattr(confidence, "WORDS", NEW)
    assert client.get("/district").status_code == 401
    page = client.get("/account").text
    assert NEW[0] in page
    form = form_of(page)
    refused = client.post("/account", data={**form, "promise": old})
    assert refused.status_code == 409
    assert client.get("/district").status_code == 401
    assert client.post("/account", data=form).status_code == 303
    assert client.get("/district").status_code == 200
    again = next(one for one in promises(house, district) if one.id != first.id)
    assert bytes(again.text_hash) == hashlib.sha256(NEW[0].encode()).digest()
    same = ("session_id", "invitation_id", "role", "expires_at")
    assert [getattr(again, name) for name in same] == [getattr(first, name) for name in same]
    assert client.post("/account", data=form).status_code == 303
    assert len(promises(house, district)) == 2, "one promise of the same words is enough"


def test_a_promise_runs_out_however_long_its_session_is(house: House, client: FlaskClient, clock: FakeClock) -> None:
    path = invited(house, None, StaffRole.OPERATOR)
    client.post(path, data=form_of(client.get(path).text))
    with house.database.anyone() as connection:
        connection.execute(sa.text("UPDATE session SET expires_at = expires_at + interval '1 day'"))
    clock.pass_s((SESSION_LIFE - timedelta(minutes=1)).total_seconds())
    assert confidence.WORDS[0] not in client.get("/account").text
    clock.pass_s(120)
    assert confidence.WORDS[0] in client.get("/account").text


def test_whoever_has_no_session_has_nothing_to_promise(house: House, district: District, client: FlaskClient) -> None:
    path = invited(house, district, StaffRole.TEACHER)
    form = form_of(client.get(path).text)
    assert client.post("/account", data=form).status_code == 401
    assert promises(house, district) == []


def test_a_session_without_a_promise_is_nobodys(house: House, district: District, client: FlaskClient) -> None:
    """Not one that was there before promises were asked for, nor one that something else has opened."""
    comes_in(client, house, district)
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE session SET id = gen_random_uuid()"))
    assert client.get("/district").status_code == 401
    assert client.get("/account").status_code == 303


def test_a_promise_is_neither_changed_nor_taken_away(house: House, district: District, client: FlaskClient) -> None:
    comes_in(client, house, district)
    for statement in ("UPDATE confidence_promise SET role = 'teacher'", "DELETE FROM confidence_promise"):
        assert _refused(house.database, district, statement)


def _refused(database: Database, district: District, statement: str) -> bool:
    with pytest.raises(sa.exc.ProgrammingError) as refused, database.tenant(district.id) as connection:
        connection.execute(sa.text(statement))
    return isinstance(refused.value.orig, psycopg.errors.InsufficientPrivilege)
