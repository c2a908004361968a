"""Adversarial test 7, around the tables: processes that start, jobs, commands and registrations of two districts."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner

from lti_server import walls
from lti_server.cli import Commands, serve
from lti_server.cli.doctor import doctor
from lti_server.db import application_role, database_name
from lti_server.errors import ConfigurationError, Conflict, LtiServerError
from tests.commands import every_command
from tests.functional.adversarial.around_the_wall import (
    environment,
    every_table,
    here,
    state,
)
from tests.functional.tenants.neighbours import Neighbours

__all__ = ["here"]


TAKEN_DOWN = {
    "a superuser": ("ALTER ROLE {role} SUPERUSER", "ALTER ROLE {role} NOSUPERUSER"),
    "BYPASSRLS": ("ALTER ROLE {role} BYPASSRLS", "ALTER ROLE {role} NOBYPASSRLS"),
    "without forced": ("ALTER TABLE person NO FORCE ROW LEVEL SECURITY", "ALTER TABLE person FORCE ROW LEVEL SECURITY"),
    "without": ("ALTER TABLE person DISABLE ROW LEVEL SECURITY", "ALTER TABLE person ENABLE ROW LEVEL SECURITY"),
    "views": ("CREATE VIEW people AS SELECT * FROM person", "DROP VIEW people"),
    "views that go": ("CREATE MATERIALIZED VIEW people AS SELECT * FROM person", "DROP MATERIALIZED VIEW people"),
}


@pytest.mark.parametrize("word", TAKEN_DOWN)
def test_a_wall_that_is_down_stops_the_doctor_and_every_process_before_it_works(
    word: str, here: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(here, monkeypatch)
    monkeypatch.delattr(serve, "Server")
    monkeypatch.delattr(serve, "run_worker")
    url = here.house.database.url
    role = application_role(database_name(url))
    walls.require(url)
    down, up = (statement.format(role=role) for statement in TAKEN_DOWN[word])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(down)
        try:
            with pytest.raises(ConfigurationError, match=word):
                walls.require(url)
            for command in (["section", "list", "--district", here.tenants[0].slug], ["serve"], ["worker"]):
                result = CliRunner().invoke(Commands(), command)
                assert isinstance(result.exception, ConfigurationError), command
                assert word in result.exception.detail
            assert CliRunner().invoke(doctor, ["--json"]).exit_code == 1
        finally:
            connection.execute(up)
    walls.require(url)


def test_a_job_of_one_district_that_names_the_other_s_rows_changes_nothing(here: Neighbours) -> None:
    """Whoever can put jobs into the queue puts one in with every id of the other."""
    mine, other = here.tenants
    before = state(here, other)
    ids = {str(value) for table in every_table(here) for row in state(here, other)[table] for value in row.values()
           if isinstance(value, UUID) and value != other.district.id}  # fmt: skip
    assert len(ids) > 50
    for task, handler in here.house.handlers().items():
        for number, one in enumerate(sorted(ids)):
            if number % 7 and one != str(other.registered.grant_id):
                continue
            quietly(handler, task, str(mine.district.id), one)
    assert state(here, other) == before


def quietly(handler: Callable[..., None], task: str, district_id: str, one: str) -> None:
    names = list(inspect.signature(handler).parameters)
    assert names[0] == "district_id", f"{task}: a job names its district first"
    with suppress(LtiServerError):
        handler(district_id, *[one] * (len(names) - 1))


def district_commands() -> list[list[str]]:
    """Every command that works on one district and needs nothing else."""
    found = []
    for path, command in every_command(Commands()):
        needed = {one.name for one in command.params if one.required}
        names = {name for one in command.params for name in one.opts}
        if "--district" in names and needed <= {"slug", "district"}:
            found.append(path)
    return found


# They need a role, or a file, besides the district: said here, so that the walk runs each.
MORE: dict[tuple[str, ...], list[str]] = {("admin", "invite"): ["--role", "teacher"]}


def test_a_command_for_one_district_shows_and_changes_nothing_of_the_other(
    here: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(here, monkeypatch)
    mine, other = here.tenants
    before, run = state(here, other), []
    listed = [*district_commands(), *map(list, MORE)]
    assert len(listed) >= 8
    for path in listed:
        arguments = [*path, "--district", mine.slug, "--json", *MORE.get(tuple(path), [])]
        result = CliRunner().invoke(Commands(), arguments)
        assert result.exception is None or isinstance(result.exception, LtiServerError | SystemExit), (path, result)
        assert [mark for mark in other.marks if mark in result.output] == [], path
        run.append(result.exit_code == 0)
    assert sum(run) >= 6
    assert state(here, other) == before


def test_a_deployment_of_another_district_is_refused_in_the_words_for_any_that_is_taken(here: Neighbours) -> None:
    mine, other = here.tenants
    theirs = dataclasses.replace(mine.registered.platform, deployment_ids=(other.deployment_id,))
    if mine.client_id != other.client_id:
        theirs = dataclasses.replace(theirs, client_id=other.client_id)
    before = state(here, other)
    with pytest.raises(Conflict) as error:
        here.house.registrations.add(mine.district.id, theirs)
    assert [mark for mark in other.marks if mark in f"{error.value.detail} {error.value.public}"] == []
    assert state(here, other) == before
