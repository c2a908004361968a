"""Texts that nothing may keep, every form in which one could stand somewhere, and where to look for them."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from lti_server import dumps

CANARIES = {
    "birth date": "2014-11-23",
    "birth date as Clever writes it": "11/23/2014",
    "surname": "Çanàry-Ünderhill-71aa",
    "picture": "https://pictures.example/çanary-9d2e.png",
    "e-mail of a child": "Canary.Kid-5e7a@school.example",
}


def forms(text: str) -> set[bytes]:
    """The text, in small letters, decomposed, and each of them escaped, percent-encoded, in hex and in base64."""
    found: set[bytes] = set()
    for variant in {text, text.lower(), text.casefold()}:
        for normal in ("NFC", "NFD"):
            said = unicodedata.normalize(normal, variant)
            plain = said.encode()
            quoted = quote(said, safe="")
            found |= {plain, json.dumps(said)[1:-1].encode(), quoted.encode(), quoted.lower().encode()}
            found |= {plain.hex().encode(), plain.hex().upper().encode(), said.encode("utf-16-le"), plain[::-1]}
            found |= _in_base64(plain) | _in_base64(json.dumps(said)[1:-1].encode())
    return found


def _in_base64(plain: bytes) -> set[bytes]:
    """Wherever it begins within what was encoded: the characters that depend on the text alone."""
    found = set()
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * before + plain)
            first = -(-before * 8 // 6)
            found.add(encoded[first : (before + len(plain)) * 8 // 6])
    return found


NEEDLES = {name: forms(text) for name, text in CANARIES.items()}


def hits(text: bytes) -> set[str]:
    """Which canaries stand in it."""
    return {name for name, needles in NEEDLES.items() if any(needle in text for needle in needles)}


def hits_in(folder: Path) -> dict[str, set[str]]:
    """Which canaries stand in which file."""
    found: dict[str, set[str]] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            try:
                here = hits(path.read_bytes())
            except FileNotFoundError:  # the database takes its own files away
                continue
            if here:
                found[str(path.relative_to(folder))] = here
    return found


def dump(url: str) -> bytes:
    """Every row of every table, the queue's too, as text; the rows of a table whose walls are up are seen as well."""
    with psycopg.connect(url, autocommit=True) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        rows: list[Iterable[object]] = []
        for schema, table in tables:
            name = sql.Identifier(schema, table)
            rows += connection.execute(sql.SQL("SELECT t::text FROM {} t").format(name)).fetchall()
    return "\n".join(str(row) for row in rows).encode()


def backup(url: str, folder: Path) -> bytes:
    """What `backup create` writes of the database, read as text, and what stands in its columns of bytes."""
    file = folder / "backup"
    dumps.create(url, file)
    with psycopg.connect(url) as connection:
        programs = dumps.programs_for(connection.info.server_version // 10_000)[0]
    read = subprocess.run([programs["pg_restore"], "--file=-", str(file)], capture_output=True, check=True).stdout
    return read + b"\n".join(bytes.fromhex(found.decode()) for found in _BYTES.findall(read))


_BYTES = re.compile(rb"\\\\x((?:[0-9a-f]{2})+)")
