"""How often a sign-in of somebody who is known, of whom nothing has changed, goes to the database, and for what."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from flask import Flask

from lti_server.app import House
from lti_server.db import database_name
from lti_server.privacy.districts import District
from lti_server.statements import SingleStatements, Statement
from tests.functional.sign_in.conftest import Provider, begin, local, sign_in

AWAY = ["connections_read"]
# One transaction lets somebody in, and reads in it all that it stands on (law 3).
BACK = [
    "connections_read",
    "set_config", "FROM district", "FROM grants", "FROM contract", "pg_advisory_xact_lock", "FROM identity JOIN person",
    "FROM block_alias", "FROM person_age", "JOIN age_statement", "FROM correction", "count(*) FROM identity",
    "country FROM district", "held_at", "UPDATE person_field", "INTO session", "INTO directory", "INTO log_entry",
]  # fmt: skip
HOME = ["person_session_read", "silent_pupil", "classes_read", "FROM lesson"]


@pytest.fixture
def asked(house: House, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that goes to this house's database from now on."""
    seen: list[str] = []
    execute, sent = psycopg.Cursor.execute, SingleStatements._sent

    def noted(cursor: psycopg.Cursor[Any], query: Any, *args: Any, **kwargs: Any) -> Any:
        # Databases for the next tests are made meanwhile, in a thread of their own.
        if cursor.connection.info.dbname == database_name(house.database.url):
            seen.append(" ".join(str(query).split()))
        return execute(cursor, query, *args, **kwargs)

    def noted_single(single: SingleStatements, statement: Statement, values: Any) -> Any:
        seen.append(statement.text)
        return sent(single, statement, values)

    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    monkeypatch.setattr(SingleStatements, "_sent", noted_single)
    return seen


def test_a_repeated_sign_in_asks_the_database_for_this_and_nothing_else(
    app: Flask, provider: Provider, district: District, asked: list[str]
) -> None:
    provider.knows("ada", given_name="Ada")
    sign_in(app.test_client(), provider)
    browser = app.test_client()
    asked.clear()
    address = begin(browser)
    assert_each(AWAY, asked)
    back = provider.back(address, "ada")
    asked.clear()
    assert browser.get(local(back)).status_code == 303
    assert_each(BACK, asked)
    asked.clear()
    assert browser.get("/learn").status_code == 200
    assert_each(HOME, asked)


def assert_each(names: list[str], asked: list[str]) -> None:
    """One statement a name, in this order."""
    assert len(asked) == len(names), asked
    assert [(name, one) for name, one in zip(names, asked, strict=True) if name not in one] == []
