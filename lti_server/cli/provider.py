"""`lti-server provider`: the providers of a district."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from lti_server.accounts.connection_checks import decided_by
from lti_server.accounts.provider_connections import connected_tenants
from lti_server.cli.house import district_of, note, open_house, operator
from lti_server.cli.output import answers
from lti_server.errors import InvalidInput
from lti_server.ids import SystemClock
from lti_server.privacy import contracts, districts
from lti_server.providers.connector import Connector
from lti_server.providers.manifest import Capability, Manifest
from lti_server.providers.preview import Decide, preview
from lti_server.providers.registry import load_registry
from lti_server.providers.transport import HttpTransport, outbound_session
from lti_server.settings import Settings
from lti_server.sign_in_parts import SignInHouse

named = click.option("--provider", "name", required=True, help="The name of an enabled plugin.")
configured = click.option(
    "--config",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="Its configuration, as a JSON object.",
)


@click.group()
def provider() -> None:
    """Providers: the systems that rosters and sign-ins come from."""


@provider.command()
@named
@configured
@click.option("--district", "slug", help="Whose contract to judge by.")
@answers
def check(name: str, file: Path, slug: str | None) -> dict[str, Any]:
    """Read one page and write nothing: which fields would be kept, which refused, and why."""
    config = _config(file)
    settings = Settings.from_env()
    registry, clock = load_registry(settings.providers), SystemClock()
    transport = HttpTransport(outbound_session(insecure_hosts=settings.insecure_hosts), clock)
    connector = Connector(registry, transport=transport.limited_to, clock=clock)
    manifest = registry.manifest(name)
    connector.check(name, config)
    can_read = Capability.ROSTER in manifest.capabilities
    source = connector.roster(name, config) if can_read else None
    decide = _contract_of(slug, manifest) if slug else None
    return asdict(preview(name, manifest, source, decide))


@provider.command()
@click.option("--district", "slug", help="Which district; none for the operator's own application at the provider.")
@named
@configured
@answers
def connect(slug: str | None, name: str, file: Path) -> dict[str, Any]:
    """Connect a provider that rosters or sign-ins come from; makes a grant.

    Connected again, it gets the new configuration, and nobody has to sign in anew.
    """
    config = _config(file)
    house = open_house()
    signing_in = SignInHouse(house)
    connections = signing_in.connections
    base_url = house.settings.base_url
    redirect_uri = f"{base_url}/auth/{name}/callback"
    if slug is None:
        connections.application(name, config, by=operator())
        return {"provider": name, "state": "application", "grant_id": None, "redirect_uri": redirect_uri}
    owner = district_of(house, slug)
    made = connections.connect(owner.id, name, config, by=operator())
    if made.tenant is not None:
        signing_in.waiting.connected(name, made.tenant)
    return {
        "connection_id": str(made.id),
        "grant_id": str(made.grant_id),
        "provider": name,
        "state": "active",
        "tenant": made.tenant,
        "redirect_uri": redirect_uri,
        "sign_in_url": f"{base_url}/signin?district={owner.slug}",
    }


@provider.command()
@answers
def tenants() -> dict[str, Any]:
    """School systems of the operator's applications: which wait for a district, and which a district has connected."""
    house = open_house()
    waiting = SignInHouse(house).waiting.every()
    claimed: list[dict[str, Any]] = []
    for owner in districts.every(house.database, house.ring):
        with house.database.tenant(owner.id) as connection:
            claimed += [{"district": owner.slug, **one} for one in connected_tenants(connection)]
    return {"waiting": [asdict(one) for one in waiting], "claimed": claimed}


def _config(file: Path) -> dict[str, object]:
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValueError):
        read = None
    if not isinstance(read, dict):
        raise InvalidInput(f'{file.name} must hold a JSON object, such as {{"base_url": "https://school.example"}}.')
    return read


def _contract_of(slug: str, manifest: Manifest) -> Decide:
    """What the district's contract in force allows from its school through this provider; without one, nothing."""
    house = open_house()
    owner = district_of(house, slug)
    note(house, owner, "provider check", provider=manifest.name)
    with house.database.tenant(owner.id) as connection:
        contract_id = contracts.in_force(connection, owner.zone, house.clock.now())
        policy = house.policies.of(connection, contract_id) if contract_id else None
    return decided_by(policy, manifest)
