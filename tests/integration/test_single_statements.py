"""Statements that are transactions by themselves, below psycopg's cursors, answer as a cursor would."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa

from lti_server.db import Database
from lti_server.statements import SingleStatements, Statement

SOME = Statement(
    "SELECT :number::int + 1, :text::text, :bytes::bytea, :id::uuid, :at::timestamptz, :list::text[],"
    " :text::text || '%'"
)
VALUES: dict[str, Any] = {
    "number": 41, "text": "a 'b' :c %s", "bytes": b"\x00\xff", "id": UUID(int=7),
    "at": datetime(2026, 8, 31, tzinfo=UTC), "list": ["x", "y,z"],
}  # fmt: skip
BACKEND = Statement("SELECT pg_backend_pid(), :number::int")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    found = Database(database_url, role=None)
    yield found
    found.dispose()


def test_a_row_is_what_a_cursor_gives(database: Database) -> None:
    asked = "SELECT %(number)s::int + 1, %(text)s::text, %(bytes)s::bytea, %(id)s::uuid, %(at)s::timestamptz"
    asked += ", %(list)s::text[], %(text)s::text || '%%'"
    with psycopg.connect(database.url, options=database.options) as connection:
        wanted = connection.execute(asked, VALUES).fetchone()
    assert [database.once(SOME, VALUES) for _ in range(3)] == [wanted] * 3


def test_values_of_other_types_and_none_are_taken_by_the_same_statement(database: Database) -> None:
    for number in (1, 70_000, None, 2, "3"):
        row = database.once(SOME, {**VALUES, "number": number, "text": None, "list": []})
        assert row is not None
        assert (row[0], row[1], row[5]) == (None if number is None else int(number) + 1, None, [])


def test_no_row_is_none(database: Database) -> None:
    assert database.once(Statement("SELECT 1 WHERE :text = 'never'"), {"text": "always"}) is None
    assert database.once(Statement("SET work_mem = '4MB'"), {}) is None


def test_a_statement_that_fails_says_so_as_a_cursor_would_and_the_connection_goes_on(database: Database) -> None:
    (pid, _) = database.once(BACKEND, {"number": 1}) or (0, 0)
    for _ in range(2):
        with pytest.raises(psycopg.errors.DivisionByZero) as failed:
            database.once(Statement("SELECT 1 / :number::int"), {"number": 0})
        assert failed.value.sqlstate == "22012"
    with pytest.raises(psycopg.errors.UndefinedTable):
        database.once(Statement("SELECT * FROM nowhere"), {})
    assert database.once(BACKEND, {"number": 2}) == (pid, 2)


def test_each_is_committed_by_itself(database: Database) -> None:
    database.once(Statement("CREATE TABLE kept (value integer)"), {})
    database.once(Statement("INSERT INTO kept VALUES (:number)"), {"number": 5})
    with psycopg.connect(database.url) as other:
        assert other.execute("SELECT value FROM kept").fetchall() == [(5,)]


def test_where_the_server_ended_the_connection_the_next_statement_has_a_new_one(database: Database) -> None:
    (pid, _) = database.once(BACKEND, {"number": 1}) or (0, 0)
    with psycopg.connect(database.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    with pytest.raises(psycopg.OperationalError):
        database.once(BACKEND, {"number": 2})
    found = database.once(BACKEND, {"number": 3})
    assert found is not None
    assert found[0] != pid


def test_names_of_what_is_prepared_never_meet(database: Database) -> None:
    with psycopg.connect(database.url) as connection:
        single = SingleStatements(connection)
        first, second = Statement("SELECT 'first', :v::int"), Statement("SELECT 'second', :v::int")
        for value in (1, "2", None, 70_000, 2**40):
            for statement, name in ((first, "first"), (second, "second")):
                if isinstance(value, int) and value > 2**31:
                    with pytest.raises(psycopg.errors.NumericValueOutOfRange):
                        single.first(statement, {"v": value})
                else:
                    assert single.first(statement, {"v": value}) == (name, None if value is None else int(value))


def test_within_a_transaction_of_sqlalchemy_they_are_committed_and_rolled_back_with_it(database: Database) -> None:
    put, count = Statement("INSERT INTO kept VALUES (:number)"), Statement("SELECT count(*) FROM kept")
    with database.anyone() as connection:
        connection.execute(sa.text("CREATE TABLE kept (value integer)"))
        put.run(connection, {"number": 1})

    def spoiled() -> None:
        with database.anyone() as connection:
            put.run(connection, {"number": 2})  # the first of its transaction
            connection.execute(sa.text("INSERT INTO kept VALUES (3)"))
            assert count.one(connection, {}) == (3,)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        spoiled()
    assert database.once(count, {}) == (1,)


def test_a_statement_that_fails_ends_the_transaction_around_it_and_not_the_connection(database: Database) -> None:
    divide = Statement("SELECT 1 / :number::int")
    pids = set()

    def spoiled() -> None:
        with database.anyone() as connection:
            pids.add(BACKEND.one(connection, {"number": 1}))
            divide.run(connection, {"number": 0})

    for _ in range(3):
        with pytest.raises(psycopg.errors.DivisionByZero):
            spoiled()
        with database.anyone() as connection:
            pids.add(BACKEND.one(connection, {"number": 1}))
            assert divide.one(connection, {"number": 1}) == (1,)
    assert len(pids) == 1


def test_every_row_comes_in_its_order(database: Database) -> None:
    some = Statement("SELECT n, n::text AS said FROM generate_series(1, :most::int) AS of(n) ORDER BY n DESC")
    wanted = [[], [(3, "3"), (2, "2"), (1, "1")], [(1, "1")]]
    assert [database.once_every(some, {"most": most}) for most in (0, 3, 1)] == wanted
    with database.anyone() as connection:
        assert [some.every(connection, {"most": most}) for most in (0, 3, 1)] == wanted


def test_where_the_server_ended_a_connection_of_the_pool_the_next_transaction_has_a_new_one(database: Database) -> None:
    with database.anyone() as connection:
        (pid, _) = BACKEND.one(connection, {"number": 1}) or (0, 0)
    with psycopg.connect(database.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    with pytest.raises((psycopg.OperationalError, sa.exc.OperationalError)), database.anyone() as connection:
        BACKEND.one(connection, {"number": 2})
    with database.anyone() as connection:
        found = BACKEND.one(connection, {"number": 3})
    assert found is not None
    assert found[0] != pid
