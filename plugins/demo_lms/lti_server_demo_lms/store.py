"""The one SQLite file that everything outlives a restart in: keys, used assertions, tokens, line items, scores."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

BUSY_TIMEOUT_S = 10.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS secret (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS used_assertion (
    district TEXT NOT NULL, jti_hash BLOB NOT NULL, expires_s INTEGER NOT NULL, PRIMARY KEY (district, jti_hash)
) STRICT;
CREATE TABLE IF NOT EXISTS access_token (
    hash BLOB PRIMARY KEY, district TEXT NOT NULL, scopes TEXT NOT NULL, expires_s INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS line_item (
    id INTEGER PRIMARY KEY AUTOINCREMENT, district TEXT NOT NULL, course TEXT NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS score (
    line_item INTEGER NOT NULL REFERENCES line_item ON DELETE CASCADE, person TEXT NOT NULL,
    timestamp_s INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (line_item, person)
) STRICT;
CREATE TABLE IF NOT EXISTS own_column (
    district TEXT NOT NULL, link TEXT NOT NULL, line_item INTEGER NOT NULL REFERENCES line_item ON DELETE CASCADE,
    PRIMARY KEY (district, link)
) STRICT;
CREATE TABLE IF NOT EXISTS launched (
    district TEXT NOT NULL, person TEXT NOT NULL, PRIMARY KEY (district, person)
) STRICT;
CREATE TABLE IF NOT EXISTS notice_handler (
    district TEXT NOT NULL, notice_type TEXT NOT NULL, handler TEXT NOT NULL, most INTEGER NOT NULL,
    PRIMARY KEY (district, notice_type)
) STRICT;
"""


