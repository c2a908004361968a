"""`lti-server admin`: letting people in."""

from __future__ import annotations

from typing import Any

import click

from lti_server.accounts.permissions import StaffRole
from lti_server.cli.house import district_of, note, open_house
from lti_server.cli.output import answers


@click.group()
def admin() -> None:
    """People who run this server or a district's part of it."""


@admin.command()
@click.option("--district", "slug", help="Their district; the operator has none.")
@click.option("--role", required=True, type=click.Choice([role.value for role in StaffRole]))
@answers
def invite(slug: str | None, role: str) -> dict[str, Any]:
    """Make a link that lets one person in, once, within a week."""
    house = open_house()
    district = district_of(house, slug) if slug else None
    token, until = house.invitations.invite(StaffRole(role), district.id if district else None)
    if district is not None:
        note(house, district, "admin invite", role=role)
    return {
        "url": f"{house.settings.base_url}/signin/invitation/{token}",
        "role": role,
        "expires_at": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
