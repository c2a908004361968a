"""Narrowing a grant to some sections: a revocation for those outside, and nothing for those inside."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from lti_server.accounts.store import fields_of
from lti_server.app import House
from lti_server.errors import Conflict, GrantRevoked, InvalidInput, NotFound
from lti_server.ids import GrantId, SectionId, new_id
from lti_server.lti.registrations import Registered
from lti_server.privacy import grant_view, population
from lti_server.privacy.districts import District
from lti_server.privacy.reading import of_own_data
from lti_server.roster.model import RunState
from tests.integration.roster.two_classes import Two, course, live, rows, session_in
from tests.peers.member_list import MemberList


def narrow(house: House, district: District, grant_id: GrantId, *keep: SectionId) -> None:
    house.grants.withdraw.narrow(district.id, grant_id, keep, by="test", reason="one class alone")
    assert house.grants.withdraw.finish(district.id, grant_id, patience_s=5)


def test_memberships_and_data_of_those_outside_end_and_nothing_of_those_inside(
    house: House, district: District, platform: Registered, two: Two
) -> None:
    assert live(house, district) == {"kept": 2, "left": 2}
    narrow(house, district, platform.grant_id, two.kept)
    assert live(house, district) == {"kept": 2}
    ended = rows(house, district, "SELECT person_id FROM identity WHERE ended_at IS NOT NULL")
    assert len(ended) == 1, "whoever was outside alone, and nobody else"
    kept = rows(house, district, "SELECT person_id FROM identity WHERE ended_at IS NULL")
    with house.database.tenant(district.id) as connection:
        assert fields_of(connection, district.keys, [ended[0].person_id], of_own_data()) == {}
        assert len(fields_of(connection, district.keys, [row.person_id for row in kept], of_own_data())) == 2
    assert rows(house, district, "SELECT 1 FROM person_field WHERE person_id = :id", id=ended[0].person_id) == []


def test_sessions_outside_end_and_those_inside_go_on(
    house: House, district: District, platform: Registered, two: Two
) -> None:
    inside = session_in(house, district, platform, two.kept)
    outside = session_in(house, district, platform, two.left)
    narrow(house, district, platform.grant_id, two.kept)
    found = {
        row.id: (row.ended_at is None, row.grant_epoch)
        for row in rows(house, district, "SELECT id, ended_at, grant_epoch FROM session")
    }
    assert found[inside] == (True, 2)
    assert found[outside][0] is False


def test_it_takes_the_next_epoch_and_has_a_receipt_and_a_line_in_the_journal(
    house: House, district: District, platform: Registered, two: Two
) -> None:
    narrow(house, district, platform.grant_id, two.kept)
    with house.database.tenant(district.id) as connection:
        view = grant_view.view(connection, platform.grant_id, house.grants.population)
    assert (view.state, view.epoch, view.population, view.sections) == ("active", 2, "sections", (str(two.kept),))
    (receipt,) = view.receipts
    assert receipt.acknowledged_at is not None
    counts = {part.participant: part.did for part in receipt.parts}
    assert counts["roster"]["memberships"] == 2
    (entry,) = house.journal.entries()
    assert entry.said == {"grant": str(platform.grant_id), "epoch": 2, "sections": [str(two.kept)]}


def test_a_page_of_the_former_epoch_is_refused(
    house: House, district: District, platform: Registered, two: Two
) -> None:
    house.grants.withdraw.narrow(district.id, platform.grant_id, [two.kept], by="test", reason="one class")
    with pytest.raises(GrantRevoked), house.grants.fence.holding(district.id, platform.grant_id, 1):
        pytest.fail("a page went out")
    with house.grants.fence.holding(district.id, platform.grant_id, 2):
        assert not house.grants.withdraw.finish(district.id, platform.grant_id, patience_s=0)


def test_the_class_outside_is_not_read_any_more_and_nobody_of_it_comes_back(
    house: House, district: District, platform: Registered, two: Two, peer: MemberList
) -> None:
    narrow(house, district, platform.grant_id, two.kept)
    peer.asked.clear()
    pages = peer.pages_read
    assert house.sync_roster()(district).state is RunState.APPLIED
    assert peer.pages_read == pages + 1
    assert live(house, district) == {"kept": 2}
    for name in ("left", "a new course"):
        with pytest.raises(GrantRevoked):
            course(house, district, platform, peer, name, epoch=2)
    assert course(house, district, platform, peer, "kept", epoch=2) == two.kept


def test_what_another_grant_supports_stays(house: House, district: District, platform: Registered, two: Two) -> None:
    with house.database.tenant(district.id) as connection:
        other = connection.execute(
            sa.text(
                "INSERT INTO grants (id, district_id, provider, state, created_at)"
                " VALUES (:id, :district, 'oneroster', 'active', now()) RETURNING id"
            ),
            {"id": new_id(), "district": district.id},
        ).scalar_one()
        connection.execute(
            sa.text("UPDATE membership SET grant_id = :other WHERE section_id = :left"),
            {"other": other, "left": two.left},
        )
    narrow(house, district, platform.grant_id, two.kept)
    assert live(house, district) == {"kept": 2, "left": 2}


def test_it_narrows_again_and_is_never_wide_again(
    house: House, district: District, platform: Registered, two: Two, database_url: str
) -> None:
    narrow(house, district, platform.grant_id, two.kept, two.left)
    narrow(house, district, platform.grant_id, two.kept)
    with house.database.tenant(district.id) as connection, pytest.raises(InvalidInput):
        population.named(connection, platform.grant_id, sections=[two.left], schools=[])
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("SELECT set_config('session_replication_role', 'replica', false)")
        for statement in (
            "UPDATE grants SET narrowed = false, epoch = epoch + 1",
            "INSERT INTO grant_section SELECT district_id, grant_id, id FROM section WHERE source_id = 'left'",
        ):
            with pytest.raises(psycopg.Error, match="narrow"):
                owner.execute(statement)


def test_an_unknown_section_school_or_grade_is_refused_and_nothing_changes(
    house: House, district: District, platform: Registered, two: Two
) -> None:
    trials: list[dict[str, Any]] = [
        {"sections": [SectionId(new_id())], "schools": []},
        {"sections": [two.kept, SectionId(new_id())], "schools": []},
        {"sections": [], "schools": ["No such school"]},
        {"sections": [two.kept], "schools": [], "grades": ["5"]},
        {"sections": [], "schools": []},
    ]
    for given in trials:
        with house.database.tenant(district.id) as connection, pytest.raises(InvalidInput):
            population.named(connection, platform.grant_id, **given)
    assert live(house, district) == {"kept": 2, "left": 2}


def test_a_school_means_its_sections(house: House, district: District, platform: Registered, two: Two) -> None:
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE section SET school = 'Hill' WHERE id = :id"), {"id": two.kept})
        assert population.named(connection, platform.grant_id, sections=[], schools=["Hill"]) == [two.kept]


def test_what_would_end_is_told_before(house: House, district: District, platform: Registered, two: Two) -> None:
    with house.database.tenant(district.id) as connection:
        found = population.outside(connection, platform.grant_id, [two.kept])
    assert found == {"pupil_memberships": 2, "teacher_memberships": 0, "sections": 1}


def test_a_restored_backup_is_narrowed_again_and_once(
    house: House, district: District, platform: Registered, two: Two
) -> None:
    again = house.grants.again.narrowed
    assert again(district.id, platform.grant_id, 2, [two.kept, SectionId(new_id())])
    assert not again(district.id, platform.grant_id, 2, [two.kept])
    assert live(house, district) == {"kept": 2}


def test_a_revoked_or_unknown_grant_is_not_narrowed(
    house: House, district: District, platform: Registered, two: Two
) -> None:
    with pytest.raises(NotFound):
        house.grants.withdraw.narrow(district.id, GrantId(new_id()), [two.kept], by="test", reason="x")
    house.grants.withdraw.begin(district.id, platform.grant_id, by="test", reason="over")
    with pytest.raises(Conflict):
        house.grants.withdraw.narrow(district.id, platform.grant_id, [two.kept], by="test", reason="x")


def test_the_database_refuses_a_membership_outside_by_whatever_way(
    house: House, district: District, platform: Registered, two: Two
) -> None:
    narrow(house, district, platform.grant_id, two.kept)
    insert = sa.text(
        "INSERT INTO membership (id, district_id, section_id, person_id, role, source, grant_id, epoch, started_at)"
        " SELECT :id, district_id, :section, person_id, 'pupil', 'roster', grant_id, 2, now() FROM membership"
        " WHERE section_id = :left AND NOT EXISTS (SELECT FROM membership m WHERE m.section_id = :section"
        " AND m.person_id = membership.person_id AND m.ended_at IS NULL) LIMIT 1"
    )
    values = {"id": new_id(), "left": two.left}
    with pytest.raises(GrantRevoked), house.database.tenant(district.id) as connection:
        connection.execute(insert, {**values, "section": two.left})
    with house.database.tenant(district.id) as connection:
        assert connection.execute(insert, {**values, "section": two.kept}).rowcount == 1
