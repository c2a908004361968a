"""`lti-server doctor`: whether everything needed is there, in plain words."""

from __future__ import annotations

import json
import smtplib
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import click
import psycopg

from lti_server import dumps, walls
from lti_server.accounts.tenant_lists import LOOK_WITHIN
from lti_server.app import House, build_house
from lti_server.db import application_role, connect, database_name
from lti_server.errors import ConfigurationError, LtiServerError
from lti_server.mail import connected
from lti_server.migrate import revisions
from lti_server.postgres import database_urls
from lti_server.privacy import districts, grant_view
from lti_server.privacy.districts import District
from lti_server.privacy.timetable import StepName
from lti_server.providers.registry import PluginState, look_at_plugins
from lti_server.replay import left
from lti_server.settings import Settings
from lti_server.sign_in_parts import SignInHouse

MOST_SKEW_S = 5.0
MOST_LISTED = 5
CONNECT_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at, and what to do where it is not well."""

    name: str
    ok: bool
    detail: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Answer with one JSON document.")
def doctor(as_json: bool) -> None:
    """Look at the set-up and say what is missing."""
    checks = list(_checks())
    ok = all(check.ok for check in checks)
    if as_json:
        rows = [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in checks]
        click.echo(json.dumps({"ok": ok, "checks": rows}))
    else:
        for check in checks:
            click.echo(f"{'ok ' if check.ok else 'NOT'}  {check.name}: {check.detail}")
    sys.exit(0 if ok else 1)


def _checks() -> Iterator[Check]:
    try:
        settings = Settings.from_env().with_secret_keys_from_disk()
    except ConfigurationError as error:
        for problem in error.problems:
            yield Check(name="settings", ok=False, detail=problem)
        return
    yield Check(name="settings", ok=True, detail="every setting can be read")
    yield _secret_keys(settings)
    yield _address(settings)
    yield from _database(settings)
    yield from _plugins(settings)
    yield _mail(settings)


def _secret_keys(settings: Settings) -> Check:
    if settings.secret_keys:
        return Check(name="secret keys", ok=True, detail=f"{len(settings.secret_keys)} set; the first is current")
    return Check(
        name="secret keys",
        ok=False,
        detail="LTI_SERVER_SECRET_KEYS is not set, so `serve` and `worker` refuse to start. Make a key with: "
        "python -c 'import secrets; print(secrets.token_urlsafe(48))'",
    )


def _address(settings: Settings) -> Check:
    """BASE_URL is https or loopback by its rule; a loopback port must be free or ours."""
    parts = urlsplit(settings.base_url)
    if parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        return Check(name="address", ok=True, detail=f"browsers use {settings.base_url}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname, port), timeout=2).close()
    except OSError:
        return Check(name="address", ok=True, detail=f"port {port} is free")
    if _is_ours(settings.base_url):
        return Check(name="address", ok=True, detail=f"port {port} is answered by this program")
    return Check(
        name="address",
        ok=False,
        detail=f"port {port} is taken by another program. Stop it, or choose another port in LTI_SERVER_BASE_URL "
        "and `serve --bind`.",
    )


def _is_ours(base_url: str) -> bool:
    try:
        with build_opener(ProxyHandler({})).open(f"{base_url}/healthz", timeout=3) as answer:
            return bool(json.load(answer) == {"ok": True})
    except (OSError, ValueError):
        return False


def _database(settings: Settings) -> Iterator[Check]:
    try:
        url, _ = database_urls(settings)
        connect(url, connect_timeout=CONNECT_TIMEOUT_S).close()
        role = application_role(database_name(url))
        found, wanted = revisions(url)
    except LtiServerError as error:
        yield Check(name="database", ok=False, detail=error.detail)
        return
    except Exception as error:
        yield Check(
            name="database",
            ok=False,
            detail=f"it does not answer ({type(error).__name__}). Check LTI_SERVER_DATABASE_URL: host, port, database, "
            "user; and that the server runs.",
        )
        return
    if found != wanted:
        yield Check(
            name="schema", ok=False, detail=f"it is {found or 'empty'}, not {wanted}. Run `lti-server db upgrade`."
        )
        return
    yield Check(name="schema", ok=True, detail=f"at revision {found}")
    try:
        with connect(url, role=role, connect_timeout=CONNECT_TIMEOUT_S) as connection:
            yield from (check(connection) for check in _DATABASE_CHECKS)
        yield from _with_secrets(settings, url)
    except psycopg.Error:
        yield Check(
            name="role",
            ok=False,
            detail=f"the login may not become {role}. Run `lti-server db upgrade` with the owner's login "
            "(LTI_SERVER_DATABASE_OWNER_URL).",
        )


def _with_secrets(settings: Settings, url: str) -> Iterator[Check]:
    """What is read with the districts' keys. Where the secrets do not open those, that alone is the fault to mend."""
    opened = not settings.secret_keys or (wrapped := _wrapped(settings, url)).ok
    if settings.secret_keys:
        yield wrapped
    if dumps.is_pending(url) or opened:
        yield _restore(settings, url)
    if settings.secret_keys and opened:
        yield _deadlines(settings, url)
        yield _tenant_lists(settings, url)


