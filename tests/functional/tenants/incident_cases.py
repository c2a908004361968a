"""Incidents: what happened to the other's data is to me as what never happened."""

from __future__ import annotations

import re

import requests
import sqlalchemy as sa

from tests.functional.tenants.neighbours import Neighbours, Tenant, unused

JSON = {"Accept": "application/problem+json"}


def incidents(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """My list has mine alone; the other's, by its id, is none."""
    with here.house.database.tenant(other.district.id) as connection:
        opened = sa.text("SELECT object_id FROM log_entry WHERE act = 'incident open'")
        theirs = connection.execute(opened).scalar_one()
    pages = f"{here.tool_url}/district/incidents"
    shown = mine.staff.get(pages, timeout=10)
    (own,) = re.findall(r"/district/incidents/([0-9a-f-]{36})", shown.text)
    assert f"A laptop of {mine.slug} was lost." in shown.text
    assert f"A laptop of {other.slug} was lost." not in shown.text
    page = mine.staff.get(f"{pages}/{own}", timeout=10)
    assert f"A laptop of {mine.slug} was lost." in page.text
    refused = [mine.staff.get(f"{pages}/{one}", headers=JSON, timeout=10) for one in (theirs, unused())]
    assert [one.status_code for one in refused] == [404, 404]
    assert len({str({**one.json(), "instance": ""}) for one in refused}) == 1
    return [shown, page, *refused]


INCIDENTS = dict.fromkeys(("incidents.index", "incidents.show"), incidents)
