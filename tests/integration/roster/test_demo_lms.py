"""The demo LMS's own classes, read over loopback: it checks the assertion, the token and the scope."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from lti_server_demo_lms.app import create_app as create_lms
from lti_server_demo_lms.app import registration
from lti_server_demo_lms.faults import Answer, Faults
from lti_server_demo_lms.parts import DemoLmsConfig
from lti_server_demo_lms.serving import listen, running
from lti_server_demo_lms.world import sample_world

from lti_server.accounts.store import Source
from lti_server.app import House, build_house, create_app
from lti_server.lti.registrations import Platform
from lti_server.privacy.districts import District
from lti_server.roster.arrival import CourseSaid, put_section
from lti_server.roster.service import Outcome
from lti_server.settings import Settings
from tests import world
from tests.clock import FakeClock

SCHOOLS = {"north-valley": ["nv-math-5", "nv-code-6"], "river-bend": ["rb-science-4", "rb-lab-7"]}


@dataclasses.dataclass(frozen=True)
class Demo:
    """The tool and the LMS, both serving; districts of the tool by their names in the LMS."""

    house: House
    districts: dict[str, District]
    faults: Faults

    def sync(self, slug: str) -> Outcome:
        return self.house.sync_roster()(self.districts[slug])

    def numbers(self, slug: str) -> tuple[int, int]:
        with self.house.database.tenant(self.districts[slug].id) as connection:
            people = connection.execute(sa.text("SELECT count(*) FROM person")).scalar_one()
            live = connection.execute(sa.text("SELECT count(*) FROM membership WHERE ended_at IS NULL")).scalar_one()
        return people, live


@pytest.fixture
def demo(settings: Settings, database_url: str, clock: FakeClock, tmp_path: Path) -> Iterator[Demo]:
    lms_socket, tool_socket = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
    lms_host, tool_host = (f"127.0.0.1:{one.getsockname()[1]}" for one in (lms_socket, tool_socket))
    base = f"http://{lms_host}"
    lms = create_lms(
        DemoLmsConfig(
            base_url=base, tool_url=f"http://{tool_host}", data_dir=tmp_path / "lms", world=sample_world(), page_size=10
        )
    )
    house = build_house(dataclasses.replace(settings, insecure_hosts=frozenset({lms_host})), database_url, clock)
    with running(lms, lms_socket), running(create_app(house), tool_socket):
        districts = {slug: enrolled(house, slug, registration(lms, slug), base) for slug in SCHOOLS}
        yield Demo(house, districts, lms.extensions["demo_lms"].faults)
    house.database.dispose()


def enrolled(house: House, slug: str, described: Any, base: str) -> District:
    """A district whose courses have launched."""
    made = world.district(house, slug)
    names = ("issuer", "client_id", "auth_login_url", "auth_token_url", "jwks_url")
    platform = Platform(
        **{name: described[name] for name in names},
        token_audience=None, shared_id=True, deployment_ids=(described["deployment_id"],),
    )  # fmt: skip
    added = house.registrations.add(made.id, platform)
    source = Source(grant_id=added.grant_id, epoch=1, run_id=None, at=house.clock.now())
    with house.database.tenant(made.id) as connection:
        for course in SCHOOLS[slug]:
            url = f"{base}/{slug}/memberships/{course}"
            said = CourseSaid(scope="deployment", source_id=course, name=course, memberships_url=url)
            put_section(connection, made.id, source, said)
    return made


def test_two_districts_get_their_own_classes_whole_and_nothing_of_each_other(demo: Demo) -> None:
    north = demo.sync("north-valley")
    assert north.state == "applied", north
    assert demo.numbers("north-valley") == (2 + 33, (2 + 24) + (1 + 13))
    assert demo.numbers("river-bend") == (0, 0)
    assert demo.sync("river-bend").state == "applied"
    assert demo.numbers("river-bend") == (2 + 17, (1 + 12) + (2 + 7))
    again = demo.sync("north-valley")
    assert (again.counts.people.added, again.counts.people.changed, again.counts.memberships.added) == (0, 0, 0)


def test_a_token_that_the_lms_refuses_once_is_renewed(demo: Demo) -> None:
    demo.faults.memberships.append(Answer(401))
    assert demo.sync("north-valley").state == "applied"


def test_an_lms_that_is_down_for_a_moment_is_asked_again_and_one_that_stays_down_changes_nothing(demo: Demo) -> None:
    demo.faults.memberships.append(Answer(503))
    assert demo.sync("north-valley").state == "applied"
    demo.faults.memberships.extend([Answer(500)] * 20)
    assert demo.sync("north-valley").state == "failed"
    assert demo.numbers("north-valley") == (35, 40)


def test_an_lms_that_refuses_the_tool_says_so_to_the_administrator(demo: Demo) -> None:
    demo.faults.token.extend([Answer(401)] * 10)
    found = demo.sync("north-valley")
    assert found.state == "failed"
    assert "credentials" in str(found.detail)
