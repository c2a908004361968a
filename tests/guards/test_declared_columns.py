"""Every column of every table is declared by the feature that owns it: what is about whom, and how it is found."""

from __future__ import annotations

import sqlalchemy as sa

from lti_server.privacy.holdings import undeclared
from lti_server.rights_parts import HOLDERS

TABLES = [table for holder in HOLDERS for table in holder.tables]
# Declare a new column in `personal_data.py` of the feature that owns its table.


def test_every_column_of_the_database_is_declared_and_no_other(owner: sa.Connection) -> None:
    assert undeclared(owner, TABLES) == []


def test_a_column_that_nobody_declares_is_found(owner: sa.Connection) -> None:
    owner.execute(sa.text("ALTER TABLE person ADD COLUMN shoe_size text"))
    assert undeclared(owner, TABLES) == ["person.shoe_size"]


def test_a_table_that_nobody_declares_is_found(owner: sa.Connection) -> None:
    owner.execute(sa.text("CREATE TABLE diary (person_id uuid, entry text)"))
    assert undeclared(owner, TABLES) == ["diary.entry", "diary.person_id"]


def test_a_declared_column_that_is_gone_is_found(owner: sa.Connection) -> None:
    owner.execute(sa.text("ALTER TABLE progress_event DROP COLUMN duration_s"))
    assert undeclared(owner, TABLES) == ["progress_event.duration_s"]


def test_a_table_is_declared_once(owner: sa.Connection) -> None:
    assert undeclared(owner, [*TABLES, TABLES[0]]) == [f"{TABLES[0].name} (twice)"]


def pointing(owner: sa.Connection) -> set[tuple[str, str]]:
    """Columns that join a row to a person, and are not declared as about that person; so nothing would erase them."""
    found = owner.execute(
        sa.text(
            "SELECT c.conrelid::regclass::text, a.attname FROM pg_constraint c JOIN pg_attribute a"
            " ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)"
            " WHERE c.contype = 'f' AND c.confrelid IN ('person'::regclass, 'identity'::regclass)"
        )
    ).all()
    about = {(table.name, column) for table in TABLES for column in table.personal}
    assert found
    return {(row[0], row[1]) for row in found} - about


def test_whatever_points_at_a_person_is_declared_as_about_that_person(owner: sa.Connection) -> None:
    assert pointing(owner) == set()


def test_data_from_elsewhere_that_is_joined_to_a_person_is_found_until_it_is_declared_as_that_persons(
    owner: sa.Connection,
) -> None:
    owner.execute(sa.text("CREATE TABLE enrichment (person_id uuid REFERENCES person, income text)"))
    assert undeclared(owner, TABLES) == ["enrichment.income", "enrichment.person_id"]
    assert pointing(owner) == {("enrichment", "person_id")}


def test_every_declaration_says_why_or_names_its_element() -> None:
    silent = [
        f"{table.name}.{name}"
        for table in TABLES
        for name, column in table.columns.items()
        if not (column.why or column.element)
    ]
    assert not silent
