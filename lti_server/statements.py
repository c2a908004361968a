"""Statements of the hot path, written with `:name` parameters as everywhere and run below SQLAlchemy.

What SQLAlchemy builds for each result, and what psycopg's cursors do around each round trip, costs more than many of
these statements do.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import abc
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from sqlalchemy.engine import Connection

_PARAMETER = re.compile(r"(?<!:):([a-z_]+)")


class Statement:
    """One statement; it answers with plain tuples in the order of its columns."""

    __slots__ = ("names", "numbered", "text")

    def __init__(self, text: str) -> None:
        self.text = _PARAMETER.sub(r"%(\1)s", text.replace("%", "%%"))
        self.names = tuple(dict.fromkeys(_PARAMETER.findall(text)))
        places = {name: f"${place}" for place, name in enumerate(self.names, 1)}
        self.numbered = _PARAMETER.sub(lambda found: places[found[1]], text).encode()

    def one(self, connection: Connection, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The first row, or None, on SQLAlchemy's connection and in its transaction."""
        return self._run(connection, values).fetchone()

    def every(self, connection: Connection, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Every row; as `one`."""
        return self._run(connection, values).fetchall()

    def run(self, connection: Connection, values: Mapping[str, Any]) -> None:
        """Run it for its effect."""
        self._run(connection, values)

    def _run(self, connection: Connection, values: Mapping[str, Any]) -> psycopg.Cursor[tuple[Any, ...]]:
        raw = connection.connection.driver_connection
        assert isinstance(raw, psycopg.Connection)
        return raw.execute(self.text, values)


@dataclass(slots=True)
class _Prepared:
    """One statement on one connection, under a name for each choice of types that its values have had."""

    transformer: abc.Transformer
    formats: list[PyFormat]
    names: dict[tuple[int, ...], bytes] = field(default_factory=dict)
    loads: bool = False


class SingleStatements:
    """A connection on which each statement is a transaction by itself. One thread at a time uses it.

    A round trip is one call of libpq, in which no other thread has to wait for this one: a cursor of psycopg gives the
    interpreter up several times on the way, and gets it back after whoever was quicker.
    """

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        raw.autocommit = True
        self._raw = raw
        self._prepared: dict[Statement, _Prepared] = {}
        self._numbers = itertools.count()

    @property
    def closed(self) -> bool:
        return self._raw.closed

    def close(self) -> None:
        self._raw.close()

    def first(self, statement: Statement, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The first row of what a statement answers, or None.

        Raises:
            psycopg.Error: as a cursor would.
        """
        result, transformer = self._sent(statement, values)
        return transformer.load_row(0, tuple) if result.ntuples else None

    def every(self, statement: Statement, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Every row; as `first`."""
        result, transformer = self._sent(statement, values)
        return list(transformer.load_rows(0, result.ntuples, tuple)) if result.ntuples else []

    def _sent(self, statement: Statement, values: Mapping[str, Any]) -> tuple[Any, abc.Transformer]:
        prepared = self._prepared.get(statement)
        if prepared is None:
            prepared = _Prepared(Transformer(self._raw), [PyFormat.AUTO] * len(statement.names))
            self._prepared[statement] = prepared
        transformer = prepared.transformer
        given = transformer.dump_sequence([values[name] for name in statement.names], prepared.formats)
        types = transformer.types or ()
        name = prepared.names.get(types)
        if name is None:
            name = b"single_%d" % next(self._numbers)
            self._checked(self._raw.pgconn.prepare(name, statement.numbered, types))
            prepared.names[types] = name
        answer = self._raw.pgconn.exec_prepared(name, given, transformer.formats)  # type: ignore[arg-type]  # None is NULL
        result = self._checked(answer)
        if result.ntuples:
            transformer.set_pgresult(result, set_loaders=not prepared.loads)
            prepared.loads = True
        return result, transformer

    def _checked(self, result: Any) -> Any:
        if result.status not in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
            if self.closed:
                raise psycopg.OperationalError("the database server ended the connection")
            raise error_from_result(result, encoding=self._raw.info.encoding)
        return result
