"""The house of a command: settings, a database that is there and migrated, and who runs the command."""

from __future__ import annotations

import getpass

import click
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from lti_server import dumps, walls
from lti_server.app import House, build_house
from lti_server.db import Door
from lti_server.errors import ConfigurationError
from lti_server.migrate import revisions, upgrade
from lti_server.postgres import database_urls
from lti_server.privacy import districts, log
from lti_server.privacy.districts import District
from lti_server.settings import Settings
from lti_server.web.logs import init_logs


def open_house() -> House:
    """What a command works with.

    The bundled database is migrated here; another's owner says when (`db upgrade`).

    Raises:
        ConfigurationError: every setting that is wrong, or a database whose schema is not this program's.
    """
    settings = Settings.from_env()
    settings = (
        settings.with_made_secret_key() if settings.database_url is None else settings.with_secret_keys_from_disk()
    )
    house = house_on(settings, prepared(settings))
    context = click.get_current_context(silent=True)
    if context is not None:
        context.call_on_close(house.database.dispose)
    return house


def prepared(settings: Settings) -> str:
    """The address of a database that is there, has this program's schema, and keeps districts apart.

    Raises:
        ConfigurationError: it is not so; nothing works with it then.
    """
    init_logs(settings.log_level)
    url, owner_url = database_urls(settings)
    if settings.database_url is None:
        upgrade(owner_url, url)
    else:
        _check_schema(url)
    walls.require(url)
    dumps.require_settled(url)
    return url


def house_on(settings: Settings, url: str) -> House:
    """A house on a prepared database; call it after any fork."""
    return build_house(settings, url)


def _check_schema(url: str) -> None:
    try:
        found, wanted = revisions(url)
    except OperationalError as error:
        raise ConfigurationError(
            [
                "The database does not answer. Check host, port, database and user of LTI_SERVER_DATABASE_URL, and "
                "that the server runs."
            ]
        ) from error
    if found != wanted:
        raise ConfigurationError(
            [f"The database's schema is {found or 'empty'}; this program needs {wanted}. Run `lti-server db upgrade`."]
        )


def operator() -> str:
    """Who runs this command, as the log names them."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli:unknown"


def district_of(house: House, slug: str) -> District:
    """The district of a slug. The command that asks says with `note` what it did there (design 6.2)."""
    return districts.by_slug(house.database, house.ring, slug, house.doors.of(Door.DISTRICT, slug))


def note(
    house: House, district: District, act: str, *, on: Connection | None = None, population: str = "", **payload: object
) -> None:
    """Log a use of the command line in the district's log: `on` the transaction of the use case, if it has one."""
    entry = log.entry(
        district.keys,
        at=house.clock.now(),
        actor=operator(),
        act=act,
        decision="allowed",
        purpose="operation",
        population=population,
        interest=log.Interest.OPERATION,
        payload=payload,
    )
    if on is not None:
        log.record(on, entry)
        return
    with house.database.tenant(district.id) as connection:
        log.record(connection, entry)
