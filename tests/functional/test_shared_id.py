"""The district's own student number, at the LMS and in a class list: one pupil, and never a staff account."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from lti_server.accounts import store as people
from lti_server.accounts.merging import Way, Why
from lti_server.accounts.model import FieldValue, Kind, Subject
from lti_server.app import House
from lti_server.ids import PersonId
from lti_server.privacy import schedule
from lti_server.privacy.collect import collect
from lti_server.privacy.contracts import in_force
from lti_server.privacy.districts import District
from lti_server.privacy.grants import open_grant
from lti_server.privacy.model import Origin, Policy, Purpose, SubjectKind
from lti_server.privacy.store_gate import leaves
from tests import world
from tests.clock import FakeClock
from tests.functional.test_progress import AGS, attempt, post, token_of
from tests.peers.bare_platform import Platform

LIS = "https://purl.imsglobal.org/spec/lti/claim/lis"
ROLES = "https://purl.imsglobal.org/spec/lti/claim/roles"
TEACHER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"


def rostered(house: House, district: District, number: str, *, kind: Kind = Kind.PUPIL, sub: str = "c") -> PersonId:
    """Somebody of a class list that another system brought, with the district's number."""
    now = house.clock.now()
    with house.database.tenant(district.id) as connection:
        grant = connection.execute(sa.text("SELECT id FROM grants WHERE provider = 'clever'")).scalar_one_or_none()
        grant_id = grant or open_grant(connection, district.id, "clever", now)
        contract_id = in_force(connection, district.zone, now)
        assert contract_id is not None
        policy = house.policies.of(connection, contract_id)
        source = people.Source(grant_id=grant_id, epoch=1, run_id=None, at=now)
        subject = Subject(provider="clever", issuer="https://clever.com", client_id="x", subject=sub)
        known = people.create(connection, district.keys, subject, kind=kind, source=source, keep_subject=True)
        fields = [] if kind is Kind.STAFF else _fields(policy, number)
        people.write_fields(connection, district.keys, known, source, fields, ())
        if kind is Kind.STAFF:
            connection.execute(
                sa.text(
                    "INSERT INTO person_field (district_id, person_id, field, grant_id, fingerprint, lookup, epoch,"
                    " collected_at) VALUES (:district, :person, 'local_id', :grant, '', :lookup, 1, now())"
                ),
                {"district": district.id, "person": known.person_id, "grant": grant_id,
                 "lookup": district.keys.lookup("local_id", number)},
            )  # fmt: skip
    return known.person_id


def _fields(policy: Policy, number: str) -> list[FieldValue]:
    given: dict[str, Any] = {"purpose": Purpose.INSTRUCTION, "origin": Origin.SCHOOL}
    kept = collect(policy, SubjectKind.PUPIL, provider="clever", fields={"sis_id": number}, **given)
    leave = leaves(policy, SubjectKind.PUPIL, kept, **given)["sis_id"]
    assert leave.element == schedule.LOCAL_ID
    return [FieldValue(name="local_id", value=number, leave=leave, findable=True)]


def launched(app: Flask, platform: Platform, house: House, number: str, **more: object) -> Any:
    return world.launch(
        app.test_client(), platform, house, **{"sub": "at-lms", LIS: {"person_sourcedid": number}, **more}
    )


def stand(house: House, district: District) -> dict[PersonId, int]:
    with house.database.tenant(district.id) as connection:
        found = connection.execute(
            sa.text(
                "SELECT p.id, count(i.id) AS ways FROM person p LEFT JOIN identity i ON i.person_id = p.id"
                " WHERE p.merged_into IS NULL GROUP BY p.id"
            )
        )
        return {PersonId(row.id): row.ways for row in found}


def test_a_launch_with_the_number_of_one_rostered_pupil_is_that_pupil(
    app: Flask, platform: Platform, house: House, district: District
) -> None:
    pupil = rostered(house, district, "4711")
    assert launched(app, platform, house, "4711").status_code == 303
    assert stand(house, district) == {pupil: 2}
    assert launched(app, platform, house, "4711").status_code == 303
    assert stand(house, district) == {pupil: 2}


