"""What there is of ways in: a desk where people registered, a code that was sent, a claim of a school system."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import DistrictId, new_id


def ways_in(connection: Connection, district_id: DistrictId, slug: str, now: datetime) -> None:
    """Their every word names the district."""
    words = ("browser", "address", "code")
    named = {one: hashlib.sha256(f"{one} of {slug}".encode()).digest() for one in words}
    values = {
        "district": district_id, "now": now, "until": now + timedelta(minutes=10), "by": f"operator of {slug}",
        "id": new_id(), "claim_id": new_id(), "session": new_id(), "tenant": f"school system of {slug}", **named,
    }  # fmt: skip
    for statement in (_DESK, _CODE, _CLAIM):
        connection.execute(statement, values)


_DESK = sa.text(
    "INSERT INTO registration_desk (district_id, opened_at, opened_by, closed_at, closed_by)"
    " VALUES (:district, :now, :by, :now, :by)"
)
_CODE = sa.text(
    "INSERT INTO email_code (id, district_id, way, browser_hash, address_hash, code_hash, created_at, open_until,"
    " expires_at)"
    " VALUES (:id, :district, 'sign_in', :browser, :address, :code, :now, :until, :until)"
)
_CLAIM = sa.text(
    "INSERT INTO tenant_claim (id, district_id, session_id, provider, tenant, created_at, expires_at)"
    " VALUES (:claim_id, :district, :session, 'clever', :tenant, :now, :until)"
)
