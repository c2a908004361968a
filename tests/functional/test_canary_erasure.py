"""One pupil with a unique string wherever one can stand, before and after the erasure: in the files themselves.

Everything stands encrypted, so plain text alone would be missed by any search. What is looked for is every form: the
text, its ciphertext as the database keeps it, the wrapped key that opens it, and the keyed hashes that find it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.engine import make_url

from lti_server import cli
from lti_server.accounts.person_sessions import provider_session_hash
from lti_server.app import House, build_house, create_app
from lti_server.cli import Commands, main, person
from lti_server.ids import PersonId
from lti_server.migrate import upgrade
from lti_server.postgres import BundledPostgres
from lti_server.privacy.districts import District
from lti_server.privacy.holdings import Form
from lti_server.privacy.log_sealer import SealLog
from lti_server.privacy.rights import Asked
from lti_server.rights_parts import HOLDERS
from lti_server.settings import Settings
from tests import world
from tests.clock import FakeClock
from tests.conftest import SECRET
from tests.functional.test_progress import AGS, attempt, post, token_of
from tests.peers.bare_platform import Platform

TOLD = {
    "sub": "canary-sub-5d1f", "name": "Canary-Name-77aa", "given_name": "Canary-Given-1c90",
    "family_name": "Canary-Family-e3b2", "middle_name": "Canary-Middle-04fd", "nickname": "Canary-Nick-9a6e",
    "preferred_username": "canary-user-41ce", "gender": "canary-gender-a7f0",
    "email": "canary-mail-b8c1@school.example", "lti_lis": {"person_sourcedid": "canary-local-2f7d"},
}  # fmt: skip
HASHED_ALONE = "canary-mail-b8c1@school.example"
WORK, ANSWERS, REASON = "canary-work-6b3e", "canary-answers-d0a4", "canary-reason-8e51"
RIGHT, WISH = "Canary-Right-c2d9", "canary-wish-91ab"
CANARIES = [
    *(one for one in TOLD.values() if isinstance(one, str)),
    "canary-local-2f7d",
    WORK,
    ANSWERS,
    REASON,
    RIGHT,
    WISH,
]
MORE = "\n".join(
    f"  {one}: {world.SCHOOL}"
    for one in ("student_contact.email", "student_identifiers.app_username", "demographics.gender")
)
AGED = "\n  demographics.date_of_birth: {collect: true, store: false, sources: [school], purposes: [instruction]}"


@dataclass
class Site:
    """A server of its own, whose files nobody else writes to."""

    house: House
    folder: Path
    url: str

    def run(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
        main(["person", *arguments, "--json"])
        found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        return found

    def ask(self, statement: str) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(statement).fetchall()

    def backup(self, *arguments: str) -> dict[str, Any]:
        result = CliRunner().invoke(Commands(), ["backup", *arguments, "--json"])
        if result.exception is not None:
            raise result.exception
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def settle(self, *others: str) -> None:
        """What the database does by itself within days: rewrite tables, and let go of the former write-ahead log."""
        for url in (self.url, *others):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("VACUUM FULL")
        with psycopg.connect(self.url, autocommit=True) as connection:
            for _ in range(2):
                connection.execute("CHECKPOINT")
                connection.execute("SELECT pg_switch_wal()")
            connection.execute("CHECKPOINT")

    def hits(self, needles: dict[str, bytes]) -> set[str]:
        """Which of these stand in any file: of the database, of DATA_DIR, of what was exported or logged."""
        found: set[str] = set()
        for path in self.folder.rglob("*"):
            if path.is_file():
                try:
                    text = path.read_bytes()
                except FileNotFoundError:  # the database takes its own files away
                    continue
                found |= {name for name, needle in needles.items() if needle in text}
        return found


@pytest.fixture
def site(data_dir: Path, clock: FakeClock, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    postgres = BundledPostgres(data_dir)
    url = postgres.hold()
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            # A segment that is kept to be written over holds its former bytes until then.
            for setting in ("wal_recycle = off", "min_wal_size = '32MB'", "fsync = off"):
                connection.execute(f"ALTER SYSTEM SET {setting}")
            connection.execute("SELECT pg_reload_conf()")
        upgrade(url, url)
        host = platform.address.removeprefix("http://")
        settings = Settings(
            database_url=url, data_dir=data_dir, secret_keys=(SECRET,), insecure_hosts=frozenset({host})
        )
        house = build_house(settings, url, clock)
        monkeypatch.setattr(cli, "_end_with_exit_hooks", lambda: None)  # the signals of this process are pytest's
        monkeypatch.setattr(person, "open_house", lambda: house)
        yield Site(house, data_dir, url)
        house.database.dispose()
    finally:
        postgres.release()


def come(site: Site, platform: Platform) -> str:
    """The pupil launches, works, and somebody looks: everything by the doors that there are."""
    owner = world.district(site.house, terms=world.contract(site.house, more=MORE + AGED))
    world.register(site.house, owner, platform)
    client = create_app(site.house).test_client()
    token = token_of(client, platform, site.house, **TOLD, birthdate="2014-05-06", **AGS)
    answer = post(client, token, attempt(site.house, work=WORK, answers=ANSWERS))
    assert answer.status_code == 200, answer.text
    ((person_id,),) = site.ask("SELECT id FROM person WHERE kind = 'pupil'")
    asked = Asked(by="test", act="person correct", reason=REASON)
    site.house.rights.correct.put(owner.id, PersonId(person_id), "nickname", RIGHT, asked)
    site.house.rights.own_requests.ask(owner.id, PersonId(person_id), "question", WISH)
    _signalled(site, owner, person_id)
    return str(person_id)


def _signalled(site: Site, owner: District, person_id: object) -> None:
    """A provider has named a session of the pupil, and said something about them."""
    with site.house.database.tenant(owner.id) as connection:
        hashed = provider_session_hash(owner.keys, "https://id.example", "client", "a sign-in there")
        connection.execute(sa.text("UPDATE session SET provider_session_hash = :hash"), {"hash": hashed})
        connection.execute(
            sa.text(
                "INSERT INTO signal_receipt (id, district_id, grant_id, person_id, provider, kind, outcome, sessions,"
                " occurred_at, received_at, acted_at, expires_at) SELECT gen_random_uuid(), district_id, id, :person,"
                " 'oidc', 'sessions_revoked', 'sessions_ended', 1, now(), now(), now(), now() + '90 days' FROM grants"
            ),
            {"person": person_id},
        )


def traces(site: Site, person_id: str) -> dict[str, bytes]:
    """Every sealed value, keyed hash and key of the person, as bytes of the database."""
    found: dict[str, bytes] = {}
    tables = [table for holder in HOLDERS for table in holder.tables]
    for table, name, column in [(one, *column) for one in tables for column in one.personal.items()]:
        if column.form is Form.PLAIN:
            continue
        rule = str(table.mine).replace(":person", f"'{person_id}'")
        rows = site.ask(f"SELECT t.{name} FROM {table.name} t WHERE ({rule}) AND t.{name} IS NOT NULL")
        assert rows, f"nothing of the pupil stands in {table.name}.{name}, so this test would say nothing of it"
        found.update({f"{table.name}.{name}.{number}": bytes(row[0]) for number, row in enumerate(rows)})
    ((key,),) = site.ask(f"SELECT wrapped_key FROM person WHERE id = '{person_id}'")
    return {**found, "person.wrapped_key": bytes(key)}


def test_nothing_of_an_erased_pupil_stands_in_any_file_in_any_form(
    site: Site, platform: Platform, capfd: pytest.CaptureFixture[str]
) -> None:
    person_id = come(site, platform)
    site.run(capfd, "show", person_id, "--reason", REASON)
    file = site.folder / "export.json"
    site.run(capfd, "export", person_id, "--reason", "The family asked.", "--out", str(file))
    exported = file.read_text(encoding="utf-8")
    assert [one for one in CANARIES if one not in exported] == [HASHED_ALONE]
    file.unlink()  # it was given to the family

    text = {name: name.encode() for name in CANARIES}
    needles = traces(site, person_id)
    site.settle()
    assert site.hits(needles) == set(needles), "the search would not find what is there"
    assert site.hits(text) == set(), "plain text stands in a file"

    site.run(capfd, "erase", person_id, "--keep-grades")
    SealLog(site.house.database, site.house.clock)()
    site.settle()
    assert site.hits({**needles, **text}) == set()
    jobs = str(site.ask("SELECT args FROM procrastinate_jobs"))
    assert not [one for one in CANARIES if one in jobs]
    said = capfd.readouterr()
    assert not [one for one in CANARIES if one in said.out + said.err]
    (verdict,) = site.house.audit.verify(site.house.audit.districts(), {})
    assert verdict.ok
    assert verdict.entries >= 5


def test_nothing_of_an_erased_pupil_comes_back_with_a_backup_once_the_journal_is_replayed(
    site: Site, platform: Platform, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The backup's own file keeps what it has until it is thrown away; what is restored from it does not."""
    person_id = come(site, platform)
    text = {name: name.encode() for name in CANARIES}
    needles = traces(site, person_id)
    _as_operator(monkeypatch, site, site.url)
    site.backup("create", str(tmp_path / "monday.backup"))
    site.run(capfd, "erase", person_id, "--keep-grades")
    site.house.database.dispose()
    site.settle()
    assert site.hits({**needles, **text}) == set()

    restored = make_url(site.url).set(database="restored").render_as_string(hide_password=False)
    with psycopg.connect(site.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE restored")
    _as_operator(monkeypatch, site, restored)
    with monkeypatch.context() as patch:
        patch.setattr("lti_server.cli.backup.do_again", _dies)
        with pytest.raises(ZeroDivisionError):
            site.backup("restore", str(tmp_path / "monday.backup"))
    site.settle(restored)
    assert site.hits(needles) == set(needles), "the backup knows the pupil, and the search finds it"
    assert site.hits(text) == set(), "plain text stands in a file"

    assert site.backup("replay")["changed"]["erasure"] == 1
    site.settle(restored)
    assert site.hits({**needles, **text}) == set()
    said = capfd.readouterr()
    assert not [one for one in CANARIES if one in said.out + said.err]
    house = build_house(dataclasses.replace(site.house.settings, database_url=restored), restored, site.house.clock)
    try:
        SealLog(house.database, house.clock)()
        (verdict,) = house.audit.verify(house.audit.districts(), {})
        assert verdict.ok
    finally:
        house.database.dispose()


def _dies(*_: object) -> None:
    raise ZeroDivisionError


def _as_operator(monkeypatch: pytest.MonkeyPatch, site: Site, url: str) -> None:
    settings = site.house.settings
    values = {
        "DATABASE_URL": url, "SECRET_KEYS": SECRET, "DATA_DIR": str(settings.data_dir),
        "BASE_URL": settings.base_url, "INSECURE_HOSTS": ",".join(settings.insecure_hosts),
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(f"LTI_SERVER_{name}", value)
