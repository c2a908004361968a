"""`lti-server platform`: the LMSs of a district."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

import click

from lti_server.app import House
from lti_server.cli.house import district_of, note, open_house, operator
from lti_server.cli.output import answers
from lti_server.errors import NotFound
from lti_server.ids import RegistrationId
from lti_server.lti.registrations import Platform, Registered
from lti_server.lti.tokens import service_of
from lti_server.privacy import districts
from lti_server.privacy.districts import District


@click.group()
def platform() -> None:
    """Platforms: the LMSs that launch lessons here."""


@platform.command()
@click.option("--district", "slug", required=True)
@click.option("--issuer", required=True, help="As the LMS shows it (iss).")
@click.option("--client-id", required=True)
@click.option("--auth-login-url", required=True, help="The LMS's OpenID Connect authorization endpoint.")
@click.option("--auth-token-url", required=True, help="The LMS's OAuth 2 token endpoint.")
@click.option("--jwks-url", required=True, help="The LMS's public key set.")
@click.option("--token-audience", help="Where the LMS wants another audience than its token URL; known for D2L.")
@click.option("--no-shared-id", is_flag=True, help="Do not link people by the district's own id.")
@click.option("--deployment-id", "deployment_ids", multiple=True, required=True)
@answers
def add(
    slug: str,
    issuer: str,
    client_id: str,
    auth_login_url: str,
    auth_token_url: str,
    jwks_url: str,
    token_audience: str | None,
    no_shared_id: bool,
    deployment_ids: tuple[str, ...],
) -> dict[str, Any]:
    """Register an LMS by hand."""
    house = open_house()
    owner = district_of(house, slug)
    described = Platform(
        issuer=issuer, client_id=client_id, auth_login_url=auth_login_url, auth_token_url=auth_token_url,
        jwks_url=jwks_url, token_audience=token_audience, shared_id=not no_shared_id, deployment_ids=deployment_ids,
    )  # fmt: skip
    made = house.registrations.add(owner.id, described)
    note(house, owner, "platform add", registration=str(made.id))
    base = house.settings.base_url
    return {
        "registration_id": str(made.id),
        "login_url": f"{base}/lti/login",
        "launch_url": f"{base}/lti/launch",
        "jwks_url": f"{base}/lti/jwks",
        "grant_id": str(made.grant_id),
    }


@platform.command()
@click.option("--district", "slug", required=True)
@answers
def invite(slug: str) -> dict[str, Any]:
    """Make a link by which an LMS registers itself, once, within a week (LTI Dynamic Registration)."""
    house = open_house()
    owner = district_of(house, slug)
    token, until = house.registration_invitations.invite(owner.id)
    note(house, owner, "platform invite")
    return {
        "url": f"{house.settings.base_url}/lti/register?invitation={token}",
        "expires_at": until.isoformat().replace("+00:00", "Z"),
    }


@platform.command()
@click.argument("registration_id")
@click.option("--deployment-id", "deployment_ids", multiple=True, help="Where the LMS did not name it by itself.")
@answers
def approve(registration_id: str, deployment_ids: tuple[str, ...]) -> dict[str, Any]:
    """Let an LMS that registered itself launch lessons; adds deployments to one that may already."""
    house = open_house()
    found = house.registrations.approve(_id(registration_id), deployment_ids)
    note(house, _owner(house, found), "platform approve", registration=str(found.id))
    return {
        "registration_id": str(found.id),
        "state": found.state,
        "deployment_ids": list(found.platform.deployment_ids),
    }


@platform.command("list")
@click.option("--district", "slug", help="One district's alone.")
@answers
def list_(slug: str | None) -> dict[str, Any]:
    """List the platforms."""
    house = open_house()
    owners = [district_of(house, slug)] if slug else districts.every(house.database, house.ring)
    for owner in owners:
        note(house, owner, "platform list")
    return {"platforms": [_row(one, owner.slug) for owner in owners for one in house.registrations.every(owner.id)]}


@platform.command()
@click.argument("registration_id")
@answers
def remove(registration_id: str) -> dict[str, Any]:
    """Take an LMS away: its grant is revoked and its sessions end."""
    house = open_house()
    house.notice_handlers.withdraw(_id(registration_id))
    found = house.registrations.remove(_id(registration_id), by=operator())
    finished = house.grants.withdraw.finish(found.district_id, found.grant_id)
    note(house, _owner(house, found), "platform remove", registration=str(found.id))
    return {"registration_id": str(found.id), "state": "removed" if finished else "removing"}


def _id(given: str) -> RegistrationId:
    try:
        return RegistrationId(UUID(given))
    except ValueError as error:
        raise NotFound("There is no such platform. `lti-server platform list` shows those there are.") from error


def _owner(house: House, found: Registered) -> District:
    with house.database.tenant(found.district_id) as connection:
        return districts.current(connection, house.ring)


@platform.command()
@click.argument("registration_id")
@click.option("--last", default=50, show_default=True, type=click.IntRange(1, 200), help="How many of each.")
@answers
def inspect(registration_id: str, last: int) -> dict[str, Any]:
    """Show the last launches and grade deliveries of an LMS, and why those that failed did."""
    house = open_house()
    found = house.inspector(_id(registration_id), most=last)
    with house.database.tenant(found.district_id) as connection:
        owner = districts.current(connection, house.ring)
    note(house, owner, "platform inspect", registration=registration_id)
    return {
        "registration_id": registration_id,
        "profile": found.profile.name,
        "launches": [{**asdict(one), "at": one.at.isoformat()} for one in found.launches],
        "deliveries": [{**asdict(one), "at": one.at.isoformat()} for one in found.deliveries],
        "notices": [
            {**asdict(one), "last_at": one.last_at.isoformat() if one.last_at else None} for one in found.notices
        ],
        "courses": [asdict(one) for one in found.courses],
    }


@platform.command()
@click.argument("registration_id")
@click.option("--remove", "removing", is_flag=True, help="Take them out of the gradebooks, with every score in them.")
@answers
def columns(registration_id: str, removing: bool) -> dict[str, Any]:
    """List the gradebook columns that this tool made and no lesson has any more, or remove them."""
    house = open_house()
    found = house.registrations.one(_id(registration_id))
    with house.database.tenant(found.district_id) as connection:
        owner = districts.current(connection, house.ring)
        unused = house.grade_columns().unused(connection, found.grant_id)
        service = service_of(connection, owner, found.grant_id) if removing and unused else None
    gone = {one.id: house.grade_columns().remove(service, one) for one in unused} if service is not None else {}
    note(house, owner, "platform columns", registration=registration_id, removed=str(sum(gone.values())))
    rows = [{**asdict(one), "id": str(one.id), "removed": gone.get(one.id, False)} for one in unused]
    return {"registration_id": registration_id, "columns": rows}


@platform.command()
@click.argument("registration_id")
@click.argument("policy", type=click.Choice(["allow", "refuse"]))
@click.option("--deployment-id", required=True)
@answers
def anonymous(registration_id: str, policy: str, deployment_id: str) -> dict[str, Any]:
    """Say whether a deployment may open lessons without naming the reader; nothing is saved then."""
    house = open_house()
    district_id = house.deployments.allow_anonymous(_id(registration_id), deployment_id, policy == "allow")
    with house.database.tenant(district_id) as connection:
        owner = districts.current(connection, house.ring)
    note(house, owner, "platform anonymous", registration=registration_id, policy=policy)
    return {"registration_id": registration_id, "deployment_id": deployment_id, "anonymous": policy}


def _row(one: Registered, slug: str) -> dict[str, Any]:
    return {
        "registration_id": str(one.id),
        "district": slug,
        "issuer": one.platform.issuer,
        "client_id": one.platform.client_id,
        "deployment_ids": list(one.platform.deployment_ids),
        "profile": one.profile.name,
        "state": one.state,
        "grant_id": str(one.grant_id),
    }