def test_whoever_the_lms_had_made_before_is_absorbed_with_their_work(
    app: Flask, platform: Platform, house: House, district: District, clock: FakeClock
) -> None:
    client = app.test_client()
    token = token_of(client, platform, house, sub="at-lms", **{LIS: {"person_sourcedid": "4711"}}, **AGS)
    assert post(client, token, attempt(house)).status_code == 200
    pupil = rostered(house, district, "4711")
    house.rights.resume(district.id)
    assert len(stand(house, district)) == 2, "nobody is taken out of a lesson"
    clock.pass_s(13 * 3_600)
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE session SET ended_at = now()"))
    house.rights.resume(district.id)
    assert stand(house, district) == {pupil: 2}
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT person_id FROM progress_event")).scalar_one() == pupil
        (row,) = connection.execute(sa.text("SELECT way, made_by, undo_until FROM merge_ledger"))
        assert (row.way, row.made_by) == ("shared_id", "shared-id")
        acts = connection.execute(sa.text("SELECT count(*) FROM log_entry WHERE act = 'person merge'"))
        assert acts.scalar_one() == 2


@pytest.mark.parametrize("teaches", ["in the list", "at the LMS"])
def test_the_shared_id_of_a_staff_account_reaches_nobody(
    app: Flask, platform: Platform, house: House, district: District, teaches: str
) -> None:
    rostered(house, district, "4711", kind=Kind.STAFF if teaches == "in the list" else Kind.PUPIL)
    roles: dict[str, object] = {ROLES: [TEACHER]} if teaches == "at the LMS" else {}
    launched(app, platform, house, "4711", **roles)
    house.rights.resume(district.id)
    assert sorted(stand(house, district).values()) == [1, 1]


def test_a_number_that_two_pupils_have_links_nobody(
    app: Flask, platform: Platform, house: House, district: District
) -> None:
    for sub in ("one", "two"):
        rostered(house, district, "4711", sub=sub)
    launched(app, platform, house, "4711")
    assert sorted(stand(house, district).values()) == [1, 1, 1]


def test_a_platform_without_shared_ids_links_nobody(app: Flask, platform: Platform, house: House) -> None:
    owner = world.district(house)
    world.register(house, owner, platform)
    with house.database.tenant(owner.id) as connection:
        connection.execute(sa.text("UPDATE registration SET shared_id = false"))
    rostered(house, owner, "4711")
    launched(app, platform, house, "4711")
    assert sorted(stand(house, owner).values()) == [1, 1]


def test_two_districts_with_one_number_share_nothing(
    app: Flask, platform: Platform, house: House, district: District
) -> None:
    south = world.district(house, "south")
    rostered(house, south, "4711")
    launched(app, platform, house, "4711")
    assert [sorted(stand(house, one).values()) for one in (district, south)] == [[1], [1]]


def test_whoever_was_told_apart_stays_apart(app: Flask, platform: Platform, house: House, district: District) -> None:
    rostered(house, district, "4711")
    launched(app, platform, house, "4711")
    merge = house.rights.merge
    with house.database.tenant(district.id) as connection:
        (found,) = merge.every(connection)
    merge.undo(district.id, found.id, Why(by="test", way=Way.ADMINISTRATOR, reason="Two pupils, one wrong number."))
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE session SET ended_at = now()"))
    house.rights.resume(district.id)
    launched(app, platform, house, "4711")
    assert sorted(stand(house, district).values()) == [1, 1]


def test_a_blocked_childs_number_links_nobody(app: Flask, platform: Platform, house: House, district: District) -> None:
    pupil = rostered(house, district, "4711")
    house.rights.blocks.of_person(district.id, pupil, by="test")
    assert launched(app, platform, house, "4711").status_code == 303
    assert stand(house, district) == {pupil: 1}
