from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_server.privacy.log_chain import Entry, Fault, Head, Link, Verdict, genesis, leaf_hash, link_hash, verify

DISTRICT = UUID("6a3c6d52-3d4b-4c58-8e2f-0f6f6e0f7a11")
OTHER = UUID("00000000-3d4b-4c58-8e2f-0f6f6e0f7a11")
AT = datetime(2026, 11, 25, 17, 0, 0, 123456, tzinfo=UTC)
Row = tuple[Link | None, Entry | None]

words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
columns = st.fixed_dictionaries(
    {
        "district": st.just(DISTRICT), "at": st.datetimes(timezones=st.just(UTC)), "actor": words, "act": words,
        "decision": st.sampled_from(["allowed", "refused"]), "purpose": words,
        "object_id": st.none() | st.uuids(), "elements": st.lists(words, max_size=3), "payload": st.binary(max_size=40),
        "population": words, "interest": words,
    }
)  # fmt: skip
logs = st.lists(columns, min_size=1, max_size=8)


def sealed(contents: list[dict[str, object]], district: UUID = DISTRICT) -> list[Row]:
    """A log as the sealer leaves it; numbers of entries do not follow the order of commits."""
    rows: list[Row] = []
    head = genesis(district)
    for position, one in enumerate(contents, start=1):
        entry = Entry(id=position * 7 % 31, columns=one, leaf=leaf_hash(**one))  # type: ignore[arg-type]  # one row, by its names
        head = link_hash(head, district=district, position=position, entry=entry.id, leaf=entry.leaf, sealed_at=AT)
        rows.append((Link(position=position, entry_id=entry.id, sealed_at=AT, hash=head), entry))
    return rows


def verdict(rows: list[Row], *kept: Head) -> Verdict:
    return verify(DISTRICT, rows, kept)


def head_at(rows: list[Row], position: int) -> Head:
    link = rows[position - 1][0]
    assert link is not None
    return Head(sealed=position, hash=link.hash)


@given(logs)
def test_a_log_that_nobody_touched_is_whole_and_holds_against_each_of_its_own_checkpoints(
    contents: list[dict[str, object]],
) -> None:
    rows = sealed(contents)
    found = verdict(rows, *(head_at(rows, number) for number in range(1, len(rows) + 1)))
    assert (found.ok, found.entries, found.unsealed, found.head.sealed) == (True, len(rows), 0, len(rows))


@given(logs, st.data())
def test_a_change_of_any_one_column_of_any_entry_is_found_at_its_place(
    contents: list[dict[str, object]], data: st.DataObject
) -> None:
    rows = sealed(contents)
    at = data.draw(st.integers(0, len(rows) - 1))
    name = data.draw(st.sampled_from([*contents[at], "id", "leaf"]))
    link, entry = rows[at]
    assert entry is not None
    if name == "id":
        changed = dataclasses.replace(entry, id=entry.id + 1)
    elif name == "leaf":
        changed = dataclasses.replace(
            entry, leaf=data.draw(st.binary(max_size=32).filter(lambda one: one != entry.leaf))
        )
    else:
        other = data.draw(columns)[name] if name != "district" else OTHER
        if other == contents[at][name]:
            return
        changed = dataclasses.replace(entry, columns={**entry.columns, name: other})
    found = verdict([*rows[:at], (link, changed), *rows[at + 1 :]])
    assert not found.ok
    assert found.faults[0].position == at + 1


@given(logs, st.data())
def test_a_change_that_computes_its_own_leaf_anew_is_found(
    contents: list[dict[str, object]], data: st.DataObject
) -> None:
    rows = sealed(contents)
    at = data.draw(st.integers(0, len(rows) - 1))
    other = {**contents[at], "actor": str(contents[at]["actor"]) + "!"}
    forged = Entry(id=rows[at][1].id, columns=other, leaf=leaf_hash(**other))  # type: ignore[union-attr,arg-type]  # rows of `sealed` are whole
    found = verdict([*rows[:at], (rows[at][0], forged), *rows[at + 1 :]])
    assert [one.fault for one in found.faults] == [Fault.LINK]
    assert found.faults[0].position == at + 1


@given(logs, st.sampled_from(["position", "entry_id", "sealed_at", "hash"]), st.data())
def test_a_change_of_any_column_of_any_link_is_found(
    contents: list[dict[str, object]], name: str, data: st.DataObject
) -> None:
    rows = sealed(contents)
    at = data.draw(st.integers(0, len(rows) - 1))
    link, entry = rows[at]
    assert link is not None
    other = {
        "position": link.position + 9, "entry_id": link.entry_id + 1, "sealed_at": AT + timedelta(seconds=1),
        "hash": bytes(32),
    }[name]  # fmt: skip
    # The tables are joined by the entry's number: a link of another number has lost its entry.
    left = None if name == "entry_id" else entry
    changed = dataclasses.replace(link, **{name: other})  # type: ignore[arg-type]  # one column, by its name
    assert not verdict([*rows[:at], (changed, left), *rows[at + 1 :]]).ok