class Store:
    """Short transactions, each on a connection of its own, so that any thread may ask."""

    def __init__(self, data_dir: Path) -> None:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = data_dir / "demo_lms.sqlite3"
        with closing(sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SCHEMA)
        # The signing key is in it.
        self._path.chmod(0o600)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """The only writer until the block ends; an exception undoes it."""
        with closing(sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None)) as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def _rows(self, select: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S)) as connection:
            return connection.execute(select, values).fetchall()

    def secret(self, name: str, make: Callable[[], str]) -> str:
        """A secret that is made once and stays; two processes that start together agree on one."""
        with self._writing() as connection:
            row = connection.execute("SELECT value FROM secret WHERE name = ?", (name,)).fetchone()
            if row is None:
                row = (make(),)
                connection.execute("INSERT INTO secret VALUES (?, ?)", (name, row[0]))
            return str(row[0])

    def use_assertion(self, district: str, jti_hash: bytes, expires_s: int, now_s: int) -> bool:
        """Whether this is an assertion's first use; those that have expired are forgotten."""
        with self._writing() as connection:
            connection.execute("DELETE FROM used_assertion WHERE expires_s < ?", (now_s,))
            insert = "INSERT INTO used_assertion VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
            return connection.execute(insert, (district, jti_hash, expires_s)).rowcount == 1

    def add_token(self, district: str, token_hash: bytes, scopes: str, expires_s: int, now_s: int) -> None:
        with self._writing() as connection:
            connection.execute("DELETE FROM access_token WHERE expires_s <= ?", (now_s,))
            connection.execute(
                "INSERT INTO access_token VALUES (?, ?, ?, ?)", (token_hash, district, scopes, expires_s)
            )

    def token_scopes(self, district: str, token_hash: bytes, now_s: int) -> frozenset[str] | None:
        """What a live token allows, or None."""
        select = "SELECT scopes FROM access_token WHERE hash = ? AND district = ? AND expires_s > ?"
        rows = self._rows(select, token_hash, district, now_s)
        return frozenset(str(rows[0][0]).split()) if rows else None

    def line_items(self, district: str, course: str) -> list[tuple[int, dict[str, Any]]]:
        select = "SELECT id, body FROM line_item WHERE district = ? AND course = ? ORDER BY id"
        return [(number, json.loads(body)) for number, body in self._rows(select, district, course)]

    def line_item(self, district: str, course: str, item: int) -> dict[str, Any] | None:
        select = "SELECT body FROM line_item WHERE district = ? AND course = ? AND id = ?"
        rows = self._rows(select, district, course, item)
        return dict(json.loads(rows[0][0])) if rows else None

    def add_line_item(self, district: str, course: str, body: Mapping[str, Any]) -> int:
        with self._writing() as connection:
            insert = "INSERT INTO line_item (district, course, body) VALUES (?, ?, ?)"
            return int(connection.execute(insert, (district, course, json.dumps(body))).lastrowid or 0)

    def put_line_item(self, item: int, body: Mapping[str, Any]) -> None:
        with self._writing() as connection:
            connection.execute("UPDATE line_item SET body = ? WHERE id = ?", (json.dumps(body), item))

    def drop_line_item(self, item: int) -> None:
        with self._writing() as connection:
            connection.execute("DELETE FROM line_item WHERE id = ?", (item,))

    def begin_own_column(self, district: str, course: str, link: str, body: Mapping[str, Any]) -> None:
        """The platform's own column for a link, once."""
        with self._writing() as connection:
            select = "SELECT 1 FROM own_column WHERE district = ? AND link = ?"
            if connection.execute(select, (district, link)).fetchone() is None:
                insert = "INSERT INTO line_item (district, course, body) VALUES (?, ?, ?)"
                item = connection.execute(insert, (district, course, json.dumps(body))).lastrowid
                connection.execute("INSERT INTO own_column VALUES (?, ?, ?)", (district, link, item))

    def own_columns(self, district: str) -> frozenset[int]:
        """Line items that the platform made, not a tool."""
        return frozenset(
            item for (item,) in self._rows("SELECT line_item FROM own_column WHERE district = ?", district)
        )

    def launched(self, district: str, person: str) -> None:
        """Somebody has launched the tool."""
        with self._writing() as connection:
            connection.execute("INSERT INTO launched VALUES (?, ?) ON CONFLICT DO NOTHING", (district, person))

    def have_launched(self, district: str) -> frozenset[str]:
        return frozenset(str(one) for (one,) in self._rows("SELECT person FROM launched WHERE district = ?", district))

    def put_handler(self, district: str, notice_type: str, handler: str, most: int) -> bool:
        """Where notices of a type go from now on; an empty address ends them. Whether the address is another now."""
        key = (district, notice_type)
        with self._writing() as connection:
            select = "SELECT handler FROM notice_handler WHERE district = ? AND notice_type = ?"
            before = connection.execute(select, key).fetchone()
            connection.execute("DELETE FROM notice_handler WHERE district = ? AND notice_type = ?", key)
            if handler:
                connection.execute("INSERT INTO notice_handler VALUES (?, ?, ?, ?)", (*key, handler, most))
            return before is None or before[0] != handler

    def handlers(self, district: str) -> dict[str, tuple[str, int]]:
        """By type, where notices go and how many at once."""
        select = "SELECT notice_type, handler, most FROM notice_handler WHERE district = ? ORDER BY notice_type"
        return {str(kind): (str(handler), int(most)) for kind, handler, most in self._rows(select, district)}

    def take_score(
        self,
        item: int,
        person: str,
        body: Mapping[str, Any],
        at: datetime,
        follows: Callable[[datetime], bool] = lambda last: True,
    ) -> bool:
        """Keep a score; False, and nothing, where it does not follow the last one, of whose time `follows` is asked."""
        select = "SELECT body FROM score WHERE line_item = ? AND person = ?"
        replace = "INSERT OR REPLACE INTO score VALUES (?, ?, ?, ?)"
        with self._writing() as connection:
            last = connection.execute(select, (item, person)).fetchone()
            if last is not None and not follows(datetime.fromisoformat(json.loads(last[0])["timestamp"])):
                return False
            dated = {**body, "timestamp": at.isoformat()}
            connection.execute(replace, (item, person, int(at.timestamp()), json.dumps(dated)))
            return True

    def scores(self, item: int) -> dict[str, dict[str, Any]]:
        """The last score of each person, as the tool sent it."""
        rows = self._rows("SELECT person, body FROM score WHERE line_item = ? ORDER BY rowid", item)
        return {str(person): json.loads(body) for person, body in rows}
