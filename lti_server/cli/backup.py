"""`lti-server backup`: the whole database as one file, and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from lti_server import dumps, walls
from lti_server.app import build_house
from lti_server.cli.house import note
from lti_server.cli.output import answers
from lti_server.errors import ConfigurationError, InvalidInput
from lti_server.house import House
from lti_server.migrate import make_role, revisions, upgrade
from lti_server.postgres import database_urls
from lti_server.privacy import districts
from lti_server.privacy.journal import FILE, Journal, JournalEntry
from lti_server.replay import left
from lti_server.replay import replay as do_again
from lti_server.settings import Settings
from lti_server.web.logs import init_logs

NOT_IN_IT = (
    "LTI_SERVER_SECRET_KEYS: without them nobody can read the backup, with them anyone can. Keep them in a safe.",
    f"{FILE} in LTI_SERVER_DATA_DIR: whatever was narrowed since. A restore needs the newest one.",
    "the other settings of this machine",
)
JOURNALS = click.option(
    "--journal", "journals", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"The journal; one option for each machine's. Without it: {FILE} in LTI_SERVER_DATA_DIR.",
)  # fmt: skip
NO_JOURNAL = click.option(
    "--no-journal", is_flag=True, help="There is none: nothing was ever erased, revoked or otherwise narrowed here."
)


@click.group()
def backup() -> None:
    """Backups: one file of everything in the database, and a restore that brings nobody back."""


@backup.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@answers
def create(file: Path) -> dict[str, Any]:
    """Write the whole database to FILE, as of one moment; server and worker run on."""
    settings = _settings()
    url, owner_url = database_urls(settings)
    found, wanted = revisions(url)
    if found is None:
        raise ConfigurationError([f"The database is empty (schema {wanted} is expected): there is nothing to back up."])
    dumps.require_settled(url)
    size = dumps.create(owner_url, file)
    _note(settings, url, "backup create")
    return {"ok": True, "file": str(file), "bytes": size, "not_in_it": list(NOT_IN_IT)}


@backup.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="What is in the database now is lost.")
@JOURNALS
@NO_JOURNAL
@answers
def restore(file: Path, replace: bool, journals: tuple[Path, ...], no_journal: bool) -> dict[str, Any]:
    """Put FILE into the database, then do again whatever was erased, revoked or otherwise narrowed since."""
    settings = _settings()
    entries = _entries(settings, journals, no_journal)
    url, owner_url = database_urls(settings)
    make_role(owner_url, url)
    dumps.restore(owner_url, file, replace=replace)
    return _replayed(settings, url, owner_url, entries, "backup restore")


@backup.command()
@JOURNALS
@NO_JOURNAL
@answers
def replay(journals: tuple[Path, ...], no_journal: bool) -> dict[str, Any]:
    """Do again what the journal tells, where a restore was interrupted; harmless at any time."""
    settings = _settings()
    entries = _entries(settings, journals, no_journal)
    url, owner_url = database_urls(settings)
    return _replayed(settings, url, owner_url, entries, "backup replay")


def _settings() -> Settings:
    settings = Settings.from_env().with_secret_keys_from_disk()
    init_logs(settings.log_level)
    if not settings.secret_keys:
        raise ConfigurationError(
            ["LTI_SERVER_SECRET_KEYS is not set: without it a backup can be neither noted nor read."]
        )
    return settings


def _entries(settings: Settings, journals: Sequence[Path], no_journal: bool) -> list[JournalEntry]:
    """Read before anything is touched: a journal that cannot be read restores nothing."""
    paths = list(journals) or [settings.data_dir / FILE]
    there = [path for path in paths if path.exists()]
    if not there and not no_journal:
        raise InvalidInput(
            f"There is no journal at {paths[0]}. Without it a restore would bring back who was erased and what was "
            "revoked. Say where it is with --journal, or --no-journal where nothing ever was."
        )
    found = [entry for path in there for entry in Journal(path).entries()]
    return sorted(found, key=lambda entry: entry.at)


def _replayed(
    settings: Settings, url: str, owner_url: str, entries: Sequence[JournalEntry], act: str
) -> dict[str, Any]:
    upgrade(owner_url, url)
    walls.require(url)
    walls.require_log(url)
    house = build_house(settings, url)
    try:
        unreadable = sum(one.unreadable for one in house.rewrap.standing())
        if unreadable:
            raise ConfigurationError(
                [
                    f"The database is restored, and {unreadable} wrapped keys in it can be opened by none of "
                    "LTI_SERVER_SECRET_KEYS. Add the secret of that time, then run `lti-server backup replay`."
                ]
            )
        done = do_again(house, entries)
        open_ = left(house)
        _noted(house, act)
    finally:
        house.database.dispose()
    dumps.settle(owner_url)
    return {
        "ok": True, "entries": dict(done.entries), "changed": dict(done.changed), "elsewhere": done.elsewhere,
        "to_correct": [
            {"district": slug, "person": str(person), "field": field} for slug, person, field in open_.corrections
        ],
        "to_load": [
            {"district": slug, "version": version, "policy_hash": policy} for slug, version, policy in open_.contracts
        ],
    }  # fmt: skip


def _note(settings: Settings, url: str, act: str) -> None:
    house = build_house(settings, url)
    try:
        _noted(house, act)
    finally:
        house.database.dispose()


def _noted(house: House, act: str) -> None:
    """A backup holds every district's data, so each district's log has it."""
    for owner in districts.every(house.database, house.ring):
        note(house, owner, act)
