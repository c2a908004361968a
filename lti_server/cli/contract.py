"""`lti-server contract`: what a district has signed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lti_server.app import House
from lti_server.cli.house import district_of, note, open_house, operator
from lti_server.cli.output import answers
from lti_server.errors import InvalidInput, NotFound
from lti_server.ids import SystemClock
from lti_server.privacy import contract_file, contracts
from lti_server.privacy.compile import compile_policy, features_left_off
from lti_server.privacy.districts import District
from lti_server.privacy.model import Family
from lti_server.privacy.signing import Outcome, Signing

PATIENCE_S = 10.0
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def contract() -> None:
    """Contracts: what may come in, stay and go out."""


@contract.command()
@click.option("--family", type=click.Choice([family.value for family in Family]), required=True)
@click.option("--json", "as_json", is_flag=True, help="Answer with one JSON document.")
@click.pass_context
def new(ctx: click.Context, family: str, as_json: bool) -> None:
    """Print a contract to fill in."""
    text = contract_file.new(Family(family), SystemClock().now().date())
    if as_json:
        import json

        click.echo(json.dumps({"contract": text}))
    else:
        click.echo(text, nl=False)


@contract.command()
@click.argument("file", type=FILE)
@answers
def check(file: Path) -> dict[str, Any]:
    """Check a contract file, and name each feature that it leaves off."""
    found = contract_file.parse(_text(file))
    return {
        "ok": True,
        "policy_hash": compile_policy(found).policy_hash,
        "problems": [],
        "left_off": features_left_off(found),
    }


@contract.command()
@click.option("--district", "slug", required=True)
@click.option("--anew", is_flag=True, help="After a restore: sign another contract than the one that was lost.")
@click.argument("file", type=FILE)
@answers
def sign(slug: str, anew: bool, file: Path) -> dict[str, Any]:
    """Sign a contract file for a district; it is in force from its first day on.

    What a former contract let be kept and this one does not is taken away with the signature, or on the first day.
    """
    text = _text(file)
    house = open_house()
    signer = district_of(house, slug)
    return _taken(house, signer, _signing(house).sign(signer, text, by=operator(), anew=anew))


@contract.command()
@click.option("--district", "slug", required=True)
@click.argument("file", type=FILE)
@answers
def amend(slug: str, file: Path) -> dict[str, Any]:
    """Narrow the contract in force by a file; it acts at once. What is wider anywhere is refused: sign that.

    What the file does not allow any more is taken away at once.
    """
    text = _text(file)
    house = open_house()
    signer = district_of(house, slug)
    return _taken(house, signer, _signing(house).amend(signer, text, by=operator()))


@contract.command()
@click.option("--district", "slug", required=True)
@click.option("--offer-of", "offering", required=True, help="The district whose contract is offered to others.")
@answers
def join(slug: str, offering: str) -> dict[str, Any]:
    """Join the terms that another district's contract offers (Exhibit E), as a contract of its own.

    Recipients and evaluators of the other district do not go along. An offer ends three years after its signature.
    """
    house = open_house()
    signer = district_of(house, slug)
    return _taken(house, signer, _signing(house).join(signer, district_of(house, offering), by=operator()))


@contract.command()
@click.option("--district", "slug", required=True)
@answers
def show(slug: str) -> dict[str, Any]:
    """Show a district's contract: the one in force, else the newest."""
    house = open_house()
    signer = district_of(house, slug)
    with house.database.tenant(signer.id) as connection:
        found = contracts.versions(connection, signer.zone, house.clock.now())
        note(house, signer, "contract show", on=connection)
    if not found:
        raise NotFound("This district has signed no contract. Begin one with `lti-server contract new`.")
    here = [one for one in found if one.kind != contracts.LOST]
    current = next((one for one in here if one.state == "in_force"), here[0])
    versions = [{"version": one.version, "kind": one.kind, "state": one.state, "id": str(one.id)} for one in found]
    lost = [{"version": one.version, "policy_hash": one.policy_hash} for one in contracts.awaited(found)]
    return {**_answer(current), "versions": versions, "lost": lost, "document": current.document}


def _signing(house: House) -> Signing:
    """Of a provider that is not installed nobody knows that children may use it."""
    plugins = house.registry.all()
    children_too = {one.name for one in plugins if one.manifest is not None and not one.manifest.adults_only}
    return Signing(
        house.database, house.retain, house.journal, house.clock, for_adults=lambda name: name not in children_too
    )


def _taken(house: House, signer: District, done: Outcome) -> dict[str, Any]:
    """Nothing new passes already; what is in flight after a while is left to the worker."""
    narrowed = [
        {"grant": str(one), "acknowledged": house.grants.withdraw.finish(signer.id, one, patience_s=PATIENCE_S)}
        for one in done.narrowed
    ]
    return {
        **_answer(done.signed),
        "wider": list(done.wider),
        "narrower": list(done.narrower),
        "purged": dict(done.purged),
        "narrowed": narrowed,
    }


def _answer(found: contracts.Signed) -> dict[str, Any]:
    return {
        "id": str(found.id),
        "version": found.version,
        "kind": found.kind,
        "state": found.state,
        "family": found.family,
        "policy_hash": found.policy_hash,
        "valid_from": str(found.valid_from),
        "valid_to": str(found.valid_to),
        "problems": [],
        "left_off": found.left_off,
    }


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("The contract is not a text in UTF-8. Save it as UTF-8 and try again.") from error
