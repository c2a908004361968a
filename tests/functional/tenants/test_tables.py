"""Every table, walked: a row is one district's, and nothing of one district is in a row of another (law 13)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import UUID

import pytest
import sqlalchemy as sa

from tests.functional.tenants.neighbours import Neighbours, Tenant
from tests.guards.test_schema import QUEUE, WITHOUT_A_TENANT

# What may be the same in two districts' rows: public configuration and what the LMS says of both alike; ids of lessons,
# which are everybody's; words of ours, of which there are few; the same contract signed twice; and an attempt's id,
# which comes from a browser.
MAY_AGREE = {
    "consent": {"given_as", "policy_hash", "purpose"},
    "contract": {"document", "family", "kind", "policy_hash", "signed_by"},
    "course_copy": {"context_id", "origin_context_id"},
    "deep_link_item": {"kind", "lesson_id"},
    "deep_link_request": {"locale"},
    "disposition": {"did", "state"},
    "district": {"country", "locale", "timezone"},
    "correction": {"field"},
    "disclosure_restriction": {"recipients"},
    "erasure_receipt": {"did", "participant"},
    "grade_column": {"label"},
    "grade_delivery": {"state"},
    "contract_population": {"provider"},
    "grants": {"provider", "state", "uses"},
    "identity": {"client_id", "issuer", "provider"},
    "invitation": {"role"},
    "log_entry": {"act", "decision", "elements", "interest", "population", "purpose"},
    "mail_message": {"state"},
    "membership": {"role", "source"},
    "link_intent": {"provider"},
    "merge_ledger": {"way"},
    "notice": {"notice_id", "notice_type", "said"},
    "provider_connection": {"provider"},
    "notice_handler": {"handler", "notice_types", "state"},
    "person": {"kind"},
    "person_age": {"source"},
    "confidence_promise": {"locale", "role", "text_hash"},
    "email_code": {"way"},
    "tenant_claim": {"provider"},
    "age_statement": {"years"},
    "own_request": {"wish"},
    "person_field": {"field"},
    "platform_keys": {"jwks"},
    "progress_event": {"attempt_id", "lesson_id"},
    "progress_summary": {"lesson_id"},
    "provider_signal": {"provider"},
    "registration": {"auth_login_url", "auth_token_url", "client_id", "issuer", "jwks_url", "product_family"},
    "resource_link": {"ags_scopes", "lesson_id", "resource_link_id", "title"},
    "revocation": {"uses"},
    "revocation_receipt": {"did", "participant"},
    "roster_run": {"counts", "provider", "refused_fields", "state"},
    "section": {"division", "name", "provider", "source_id"},
    "service_token": {"scopes"},
    "session": {"lesson_id", "locale", "role"},
    "signal_receipt": {"kind", "outcome", "provider"},
    "staff_access": {"reason"},
    "upstream_revocation": {"provider", "state"},
}


def tables(owner: sa.Connection) -> dict[str, list[str]]:
    """Tables that belong to tenants, with their columns."""
    rows = owner.execute(
        sa.text(
            "SELECT table_name, column_name FROM information_schema.columns c"
            " JOIN information_schema.tables t USING (table_schema, table_name)"
            " WHERE table_schema = current_schema() AND t.table_type = 'BASE TABLE'"
            " ORDER BY table_name, ordinal_position"
        )
    )
    found: dict[str, list[str]] = {}
    for table, column in rows:
        if table not in WITHOUT_A_TENANT and not QUEUE.match(table):
            found.setdefault(table, []).append(column)
    return found


@pytest.fixture
def owner(here: Neighbours) -> Iterator[sa.Connection]:
    """As the schema's owner, before whom no wall stands."""
    engine = sa.create_engine(
        here.house.database.url.replace("postgresql://", "postgresql+psycopg://"), poolclass=sa.NullPool
    )
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def rows_of(owner: sa.Connection, table: str, tenant: Tenant) -> list[dict[str, object]]:
    key = "id" if table == "district" else "district_id"
    statement = sa.text(f"SELECT * FROM {table} AS t WHERE {key} = :id ORDER BY t::text")
    found = owner.execute(statement, {"id": tenant.district.id})
    return [dict(row._mapping) for row in found]


