"""Over a whole life of a connection, the server calls the district's own platform and nobody else."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.functional.person_commands import clock, on
from tests.functional.street import Street

__all__ = ["clock", "on"]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, int]]:
    """Every address that anything in this process connects to; the way to the database is libpq's own."""
    found: set[tuple[str, int]] = set()
    connect = socket.socket.connect

    def noted(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            found.add((str(address[0]), int(address[1])))
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    return found


def place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "", parts.port or 0)


def test_from_the_first_launch_to_the_revocation_only_the_own_platform_is_called(
    on: Street, called: set[tuple[str, int]]
) -> None:
    token = on.token()
    on.save(token, work="what Ada made", answers="what Ada wrote")
    assert on.deliver() == "delivered"
    assert on.house.sync_roster()(on.district).state == "applied"
    (registered,) = on.house.registrations.every(on.district.id)
    on.house.grants.withdraw.begin(on.district.id, registered.grant_id, by="test", reason="over")
    assert on.house.grants.withdraw.finish(on.district.id, registered.grant_id)
    assert called == {place(on.lms_url), place(on.tool_url)}


def test_a_call_to_anybody_else_would_be_found(called: set[tuple[str, int]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger, socket.socket() as leaving:
        leaving.connect(stranger.getsockname())
        assert stranger.getsockname() in called
