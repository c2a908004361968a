"""Connecting accounts: what somebody of the other district has proven is nothing that anybody here may confirm."""

from __future__ import annotations

import re

import requests
import sqlalchemy as sa

from tests.functional.own_page import ticket_of
from tests.functional.tenants.neighbours import Neighbours, Tenant

_PROVEN = sa.text(
    "UPDATE link_intent SET used_at = created_at, confirm_until = created_at + interval '1 day', found_person_id ="
    " (SELECT id FROM person WHERE id <> link_intent.person_id AND merged_into IS NULL AND kind = 'pupil' LIMIT 1)"
)
_PEOPLE = sa.text("SELECT count(*) FROM person WHERE merged_into IS NULL")


def linking(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """Both have an intent under way, and mine is proven; neither is of the session of my pupil, who has none."""
    with here.house.database.tenant(mine.district.id) as connection:
        connection.execute(_PROVEN)
        before = connection.execute(_PEOPLE).scalar_one()
    pages, browser = f"{here.tool_url}/me", requests.Session()
    ticket = {"ticket": ticket_of(requests.get(here.ticket(mine, here.pupil(0)), timeout=10).text)}
    shown = browser.post(f"{pages}/open", data=ticket, timeout=10)
    assert "OpenID Connect" in shown.text
    token = re.search('name="csrf_token" value="([^"]+)"', shown.text)
    assert token
    form = {"csrf_token": token[1], "provider": "oidc"}
    # My district's provider does not answer; the other's is not asked.
    begun = browser.post(f"{pages}/accounts/connect", data=form, timeout=20)
    asked = browser.get(f"{pages}/accounts/confirm", timeout=10)
    merged = browser.post(f"{pages}/accounts/confirm", data=form, timeout=10)
    left = browser.post(f"{pages}/accounts/decline", data=form, timeout=10)
    assert [one.status_code for one in (begun, asked, merged, left)] == [502, 200, 403, 200]
    assert "Are both yours?" not in asked.text
    with here.house.database.tenant(mine.district.id) as connection:
        assert connection.execute(_PEOPLE).scalar_one() == before
    return [shown, begun, asked, merged, left]


LINKING = dict.fromkeys(("linking.connect", "linking.confirm", "linking.confirmed", "linking.decline"), linking)


def candidates(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """Who may be one in my district is mine; the other's people and merges are nobody's and nothing."""
    pages = f"{here.tool_url}/district/people"
    token = re.search('name="csrf_token" value="([^"]+)"', mine.staff.get(pages, timeout=10).text)
    assert token
    form = {"csrf_token": token[1]}
    mine.staff.post(f"{pages}/access", data={**form, "why": "request", "words": "They may be one."}, timeout=10)
    with here.house.database.tenant(other.district.id) as connection:
        row = connection.execute(sa.text("SELECT id, to_person_id FROM merge_ledger")).one()
    with here.house.database.tenant(mine.district.id) as connection:
        own = connection.execute(sa.text("SELECT to_person_id FROM merge_ledger")).scalar_one()
    listed = mine.staff.get(f"{pages}/same", timeout=10)
    assert str(own) in listed.text
    assert str(row.to_person_id) not in listed.text
    refused = [mine.staff.get(f"{pages}/{row.to_person_id}/same", headers=JSON, timeout=10)]
    for act in ("compare", "merge"):
        for one, two in ((own, row.to_person_id), (row.to_person_id, own)):
            answer = mine.staff.post(f"{pages}/{one}/{act}", data={**form, "other": str(two)}, headers=JSON, timeout=10)
            refused.append(answer)
    refused.append(mine.staff.post(f"{pages}/merges/{row.id}/undo", data=form, headers=JSON, timeout=10))
    assert {one.status_code for one in refused} == {404}
    ended = mine.staff.post(f"{pages}/end", data=form, timeout=10)
    return [listed, *refused, ended]


JSON = {"Accept": "application/problem+json"}
LINKING.update(dict.fromkeys(
    ("candidates.index", "candidates.of", "candidates.compare", "candidates.merge", "candidates.undo"), candidates
))  # fmt: skip
