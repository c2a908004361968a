"""`provider check` judged by a district's own contract."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import responses

from lti_server.app import House
from lti_server.cli import main, provider
from lti_server.providers import registry
from lti_server.settings import Settings
from tests.contract.chalk import CONFIG, ROSTER, ChalkRoster
from tests.world import contract, district

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run `provider check --provider chalk` on the house's database, with Chalk answering its first page alone."""
    module = ModuleType("installed_chalk")
    monkeypatch.setitem(sys.modules, "installed_chalk", module)
    monkeypatch.setattr(module, "Chalk", ChalkRoster, raising=False)
    point = EntryPoint("chalk", "installed_chalk:Chalk", "lti_server.providers")
    monkeypatch.setattr(registry, "entry_points", lambda **_group: [point])
    monkeypatch.setattr(Settings, "from_env", lambda: house.settings)
    monkeypatch.setattr(provider, "open_house", lambda: house)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG), encoding="utf-8")

    def run(*more: str) -> dict[str, Any]:
        with responses.RequestsMock() as wire:
            wire.get(ROSTER[0].url, json=ROSTER[0].body, headers=dict(ROSTER[0].headers))
            main(["provider", "check", "--provider", "chalk", "--config", str(config), "--json", *more])
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    return run


def kept(found: dict[str, Any]) -> dict[tuple[str, str], bool]:
    return {(row["field"], row["about"]): row["kept"] for row in found["fields"]}


def test_the_contract_in_force_decides_field_by_field(house: House, ask: Ask) -> None:
    district(house, "north", contract(house))
    found = kept(ask("--district", "north"))
    assert found["given_name", "pupil"] is True
    assert found["given_name", "educator"] is True
    assert found["email", "pupil"] is False


def test_without_a_contract_everything_is_refused(house: House, ask: Ask) -> None:
    district(house, "south", None)
    assert set(kept(ask("--district", "south")).values()) == {False}
