"""`platform invite`, `list` and `approve`, as the operator types them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from lti_server import cli
from lti_server.app import House, create_app
from lti_server.cli import main
from lti_server.cli import platform as commands
from lti_server.lti.registration_invitations import INVITATION_LIFE
from lti_server.privacy.districts import District
from tests.peers.registering_platform import RegisteringPlatform, serving

Say = Callable[..., dict[str, Any]]


@pytest.fixture
def lms() -> Iterator[RegisteringPlatform]:
    with serving(RegisteringPlatform(deployment_id=None)) as found:
        yield found


@pytest.fixture
def say(house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run `lti-server platform … --json`; the document that it printed."""
    monkeypatch.setattr(cli, "_end_with_exit_hooks", lambda: None)  # the signals of this process are pytest's
    monkeypatch.setattr(commands, "open_house", lambda: house)

    def run(*arguments: str, exits: int = 0) -> dict[str, Any]:
        if exits:
            with pytest.raises(SystemExit) as stop:
                main(["platform", *arguments, "--json"])
            assert stop.value.code == exits
        else:
            main(["platform", *arguments, "--json"])
        found = json.loads(capsys.readouterr().out)
        assert isinstance(found, dict)
        return found

    return run


def test_from_the_link_to_an_approved_platform(
    house: House, district: District, lms: RegisteringPlatform, say: Say
) -> None:
    made = say("invite", "--district", district.slug)
    assert datetime.fromisoformat(made["expires_at"]) == house.clock.now() + INVITATION_LIFE
    assert made["url"].startswith("http://127.0.0.1:8000/lti/register?invitation=")
    invitation = parse_qs(urlsplit(made["url"]).query)["invitation"][0]
    fields = {"invitation": invitation, **lms.link}
    assert create_app(house).test_client().post("/lti/register", data=fields).status_code == 200

    (listed,) = say("list", "--district", district.slug)["platforms"]
    assert (listed["state"], listed["issuer"], listed["deployment_ids"]) == ("pending", lms.address, [])
    refused = say("approve", listed["registration_id"], exits=1)
    assert "--deployment-id" in refused["detail"]
    approved = say("approve", listed["registration_id"], "--deployment-id", "7")
    assert approved == {"registration_id": listed["registration_id"], "state": "active", "deployment_ids": ["7"]}
    (listed,) = say("list", "--district", district.slug)["platforms"]
    assert listed["state"] == "active"


@pytest.mark.parametrize("wrong", ["none", str(uuid4())])
def test_a_platform_that_is_not_there_is_not_approved(district: District, say: Say, wrong: str) -> None:
    assert "no such platform" in say("approve", wrong, exits=1)["detail"]


@pytest.mark.parametrize("wrong", ["", "é", "x" * 256])
def test_a_deployment_id_of_the_wrong_form_is_refused(district: District, say: Say, wrong: str) -> None:
    said = say("approve", str(uuid4()), "--deployment-id", wrong, exits=1)
    assert said["errors"][0]["pointer"] == "/deployment_id"


def test_no_link_is_made_for_a_district_that_is_not_there(district: District, say: Say) -> None:
    assert "no district" in say("invite", "--district", "nowhere", exits=1)["detail"]
