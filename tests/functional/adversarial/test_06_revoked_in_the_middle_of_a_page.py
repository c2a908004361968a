"""Adversarial test 6: revoke in the middle of a page; then a crash, a retry, a replay of dead letters, and a restore.

No row, token or key may come back by any of these ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from lti_server.app import House, build_house
from lti_server.db import database_name
from lti_server.ids import GrantId
from lti_server.privacy.grant_states import Use
from lti_server.privacy.journal import JournalKind
from tests.benchmarks.revocation.__main__ import place_on
from tests.benchmarks.revocation.histories import Place
from tests.benchmarks.revocation.workers import Act, Ids, Point, settings_of
from tests.conftest import fresh_database

PAGE_ANSWERED = 1
"""The token is there already, so that the first answer of another read is the page."""


@pytest.fixture
def place(database_url: str) -> Iterator[Place]:
    with place_on(database_url, 1) as found:
        yield found


def revoked_in_the_middle(place: Place) -> Ids:
    """A reader that has a page in its hands and has kept nothing of it; the grant is in its first phase."""
    ids = place.connection(1)
    assert place.workers[0].begin(Act.SYNC, ids, Point.ANSWERED, PAGE_ANSWERED) is None
    place.revoke(ids)
    return ids


def count(house: House, ids: Ids, table: str, where: str) -> int:
    statement = sa.text(f"SELECT count(*) FROM {table} WHERE {where}")
    with house.database.tenant(ids.district) as connection:
        return int(connection.execute(statement, {"grant": ids.grant}).scalar_one())


def live(house: House, ids: Ids) -> dict[str, int]:
    """What still works by the grant: nothing may, once it is revoked."""
    mine = "registration_id IN (SELECT id FROM registration WHERE grant_id = :grant)"
    return {
        "memberships": count(house, ids, "membership", "grant_id = :grant AND ended_at IS NULL"),
        "identities": count(house, ids, "identity", "grant_id = :grant AND ended_at IS NULL"),
        "sessions": count(house, ids, "session", "grant_id = :grant AND ended_at IS NULL"),
        "tokens": count(house, ids, "service_token", mine),
        "keys": count(house, ids, "platform_keys", f"jsonb_array_length(jwks -> 'keys') > 0 AND {mine}"),
        "scores": count(house, ids, "grade_delivery", "grant_id = :grant AND state = 'queued'"),
        "grants": count(house, ids, "grants", "id = :grant AND state NOT IN ('revoking', 'revoked')"),
    }


NOTHING = dict.fromkeys(("memberships", "identities", "sessions", "tokens", "keys", "scores", "grants"), 0)


@pytest.mark.timeout(300)
def test_a_reader_that_dies_with_a_page_in_its_hands_and_is_retried_brings_nothing_back(place: Place) -> None:
    ids, worker = revoked_in_the_middle(place), place.workers[0]
    worker.kill()
    assert place.finish(ids, 30)
    sent, stood = place.provider.of(ids.client), place.derived(ids)
    for act in (Act.SYNC, Act.TOKEN, Act.SCORE, Act.SESSION):
        worker.begin(act, ids, None)
    assert place.provider.of(ids.client) == sent
    assert place.derived(ids) == stood
    assert live(place.house, ids) == NOTHING


@pytest.mark.timeout(300)
def test_a_reader_that_goes_on_with_its_page_keeps_nothing_of_it(place: Place) -> None:
    ids, worker = revoked_in_the_middle(place), place.workers[0]
    assert not place.finish(ids, 0.2)
    ended = worker.go_on()
    assert ended.startswith("refused") or ended == "failed"
    assert place.finish(ids, 30)
    assert live(place.house, ids) == NOTHING


@pytest.mark.timeout(300)
def test_dead_letters_that_somebody_replays_do_nothing(place: Place) -> None:
    """Every job that the grant ever had, failed, cancelled or done, is run once more by hand."""
    ids = revoked_in_the_middle(place)
    place.workers[0].kill()
    assert place.finish(ids, 30)
    sent, stood = place.provider.of(ids.client), place.derived(ids)
    letters: list[tuple[str, dict[str, Any]]] = [
        ("grades.deliver", {"district_id": str(ids.district), "delivery_id": str(ids.delivery)}),
        ("roster.sync_section", {"district_id": str(ids.district), "section_id": str(ids.section)}),
        ("grants.finish", {"district_id": str(ids.district), "grant_id": str(ids.grant)}),
    ]
    with place.house.database.anyone() as connection:
        rows = connection.execute(sa.text("SELECT task_name, args FROM procrastinate_jobs")).all()
        letters += [(row.task_name, row.args) for row in rows if str(ids.district) in str(row.args)]
    handlers = place.house.handlers()
    for task, arguments in letters:
        handlers[task](**arguments)
    assert place.provider.of(ids.client) == sent
    assert place.derived(ids) == stood
    assert live(place.house, ids) == NOTHING


@pytest.mark.timeout(300)
def test_last_nights_backup_brings_nothing_back_once_the_journal_is_replayed(
    place: Place, database_url: str, template: tuple[str, str], server_url: str
) -> None:
    ids = place.connection(1)
    place.workers[0].kill()  # nobody may be at the database while it is copied
    place.house.database.dispose()
    with fresh_database((database_name(database_url), template[1]), server_url) as backup:
        place.revoke(ids)
        assert place.finish(ids, 30)
        host = place.provider.address.removeprefix("http://")
        restored = build_house(settings_of(backup, host, place.house.settings.data_dir), backup)
        try:
            assert live(restored, ids)["memberships"] == 2, "the backup is none of the time before"
            for entry in restored.journal.entries():
                if entry.kind is JournalKind.REVOCATION:
                    assert entry.district_id is not None
                    restored.grants.again.revoked(
                        entry.district_id, GrantId(UUID(entry.said["grant"])), entry.said["epoch"],
                        frozenset(map(Use, entry.said["uses"])), at=entry.at,
                    )  # fmt: skip
            sent = place.provider.of(ids.client)
            with pytest.raises(Exception, match="no LMS in force"):
                restored.sync_roster()(place.district, section_id=ids.section)
            restored.handlers()["grades.deliver"](str(ids.district), str(ids.delivery))
            assert place.provider.of(ids.client) == sent
            assert live(restored, ids) == NOTHING
        finally:
            restored.database.dispose()


def test_a_new_connection_to_the_same_lms_is_another_grant(place: Place) -> None:
    first = place.connection(1)
    place.revoke(first)
    assert place.finish(first, 30)
    second = place.connection(1)
    assert second.grant != first.grant
    assert live(place.house, first) == NOTHING
