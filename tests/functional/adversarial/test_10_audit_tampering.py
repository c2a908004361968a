"""Adversarial test 10: somebody with every right rewrites the log; whoever kept yesterday's checkpoint finds it out.

The checkpoint is the signed file that a district downloads; the verifier is the command that anyone runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from flask.testing import FlaskClient

from lti_server import cli, walls
from lti_server.app import House
from lti_server.cli import audit, main, serve
from lti_server.errors import ConfigurationError
from lti_server.privacy.districts import District
from lti_server.privacy.log_chain import genesis, link_hash
from lti_server.privacy.log_sealer import SealLog
from tests import world
from tests.clock import FakeClock
from tests.conftest import SECRET
from tests.peers.bare_platform import Platform

DAY_S = 86_400


class Kept:
    """A district's log of yesterday, the checkpoint that the district kept, and today's entries."""

    def __init__(self, house: House, owner: District, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.house = house
        self.owner = owner
        self.file = file
        self._capsys = capsys

    def verified(self, *, with_checkpoint: bool = True) -> dict[str, Any]:
        """What `audit verify` says."""
        kept = ["--checkpoint", str(self.file)] if with_checkpoint else []
        self._capsys.readouterr()
        with suppress(SystemExit):  # what was found says whether it failed
            main(["audit", "verify", "--json", *kept])
        found = json.loads(self._capsys.readouterr().out)
        assert isinstance(found, dict)
        return found


@pytest.fixture
def kept(
    house: House,
    district: District,
    client: FlaskClient,
    platform: Platform,
    clock: FakeClock,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Kept:
    monkeypatch.setattr(cli, "_end_with_exit_hooks", lambda: None)  # the signals of this process are pytest's
    monkeypatch.setattr(audit, "open_house", lambda: house)
    for pupil in ("ada", "bob", "cem"):
        assert world.launch(client, platform, house, sub=pupil).status_code == 303
    file = tmp_path / "yesterday.json"
    main(["audit", "checkpoint", "--district", district.slug, "--out", str(file)])
    clock.pass_s(DAY_S)
    for pupil in ("ada", "bob"):
        assert world.launch(client, platform, house, sub=pupil).status_code == 303
    SealLog(house.database, clock)()
    found = Kept(house, district, file, capsys)
    assert found.verified()["ok"]
    return found


Attack = Callable[[psycopg.Connection, Kept], None]


def truncate(connection: psycopg.Connection, kept: Kept) -> None:
    connection.execute("TRUNCATE log_entry, log_link, log_pending")


def cut_the_tail(connection: psycopg.Connection, kept: Kept) -> None:
    """All of today and the last of yesterday: what is left is a whole chain."""
    said = json.loads(kept.file.read_bytes())["document"]["body"]["chains"][0]["sealed"]
    connection.execute("DELETE FROM log_entry WHERE id IN (SELECT entry_id FROM log_link WHERE position >= %s)", [said])
    connection.execute("DELETE FROM log_link WHERE position >= %s", [said])


def reorder(connection: psycopg.Connection, kept: Kept) -> None:
    """Two entries change places, and every link is computed anew: the chain is whole."""
    entries = connection.execute("SELECT entry_id FROM log_link ORDER BY position").fetchall()
    order = [entry for (entry,) in entries]
    order[0], order[1] = order[1], order[0]
    recomputed(connection, kept, order)


def swap_two_rows(connection: psycopg.Connection, kept: Kept) -> None:
    """The contents of two entries, their hashes with them, change places; the links stay."""
    names = "at, actor, act, decision, purpose, object_id, elements, payload, leaf_hash, population, interest"
    connection.execute(f"CREATE TEMP TABLE two AS SELECT id, {names} FROM log_entry ORDER BY id LIMIT 2")
    into = ", ".join(f"{name} = two.{name}" for name in names.split(", "))
    connection.execute(
        f"UPDATE log_entry SET {into} FROM two WHERE two.id <> log_entry.id AND log_entry.id IN (SELECT id FROM two)"
    )


def rewrite(connection: psycopg.Connection, kept: Kept) -> None:
    """An entry says something else, its hash is right, and every link is computed anew: the chain is whole."""
    row = connection.execute("SELECT entry_id FROM log_link ORDER BY position LIMIT 1").fetchone()
    assert row
    connection.execute(
        "UPDATE log_entry SET (at, actor, act, decision, purpose, object_id, elements, payload, leaf_hash, population,"
        " interest) = (SELECT at, actor, act, decision, purpose, object_id, elements, payload, leaf_hash, population,"
        " interest FROM log_entry ORDER BY id DESC LIMIT 1) WHERE id = %s",
        [row[0]],
    )
    entries = connection.execute("SELECT entry_id FROM log_link ORDER BY position").fetchall()
    recomputed(connection, kept, [entry for (entry,) in entries])


def recomputed(connection: psycopg.Connection, kept: Kept, order: list[int]) -> None:
    sealed: dict[int, Any] = dict(connection.execute("SELECT position, sealed_at FROM log_link").fetchall())
    leaves: dict[int, Any] = dict(connection.execute("SELECT id, leaf_hash FROM log_entry").fetchall())
    connection.execute("DELETE FROM log_link")
    before = genesis(kept.owner.id)
    for position, entry in enumerate(order, 1):
        before = link_hash(
            before, district=kept.owner.id, position=position, entry=entry, leaf=bytes(leaves[entry]),
            sealed_at=sealed[position],
        )  # fmt: skip
        connection.execute(
            "INSERT INTO log_link VALUES (%s, %s, %s, %s, %s)",
            [kept.owner.id, position, entry, sealed[position], before],
        )


def write_past_the_seal(connection: psycopg.Connection, kept: Kept) -> None:
    """With the trigger that lists what waits switched off, an entry comes in that no sealer would ever see."""
    connection.execute("ALTER TABLE log_entry DISABLE TRIGGER log_waits")
    connection.execute(
        "INSERT INTO log_entry (district_id, at, actor, act, decision, purpose, elements, payload, leaf_hash,"
        " population, interest, object_id) SELECT district_id, at, actor, act, decision, purpose, elements, payload,"
        " leaf_hash, population, interest, object_id FROM log_entry ORDER BY id DESC LIMIT 1"
    )
    connection.execute("ALTER TABLE log_entry ENABLE ALWAYS TRIGGER log_waits")


def delete_with_the_trigger_off(connection: psycopg.Connection, kept: Kept) -> None:
    """One row goes; the trigger is on again when the verifier comes."""
    connection.execute("DELETE FROM log_entry WHERE id = (SELECT min(id) FROM log_entry)")


@pytest.mark.parametrize(
    ("attack", "fault", "seen_without"),
    [
        (truncate, "end-missing", False),
        (cut_the_tail, "end-missing", False),
        (reorder, "not-the-checkpoint", False),
        (swap_two_rows, "link-changed", True),
        (rewrite, "not-the-checkpoint", False),
        (write_past_the_seal, "entry-never-to-be-sealed", True),
        (delete_with_the_trigger_off, "entry-missing", True),
    ],
)
def test_what_somebody_with_every_right_did_is_found_with_yesterday_s_checkpoint(
    attack: Attack, fault: str, seen_without: bool, kept: Kept
) -> None:
    with psycopg.connect(kept.house.database.url) as connection:
        for table in ("log_entry", "log_link"):
            connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER log_stays")
        attack(connection, kept)
        for table in ("log_entry", "log_link"):
            connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER log_stays")
    found = kept.verified()
    assert found["ok"] is False
    assert fault in [one["fault"] for one in found["faults"]]
    # Which attacks a chain alone would not show: the checkpoint is what does.
    assert kept.verified(with_checkpoint=False)["ok"] is not seen_without


@pytest.mark.parametrize(("table", "trigger"), walls.TRIGGERS)
@pytest.mark.parametrize("how", ["DISABLE TRIGGER {0}", "ENABLE TRIGGER {0}", "ENABLE REPLICA TRIGGER {0}"])
def test_a_trigger_that_sleeps_stops_the_server_and_the_worker_and_is_told_by_the_doctor(
    table: str, trigger: str, how: str, house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(serve, "Server")
    monkeypatch.delattr(serve, "run_worker")
    for name, value in (("DATABASE_URL", house.database.url), ("SECRET_KEYS", SECRET), ("DATA_DIR", str(tmp_path))):
        monkeypatch.setenv(f"LTI_SERVER_{name}", value)
    walls.require_log(house.database.url)
    with psycopg.connect(house.database.url) as connection:
        connection.execute(f"ALTER TABLE {table} {how.format(trigger)}")
    for command in ("serve", "worker"):
        error = CliRunner().invoke(cli.Commands(), [command]).exception
        assert isinstance(error, ConfigurationError)
        assert f"{table}.{trigger}" in error.detail
    checks = json.loads(CliRunner().invoke(cli.Commands(), ["doctor", "--json"]).stdout)["checks"]
    assert f"{table}.{trigger}" in next(one["detail"] for one in checks if one["name"] == "walls")


def test_destroying_a_pupil_s_key_does_not_break_the_chain(kept: Kept) -> None:
    """The chain is over ciphertext: what was said about the pupil can be read no more, and still verifies."""
    with kept.house.database.tenant(kept.owner.id) as connection:
        person = connection.execute(sa.text("SELECT id FROM person WHERE kind = 'pupil' LIMIT 1")).scalar_one()
        connection.execute(
            sa.text("UPDATE person SET wrapped_key = NULL, key_destroyed_at = now() WHERE id = :id"), {"id": person}
        )
        connection.execute(sa.text("DELETE FROM person_field WHERE person_id = :id"), {"id": person})
    found = kept.verified()
    assert (found["ok"], found["first_bad"]) == (True, None)