@given(logs, st.data())
def test_an_entry_that_was_removed_is_missing(contents: list[dict[str, object]], data: st.DataObject) -> None:
    rows = sealed(contents)
    at = data.draw(st.integers(0, len(rows) - 1))
    found = verdict([*rows[:at], (rows[at][0], None), *rows[at + 1 :]])
    assert [(one.fault, one.position) for one in found.faults] == [(Fault.MISSING, at + 1)]


@given(st.lists(columns, min_size=2, max_size=8), st.data())
def test_an_entry_that_was_removed_with_its_link_leaves_a_gap(
    contents: list[dict[str, object]], data: st.DataObject
) -> None:
    rows = sealed(contents)
    at = data.draw(st.integers(0, len(rows) - 2))
    assert Fault.GAP in [one.fault for one in verdict([*rows[:at], *rows[at + 1 :]]).faults]


@given(st.lists(columns, min_size=2, max_size=8, unique_by=str), st.data())
def test_two_entries_that_changed_places_are_found(contents: list[dict[str, object]], data: st.DataObject) -> None:
    rows = sealed(contents)
    at = data.draw(st.integers(0, len(rows) - 2))
    one, two = rows[at], rows[at + 1]
    swapped = [*rows[:at], (one[0], two[1]), (two[0], one[1]), *rows[at + 2 :]]
    assert not verdict(swapped).ok


@given(logs, columns, st.data())
def test_an_entry_put_in_between_is_found(
    contents: list[dict[str, object]], more: dict[str, object], data: st.DataObject
) -> None:
    rows = sealed(contents)
    at = data.draw(st.integers(0, len(rows) - 1))
    link = rows[at][0]
    assert link is not None
    put = Entry(id=999, columns=more, leaf=leaf_hash(**more))  # type: ignore[arg-type]  # one row, by its names
    later = [
        (dataclasses.replace(old, position=old.position + 1), entry) for old, entry in rows[at:] if old is not None
    ]
    assert not verdict([*rows[:at], (dataclasses.replace(link, entry_id=999), put), *later]).ok


@given(logs, st.data())
def test_a_cut_end_is_found_against_a_checkpoint_and_not_without_one(
    contents: list[dict[str, object]], data: st.DataObject
) -> None:
    rows = sealed(contents)
    left = rows[: data.draw(st.integers(0, len(rows) - 1))]
    found = verdict(left, head_at(rows, len(rows)))
    assert [(one.fault, one.position) for one in found.faults] == [(Fault.CUT, len(left) + 1)]
    assert verdict(left).ok


@given(logs, st.data())
def test_a_chain_that_was_computed_anew_is_found_against_a_checkpoint(
    contents: list[dict[str, object]], data: st.DataObject
) -> None:
    rows = sealed(contents)
    at = data.draw(st.integers(0, len(rows) - 1))
    forged = sealed([*contents[:at], {**contents[at], "act": str(contents[at]["act"]) + "!"}, *contents[at + 1 :]])
    found = verdict(forged, head_at(rows, len(rows)))
    assert [one.fault for one in found.faults] == [Fault.REWRITTEN]
    assert verdict(forged).ok


@given(logs)
def test_another_district_s_log_does_not_pass_for_this_one_s(contents: list[dict[str, object]]) -> None:
    assert not verdict(sealed([{**one, "district": OTHER} for one in contents], OTHER)).ok


@given(logs, columns)
def test_what_is_not_sealed_yet_is_counted_and_held_to_its_leaf(
    contents: list[dict[str, object]], waiting: dict[str, object]
) -> None:
    entry = Entry(id=900, columns=waiting, leaf=leaf_hash(**waiting))  # type: ignore[arg-type]  # one row, by its names
    found = verdict([*sealed(contents), (None, entry)])
    assert (found.ok, found.unsealed, found.entries) == (True, 1, len(contents) + 1)
    touched = dataclasses.replace(entry, leaf=bytes(32))
    assert not verdict([*sealed(contents), (None, touched)]).ok


@pytest.mark.parametrize("first", [Head(sealed=0, hash=bytes(32)), Head(sealed=1, hash=bytes(32))])
def test_two_checkpoints_that_contradict_each_other_are_a_fault(first: Head) -> None:
    rows = sealed([])
    assert not verdict(rows, first, Head(sealed=first.sealed, hash=bytes(range(32)))).ok


def test_an_empty_log_holds_against_its_empty_checkpoint() -> None:
    assert verdict([], Head(sealed=0, hash=genesis(DISTRICT))).ok


def test_an_entry_from_before_population_and_interest_keeps_its_leaf() -> None:
    old = leaf_hash(
        district=DISTRICT, at=AT, actor="cli:op", act="keys list", decision="allowed", purpose="operation",
        object_id=None, elements=[], payload=b"sealed", population="", interest="",
    )  # fmt: skip
    assert old.hex() == "c9da75667cac833bdca18a283b1b1cd1e12e9a45a94739350488c779760d193b"
