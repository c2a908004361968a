"""A course of a platform that pages its members, and the commands that read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import stamina

from lti_server.app import House
from lti_server.cli import main, roster, section
from lti_server.privacy.districts import District
from tests.functional.roster.courses import Ask
from tests.peers.member_list import MemberList, listing


@pytest.fixture
def platform() -> Iterator[MemberList]:
    with listing(MemberList()) as found, stamina.set_testing(True, attempts=2, cap=True):
        yield found


@pytest.fixture
def school(house: House, platform: MemberList, district: District) -> MemberList:
    """A course of one teacher and three pupils, whose names the contract lets in."""
    platform.tool_jwks = house.tool_keys.public_jwks
    platform.courses["course-1"] = [
        {"user_id": "teacher-1", "roles": ["Instructor"], "name": "Tess Teacher"},
        *({"user_id": f"pupil-{i}", "roles": ["Learner"], "name": f"Pupil {i}"} for i in range(1, 4)),
    ]
    return platform


@pytest.fixture
def ask(house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run a command on the house's database and read its JSON."""
    for module in (roster, section):
        monkeypatch.setattr(module, "open_house", lambda: house)

    def run(*arguments: str, exits: int = 0) -> dict[str, Any]:
        if exits:
            with pytest.raises(SystemExit) as stop:
                main([*arguments, "--json"])
            assert stop.value.code == exits
        else:
            main([*arguments, "--json"])
        found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        return found

    return run
