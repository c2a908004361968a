"""Signing in: my session shows my classes and opens my lessons, and nothing of a sign-in of mine leads to the other."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import requests
import sqlalchemy as sa

from lti_server.accounts.model import Kind
from lti_server.accounts.person_sessions import open_session
from tests.functional.tenants.connecting_cases import CONNECTING
from tests.functional.tenants.linking_cases import LINKING
from tests.functional.tenants.neighbours import LESSON, Neighbours, Tenant, unused
from tests.functional.tenants.own_door_cases import OWN_DOOR

JSON = {"Accept": "application/problem+json"}
_SOMEBODY = sa.text(
    "SELECT i.person_id, i.id, i.grant_id, g.epoch FROM identity i JOIN grants g ON g.id = i.grant_id"
    " JOIN membership m ON m.person_id = i.person_id AND m.ended_at IS NULL AND m.role = 'pupil'"
    " WHERE i.ended_at IS NULL AND g.state = 'active' LIMIT 1"
)


def signing_in(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """The list of ways, a provider that does not answer, and a way back with a state of nobody."""
    listed = requests.get(f"{here.tool_url}/signin?district={mine.slug}", timeout=20)
    assert "OpenID Connect" in listed.text
    gone = requests.get(f"{here.tool_url}/auth/oidc/login?district={mine.slug}", headers=JSON, timeout=20)
    forged = requests.get(f"{here.tool_url}/auth/oidc/callback?state=x&code=y", headers=JSON, timeout=20)
    assert (gone.status_code, forged.status_code) == (502, 403)
    return [listed, gone, forged]


def learning(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """Both have people and classes that look alike: each finds their own."""
    with here.house.database.tenant(mine.district.id) as connection:
        row = connection.execute(_SOMEBODY).one()
        opened = open_session(
            connection, district_id=mine.district.id, person_id=row.person_id, identity_id=row.id,
            grant_id=row.grant_id, epoch=row.epoch, kind=Kind.PUPIL, locale="en", now=here.house.clock.now(),
        )  # fmt: skip
    browser = requests.Session()
    browser.cookies.set("lti_session", opened.cookie)
    page = browser.get(f"{here.tool_url}/learn", timeout=20)
    assert mine.district.name in page.text
    token = re.search('name="csrf_token" value="([^"]+)"', page.text)
    assert token
    played = browser.post(f"{here.tool_url}/learn/{LESSON}", data={"csrf_token": token[1]}, timeout=20)
    assert 'id="launch-context"' in played.text
    with here.house.database.tenant(mine.district.id) as connection:
        assert connection.execute(
            sa.text("SELECT count(*) FROM session WHERE identity_id = :id AND membership_id IS NOT NULL"),
            {"id": row.id},
        ).scalar_one()
    return [page, played]


def asking(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """Whoever has no session is asked nothing, and an answer is nobody's."""
    asked = requests.get(f"{here.tool_url}/age?district={mine.slug}", timeout=20)
    said = requests.post(f"{here.tool_url}/age", data={"years": "12"}, headers=JSON, timeout=20)
    assert (urlsplit(asked.url).path, said.status_code) == ("/signin", 403)
    return [asked, said]


def deletions(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """A code that this server gave to nobody leads nowhere, whoever asks."""
    answers = [requests.get(f"{here.tool_url}/privacy/deletion/{one}", headers=JSON, timeout=20) for one in CODES]
    assert {one.status_code for one in answers} == {404}
    return answers


def leaving(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """An account of the other's is to me as one that never was."""
    with here.house.database.tenant(other.district.id) as connection:
        theirs = connection.execute(sa.text("SELECT id FROM identity WHERE ended_at IS NULL LIMIT 1")).scalar_one()
    token = re.search('name="csrf_token" value="([^"]+)"', mine.reader.get(f"{here.tool_url}/me", timeout=20).text)
    assert token
    answers = [
        mine.reader.post(
            f"{here.tool_url}/me/accounts/disconnect", data={"csrf_token": token[1], "account": str(one)},
            headers=JSON, timeout=20,
        )
        for one in (theirs, unused())
    ]  # fmt: skip
    assert {**answers[0].json(), "instance": ""} == {**answers[1].json(), "instance": ""}
    assert {one.status_code for one in answers} == {404}
    return answers


def own_rights(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """Whoever has a school neither renames nor deletes anybody: the page asks for nobody, and refuses its reader."""
    token = re.search('name="csrf_token" value="([^"]+)"', mine.reader.get(f"{here.tool_url}/me", timeout=20).text)
    assert token
    said = {"csrf_token": token[1], "name": "Somebody", "sure": "yes"}
    answers = [
        mine.reader.request(method, f"{here.tool_url}/me/{page}", data=said, headers=JSON, timeout=20)
        for page in ("name", "delete")
        for method in ("GET", "POST")
    ]
    assert {one.status_code for one in answers} == {403}
    return answers


CODES = ("0" * 48, "no-code")
SIGN_IN = {
    **dict.fromkeys(("age.index", "age.say"), asking),
    "deletion.show": deletions,
    "disconnecting.disconnect": leaving,
    **dict.fromkeys(("own_rights.name", "own_rights.delete"), own_rights),
    **LINKING,
    **dict.fromkeys(("sign_in.index", "sign_in.login", "sign_in.callback"), signing_in),
    **dict.fromkeys(("learn.index", "learn.open_lesson"), learning),
    **CONNECTING,
    **OWN_DOOR,
}
