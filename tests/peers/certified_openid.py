"""The certified OpenID provider of `tests/peers/oidc_provider` as a process: its accounts, its keys, its logouts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import requests

HERE = Path(__file__).parent / "oidc_provider"
IS_THERE = (HERE / "node_modules" / "oidc-provider").is_dir() and shutil.which("node") is not None
CLIENT_ID, CLIENT_SECRET = "lti-server", "a-secret-of-this-client-that-is-long-enough"


@dataclass(frozen=True)
class CertifiedProvider:
    """What a test does at the provider."""

    issuer: str

    @property
    def host(self) -> str:
        return urlsplit(self.issuer).netloc

    def config(self, **more: object) -> dict[str, object]:
        return {"issuer": self.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **more}

    def knows(self, sub: str, **claims: object) -> None:
        """Somebody has an account there, with these claims."""
        self._control(f"account/{quote(sub, safe='')}", claims)

    def changes_its_keys(self) -> None:
        """From now on another key signs, and the former one is not published any more."""
        self._control("keys", {})

    def logs_out(self, sub: str, sid: str = "") -> None:
        """The provider tells the client's back channel."""
        self._control("logout", {"sub": sub, "sid": sid or None})

    def back(self, address: str, sub: str, cookies: dict[str, str] | None = None) -> str:
        """The address to which a browser is sent after somebody signed in there; "" declines. Its cookies are kept."""
        with requests.Session() as browser:
            browser.cookies.update(cookies or {})
            browser.cookies.set("account", quote(sub, safe=""))
            for _ in range(8):
                answer = browser.get(address, timeout=10, allow_redirects=False)
                assert answer.is_redirect, f"{answer.status_code}: {answer.text[:500]}"
                address = requests.compat.urljoin(address, answer.headers["Location"])
                if urlsplit(address).netloc != self.host:
                    if cookies is not None:
                        cookies.update(browser.cookies.get_dict())
                    return address
        raise AssertionError("the provider sends in a circle")

    def _control(self, what: str, body: Mapping[str, object]) -> None:
        requests.post(f"{self.issuer}/control/{what}", json=body, timeout=10).raise_for_status()


@contextmanager
def running(redirect_uri: str, **client: object) -> Iterator[CertifiedProvider]:
    """The provider, until the block ends; with this process, too. `client` is metadata of this server's client."""
    described = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "redirect_uris": [redirect_uri],
        **client,
    }
    environment = {**os.environ, "OIDC_PROVIDER_PEER": json.dumps({"client": described}), "NODE_ENV": "test"}
    with subprocess.Popen(
        ["node", "server.mjs"], cwd=HERE, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            assert port.isdigit(), "the provider did not start"
            yield CertifiedProvider(f"http://localhost:{port}")
        finally:
            process.terminate()
