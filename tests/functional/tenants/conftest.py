"""Vendors where districts share an issuer (Canvas), and where they share the client, too (Blackboard)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lti_server_demo_lms.profiles import PROFILES

from tests.conftest import fresh_database
from tests.functional.tenants.neighbours import Neighbours, neighbours


@pytest.fixture(scope="module", params=["canvas", "blackboard", "schoology"])
def here(
    request: pytest.FixtureRequest,
    template: tuple[str, str],
    server_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Neighbours]:
    folder = tmp_path_factory.mktemp(request.param)
    with (
        fresh_database(template, server_url) as url,
        neighbours(url, folder, PROFILES[request.param]) as found,
    ):
        yield found
