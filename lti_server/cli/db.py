"""`lti-server db`: the schema."""

from __future__ import annotations

from typing import Any

import click

from lti_server.cli.output import answers
from lti_server.errors import ConfigurationError
from lti_server.migrate import revisions
from lti_server.migrate import upgrade as run_upgrade
from lti_server.postgres import database_urls
from lti_server.settings import Settings


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
@answers
def upgrade() -> dict[str, Any]:
    """Make the application role and bring the schema up to this program."""
    url, owner_url = database_urls(Settings.from_env())
    return {"ok": True, "revision": run_upgrade(owner_url, url)}


@db.command()
@answers
def check() -> dict[str, Any]:
    """Say whether the schema is the one that this program wants."""
    url, _ = database_urls(Settings.from_env())
    found, wanted = revisions(url)
    if found != wanted:
        raise ConfigurationError(
            [f"The database's schema is {found or 'empty'}; this program needs {wanted}. Run `lti-server db upgrade`."]
        )
    return {"ok": True, "checks": [{"name": "schema", "ok": True, "detail": f"at revision {found}"}]}
