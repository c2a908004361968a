"""A platform that nobody here wrote: Open edX's own LTI 1.3 classes launch, issue the token and take the grade."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest
import requests
import sqlalchemy as sa
from werkzeug.serving import make_server

from lti_server.app import House, build_house, create_app, run_worker
from lti_server.lti.registrations import Platform as Described
from lti_server.settings import Settings
from tests import world

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-openedx" / "bin" / "python"

pytestmark = [
    pytest.mark.openedx,
    pytest.mark.skipif(not PYTHON.exists(), reason="Open edX's classes are not set up: run `make test`"),
]


@pytest.fixture
def tool(settings: Settings, database_url: str) -> Iterator[tuple[House, str]]:
    """The whole server on a real port, and its house; the platform is registered later."""
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
    address = f"http://127.0.0.1:{server.server_port}"
    with _platform(address) as peer:
        house = build_house(
            dataclasses.replace(settings, base_url=address, insecure_hosts=frozenset({peer.removeprefix("http://")})),
            database_url,
        )
        _register(house, peer)
        server.app = create_app(house)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield house, peer
        server.shutdown()
        thread.join()
        server.server_close()
        house.database.dispose()


class _platform:
    """Open edX's platform in its own environment, on a port of its own choosing."""

    def __init__(self, tool: str) -> None:
        self._tool = tool

    def __enter__(self) -> str:
        self._process = subprocess.Popen(
            [str(PYTHON), str(ROOT / "tests/peers/openedx_platform.py"), self._tool],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("http://"):
                return line.strip()
        raise AssertionError("Open edX's platform did not start")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


def _register(house: House, peer: str) -> None:
    owner = world.district(house)
    house.registrations.add(
        owner.id,
        Described(
            issuer=peer,
            client_id="openedx-client",
            auth_login_url=f"{peer}/auth",
            auth_token_url=f"{peer}/token",
            jwks_url=f"{peer}/jwks",
            token_audience=None,
            shared_id=True,
            deployment_ids=("1",),
        ),
    )


def _play(peer: str, browser: requests.Session) -> dict[str, Any]:
    """A pupil's browser: from the course to the lesson's page; answers with its launch context."""
    preflight = requests.get(f"{peer}/preflight", params={"lesson": "message-in-bits"}, timeout=10).json()["url"]
    login = browser.get(preflight, allow_redirects=False, timeout=10)
    assert login.status_code == 302
    parts = urlsplit(login.headers["Location"])
    form = requests.get(f"{peer}/auth", params=dict(parse_qsl(parts.query)), timeout=10).json()
    page = browser.post(dict(parse_qsl(parts.query))["redirect_uri"], data=form, timeout=10)
    assert page.status_code == 200, page.text
    found = re.search(r'id="launch-context">(.*?)</script>', page.text, re.DOTALL)
    assert found
    context = json.loads(found[1])
    assert isinstance(context, dict)
    return context


def test_open_edx_launches_a_lesson_and_gets_the_grade(tool: tuple[House, str]) -> None:
    house, peer = tool
    with requests.Session() as browser:
        context = _play(peer, browser)
    activity = house.catalogue.get("message-in-bits").activities[0].id
    attempt = {
        "attempt_id": str(uuid4()),
        "activity_id": activity,
        "score": 1,
        "completed": True,
        "occurred_at": house.clock.now().isoformat(),
    }
    saved = requests.post(
        f"{context['api']}/progress", json=attempt, headers={"Authorization": f"Bearer {context['token']}"}, timeout=10
    )
    assert saved.json()["saved"] is True
    run_worker(house, until_idle=True)
    told = requests.get(f"{peer}/told", timeout=10).json()
    (column,) = told["lineitems"]
    (score,) = told["scores"]
    assert column["scoreMaximum"] == 100
    assert score["userId"] == "openedx-pupil-1"
    assert score["scoreGiven"] == pytest.approx(100 / len(house.catalogue.get("message-in-bits").activities), abs=0.01)
    assert score["gradingProgress"] == "FullyGraded"
    with house.database.anyone() as connection:
        connection.execute(sa.text("SELECT 1"))