def _restore(settings: Settings, url: str) -> Check:
    """Whether the database came from a backup, and what of it waits for people."""
    name = "restore"
    if dumps.is_pending(url):
        detail = "the database came from a backup, and the journal is not replayed. Run `lti-server backup replay`."
        return Check(name=name, ok=False, detail=detail)
    if not settings.secret_keys:
        return Check(name=name, ok=True, detail="nothing waits for the journal")
    house = build_house(settings, url)
    try:
        open_ = left(house)
    finally:
        house.database.dispose()
    waits = [
        f"{slug} has no contract in force until version {version} is loaded again (`lti-server contract sign`; hash of "
        f"its policy: {policy})"
        for slug, version, policy in open_.contracts
    ]
    if open_.corrections:
        waits.append(
            f"{len(open_.corrections)} corrections were lost, and the fields are held back: `lti-server backup replay` "
            "lists them, put each right with `lti-server person correct`"
        )
    if waits:
        return Check(name=name, ok=False, detail="; ".join(waits))
    return Check(name=name, ok=True, detail="nothing waits since a restore")


def _wrapped(settings: Settings, url: str) -> Check:
    """Everything that SECRET_KEYS wrap can be opened; what an older one still wraps is said."""
    house = build_house(settings, url)
    try:
        standing = house.rewrap.standing()
    finally:
        house.database.dispose()
    older, unreadable = sum(one.older for one in standing), sum(one.unreadable for one in standing)
    name = "wrapped keys"
    if unreadable:
        detail = f"no secret of LTI_SERVER_SECRET_KEYS opens {unreadable} rows. Add the secret that was used before."
        return Check(name=name, ok=False, detail=detail)
    if older:
        detail = f"{older} rows are under an older secret: run `lti-server keys rewrap` before you take that one away"
        return Check(name=name, ok=True, detail=detail)
    return Check(name=name, ok=True, detail="all are under the current secret")


def _deadlines(settings: Settings, url: str) -> Check:
    """Whether what districts asked to end was ended, given back and disposed of in its time."""
    house = build_house(settings, url)
    try:
        late = [one for owner in districts.every(house.database, house.ring) for one in _overdue(house, owner)]
    finally:
        house.database.dispose()
    name = "deadlines"
    if not late:
        return Check(name=name, ok=True, detail="no withdrawal or disposition is overdue")
    listed = "; ".join(late[:MOST_LISTED]) + (f"; {len(late) - MOST_LISTED} more" if len(late) > MOST_LISTED else "")
    detail = (
        f"overdue: {listed}. See that `lti-server worker` runs and what it logs; `lti-server grant show ID` and "
        "`lti-server disposition list` say more."
    )
    return Check(name=name, ok=False, detail=detail)


def _overdue(house: House, owner: District) -> Iterator[str]:
    with house.database.tenant(owner.id) as connection:
        steps = grant_view.overdue(connection, house.clock.now())
        asked = [one for one in house.rights.dispose.every(connection) if one.overdue]
    for grant_id, step in steps:
        due = f"{step.due_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        yield f"{_STEPS[step.name]} (grant {grant_id} of {owner.slug}, due {due})"
    for one in asked:
        yield f"disposition {one.id} of {owner.slug} (due {one.due_on.isoformat()})"


