"""`lti-server signals`: where a provider sends what it says by itself, where that is set by a call and by no page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click

from lti_server.cli.house import note, open_house
from lti_server.cli.output import answers
from lti_server.db import Door, enter_by
from lti_server.errors import InvalidInput, NotFound
from lti_server.house import House
from lti_server.ids import GrantId
from lti_server.privacy.crypto import new_token
from lti_server.privacy.districts import District
from lti_server.providers.faults import server_errors
from lti_server.providers.records import StreamState
from lti_server.providers.spi import SignalStream
from lti_server.sign_in_parts import SignInHouse

LONGEST_KEY = 64 * 1024
Done = TypeVar("Done")

named = click.option("--provider", "name", required=True, help="The name of an enabled plugin.")
whose = click.option("--grant", "grant", help="Of a connection with an application of its own; none: the operator's.")
keyed = click.option(
    "--key",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The file by which the provider knows who may do that. It is read, and kept nowhere.",
)


@dataclass(frozen=True, slots=True)
class _Sender:
    """Whose signals are meant: an application at a provider, and the address here to which it sends."""

    house: House
    name: str
    address: str
    owner: District | None
    config: Mapping[str, object] = field(repr=False)

    def asked(self, act: str, call: Callable[[SignalStream], Done]) -> Done:
        """Call the provider, outside any transaction; what was done stands in the district's log."""
        found = self.house.connector.stream(self.name, self.config)
        with server_errors(self.name):
            done = call(found)
        if self.owner is not None:
            note(self.house, self.owner, act, provider=self.name)
        return done

    def shown(self, found: StreamState) -> dict[str, Any]:
        return {
            "provider": self.name, "address": found.address, "events": list(found.events), "enabled": found.enabled,
            "wanted": self.address, "ok": found.enabled and found.address == self.address,
        }  # fmt: skip


@click.group()
def signals() -> None:
    """Where a provider sends what it says by itself."""


@signals.command()
@named
@whose
@keyed
@answers
def register(name: str, grant: str | None, file: Path) -> dict[str, Any]:
    """Have a provider send its signals here, in place of wherever it sent them before."""
    sender, key = _sender(name, grant), _key(file)
    return sender.shown(sender.asked("signals register", lambda stream: stream.register_stream(key, sender.address)))


@signals.command()
@named
@whose
@keyed
@answers
def show(name: str, grant: str | None, file: Path) -> dict[str, Any]:
    """Where a provider sends its signals now, and whether that is here."""
    sender, key = _sender(name, grant), _key(file)
    return sender.shown(sender.asked("signals show", lambda stream: stream.read_stream(key)))


@signals.command()
@named
@whose
@keyed
@answers
def verify(name: str, grant: str | None, file: Path) -> dict[str, Any]:
    """Have a provider send a message that only says that it can, with a word by which it is found in the log."""
    sender, key, word = _sender(name, grant), _key(file), new_token()[:16]
    sender.asked("signals verify", lambda stream: stream.verify_stream(key, word))
    return {"provider": name, "address": sender.address, "note": word}


def _key(file: Path) -> str:
    """Read once, for this call."""
    with file.open("rb") as opened:
        found = opened.read(LONGEST_KEY + 1)
    if len(found) > LONGEST_KEY:
        raise InvalidInput(f"{file.name} is too long for a key. Give the file that the provider's console made.")
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput(f"{file.name} is no text. Give the file that the provider's console made.") from None


def _sender(name: str, grant: str | None) -> _Sender:
    house = open_house()
    connections, address = SignInHouse(house).connections, f"{house.settings.base_url}/signals/{name}"
    if grant is None:
        config = connections.application_of(name)
        if config is None:
            raise NotFound(f"The operator has no application at {name}. `lti-server provider connect` keeps one.")
        return _Sender(house, name, address, None, config)
    with house.database.anyone() as connection:
        found = enter_by(connection, Door.GRANT, house.doors.of(Door.GRANT, grant))
        connected = None if found is None else connections.of_grant(connection, GrantId(UUID(grant)))
        if connected is None or connected.provider != name:
            raise NotFound(
                f"No connection to {name} has this grant. `lti-server grant list` shows those of a district."
            )
        owner = house.entered(connection)
    if not connected.own_application:
        raise InvalidInput(
            f"This connection goes by the operator's application at {name}, whose signals come to one address for all "
            "districts. Leave --grant out."
        )
    return _Sender(house, name, f"{address}?grant={grant}", owner, connected.config)
