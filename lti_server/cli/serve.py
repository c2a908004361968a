"""`lti-server serve` and `lti-server worker`: the production processes."""

from __future__ import annotations

from typing import Any

import click
from gunicorn.app.base import BaseApplication

from lti_server import walls
from lti_server.app import create_app, run_worker
from lti_server.cli.house import house_on, prepared
from lti_server.errors import ConfigurationError
from lti_server.settings import Settings

THREADS = 8


def _with_keys() -> Settings:
    settings = Settings.from_env().with_secret_keys_from_disk()
    if not settings.secret_keys:
        raise ConfigurationError(
            [
                "LTI_SERVER_SECRET_KEYS is not set. Make a key with: "
                "python -c 'import secrets; print(secrets.token_urlsafe(48))' and keep it outside the database."
            ]
        )
    return settings


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn with threads. The application, its pools and its house are built in each worker, after the fork."""

    def __init__(self, settings: Settings, url: str, options: dict[str, Any]) -> None:
        self._settings = settings
        self._url = url
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return create_app(house_on(self._settings, self._url))


@click.command()
@click.option("--bind", default="127.0.0.1:8000", show_default=True, help="Host and port to listen on.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64))
@click.option("--threads", default=THREADS, show_default=True, type=click.IntRange(8, 64))
def serve(bind: str, workers: int, threads: int) -> None:
    """Serve the web application."""
    settings = _with_keys()
    url = prepared(settings)
    walls.require_log(url)
    Server(
        settings,
        url,
        {
            "bind": bind,
            "workers": workers,
            "threads": threads,
            "worker_class": "gthread",
            "timeout": 60,
            "graceful_timeout": 25,
            "keepalive": 30,
            # The log of requests is ours to redact: the path alone, never a query string.
            "accesslog": None,
            "loglevel": settings.log_level.lower(),
            "proc_name": "lti-server",
            "control_socket_disable": True,
        },
    ).run()


@click.command()
@click.option("--concurrency", default=4, show_default=True, type=click.IntRange(1, 64))
@click.option("--until-idle", is_flag=True, help="Return once nothing is left to do now.")
def worker(concurrency: int, until_idle: bool) -> None:
    """Run background work: grades to LMSs, rosters, mail."""
    settings = _with_keys()
    url = prepared(settings)
    walls.require_log(url)
    run_worker(house_on(settings, url), concurrency=concurrency, until_idle=until_idle)
