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
