"""Looking at people, and at oneself: the other's people are nobody, with the best of reasons and at every door."""

from __future__ import annotations

import re

import requests
import sqlalchemy as sa

from tests.functional.own_page import ticket_of
from tests.functional.tenants.neighbours import Neighbours, Tenant, unused

JSON = {"Accept": "application/problem+json"}


def people(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """The other's people are not found, shown, exported, previewed or changed; mine are, though both look alike."""
    pages = f"{here.tool_url}/district/people"
    token = re.search('name="csrf_token" value="([^"]+)"', mine.staff.get(pages, timeout=10).text)
    assert token
    form = {"csrf_token": token[1], "act": "restrict", "recipients": "teacher"}
    reason = {**form, "why": "request", "words": "A guardian asks."}
    with here.house.database.tenant(other.district.id) as connection:
        theirs = str(connection.execute(sa.text("SELECT person_id FROM progress_event LIMIT 1")).scalar_one())
    opened = mine.staff.post(f"{pages}/access", data=reason, timeout=10)
    # Both have a correction that names its district: each finds its own.
    own = mine.staff.post(f"{pages}/search", data={**form, "text": f"Noor of {mine.slug}"}, timeout=10)
    nobody = mine.staff.post(f"{pages}/search", data={**form, "text": f"Noor of {other.slug}"}, timeout=10)
    assert (own.status_code, nobody.status_code) == (200, 200)
    assert len(re.findall(r"/district/people/[0-9a-f-]{36}", own.text)) == 1
    assert re.findall(r"/district/people/[0-9a-f-]{36}", nobody.text) == []
    refused = []
    for path in ("", "/receipt"):
        answers = [mine.staff.get(f"{pages}/{one}{path}", headers=JSON, timeout=10) for one in (theirs, unused())]
        refused += answers
        assert {**answers[0].json(), "instance": ""} == {**answers[1].json(), "instance": ""}
    for path in ("export", "preview", "act"):
        refused.append(mine.staff.post(f"{pages}/{theirs}/{path}", data=form, headers=JSON, timeout=10))
    assert {one.status_code for one in refused} == {404}
    ended = mine.staff.post(f"{pages}/end", data=form, timeout=10)
    return [opened, own, nobody, *refused, ended]


def own_page(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """My pupil's page, with the other's own cookie in the browser, tells of mine."""
    pages, browser = f"{here.tool_url}/me", requests.Session()
    browser.cookies.update(other.reader.cookies)
    ticket = {"ticket": ticket_of(requests.get(here.ticket(mine, here.pupil(0)), timeout=10).text)}
    shown = browser.post(f"{pages}/open", data=ticket, timeout=10)
    again = requests.post(f"{pages}/open", data=ticket, cookies=other.reader.cookies, timeout=10)
    assert (shown.status_code, again.status_code) == (200, 401)
    assert mine.district.name in shown.text
    with here.house.database.tenant(other.district.id) as connection:
        case = connection.execute(sa.text("SELECT id FROM own_request LIMIT 1")).scalar_one()
    token = re.search('name="csrf_token" value="([^"]+)"', shown.text)
    assert token
    form = {"csrf_token": token[1], "wish": "erase"}
    export = browser.post(f"{pages}/export", data=form, timeout=10)
    assert mine.slug in export.json()["district"]
    asked = browser.post(f"{pages}/ask", data=form, timeout=10)
    ended = _sessions(here, other, browser, form)
    closed = browser.post(f"{pages}/close", data=form, timeout=10)
    assert (asked.status_code, closed.status_code) == (200, 200)
    cases = mine.staff.get(f"{here.tool_url}/district/requests", timeout=10)
    own = re.search('name="csrf_token" value="([^"]+)"', cases.text)
    assert own
    answers = [
        mine.staff.post(f"{here.tool_url}/district/requests/own/{one}", data={"csrf_token": own[1]}, timeout=10)
        for one in (case, unused())
    ]
    assert [one.status_code for one in answers] == [404, 404]
    return [shown, again, export, asked, *ended, closed, cases, *answers]


def _sessions(
    here: Neighbours, other: Tenant, browser: requests.Session, form: dict[str, str]
) -> list[requests.Response]:
    """My pupil ends a session of the other's by its id, and all others: every one of the other's goes on."""
    live = sa.text("SELECT id FROM session WHERE ended_at IS NULL ORDER BY id")
    with here.house.database.tenant(other.district.id) as connection:
        before = list(connection.execute(live).scalars())
    answers = [
        browser.post(f"{here.tool_url}/me/sessions/end", data={**form, "session": str(before[0])}, timeout=10),
        browser.post(f"{here.tool_url}/me/sessions/end-others", data=form, timeout=10),
    ]
    with here.house.database.tenant(other.district.id) as connection:
        assert list(connection.execute(live).scalars()) == before
    assert {one.status_code for one in answers} == {200}
    return answers


OWN_PAGE = dict.fromkeys(
    (
        "me.index", "me.enter", "me.export", "me.ask", "me.close", "requests.own_answered", "own_sessions.end",
        "own_sessions.end_others",
    ),
    own_page,
)  # fmt: skip
PEOPLE = dict.fromkeys(
    (
        "people.index", "people.open_access", "people.end_access", "people.search", "people.show", "people.export",
        "people.receipt", "people.preview", "people.act",
    ),
    people,
)  # fmt: skip
