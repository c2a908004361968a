"""The line items and results of a course, over all their pages, at each platform that links its pages otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from lti_server_demo_lms.faults import Answer
from lti_server_demo_lms.profiles import PROFILES

from lti_server.lti.grade_service import GradeService, Refused, on_the_same_host
from lti_server.lti.line_items import LineItems
from lti_server.lti.results import Results
from lti_server.lti.tokens import service_of
from lti_server.privacy import schedule
from lti_server.privacy.disclose import Asked, Disclosed, Recipients
from lti_server.privacy.log import Interest
from lti_server.privacy.model import Purpose
from lti_server.providers.errors import BrokeContract
from lti_server.settings import Settings
from tests.clock import FakeClock
from tests.functional.street import SLUG, Street, street


@pytest.fixture(params=["plain", "moodle"])
def on(
    request: pytest.FixtureRequest, settings: Settings, database_url: str, clock: FakeClock, tmp_path: Path
) -> Iterator[Street]:
    with street(settings, database_url, clock, tmp_path / "lms", PROFILES[request.param]) as found:
        yield found


def services(on: Street) -> tuple[LineItems, Results]:
    on.token()
    with on.house.database.tenant(on.district.id) as connection:
        link = connection.execute(sa.text("SELECT * FROM resource_link")).one()
        service = service_of(connection, on.house.entered(connection), link.grant_id)
    calls = GradeService(on.house.transport, on.house.service_tokens, service, link.ags_scopes)
    return LineItems(calls, link.lineitems_url), Results(calls)


def leave(on: Street, user_id: str) -> Disclosed[str]:
    """The gate's leave to name somebody to the LMS."""
    asked = Asked(
        act="grade read", party="test", recipients=Recipients.GRADEBOOK, interest=Interest.SCHOOL_OFFICIAL,
        purpose=Purpose.INSTRUCTION, elements=frozenset({schedule.APP_ID}), population="person", provider="lti",
    )  # fmt: skip
    with on.house.database.tenant(on.district.id) as connection:
        return on.house.grants.disclose(connection, on.district, asked, user_id)


def test_a_column_is_made_read_listed_changed_and_removed_at_its_own_address(on: Street) -> None:
    items, results = services(on)
    course = on.lms.config.world.districts[0].courses[0]
    link = course.links[0].id
    made = items.make(label="Bits", score_maximum=12.5, resource_id="ours", resource_link_id=link)
    assert "type_id=2" in made.url  # both of these platforms have a query in the address
    on.lms.store.put_line_item(next(iter(on.line_items().values()))[0], {**made.body, "tag": "kept"})
    found = items.read(made.url)
    assert found is not None
    items.change(found, label="Bits and pieces")
    assert [(one.label, one.resource_id) for one in items.find(resource_id="ours")] == [("Bits and pieces", "ours")]
    assert on.line_items()["Bits and pieces"][1]["tag"] == "kept"
    assert list(items.find(resource_id="another")) == []
    assert results.of(made.url, leave(on, course.pupils[0].id)) is None
    items.remove(made.url)
    items.remove(made.url)  # gone already is as good
    assert items.read(made.url) is None
    assert on.columns() == 0


def test_a_long_gradebook_is_read_to_its_end(on: Street) -> None:
    items, results = services(on)
    course = on.lms.config.world.districts[0].courses[0]
    for number in range(120):
        body = {"label": f"Column {number}", "scoreMaximum": 10, "resourceId": "ours" if number == 119 else "other"}
        on.lms.store.add_line_item(SLUG, course.id, body)
    assert len(list(items.find(limit="50"))) == 120
    (last,) = (one for one in items.find(limit="50") if one.resource_id == "ours")
    item = on.line_items()["Column 119"][0]
    for person in course.pupils:
        score = {"userId": person.id, "scoreGiven": 5, "scoreMaximum": 10, "gradingProgress": "FullyGraded"}
        assert on.lms.store.take_score(item, person.id, score, on.house.clock.now())
    one = results.of(last.url, leave(on, course.pupils[-1].id))
    assert one is not None
    assert (one.points, one.maximum) == (5, 10)


def test_a_refused_list_is_no_empty_list(on: Street) -> None:
    items, _ = services(on)
    on.lms.faults.lineitems = [Answer(403)]
    with pytest.raises(Refused):
        list(items.find())


@pytest.mark.parametrize("url", ["https://evil.example/1", "http://lms.example/1", "https://[", "/1", None, 7])
def test_a_line_item_on_another_host_gets_no_token(url: object) -> None:
    with pytest.raises(BrokeContract):
        on_the_same_host(url, "https://lms.example/lineitems")
