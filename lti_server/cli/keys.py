"""`lti-server keys`: the keys with which this tool signs towards every LMS."""

from __future__ import annotations

from typing import Any

import click

from lti_server.cli.house import note, open_house
from lti_server.cli.output import answers
from lti_server.house import House
from lti_server.lti.keys import ToolKeyRow
from lti_server.privacy import districts


@click.group()
def keys() -> None:
    """Keys: what this tool signs with, and what it publishes."""


@keys.command("list")
@answers
def list_() -> dict[str, Any]:
    """List the tool's signing keys, oldest first."""
    house = open_house()
    _note(house, "keys list")
    return {"keys": [_row(one) for one in house.tool_keys.every()]}


@keys.command()
@click.option("--compromised", is_flag=True, help="The present key leaked: withdraw it, sign with a new one now.")
@answers
def rotate(compromised: bool) -> dict[str, Any]:
    """Make the next signing key: published now, signing in a day."""
    house = open_house()
    made = house.tool_keys.rotate(compromised=compromised)
    _note(house, "keys rotate")
    return _row(made)


def _note(house: House, act: str) -> None:
    """The keys are every district's, so each district's log has it."""
    for owner in districts.every(house.database, house.ring):
        note(house, owner, act)


def _row(one: ToolKeyRow) -> dict[str, Any]:
    times = {"created_at": one.created_at, "signs_from": one.signs_from, "retires_at": one.retires_at}
    return {"kid": one.kid, "state": one.state, **{name: at and at.isoformat() for name, at in times.items()}}
