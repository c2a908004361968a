"""`/district` says what is missing, and where the next step is taken."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.privacy.districts import District
from lti_server.privacy.signed_documents import checked, public_keys
from tests import world
from tests.functional.test_log_page import signed_in
from tests.peers.bare_platform import Platform


def steps(page: str) -> dict[str, str]:
    """Each step's name, and its state."""
    found = re.findall(r'<li class="step step-(\w+)"[^>]*>\s*<h3>(.*?) <span', page)
    return {name: state for state, name in found}


def seen(app: Flask, house: House, owner: District, role: StaffRole = StaffRole.DISTRICT_ADMIN) -> str:
    answer = signed_in(app, house, role, owner).get("/district")
    assert answer.status_code == 200
    return answer.text


def test_a_new_district_is_told_to_sign_a_contract_first(app: Flask, house: House) -> None:
    page = seen(app, house, world.district(house, "new", terms=None))
    assert steps(page) == {"Contract": "next", "Connection": "later", "Preview": "later", "First launch": "later"}
    assert "no lesson opens" in page


def test_each_step_that_is_taken_makes_the_next_one_next(
    app: Flask, house: House, client: FlaskClient, platform: Platform
) -> None:
    owner = world.district(house, "new")
    assert steps(seen(app, house, owner))["Connection"] == "next"
    world.register(house, owner, platform)
    page = seen(app, house, owner)
    assert (steps(page)["Connection"], steps(page)["Preview"]) == ("done", "next")
    assert '<a href="/platforms">' in page
    assert world.launch(client, platform, house).status_code == 303
    assert steps(seen(app, house, owner))["First launch"] == "done"


def test_a_contract_that_lies_ahead_or_is_over_is_said_with_its_day(app: Flask, house: House) -> None:
    owner = world.district(house, "new", terms=None)
    begins = house.clock.now().date() + timedelta(days=30)
    world.sign(house, owner, world.contract(house, begins=begins).replace(
        f"signed_at: {begins - timedelta(days=1)}", f"signed_at: {house.clock.now().date()}"))  # fmt: skip
    assert str(begins.day) in seen(app, house, owner)
    assert steps(seen(app, house, owner))["Contract"] == "next"


def test_a_connection_that_is_suspended_is_the_next_step_again(
    app: Flask, house: House, district: District, platform: Platform
) -> None:
    grant = house.registrations.every(district.id)[0].grant_id
    house.grants.withdraw.suspend(district.id, grant, by="cli:test")
    page = seen(app, house, district)
    assert steps(page)["Connection"] == "next"
    assert "is suspended" in page


def test_a_link_leads_only_where_the_reader_may_go(app: Flask, house: House, district: District) -> None:
    admin = seen(app, house, district)
    steward = seen(app, house, district, StaffRole.DATA_STEWARD)
    assert 'href="/platforms"' in admin
    assert 'href="/platforms"' not in steward
    for page in ("log", "requests", "dispositions"):
        assert f'href="/district/{page}"' in steward
    for role in (StaffRole.TEACHER, StaffRole.SCHOOL_ADMIN):
        assert signed_in(app, house, role, district).get("/district").status_code == 403
    assert signed_in(app, house, StaffRole.OPERATOR, None).get("/district").status_code in (403, 404)
    assert app.test_client().get("/district").status_code in (401, 403)


def test_the_account_leads_there(app: Flask, house: House, district: District) -> None:
    assert 'href="/district"' in signed_in(app, house, StaffRole.DISTRICT_ADMIN, district).get("/account").text


def test_an_extract_of_the_log_is_a_signed_file_of_what_was_asked_for(
    app: Flask, house: House, district: District, client: FlaskClient, platform: Platform
) -> None:
    world.launch(client, platform, house)
    world.launch(client, platform, house, lti_version="11.3")
    browser = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)
    assert "/district/log/extract?decision=refused" in browser.get("/district/log?decision=refused").text
    answer = browser.get("/district/log/extract?decision=refused")
    assert "attachment" in answer.headers["Content-Disposition"]
    said = checked(answer.data, public_keys(house.document_keys.public_jwks()))
    assert (said.kind, said.district, said.body["next"]) == ("log-extract", str(district.id), None)
    assert [one["decision"] for one in said.body["entries"]] == ["refused"]
    assert said.body["asked"]["decision"] == "refused"
    assert "details" not in said.body["entries"][0]
    changed = json.loads(answer.data)
    changed["document"]["body"]["entries"] = []
    with pytest.raises(Exception, match="was changed"):
        checked(json.dumps(changed).encode(), public_keys(house.document_keys.public_jwks()))
    assert "log extract" in browser.get("/district/log").text
    assert signed_in(app, house, StaffRole.TEACHER, district).get("/district/log/extract").status_code == 403


def test_a_word_that_is_no_act_is_not_handed_on_in_the_file(app: Flask, house: House, district: District) -> None:
    browser = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)
    answer = browser.get("/district/log/extract?act=Amina%20O'Hara")
    assert "Amina" not in answer.text
