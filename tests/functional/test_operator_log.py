"""The command line is the operator, and every use of it on a district is in that district's log."""

from __future__ import annotations

import getpass
import importlib

import pytest
import sqlalchemy as sa

from lti_server import cli
from lti_server.app import House
from lti_server.cli import main
from lti_server.privacy.districts import District

COMMANDS = [
    ("district", "list"),
    ("platform", "list"),
    ("platform", "list", "--district", "north"),
    ("platform", "invite", "--district", "north"),
    ("section", "list", "--district", "north"),
    ("roster", "runs", "--district", "north"),
    ("roster", "sync", "--district", "north", "--provider", "lti"),
    ("contract", "show", "--district", "north"),
    ("admin", "invite", "--district", "north", "--role", "teacher"),
    ("audit", "list", "--district", "north"),
    ("audit", "verify"),
    ("audit", "checkpoint", "--district", "north"),
    ("audit", "rotate-key"),
]


@pytest.fixture(autouse=True)
def _operator(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_end_with_exit_hooks", lambda: None)  # the signals of this process are pytest's
    for name in sorted({command[0] for command in COMMANDS}):
        monkeypatch.setattr(importlib.import_module(f"lti_server.cli.{name}"), "open_house", lambda: house)


def _logged(house: House, owner: District) -> list[tuple[str, str]]:
    with house.database.tenant(owner.id) as connection:
        rows = connection.execute(sa.text("SELECT actor, act FROM log_entry"))
        return [(row.actor, row.act) for row in rows]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_use_on_a_district_is_logged_with_who_it_was(
    house: House, district: District, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    main([*command, "--json"])
    assert capsys.readouterr().out
    assert (f"cli:{getpass.getuser()}", " ".join(command[:2])) in _logged(house, district)
