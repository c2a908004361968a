"""`lti-server keys`: the keys with which this tool signs towards every LMS, and the secrets that wrap all keys."""

from __future__ import annotations

from typing import Any

import click

from lti_server.cli.house import note, open_house
from lti_server.cli.output import answers
from lti_server.errors import SecretsMissing
from lti_server.house import House
from lti_server.lti.keys import ToolKeyRow
from lti_server.privacy import districts


@click.group()
def keys() -> None:
    """Keys: what this tool signs with, and what it publishes."""


@keys.command("list")
@answers
def list_() -> dict[str, Any]:
    """List the tool's signing keys, oldest first, and what each secret of SECRET_KEYS still wraps."""
    house = open_house()
    _note(house, "keys list")
    standing = house.rewrap.standing()
    return {
        "keys": [_row(one) for one in house.tool_keys.every()],
        "secrets": [
            {"secret": name, "current": number == 0, "rows": sum(one.by_secret[number] for one in standing)}
            for number, name in enumerate(house.ring.names())
        ],
        "wrapped": [
            {"column": one.name, "current": one.by_secret[0], "older": one.older, "unreadable": one.unreadable}
            for one in standing
        ],
    }


@keys.command()
@click.option("--compromised", is_flag=True, help="The present key leaked: withdraw it, sign with a new one now.")
@answers
def rotate(compromised: bool) -> dict[str, Any]:
    """Make the next signing key: published now, signing in a day."""
    house = open_house()
    made = house.tool_keys.rotate(compromised=compromised)
    _note(house, "keys rotate")
    return _row(made)


@keys.command()
@answers
def rewrap() -> dict[str, Any]:
    """Wrap anew, under the first of SECRET_KEYS, what an older one still wraps; server and worker run on."""
    house = open_house()
    done = house.rewrap()
    _note(house, "keys rewrap")
    standing = house.rewrap.standing()
    left = {one.name: one.older + one.unreadable for one in standing if one.older + one.unreadable}
    if left:
        listed = ", ".join(f"{name} ({rows})" for name, rows in left.items())
        raise SecretsMissing(
            f"These rows are not under the current secret: {listed}. Keep every secret that you have. A process that "
            "runs with other SECRET_KEYS may have written them: restart it, then run the command again.",
            public={"rewrapped": done, "left": left},
        )
    return {"ok": True, "rewrapped": done, "left": {}}


def _note(house: House, act: str) -> None:
    """The keys are every district's, so each district's log has it."""
    for owner in districts.every(house.database, house.ring):
        note(house, owner, act)


def _row(one: ToolKeyRow) -> dict[str, Any]:
    times = {"created_at": one.created_at, "signs_from": one.signs_from, "retires_at": one.retires_at}
    return {"kid": one.kid, "state": one.state, **{name: at and at.isoformat() for name, at in times.items()}}
