"""A contract that names whose classes an LMS may bring: smaller acts at once, larger wants a signature."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lti_server.accounts.store import fields_of
from lti_server.app import House
from lti_server.errors import ContractForbids, GrantRevoked, InvalidInput
from lti_server.ids import GrantId, new_id
from lti_server.lti.registrations import Registered
from lti_server.privacy import grant_view, grants, population
from lti_server.privacy.districts import District
from lti_server.privacy.reading import of_own_data
from lti_server.privacy.signing import Outcome, Signing
from lti_server.privacy.whom import Everybody, Population, Whom, within
from lti_server.roster.model import RunState
from tests import world
from tests.clock import FakeClock
from tests.integration.roster.two_classes import Two, course, live, rows, session_in
from tests.peers.member_list import MemberList

some = st.none() | st.frozensets(st.sampled_from("abc"), min_size=1)
populations = st.builds(Population, schools=some, sections=some).filter(lambda one: bool(one.plain()))


def terms(house: House, lists: str = "all") -> str:
    return world.contract(house, more=f"providers: {{lti: {{population: {lists}}}}}")


def signing(house: House) -> Signing:
    return Signing(house.database, house.retain, house.journal, house.clock)


def amend(house: House, district: District, lists: str) -> Outcome:
    done = signing(house).amend(district, terms(house, lists), by="test")
    for one in done.narrowed:
        assert house.grants.withdraw.finish(district.id, one, patience_s=5)
    return done


@pytest.mark.usefixtures("two")
def test_a_smaller_population_ends_what_is_outside_and_nothing_of_what_is_inside(
    house: House, district: District, platform: Registered
) -> None:
    assert live(house, district) == {"kept": 2, "left": 2}
    done = amend(house, district, "{sections: [kept]}")
    assert done.narrowed == (platform.grant_id,)
    assert "providers" in done.narrower
    assert live(house, district) == {"kept": 2}
    (ended,) = rows(house, district, "SELECT person_id FROM identity WHERE ended_at IS NOT NULL")
    assert rows(house, district, "SELECT 1 FROM person_field WHERE person_id = :id", id=ended.person_id) == []
    kept = rows(house, district, "SELECT person_id FROM identity WHERE ended_at IS NULL")
    with house.database.tenant(district.id) as connection:
        assert len(fields_of(connection, district.keys, [row.person_id for row in kept], of_own_data())) == 2


def test_sessions_outside_are_refused_with_the_signature_and_those_inside_go_on(
    house: House, district: District, platform: Registered, two: Two
) -> None:
    inside = session_in(house, district, platform, two.kept)
    outside = session_in(house, district, platform, two.left)
    signing(house).amend(district, terms(house, "{sections: [kept]}"), by="test")
    epochs = dict(rows(house, district, "SELECT id, grant_epoch FROM session WHERE ended_at IS NULL"))
    with house.database.tenant(district.id) as connection:
        assert grants.standing_of(connection, platform.grant_id).epoch == 2
    assert epochs == {inside: 2, outside: 1}, "before anything is finished, the former epoch opens nothing"


def test_a_session_of_no_class_ends_where_the_person_is_in_none_that_is_named(
    house: House, district: District, platform: Registered, two: Two
) -> None:
    inside, outside = (session_in(house, district, platform, one) for one in (two.kept, two.left))
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE session SET membership_id = NULL, person_id = (SELECT m.person_id"
                                   " FROM membership m WHERE m.section_id = :left AND NOT EXISTS (SELECT FROM"
                                   " membership o WHERE o.person_id = m.person_id AND o.section_id = :kept))"
                                   " WHERE id = :outside"),
                           {"left": two.left, "kept": two.kept, "outside": outside})  # fmt: skip
        connection.execute(sa.text("UPDATE session SET membership_id = NULL WHERE id = :id"), {"id": inside})
    amend(house, district, "{sections: [kept]}")
    open_now = rows(house, district, "SELECT id FROM session WHERE ended_at IS NULL")
    assert [row.id for row in open_now] == [inside]


def test_it_has_a_receipt_and_the_contracts_line_in_the_journal_is_its_line(
    house: House, district: District, platform: Registered, two: Two
) -> None:
    amend(house, district, "{sections: [kept]}")
    with house.database.tenant(district.id) as connection:
        view = grant_view.view(connection, platform.grant_id, house.grants.population)
    assert (view.state, view.epoch, view.population, view.sections) == ("active", 2, "sections", (str(two.kept),))
    (receipt,) = view.receipts
    assert receipt.acknowledged_at is not None
    assert {part.participant: part.did for part in receipt.parts}["roster"]["memberships"] == 2
    assert [entry.kind.value for entry in house.journal.entries()] == ["contract"]


@pytest.mark.usefixtures("two")
def test_a_sync_keeps_nobody_outside_and_reads_no_class_outside(
    house: House, district: District, platform: Registered, peer: MemberList
) -> None:
    amend(house, district, "{sections: [kept]}")
    pages = peer.pages_read
    assert house.sync_roster()(district).state is RunState.APPLIED
    assert (peer.pages_read, live(house, district)) == (pages + 1, {"kept": 2})
    for name in ("left", "a new course"):
        with pytest.raises(GrantRevoked):
            course(house, district, platform, peer, name, epoch=2)


@pytest.mark.usefixtures("two")
def test_a_class_that_is_named_but_was_never_seen_comes_in(
    house: House, district: District, platform: Registered, peer: MemberList
) -> None:
    amend(house, district, "{sections: [kept, new]}")
    course(house, district, platform, peer, "new", epoch=2)


@pytest.mark.usefixtures("two")
def test_a_contract_that_waits_holds_the_first_sync_of_its_day_without_any_worker(
    house: House, district: District, clock: FakeClock
) -> None:
    tomorrow = world.contract(
        house, begins=house.clock.now().date() + timedelta(days=1),
        more="providers: {lti: {population: {sections: [kept]}}}",
    )  # fmt: skip
    assert signing(house).sign(district, tomorrow, by="test").narrowed == ()
    assert house.sync_roster()(district).state is RunState.APPLIED
    assert live(house, district) == {"kept": 2, "left": 2}
    clock.pass_s(24 * 3600)
    house.sync_roster()(district)
    (grant_id,) = [row.id for row in rows(house, district, "SELECT id FROM grants")]
    assert house.grants.withdraw.finish(district.id, grant_id, patience_s=5)
    assert live(house, district) == {"kept": 2}


def test_a_larger_population_waits_for_a_signature_and_lets_in_whoever_comes_then(
    house: House, district: District, platform: Registered, two: Two, peer: MemberList
) -> None:
    amend(house, district, "{sections: [kept]}")
    for wider in ("all", "{sections: [kept, left]}", "{schools: [Hill]}"):
        with pytest.raises(ContractForbids) as refused:
            amend(house, district, wider)
        assert refused.value.public["wider"] == ["providers.lti.population"]
    with pytest.raises(GrantRevoked):
        course(house, district, platform, peer, "left", epoch=2)
    done = signing(house).sign(district, terms(house), by="test")
    assert (done.narrowed, done.wider) == ((), ("providers.lti.population",))
    assert course(house, district, platform, peer, "left", epoch=2) == two.left
    assert house.sync_roster()(district).state is RunState.APPLIED
    assert live(house, district) == {"kept": 2, "left": 2}


def test_a_signature_that_lets_others_in_ends_those_whom_it_leaves_out(
    house: House, district: District, platform: Registered, two: Two
) -> None:
    amend(house, district, "{sections: [kept]}")
    done = signing(house).sign(district, terms(house, "{sections: [left]}"), by="test")
    assert done.narrowed == (platform.grant_id,)
    assert house.grants.withdraw.finish(district.id, platform.grant_id, patience_s=5)
    assert live(house, district) == {}
    with house.database.tenant(district.id) as connection:
        assert population.reached(connection, platform.grant_id) == [two.left]


def test_what_a_grant_reaches_is_within_the_contract_and_within_its_own_narrowing(
    house: House, district: District, platform: Registered, two: Two
) -> None:
    amend(house, district, "{sections: [kept, left]}")
    house.grants.withdraw.narrow(district.id, platform.grant_id, [two.left], by="test", reason="one class alone")
    assert house.grants.withdraw.finish(district.id, platform.grant_id, patience_s=5)
    assert live(house, district) == {"left": 2}
    with house.database.tenant(district.id) as connection, pytest.raises(InvalidInput):
        population.named(connection, platform.grant_id, sections=[two.kept], schools=[])
    amend(house, district, "{sections: [kept]}")
    assert live(house, district) == {}
    signing(house).sign(district, terms(house), by="test")
    with house.database.tenant(district.id) as connection:
        assert population.reached(connection, platform.grant_id) == [two.left], "a narrowing outlives every contract"


def test_a_class_whose_school_is_missing_or_another_is_outside(house: House, district: District, two: Two) -> None:
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE section SET school = 'Hill' WHERE id = :id"), {"id": two.kept})
    amend(house, district, "{schools: [Hill, Dale]}")
    assert live(house, district) == {"kept": 2}
    amend(house, district, "{schools: [Hill], sections: [left]}")
    assert live(house, district) == {}


def test_another_provider_and_another_district_are_not_held_to_it(house: House, district: District, two: Two) -> None:
    neighbour = world.district(house, "south")
    with house.database.tenant(district.id) as connection:
        other = connection.execute(
            sa.text("INSERT INTO grants (id, district_id, provider, state, created_at)"
                    " VALUES (:id, :district, 'oneroster', 'active', now()) RETURNING id"),
            {"id": new_id(), "district": district.id},
        ).scalar_one()  # fmt: skip
        connection.execute(
            sa.text("UPDATE membership SET grant_id = :other WHERE section_id = :left"),
            {"other": other, "left": two.left},
        )
    named = "providers: {lti: {population: {sections: [kept]}}, oneroster: {}}"
    done = signing(house).amend(district, world.contract(house, more=named), by="test")
    for one in done.narrowed:
        assert house.grants.withdraw.finish(district.id, one, patience_s=5)
    assert live(house, district) == {"kept": 2, "left": 2}
    with house.database.tenant(district.id) as connection:
        assert grants.standing_of(connection, GrantId(other)).epoch == 1
    assert rows(house, neighbour, "SELECT 1 FROM contract_population") == []


def test_whoever_came_by_it_and_is_in_no_class_is_outside(
    house: House, district: District, platform: Registered, two: Two
) -> None:
    (one,) = rows(house, district, "SELECT person_id FROM membership WHERE section_id = :left AND person_id NOT IN"
                                   " (SELECT person_id FROM membership WHERE section_id = :kept)",
                  left=two.left, kept=two.kept)  # fmt: skip
    with house.database.tenant(district.id) as connection:
        gone = sa.text("DELETE FROM membership WHERE person_id = :person")
        assert connection.execute(gone, {"person": one.person_id}).rowcount == 1
    amend(house, district, "{sections: [kept]}")
    ended = rows(house, district, "SELECT person_id FROM identity WHERE ended_at IS NOT NULL")
    assert [row.person_id for row in ended] == [one.person_id]
    assert rows(house, district, "SELECT 1 FROM person_field WHERE person_id = :id", id=one.person_id) == []


def test_an_id_of_a_class_says_something_of_its_own_provider_alone(house: House, district: District, two: Two) -> None:
    asked = "SELECT population_has_section(CAST(:named AS jsonb), :provider, :section) AS found"
    named = json.dumps({"sections": ["kept"]})
    for provider, found in (("lti", True), ("oneroster", False)):
        ((said,),) = rows(house, district, asked, named=named, provider=provider, section=two.kept)
        assert said is found


def test_a_section_of_a_divided_course_is_in_its_course(house: House, district: District, two: Two) -> None:
    amend(house, district, "{sections: [kept]}")
    asked = "SELECT contract_reaches(grant_id, id) FROM section WHERE id = :id"
    assert rows(house, district, asked, id=two.left) == [(False,)]
    with house.database.tenant(district.id) as connection:
        divided = sa.text("UPDATE section SET course_section_id = :kept WHERE id = :left")
        connection.execute(divided, {"kept": two.kept, "left": two.left})
    assert rows(house, district, asked, id=two.left) == [(True,)]


def test_following_again_changes_nothing(house: House, district: District, platform: Registered, two: Two) -> None:
    amend(house, district, "{sections: [kept]}")
    with house.database.tenant(district.id) as connection:
        assert house.retain(connection, district).narrowed == ()
        assert grants.standing_of(connection, platform.grant_id).epoch == 2


def test_a_rehearsal_of_the_retention_narrows_nothing(
    house: House, district: District, platform: Registered, two: Two
) -> None:
    world.sign(house, district, terms(house, "{sections: [kept]}"))
    with house.database.tenant(district.id) as connection:
        assert house.retain(connection, district).narrowed == (platform.grant_id,)
        connection.rollback()
    with house.database.tenant(district.id) as connection:
        assert grants.standing_of(connection, platform.grant_id).epoch == 1


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    one=populations, two=populations | st.just(Everybody.ALL), school=st.none() | st.sampled_from("abcd"),
    ids=st.lists(st.sampled_from("abcd"), max_size=2),
)  # fmt: skip
def test_whoever_the_database_finds_in_a_smaller_population_it_finds_in_the_larger(
    bare: psycopg.Connection[tuple[object, ...]], one: Population, two: Whom, school: str | None, ids: list[str]
) -> None:
    def has(whom: Population) -> object:
        found = bare.execute("SELECT population_has(%s, %s, %s)", (json.dumps(whom.plain()), ids, school)).fetchone()
        assert found is not None
        return found[0]

    inside = has(one)
    expected = (one.schools is None or school in one.schools) and (one.sections is None or bool(one.sections & {*ids}))
    assert inside is expected
    if inside and within(one, two):
        assert isinstance(two, Everybody) or has(two)


@pytest.mark.parametrize("unknown", ['{"towns": ["a"]}', '{"schools": ["a"], "towns": ["a"]}', '{"schools": null}'])
def test_a_population_that_the_database_does_not_understand_lets_in_nobody(
    bare: psycopg.Connection[tuple[object, ...]], unknown: str
) -> None:
    assert bare.execute("SELECT population_has(%s, '{a}', 'a')", (unknown,)).fetchone() == (False,)


@pytest.fixture
def bare(house: House, database_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection
