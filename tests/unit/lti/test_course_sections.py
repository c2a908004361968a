"""Which sections a member is in, read off what Canvas writes beside them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_server.lti.course_sections import CUSTOM, division, said_sections, section_name


def row(user_id: str, ids: object, names: object) -> dict[str, Any]:
    return {"user_id": user_id, "message": [{CUSTOM: {"section_ids": ids, "section_names": names}}]}


def test_each_member_is_in_their_sections() -> None:
    found = division([row("a", "1,2", '["One", "Two"]'), row("b", 2, '["Two"]')])
    assert found.names == {"1": "One", "2": "Two"}
    assert found.members == {"a": ("1", "2"), "b": ("2",)}
    assert found.divides


def test_a_member_who_is_listed_twice_is_in_the_sections_of_both_rows() -> None:
    found = division([row("a", "1", '["One"]'), row("a", "2", '["Two"]')])
    assert found.members == {"a": ("1", "2")}


def test_a_course_of_one_section_is_not_divided() -> None:
    assert not division([row("a", "1", '["One"]'), row("b", "1", '["One"]')]).divides


@pytest.mark.parametrize(
    "said", [None, "", "$Canvas.course.sectionIds", "1,,2", "1;2", "a b", "9" * 65, ["1"], {"1": 2}, True, "1\n2"]
)
def test_whose_ids_make_no_sense_is_in_no_section(said: object) -> None:
    found = division([row("a", "1", '["One"]'), row("b", "2", '["Two"]'), row("c", said, '["?"]')])
    assert found.members.keys() == {"a", "b"}


@pytest.mark.parametrize("names", [None, "$x", "not json", "{}", "[1]", '["one too few"]', "[" * 5_000])
def test_sections_without_a_name_for_each_have_none(names: object) -> None:
    assert said_sections({"section_ids": "1,2", "section_names": names}) == {"1": "", "2": ""}


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text()))))
def test_nothing_that_a_platform_writes_breaks_the_reading(custom: dict[str, Any]) -> None:
    assert isinstance(said_sections(custom), dict)


@given(st.lists(st.integers(1, 9_999), min_size=1, max_size=20, unique=True))
def test_what_canvas_writes_is_read_back(ids: list[int]) -> None:
    names = [f"Section {one}, late" for one in ids]
    custom = {"section_ids": ",".join(map(str, ids)), "section_names": json.dumps(names)}
    assert said_sections(custom) == {str(one): name for one, name in zip(ids, names, strict=True)}


def test_a_section_is_called_by_its_course_and_its_own_name() -> None:
    assert section_name("Maths", "Morning", "1") == "Maths: Morning"
    assert section_name("Maths", "Maths", "1") == "Maths"
    assert section_name("Maths", "", "1") == "Maths (1)"
