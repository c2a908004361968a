"""docs/how-to/write-a-provider.md does what it says, and docs/reference/provider-spi.md names everything there is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import lti_server.providers
import lti_server.testing
from lti_server.providers.manifest import CAPABILITY_METHODS
from lti_server.testing import (
    LoginProviderContract,
    RosterSourceContract,
    SignalReceiverContract,
    TenantListContract,
)

ROOT = Path(__file__).parents[2]
HOW_TO = ROOT / "docs" / "how-to" / "write-a-provider.md"
REFERENCE = ROOT / "docs" / "reference" / "provider-spi.md"
LTI_SERVER = [sys.executable, "-c", "from lti_server.cli import main; main()"]
BUILD = [sys.executable, "-c", "from hatchling.build import build_wheel; build_wheel('.')"]


class Reader:
    """Follows the how-to; an installed plugin goes into a folder of its own, not into this environment."""

    def __init__(self, folder: Path) -> None:
        self.here = folder
        self.installed = folder / "installed"
        self.insecure = ""

    def run(self, *command: str) -> str:
        path = os.pathsep.join([str(self.installed), str(ROOT)])
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LTI_SERVER_")}
        done = subprocess.run(
            command,
            cwd=self.here,
            env={**kept, "PYTHONPATH": path, "LTI_SERVER_INSECURE_HOSTS": self.insecure},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def follow(self, line: str) -> str:
        words = line.split()
        if words[0] == "cd":
            self.here /= words[1]
            return ""
        if words[:2] == ["pip", "install"]:
            self.run(*BUILD)
            (wheel,) = self.here.glob("*.whl")
            zipfile.ZipFile(wheel).extractall(self.installed)
            return ""
        assert words[0] in ("python", "lti-server"), f"the test does not know how to run: {line}"
        return self.run(*([sys.executable] if words[0] == "python" else LTI_SERVER), *words[1:])


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """Somebody who has run every command of the how-to; `said` keeps what each printed."""
    reader = Reader(tmp_path_factory.mktemp("author"))
    commands = re.findall(r"```sh\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    said = [reader.follow(line) for line in "".join(commands).splitlines()]
    assert "20 passed" in "".join(said)
    assert re.search(r"chalk .*enabled", said[-1])
    return reader


@pytest.fixture
def chalk(reader: Reader) -> Iterator[str]:
    """The recorded answers of the skeleton, served on loopback: its address."""
    read = json.loads((reader.here / "tests" / "recordings" / "roster.json").read_text(encoding="utf-8"))
    answers = {one["request"]["url"].split(".example")[1]: one["response"]["json"] for one in read["exchanges"]}

    class Chalk(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers[self.path]).encode()
            self.send_response(200 if self.headers["Authorization"] == "Bearer t0ken" else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Chalk)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    reader.insecure = f"127.0.0.1:{server.server_port}"
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_every_command_of_the_how_to_works(reader: Reader) -> None:
    listed = json.loads(reader.run(*LTI_SERVER, "plugins", "--json"))
    (row,) = [row for row in listed["plugins"] if row["name"] == "chalk"]
    assert row == {
        "name": "chalk",
        "version": "0.1.0",
        "spi_version": "1.0",
        "state": "enabled",
        "capabilities": ["roster"],
        "reason": "",
    }


def test_the_shown_contract_class_is_the_generated_one(reader: Reader) -> None:
    shown = re.search(r"```python\n(class TestChalk.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    assert shown.group(1) in (reader.here / "tests" / "test_contract.py").read_text(encoding="utf-8")


def test_provider_check_reads_one_page_and_judges_each_field(reader: Reader, chalk: str) -> None:
    (reader.here / "config.json").write_text(json.dumps({"base_url": chalk, "token": "t0ken"}), encoding="utf-8")
    said = reader.run(*LTI_SERVER, "provider", "check", "--provider", "chalk", "--config", "config.json", "--json")
    found = json.loads(said)
    assert (found["people"], found["sections"]) == (2, 0)
    fields = {(row["field"], row["about"]): row for row in found["fields"]}
    assert fields["email", "pupil"]["values"] == 1
    assert fields["email", "pupil"]["element"] == "student_contact.email"
    assert fields["email", "pupil"]["kept"] is None
    assert "Bruno" not in said


def test_provider_check_tells_what_is_wrong_without_the_secret(reader: Reader, chalk: str) -> None:
    (reader.here / "wrong.json").write_text(json.dumps({"base_url": chalk, "token": "hunter2"}), encoding="utf-8")
    with pytest.raises(AssertionError) as failed:
        reader.run(*LTI_SERVER, "provider", "check", "--provider", "chalk", "--config", "wrong.json")
    assert "refused the credentials (401)" in str(failed.value)
    assert "hunter2" not in str(failed.value)


def test_the_reference_names_everything_that_a_plugin_can_use() -> None:
    text = REFERENCE.read_text(encoding="utf-8") + HOW_TO.read_text(encoding="utf-8")
    methods = [method for names in CAPABILITY_METHODS.values() for method in names]
    names = [*lti_server.providers.__all__, *lti_server.testing.__all__, *methods]
    assert [name for name in names if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize(
    "contract", [RosterSourceContract, LoginProviderContract, SignalReceiverContract, TenantListContract]
)
def test_the_reference_names_every_check(contract: type) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    checks = [name.removeprefix("test_") for name in dir(contract) if name.startswith("test_")]
    assert [check for check in checks if f"`{check}`" not in text] == []
