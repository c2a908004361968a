"""`/district/connections/<id>` lists what a provider said by itself and what was done, and nobody's name."""

from __future__ import annotations

import re
from html import unescape

import pytest
from flask.testing import FlaskClient

from lti_server.accounts import connection_signals
from lti_server.accounts.connection_signals import KINDS, OUTCOMES
from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.ids import GrantId
from lti_server.privacy.inference import Evidence
from lti_server.providers.records import SignalKind
from tests import world
from tests.functional.sign_in.vendors import World, at, house, peers
from tests.functional.test_inspector import signed_in

__all__ = ["at", "house", "peers"]

DISABLED, ENABLED = "risc/event-type/account-disabled", "risc/event-type/account-enabled"
HEADING = "What the provider said by itself"


def grant(at: World, provider: str = "google") -> GrantId:
    (row,) = at.rows(f"SELECT grant_id FROM provider_connection WHERE provider = '{provider}'")
    return GrantId(row.grant_id)


@pytest.fixture
def admin(at: World, house: House) -> FlaskClient:
    return signed_in(at.app, house, StaffRole.DISTRICT_ADMIN, at.district)


def listed(admin: FlaskClient, at: World, provider: str = "google") -> list[str]:
    """The lines of the list, without their times."""
    page = admin.get(f"/district/connections/{grant(at, provider)}")
    assert page.status_code == 200
    section = page.text.partition(HEADING)[2].partition("</section>")[0]
    return [re.sub(r"\s+", " ", unescape(one)).strip() for one in re.findall(r"<dd>(.*?)</dd>", section, re.S)]


def test_nothing_is_listed_where_nothing_came(admin: FlaskClient, at: World) -> None:
    assert listed(admin, at) == []
    assert HEADING not in admin.get(f"/district/connections/{grant(at)}").text


def test_what_came_is_listed_newest_first_with_what_was_done(admin: FlaskClient, at: World) -> None:
    at.comes_in("google")
    at.risc(DISABLED, event={"reason": "hijacking"})
    at.clock.pass_s(1)
    at.risc(ENABLED)
    at.clock.pass_s(1)
    at.risc(DISABLED, "stranger")
    at.logout(sub="ada")
    assert listed(admin, at) == [
        "An account was closed there: nobody here has this account",
        "An account was opened again there: the account lets its person in again",
        "An account was closed there: the account lets nobody in until the provider opens it again (sessions: 1)",
    ]
    assert listed(admin, at, "oidc") == ["Somebody was signed out there: nobody here has this account"]


def test_nobody_is_named(admin: FlaskClient, at: World) -> None:
    at.comes_in("google")
    at.risc(DISABLED, event={"reason": "hijacking"})
    page = admin.get(f"/district/connections/{grant(at)}").text
    (row,) = at.rows("SELECT r.id, r.person_id, i.id AS identity FROM signal_receipt r, identity i")
    for hidden in ("Ada", str(row.id), str(row.person_id), str(row.identity)):
        assert hidden not in page


def test_what_was_inferred_is_listed_too(admin: FlaskClient, at: World, house: House) -> None:
    with house.database.tenant(at.district.id) as connection:
        house.grants.suspect.on(connection, grant(at), "google", Evidence.TENANT_MISSING)
    at.clock.pass_s(1)
    house.grants.suspect.lift(at.district.id, grant(at), "google", Evidence.TENANT_MISSING)
    seen = "Not said, but seen: in its list of school systems, or in its answers: "
    assert listed(admin, at) == [seen + "resumed: what had suspended it is over", seen + "suspended"]
    house.grants.withdraw.suspend(at.district.id, grant(at), by="staff:somebody", reason="by hand")
    assert len(listed(admin, at)) == 2


def test_the_list_is_not_endless(admin: FlaskClient, at: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_signals, "MOST", 2)
    for _ in range(3):
        at.clock.pass_s(1)
        at.risc(DISABLED, "stranger")
    assert len(listed(admin, at)) == 2


def test_a_district_reads_nothing_of_another(admin: FlaskClient, at: World, house: House) -> None:
    at.risc(DISABLED, "stranger")
    south = world.district(house, "south")
    other = signed_in(at.app, house, StaffRole.DISTRICT_ADMIN, south)
    assert other.get(f"/district/connections/{grant(at)}").status_code == 404


def test_there_is_a_word_for_each_kind_and_each_outcome() -> None:
    assert set(KINDS) == set(SignalKind)
    assert {"revoked", "suspended", "sessions_ended", "held", "lifted", "way_ended", "erasure_asked", "noted"} < set(
        OUTCOMES
    )