def _tenant_lists(settings: Settings, url: str) -> Check:
    """Whether the worker looks at the lists of school systems: one that nobody looks at suspends nobody."""
    house = build_house(settings, url)
    try:
        late = SignInHouse(house).watch_tenants.late()
    finally:
        house.database.dispose()
    name, minutes = "tenant lists", int(LOOK_WITHIN.total_seconds() / 60)
    if not late:
        return Check(name=name, ok=True, detail=f"none was left for longer than {minutes} minutes")
    listed = "; ".join(
        f"{one.provider}, not since {one.since.astimezone(UTC):%Y-%m-%d %H:%M} UTC, for {', '.join(one.districts)}"
        for one in late[:MOST_LISTED]
    ) + (f"; {len(late) - MOST_LISTED} more" if len(late) > MOST_LISTED else "")
    detail = (
        f"not looked at for longer than {minutes} minutes: {listed}. A district that has left there is not noticed "
        "here meanwhile. See that `lti-server worker` runs and what it logs."
    )
    return Check(name=name, ok=False, detail=detail)


_STEPS = {
    StepName.ENDED: "ending what came by a connection",
    StepName.GIVEN_BACK: "giving tokens back to their provider",
    StepName.DISPOSED: "disposing of what a connection left",
}


def _server(connection: psycopg.Connection[tuple[object, ...]]) -> Check:
    version = connection.info.server_version
    return Check(
        name="database", ok=version >= 150_000, detail=f"PostgreSQL {version // 10_000}; 15 or newer is needed"
    )


def _role(connection: psycopg.Connection[tuple[object, ...]]) -> Check:
    """Row-level security is inert for an owner, a superuser, or a role with BYPASSRLS."""
    row = connection.execute("SELECT current_user").fetchone()
    assert row is not None
    why = walls.role_faults(connection)
    if not why:
        return Check(name="role", ok=True, detail=f"works as {row[0]}, under row-level security")
    return Check(
        name="role",
        ok=False,
        detail=f"works as {row[0]}, which is {' and '.join(why)}: row-level security does nothing. "
        "Run `lti-server db upgrade`.",
    )


def _walls(connection: psycopg.Connection[tuple[object, ...]]) -> Check:
    found = walls.faults(connection)
    asleep = walls.sleeping_triggers(connection)
    if asleep:
        found.append(f"triggers that do not fire: {', '.join(asleep)}. Verify the log against a checkpoint")
    if found:
        return Check(name="walls", ok=False, detail="; ".join(found))
    return Check(name="walls", ok=True, detail="every tenant table is under forced row-level security")


def _clock(connection: psycopg.Connection[tuple[object, ...]]) -> Check:
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    assert isinstance(row[0], datetime)
    skew_s = abs((datetime.now(UTC) - row[0]).total_seconds())
    good = skew_s <= MOST_SKEW_S
    detail = f"{skew_s:.1f} s from the database's" + ("" if good else ". Set both by NTP: launches depend on it.")
    return Check(name="clock", ok=good, detail=detail)


def _signing_key(connection: psycopg.Connection[tuple[object, ...]]) -> Check:
    row = connection.execute("SELECT count(*) FROM tool_key WHERE retired_at IS NULL").fetchone()
    assert row is not None
    found = "one is there" if row[0] else "none yet; the first is made when it is asked for"
    return Check(name="signing key", ok=True, detail=found)


_DATABASE_CHECKS: tuple[Callable[[psycopg.Connection[tuple[object, ...]]], Check], ...] = (
    _server,
    _role,
    _walls,
    _clock,
    _signing_key,
)


def _plugins(settings: Settings) -> Iterator[Check]:
    for plugin in look_at_plugins(settings.providers).all():
        if plugin.state is PluginState.QUARANTINED:
            yield Check(name=f"plugin {plugin.name}", ok=False, detail=plugin.reason)


def _mail(settings: Settings) -> Check:
    """Signs in at the mail server, and sends nothing."""
    if settings.smtp_url is None:
        return Check(name="mail", ok=True, detail="LTI_SERVER_SMTP_URL is not set; mail waits in its queue")
    try:
        connected(settings.smtp_url).quit()
    except ConfigurationError as error:
        return Check(name="mail", ok=False, detail=error.detail)
    except (smtplib.SMTPException, OSError) as error:
        detail = (
            f"the server of LTI_SERVER_SMTP_URL does not take mail ({type(error).__name__}). Check host, port, user."
        )
        return Check(name="mail", ok=False, detail=detail)
    return Check(name="mail", ok=True, detail="the mail server answers")