def values(owner: sa.Connection, tenant: Tenant) -> dict[object, set[str]]:
    """Every id, key, hash, ciphertext and text in the rows of one district, and the columns that it is in."""
    found: dict[object, set[str]] = {}
    for table in tables(owner):
        for row in rows_of(owner, table, tenant):
            for column, value in row.items():
                for one in _atoms(value):
                    found.setdefault(one, set()).add(f"{table}.{column}")
    return found


def _atoms(value: object) -> Iterator[object]:
    if isinstance(value, bool | int | float) or value is None:
        return
    if isinstance(value, UUID | bytes | str):
        if value not in ("", b""):
            yield value
    elif isinstance(value, memoryview):
        yield bytes(value)
    elif isinstance(value, list | tuple | set):
        for one in value:
            yield from _atoms(one)
    elif isinstance(value, dict):
        yield json.dumps(value, sort_keys=True)


def test_every_tenant_s_table_has_rows_of_both(here: Neighbours, owner: sa.Connection) -> None:
    """Else the other tests here would say nothing of it."""
    bare = {table for table in tables(owner) for tenant in here.tenants if not rows_of(owner, table, tenant)}
    assert bare == set()


def test_every_row_belongs_to_one_district(here: Neighbours, owner: sa.Connection) -> None:
    for table in tables(owner):
        total = owner.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()
        assert sum(len(rows_of(owner, table, one)) for one in here.tenants) == total, table


def test_no_row_points_at_a_row_of_another_district(owner: sa.Connection) -> None:
    inspector, seen, crossing = sa.inspect(owner), 0, []
    mine = tables(owner)
    for table, columns in mine.items():
        for key in inspector.get_foreign_keys(table):
            parent = key["referred_table"]
            if parent in ("district", table) or "district_id" not in columns or parent not in mine:
                continue
            join = " AND ".join(
                f"c.{own} = p.{theirs}"
                for own, theirs in zip(key["constrained_columns"], key["referred_columns"], strict=True)
            )
            query = (
                "SELECT count(*), count(*) FILTER (WHERE c.district_id <> p.district_id)"
                f" FROM {table} c JOIN {parent} p ON {join}"
            )
            rows, wrong = owner.execute(sa.text(query)).one()
            seen += rows
            crossing += [(table, parent)] * wrong
    assert seen > 0
    assert crossing == []


def test_no_id_key_hash_ciphertext_or_text_of_one_is_in_a_row_of_the_other(
    here: Neighbours, owner: sa.Connection
) -> None:
    north, south = (values(owner, one) for one in here.tenants)
    assert any(isinstance(one, bytes) for one in north)
    agreeing = {place for value in north.keys() & south.keys() for place in north[value] | south[value]}
    assert agreeing - {f"{table}.{column}" for table, columns in MAY_AGREE.items() for column in columns} == set()


def test_a_district_sees_all_of_its_own_rows_and_none_of_the_other_s(here: Neighbours, owner: sa.Connection) -> None:
    for mine, other in (here.tenants, here.tenants[::-1]):
        with here.house.database.tenant(mine.district.id) as connection:
            for table in tables(owner):
                seen = connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()
                assert seen == len(rows_of(owner, table, mine)), table
                assert rows_of(connection, table, other) == [], table


def test_jobs_name_one_district_and_nothing_of_the_other(here: Neighbours, owner: sa.Connection) -> None:
    jobs = [str(row[0]) for row in owner.execute(sa.text("SELECT args::text FROM procrastinate_jobs"))]
    ids = [{str(one) for one in values(owner, tenant) if isinstance(one, UUID)} for tenant in here.tenants]
    mixed = [job for job in jobs if all(any(one in job for one in mine) for mine in ids)]
    assert len(jobs) >= 4
    assert mixed == []


def test_a_key_of_the_directory_opens_one_district_but_for_what_they_share(
    here: Neighbours, owner: sa.Connection
) -> None:
    rows = owner.execute(
        sa.text("SELECT kind FROM directory GROUP BY kind, key_hash HAVING count(DISTINCT district_id) > 1")
    ).scalars()
    shared = {"issuer"} | ({"client"} if here.tenants[0].client_id == here.tenants[1].client_id else set())
    assert set(rows) == shared
