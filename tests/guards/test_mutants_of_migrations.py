"""A check that is taken away in a migration is one that the database still has: a later migration may replace it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.benchmarks.mutants_grants import MUTANTS as OF_GRANTS
from tests.benchmarks.mutants_launch import MUTANTS as OF_LAUNCHES
from tests.benchmarks.mutants_launch import Mutant

VERSIONS = Path("lti_server/migrations/versions")
FUNCTION = re.compile(r"FUNCTION (\w+)\(")
IN_MIGRATIONS = [one for one in (*OF_GRANTS, *OF_LAUNCHES) if VERSIONS.as_posix() in one.file]


@pytest.mark.parametrize("mutant", IN_MIGRATIONS, ids=lambda one: one.name)
def test_no_later_migration_writes_the_function_anew(mutant: Mutant) -> None:
    file, text = Path(mutant.file), Path(mutant.file).read_text(encoding="utf-8")
    around = FUNCTION.findall(text[: text.index(mutant.check)])
    later = [one for one in sorted(VERSIONS.glob("*.sql")) if one.name > file.name]
    again = [one.name for one in later if around and f"FUNCTION {around[-1]}(" in one.read_text(encoding="utf-8")]
    assert again == [], f"{around[-1]} is written anew in {again[-1]}: take the check away there"
