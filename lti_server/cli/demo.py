"""`lti-server demo`: everything on loopback, with two districts to look at."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import click

from lti_server.app import House, build_house
from lti_server.cli.house import operator, prepared
from lti_server.db import Door, find_by
from lti_server.errors import ConfigurationError
from lti_server.lti.registrations import Platform
from lti_server.privacy import contract_file, contracts, districts
from lti_server.privacy.model import Family
from lti_server.settings import PREFIX, Settings

# A part that fails ends the wait at once; a slow machine that does much else may take this long.
START_S = 180.0
DISTRICTS = {"north-valley": ("North Valley Schools", "en"), "river-bend": ("River Bend District", "fr")}


@click.command()
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65_534), help="The LMS takes the next.")
@click.option("--reset", is_flag=True, help="Forget what an earlier demo kept in DATA_DIR.")
def demo(port: int, reset: bool) -> None:
    """Run server, worker and a demo LMS on 127.0.0.1, with districts, contracts, teachers, pupils and lessons."""
    settings = _settings(port)
    if reset:
        _forget(settings)
    settings = settings.with_made_secret_key()
    for taken in (port, port + 1):
        _check_free(taken)
    url = prepared(settings)
    house = build_house(settings, url)
    _seed(house, port + 1)
    house.database.dispose()
    children = _start(settings, port)
    try:
        _wait_for(settings.base_url + "/healthz", children)
        _wait_for(f"http://127.0.0.1:{port + 1}/", children)
        _tell(settings, port)
        while all(child.poll() is None for child in children):
            time.sleep(0.5)
        click.echo("A part of the demo stopped, so the rest stops too.", err=True)
    except KeyboardInterrupt:
        click.echo("Stopping …", err=True)
    finally:
        _stop(children)


def _settings(port: int) -> Settings:
    found = Settings.from_env()
    return replace(
        found,
        base_url=f"http://127.0.0.1:{port}",
        data_dir=found.data_dir.resolve(),
        insecure_hosts=found.insecure_hosts | {f"127.0.0.1:{port + 1}"},
    )


def _forget(settings: Settings) -> None:
    """Only what a demo keeps: the bundled database, the demo LMS and the demo's secret key."""
    if settings.database_url is not None:
        raise ConfigurationError(["--reset forgets the bundled database alone; LTI_SERVER_DATABASE_URL names another."])
    for name in ("postgres", "demo-lms"):
        shutil.rmtree(settings.data_dir / name, ignore_errors=True)
    settings.keys_from_disk.unlink(missing_ok=True)


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise ConfigurationError(
                [f"Port {port} is taken. Stop what uses it, or choose another: lti-server demo --port 8100"]
            )


def _seed(house: House, lms_port: int) -> None:
    """Districts under contract, each with the demo LMS as its platform. What is there already stays as it is."""
    for slug, fields in _registrations(house.settings, lms_port).items():
        name, locale = DISTRICTS.get(slug, (slug, "en"))
        key = house.doors.of(Door.DISTRICT, slug)
        with house.database.anyone() as connection:
            if not find_by(connection, Door.DISTRICT, key):
                made = districts.create(
                    connection, house.ring, slug=slug, name=name, timezone="UTC", country="US", locale=locale,
                    slug_key=key, now=house.clock.now(),
                )  # fmt: skip
                text = contract_file.new(Family.LOCAL, house.clock.now().date())
                contracts.sign(connection, made.id, text, signed_by=operator(), now=house.clock.now())
        owner = districts.by_slug(house.database, house.ring, slug, key)
        house.registrations.add(
            owner.id,
            Platform(
                issuer=fields["issuer"], client_id=fields["client_id"], auth_login_url=fields["auth_login_url"],
                auth_token_url=fields["auth_token_url"], jwks_url=fields["jwks_url"], token_audience=None,
                shared_id=True, deployment_ids=(fields["deployment_id"],),
            ),
        )  # fmt: skip


def _registrations(settings: Settings, lms_port: int) -> dict[str, Mapping[str, str]]:
    """What the demo LMS's administrators would type, by district."""
    try:
        import lti_server_demo_lms as lms
    except ImportError as error:
        raise ConfigurationError(
            ["The demo LMS is not installed. Install it beside this program: pip install lti-server-demo-lms"]
        ) from error
    config = lms.DemoLmsConfig(
        base_url=f"http://127.0.0.1:{lms_port}",
        tool_url=settings.base_url,
        data_dir=settings.data_dir / "demo-lms",
        world=lms.sample_world(),
    )
    app = lms.create_app(config)
    return {district.slug: lms.registration(app, district.slug) for district in config.world.districts}


def _start(settings: Settings, port: int) -> list[subprocess.Popen[bytes]]:
    environment = {
        **os.environ,
        f"{PREFIX}BASE_URL": settings.base_url,
        f"{PREFIX}DATA_DIR": str(settings.data_dir),
        f"{PREFIX}INSECURE_HOSTS": ",".join(sorted(settings.insecure_hosts)),
        f"{PREFIX}LOG_LEVEL": os.environ.get(f"{PREFIX}LOG_LEVEL", "WARNING"),
    }
    ours = [sys.executable, "-m", "lti_server"]
    lms = [sys.executable, "-m", "lti_server_demo_lms"]
    commands: list[list[Any]] = [
        [*ours, "serve", "--bind", f"127.0.0.1:{port}", "--workers", "1"],
        [*ours, "worker", "--concurrency", "2"],
        [
            *lms, "--port", str(port + 1), "--tool-url", settings.base_url,
            "--data-dir", str(settings.data_dir / "demo-lms"),
        ],
    ]  # fmt: skip
    return [
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603 - our own programs
        for command in commands
    ]


def _wait_for(address: str, children: list[subprocess.Popen[bytes]]) -> None:
    opener = build_opener(ProxyHandler({}))
    until = time.monotonic() + START_S
    while time.monotonic() < until and all(child.poll() is None for child in children):
        try:
            opener.open(address, timeout=5).close()
        except (URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise ConfigurationError([f"{address} did not answer. What the parts said stands above."])


def _tell(settings: Settings, port: int) -> None:
    click.echo(f"Demo LMS:   http://127.0.0.1:{port + 1}   sign in as a teacher or a pupil, and open a lesson")
    click.echo(f"lti-server: {settings.base_url}   lessons without an account: {settings.base_url}/lessons")
    click.echo(f"Data:       {_shown(settings.data_dir)}   (lti-server demo --reset forgets it)")
    click.echo("Ctrl+C stops everything.")
    sys.stdout.flush()


def _shown(path: Path) -> str:
    try:
        return f"./{path.relative_to(Path.cwd())}"
    except ValueError:
        return str(path)


def _stop(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
    for child in children:
        try:
            child.wait(35)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
