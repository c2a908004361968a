"""A contract that names classes: who launches from another is refused by name, and who was in has to go at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import sqlalchemy as sa
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.app import House
from lti_server.cli import contract, main
from lti_server.cli import grant as grant_commands
from lti_server.errors import GrantRevoked
from lti_server.ids import new_id
from lti_server.privacy import log
from lti_server.privacy.districts import District
from lti_server.settings import Settings
from tests import world
from tests.clock import FakeClock
from tests.functional import picking
from tests.functional.street import Street, street
from tests.peers.bare_platform import MEMBERSHIP, Platform

JSON = {"Accept": "application/problem+json"}
Say = Callable[..., dict[str, Any]]


def naming(house: House, lists: str) -> str:
    return world.contract(house, more=f"providers: {{lti: {{population: {lists}}}}}")


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Say:
    """An operator's command with a contract's text as its file; what it answers."""

    def run(house: House, *arguments: str, text: str = "", exits: int = 0) -> dict[str, Any]:
        for module in (contract, grant_commands):
            monkeypatch.setattr(module, "open_house", lambda: house)
        (tmp_path / "terms.yaml").write_text(text, encoding="utf-8")
        capsys.readouterr()  # what the servers have printed meanwhile
        given = [*arguments, *([str(tmp_path / "terms.yaml")] if text else []), "--json"]
        if exits:
            with pytest.raises(SystemExit) as stop:
                main(given)
            assert stop.value.code == exits
        else:
            main(given)
        found = json.loads(capsys.readouterr().out)
        assert isinstance(found, dict)
        return found

    return run


def launch(client: FlaskClient, platform: Platform, house: House, **changes: object) -> TestResponse:
    begun = world.begin(client, platform)
    token = platform.sign(platform.claims(begun.nonce, house.clock.now(), **changes))
    return client.post("/lti/launch", data={"id_token": token, "state": begun.state}, headers=JSON)


def reason(answer: TestResponse) -> str:
    assert answer.status_code == 403, answer.text
    found = json.loads(answer.text)["reason"]
    assert isinstance(found, str)
    return found


def count(house: House, owner: District, *tables: str) -> list[int]:
    with house.database.tenant(owner.id) as connection:
        return [connection.execute(sa.text(f"SELECT count(*) FROM {one}")).scalar_one() for one in tables]


KEPT = ("person", "identity", "section", "membership", "session", "person_field", "resource_link")


@pytest.mark.parametrize("role", ["Learner", "Instructor"])
@pytest.mark.parametrize(
    "lists", ["{sections: [course-2]}", "{schools: [Hill]}", "{schools: [Hill], sections: [course-1]}"]
)
def test_whoever_launches_from_a_class_outside_is_refused_by_name_and_nothing_is_kept(
    client: FlaskClient, platform: Platform, house: House, district: District, lists: str, role: str
) -> None:
    world.sign(house, district, naming(house, lists))
    answer = launch(client, platform, house, lti_roles=[MEMBERSHIP + role])
    assert reason(answer) == "outside-population"
    assert count(house, district, *KEPT) == [0] * len(KEPT)


def test_who_launches_from_a_class_that_is_named_comes_in_and_one_from_no_class_does_not(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    world.sign(house, district, naming(house, "{sections: [course-1]}"))
    assert launch(client, platform, house).status_code == 303
    assert launch(client, platform, house).status_code == 303, "a repeated launch, too"
    assert reason(launch(client, platform, house, lti_context=None)) == "outside-population"


def test_whoever_was_in_before_is_refused_on_the_next_launch(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    assert launch(client, platform, house).status_code == 303
    world.sign(house, district, naming(house, "{sections: [course-2]}"))
    assert reason(launch(client, platform, house)) == "outside-population"


def test_whoever_came_from_no_class_has_to_go_when_the_contract_names_classes(
    client: FlaskClient, platform: Platform, house: House, district: District, say: Say
) -> None:
    assert launch(client, platform, house, lti_context=None, sub="of-no-class").status_code == 303
    assert launch(client, platform, house, sub="of-a-class").status_code == 303
    terms = naming(house, "{sections: [course-1]}")
    say(house, "contract", "amend", "--district", district.slug, text=terms)
    with house.database.tenant(district.id) as connection:
        left = "SELECT count(*), count(*) FILTER (WHERE ended_at IS NULL), (SELECT count(DISTINCT person_id) FROM %s)"
        found = connection.execute(sa.text(f"{left % 'person_field'} FROM identity")).one()
    assert tuple(found) == (2, 1, 1)


def test_the_database_takes_no_class_outside_by_whatever_way(
    client: FlaskClient, platform: Platform, house: House, district: District, say: Say
) -> None:
    assert launch(client, platform, house).status_code == 303
    insert = sa.text(
        "INSERT INTO section SELECT (jsonb_populate_record(s, jsonb_build_object('id', CAST(:id AS uuid),"
        " 'source_id', CAST(:source AS text)))).* FROM section s LIMIT 1"
    )
    with house.database.tenant(district.id) as connection:
        assert connection.execute(insert, {"id": new_id(), "source": "course-2"}).rowcount == 1
    terms = naming(house, "{sections: [course-1, course-4]}")
    say(house, "contract", "amend", "--district", district.slug, text=terms)
    with pytest.raises(GrantRevoked), house.database.tenant(district.id) as connection:
        connection.execute(insert, {"id": new_id(), "source": "course-3"})
    with house.database.tenant(district.id) as connection:
        assert connection.execute(insert, {"id": new_id(), "source": "course-4"}).rowcount == 1


def test_the_reader_goes_back_to_the_course_with_words(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    world.sign(house, district, naming(house, "{sections: [course-2]}"))
    back = {"return_url": "https://lms.example/courses/7"}
    answer = world.launch(client, platform, house, lti_launch_presentation=back)
    assert "not among those" in parse_qs(urlsplit(answer.location).query)["lti_errormsg"][0]


def test_no_lesson_is_chosen_for_a_course_outside(
    client: FlaskClient, platform: Platform, house: House, district: District
) -> None:
    world.sign(house, district, naming(house, "{sections: [course-1]}"))
    assert picking.ask(client, platform, house).status_code == 303
    answer = picking.ask(client, platform, house, lti_context={"id": "course-2"})
    assert answer.status_code == 403
    assert "not among those" in answer.text


@pytest.fixture
def on(settings: Settings, database_url: str, clock: FakeClock, tmp_path: Path) -> Iterator[Street]:
    with street(settings, database_url, clock, tmp_path / "lms") as found:
        world.sign(found.house, found.district, world.contract(found.house))
        yield found


def refused_outside(on: Street) -> None:
    """A pupil who opens a lesson of the other course is back in the course, and the log says why."""
    with pytest.raises(AssertionError, match="First steps in code"):
        on.token(20, 1)
    with on.house.database.tenant(on.district.id) as connection:
        rows = connection.execute(
            sa.text("SELECT payload FROM log_entry WHERE act = 'launch' AND decision = 'refused' ORDER BY at")
        )
        assert log.payload_of(on.district.keys, bytes(rows.scalars().all()[-1]))["reason"] == "outside-population"


def progress(on: Street, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{on.tool_url}/api/v1/progress", headers=headers, timeout=10).status_code


def test_an_amendment_ends_lessons_outside_at_once_and_parks_their_grades(on: Street, say: Say) -> None:
    here, there = (on.lms.config.world.districts[0].courses[number].id for number in (0, 1))
    inside, outside = on.token(20, 0), on.token(20, 1)
    on.save(outside)
    assert [progress(on, one) for one in (inside, outside)] == [200, 200]
    said = say(on.house, "contract", "amend", "--district", on.district.slug,
               text=naming(on.house, f"{{sections: [{here}]}}"))  # fmt: skip
    assert [progress(on, one) for one in (inside, outside)] == [200, 401]
    ((grant_id, acknowledged),) = [(one["grant"], one["acknowledged"]) for one in said["narrowed"]]
    assert acknowledged is True
    assert (on.deliver_all(), on.standing(1)) == ({"parked"}, [])
    shown = say(on.house, "grant", "show", grant_id)
    assert (shown["state"], shown["epoch"], shown["population"], len(shown["sections"])) == ("active", 2, "sections", 1)
    refused_outside(on)
    assert on.save(on.token(20, 0))["saved"] is True
    assert there not in json.dumps(shown)


def test_a_grade_of_a_link_in_no_course_waits_no_more_where_its_pupil_is_outside(on: Street, say: Say) -> None:
    on.save(on.token())
    with on.house.database.tenant(on.district.id) as connection:
        connection.execute(sa.text("UPDATE resource_link SET section_id = NULL"))
    terms = naming(on.house, "{sections: [another-course]}")
    say(on.house, "contract", "amend", "--district", on.district.slug, text=terms)
    assert {row.state for row in on.deliveries()} == {"parked"}
    assert (on.deliver_all(), on.standing()) == ({"parked"}, [])


def test_an_amendment_that_lets_more_in_waits_for_its_signature(on: Street, say: Say) -> None:
    here = on.lms.config.world.districts[0].courses[0].id
    say(on.house, "contract", "amend", "--district", on.district.slug, text=naming(on.house, f"{{sections: [{here}]}}"))
    wider = naming(on.house, "all")
    refused = say(on.house, "contract", "amend", "--district", on.district.slug, text=wider, exits=1)
    assert refused["wider"] == ["providers.lti.population"]
    refused_outside(on)
    signed = say(on.house, "contract", "sign", "--district", on.district.slug, text=wider)
    assert (signed["wider"], signed["narrowed"]) == (["providers.lti.population"], [])
    assert on.save(on.token(20, 1))["saved"] is True


def test_check_says_who_stays_outside(house: House, say: Say) -> None:
    said = say(house, "contract", "check", text=naming(house, "{schools: [Hill]}"))
    assert [line for line in said["left_off"] if line.endswith("(providers.lti.population)")]


def test_the_published_contract_says_whose_classes_may_come(
    client: FlaskClient, house: House, district: District
) -> None:
    def page(locale: str) -> str:
        return client.get(f"/privacy/districts/{district.slug}", headers={"Accept-Language": locale}).text

    assert "alone:" not in page("en")
    world.sign(house, district, naming(house, "{schools: [Hill, Dale], sections: [course-7]}"))
    assert "classes of these schools alone: Dale, Hill; these classes alone, by their ids there: course-7." in page(
        "en"
    )
    assert "seulement les classes de ces écoles : Dale, Hill" in page("fr")
