"""Connecting a provider: what I connect is mine, and a connection of the other's is to me as one that never was."""

from __future__ import annotations

import re
from uuid import uuid4

import requests
import sqlalchemy as sa

from tests.functional.tenants.neighbours import Neighbours, Tenant, unused

JSON = {"Accept": "application/problem+json"}
_OIDC = sa.text("SELECT grant_id FROM provider_connection WHERE provider = 'oidc' AND ended_at IS NULL LIMIT 1")


def connecting(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """A form with the other's own id makes nothing of theirs; their configuration is neither shown nor changed."""
    pages = f"{here.tool_url}/district/connections"
    listed, form = (mine.staff.get(f"{pages}/{one}", timeout=20) for one in ("new", "new/google"))
    assert "Google" in listed.text
    token = re.search('name="csrf_token" value="([^"]+)"', form.text)
    assert token
    with here.house.database.tenant(other.district.id) as connection:
        theirs = connection.execute(_OIDC).scalar_one()
        taken = connection.execute(sa.text("SELECT id FROM provider_connection LIMIT 1")).scalar_one()
    with here.house.database.tenant(mine.district.id) as connection:
        own = connection.execute(_OIDC).scalar_one()
    made = {
        "csrf_token": token[1],
        "form_id": str(taken),
        "config-client_id": str(uuid4()),
        "config-client_secret": "x",
    }
    refused = mine.staff.post(f"{pages}/new/google", data=made, headers=JSON, timeout=20)
    assert refused.status_code == 409
    shown = mine.staff.get(f"{pages}/{own}/configuration", timeout=20)
    assert mine.slug in shown.text
    stolen = [mine.staff.get(f"{pages}/{one}/configuration", headers=JSON, timeout=20) for one in (theirs, unused())]
    stolen.append(mine.staff.post(f"{pages}/{theirs}/configuration", data=made, headers=JSON, timeout=20))
    stolen += [
        mine.staff.get(f"{pages}/{theirs}/try", headers=JSON, timeout=20),
        mine.staff.post(f"{pages}/{theirs}/test", data=made, headers=JSON, timeout=20),
    ]
    assert {one.status_code for one in stolen} == {404}
    # My own provider is not there, and the test says so.
    tested = mine.staff.post(f"{pages}/{own}/test", data=made, timeout=20)
    assert "The test did not go well" in tested.text
    return [listed, form, refused, shown, tested, *stolen]


def claims(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """The other's claim is to me as one that never was, though its provider has proven it."""
    pages = f"{here.tool_url}/district/connections"
    form = mine.staff.get(f"{pages}/new/google", timeout=20)
    token = re.search('name="csrf_token" value="([^"]+)"', form.text)
    assert token
    sent = {"csrf_token": token[1]}
    # The operator has no application at Clever here, so there is nothing to claim.
    none = mine.staff.post(f"{pages}/new/clever/claim", data=sent, headers=JSON, timeout=20)
    with here.house.database.tenant(other.district.id) as connection:
        theirs = connection.execute(_CLAIM, {"id": uuid4(), "district": other.district.id}).scalar_one()
    refused = [
        mine.staff.request(method, f"{pages}/claims/{one}{act}", data=sent, headers=JSON, timeout=20)
        for one in (theirs, unused())
        for method, act in (("GET", ""), ("GET", "/go"), ("POST", ""))
    ]
    with here.house.database.tenant(other.district.id) as connection:
        connection.execute(sa.text("DELETE FROM tenant_claim WHERE id = :id"), {"id": theirs})
    assert {one.status_code for one in (none, *refused)} == {404}
    return [none, *refused]


_CLAIM = sa.text(
    "INSERT INTO tenant_claim (id, district_id, session_id, provider, tenant, created_at, expires_at)"
    " SELECT :id, :district, s.id, 'clever', 'proven', now(), now() + interval '1 day' FROM session s"
    " WHERE s.person_id IS NULL LIMIT 1 RETURNING id"
)
CONNECTING = {
    **{f"connecting.{one}": connecting for one in ("index", "form", "connect", "configuration", "configure", "test")},
    "trials.attempt": connecting,
    **{f"trials.{one}": claims for one in ("claim", "claimed", "go", "take")},
}
