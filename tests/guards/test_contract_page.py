"""The page about contract files names every key, every word of a closed set and every element, and no other element."""

from __future__ import annotations

import re

import pytest

from lti_server.privacy import schemas
from lti_server.privacy.contract_file import parse
from lti_server.privacy.limits import IN_FILE, LAWS, STATUTES
from lti_server.privacy.model import Family, Origin, Purpose
from lti_server.privacy.schedule import EDUCATOR_ELEMENTS, ELEMENTS, PUPIL_FIELDS
from tests.guards.repository import ROOT

PAGE = (ROOT / "docs" / "reference" / "contract-file.md").read_text(encoding="utf-8")
TABLES = {
    "The whole": schemas.ContractSchema,
    "A provider": schemas.ProviderSchema,
    "An element": schemas.ElementSchema,
    "A limit": schemas.LimitSchema,
    "A report": schemas.ReportSchema,
    "An evaluator": schemas.EvaluatorSchema,
    "A subprocessor": schemas.SubprocessorSchema,
    "An offer": schemas.OfferSchema,
}


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize("title", TABLES)
def test_every_key_has_its_row_and_no_other_has_one(title: str) -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", section(title), re.MULTILINE)) == set(TABLES[title]().fields)


def test_every_element_of_the_schedule_is_listed_and_no_other() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", section("The elements"), re.MULTILINE)
    assert {f"{group}.{name}" for group, names in rows for name in re.findall(r"`(\w+)`", names)} == ELEMENTS


@pytest.mark.parametrize(
    "words",
    [
        Family,
        Purpose,
        Origin,
        EDUCATOR_ELEMENTS,
        sorted(IN_FILE),
        schemas.DIMENSIONS,
        schemas.RECIPIENT_ROLES,
        LAWS,
    ],
    ids=["families", "purposes", "sources", "educators", "limits", "dimensions", "roles", "laws"],
)
def test_every_word_of_a_closed_set_is_named(words: list[str]) -> None:
    assert not [word for word in words if f"`{word}`" not in PAGE]


def test_every_number_of_a_statute_is_shown_beside_its_limit() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| less \| (.*) \|$", section("The strictest number"), re.MULTILINE))
    missing = [one for one in STATUTES if one.law in LAWS and f"`{one.law}` {one.value}" not in rows[one.limit]]
    assert not missing


def test_each_field_is_shown_beside_its_element() -> None:
    for line in section("Which field is which element").splitlines():
        fields, pupil = (re.findall(r"`([\w.]+)`", cell) for cell in ([*line.split("|"), "", "", ""])[1:3])
        assert all(PUPIL_FIELDS.get(name) == (pupil[0] if pupil else None) for name in fields), line


def test_the_example_passes_the_check() -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    assert parse(example[1])
