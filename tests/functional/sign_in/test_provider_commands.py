"""`lti-server provider connect`, as an operator types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lti_server.app import House
from lti_server.cli import provider as provider_commands
from lti_server.privacy import grant_view
from tests import world
from tests.commands import typed
from tests.functional.sign_in.conftest import Provider


@pytest.fixture
def connect(house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    monkeypatch.setattr(provider_commands, "open_house", lambda: house)

    def command(config: object, *arguments: str, fails: int = 0) -> dict[str, Any]:
        file = tmp_path / "config.json"
        file.write_text(json.dumps(config))
        words = ["provider", "connect", "--provider", "oidc", "--config", str(file), *arguments]
        return typed(words, monkeypatch, capsys, fails=fails)

    return command


def test_a_districts_provider_is_a_grant_and_an_address_to_sign_in_at(
    connect: Any, house: House, provider: Provider
) -> None:
    owner = world.district(house)
    made = connect(provider.config(), "--district", "north")
    assert made["state"] == "active"
    assert made["redirect_uri"] == f"{house.settings.base_url}/auth/oidc/callback"
    assert made["sign_in_url"] == f"{house.settings.base_url}/signin?district=north"
    with house.database.tenant(owner.id) as connection:
        (grant,) = grant_view.every(connection, house.grants.population)
    assert (str(grant.id), grant.provider) == (made["grant_id"], "oidc")


def test_without_a_district_it_is_the_operators_application(connect: Any, house: House, provider: Provider) -> None:
    world.district(house)
    made = connect(provider.config(tenant_claim="org"))
    assert (made["state"], made["grant_id"]) == ("application", None)
    assert connect({"tenant": "org-north"}, "--district", "north")["tenant"] == "org-north"


def test_what_does_not_fit_is_named_without_its_value(connect: Any, house: House) -> None:
    world.district(house)
    told = connect({"issuer": "secret words", "client_secret": 7, "colour": "red"}, "--district", "north", fails=1)
    said = json.dumps(told)
    for name in ("issuer", "client_id", "client_secret", "colour"):
        assert name in said
    assert "secret words" not in said
    assert "red" not in said.replace("required", "")
