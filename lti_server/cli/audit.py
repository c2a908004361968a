"""`lti-server audit`: the log, its chain, and signed files."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from lti_server.cli.house import district_of, note, open_house
from lti_server.cli.output import answers
from lti_server.errors import ConfigurationError, InvalidInput, LogNotWhole
from lti_server.house import House
from lti_server.ids import DistrictId
from lti_server.privacy import districts
from lti_server.privacy.audit import in_words
from lti_server.privacy.canonical_json import strictly_read
from lti_server.privacy.log_reading import Wanted, read_log
from lti_server.privacy.signed_documents import checked, public_keys
from lti_server.settings import Settings

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def audit() -> None:
    """The log: what was asked for and given, and proof that it is whole."""


@audit.command()
@click.option("--district", "slug", help="One district's log alone.")
@click.option("--checkpoint", "checkpoints", type=FILE, multiple=True, help="A kept checkpoint that must still hold.")
@click.option("--receipt", type=FILE, help="Check a signed file instead of the log.")
@click.option("--keys", type=FILE, help="With --receipt: the key set of /audit/jwks; no database is needed then.")
@answers
def verify(slug: str | None, checkpoints: tuple[Path, ...], receipt: Path | None, keys: Path | None) -> dict[str, Any]:
    """Verify the log from its first entry on, or a signed file."""
    if receipt is not None:
        return _receipt(receipt, keys)
    house = open_house()
    chosen = _chosen(house, slug)
    kept: dict[Any, list[Any]] = {}
    for path in checkpoints:
        for district_id, heads in house.audit.read_checkpoint(signed_in(path)).items():
            if slug is None or district_id in chosen:
                kept.setdefault(district_id, []).extend(heads)
    found = in_words(house.audit.verify(chosen, kept))
    _note(house, chosen, "audit verify")
    if not found["ok"]:
        raise LogNotWhole(
            f"{found['fault_count']} places are not as they were. Keep the database as it is, and compare a backup "
            "from before.",
            public=found,
        )
    return found


@audit.command()
@click.option("--district", "slug", help="For one district, to be kept there; else for all, for the operator.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the signed file.")
@answers
def checkpoint(slug: str | None, out: Path | None) -> dict[str, Any]:
    """Seal and verify the log, and sign how far it has come: keep the file away from this server."""
    house = open_house()
    chosen = _chosen(house, slug)
    _note(house, chosen, "audit checkpoint")
    made = house.audit.checkpoint(chosen)
    if out is not None:
        out.write_bytes(made.file)
    return {**in_words(made.verdicts), "file": None if out is None else str(out), "checkpoint": json.loads(made.file)}


@audit.command("list")
@click.option("--district", "slug", required=True)
@click.option("--act")
@click.option("--decision", type=click.Choice(["allowed", "refused"]))
@click.option("--purpose")
@click.option("--since", type=click.DateTime(), help="In the district's time zone.")
@click.option("--until", type=click.DateTime(), help="In the district's time zone.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True)
@click.option("--after", help="`next` of the page before.")
@answers
def list_(slug: str, limit: int, after: str | None, **asked: Any) -> dict[str, Any]:
    """List a district's log, newest first."""
    house = open_house()
    owner = district_of(house, slug)
    zone = owner.zone

    def at(moment: datetime | None) -> datetime | None:
        return None if moment is None else moment.replace(tzinfo=zone)

    wanted = Wanted(
        act=asked["act"], decision=asked["decision"], purpose=asked["purpose"], since=at(asked["since"]),
        until=at(asked["until"]),
    )  # fmt: skip
    with house.database.tenant(owner.id) as connection:
        found = read_log(connection, owner.keys, wanted, after=after, limit=limit)
        note(house, owner, "audit list", on=connection)
    return {"entries": [one.plain() for one in found.items], "next": found.next}


@audit.command("keys")
@answers
def keys_() -> dict[str, Any]:
    """The public keys of signed files (what /audit/jwks serves): keep them with the files."""
    return open_house().document_keys.public_jwks()


@audit.command("rotate-key")
@answers
def rotate_key() -> dict[str, Any]:
    """Sign with a new key from now on, and destroy the private half of the present one."""
    house = open_house()
    kid = house.document_keys.rotate()
    _note(house, house.audit.districts(), "audit rotate-key")
    return {"kid": kid}


def signed_in(path: Path) -> bytes:
    """The signed file at a path, or the one within a saved answer of `audit checkpoint --json`."""
    text = path.read_bytes()
    try:
        found = strictly_read(text)
    except ValueError:
        return text  # the reader of signed files says what is wrong with it
    inner = found.get("checkpoint") if isinstance(found, dict) else None
    return json.dumps(inner).encode() if isinstance(inner, dict) else text


def _receipt(file: Path, keys: Path | None) -> dict[str, Any]:
    known = public_keys(keys.read_bytes() if keys is not None else _own_keys())
    said = checked(signed_in(file), known)
    return {
        "ok": True, "kind": said.kind, "version": said.version, "issuer": said.issuer, "district": said.district,
        "issued_at": said.issued_at.isoformat(), "kid": said.kid, "body": dict(said.body),
        "checked": f"The whole file is as it was signed, with a key that is among those you gave ({said.kid}). Whether "
        f"they are the issuer's is for you to see: they stand at {said.issuer}/audit/jwks.",
    }  # fmt: skip


def _own_keys() -> dict[str, Any]:
    """This installation's own, where there is one: none is set up to check a file."""
    settings = Settings.from_env()
    if settings.database_url is None and not (settings.data_dir / "postgres").exists():
        raise InvalidInput("There is no database here, so say by --keys which public keys to trust (from /audit/jwks).")
    try:
        return open_house().document_keys.public_jwks()
    except ConfigurationError as error:
        aside = "To check a file without the database, say by --keys which public keys to trust (from /audit/jwks)."
        raise ConfigurationError([*error.problems, aside]) from error


def _chosen(house: House, slug: str | None) -> list[DistrictId]:
    return house.audit.districts() if slug is None else [district_of(house, slug).id]


def _note(house: House, chosen: list[DistrictId], act: str) -> None:
    for district_id in chosen:
        with house.database.tenant(district_id) as connection:
            note(house, districts.current(connection, house.ring), act, on=connection)
