"""The journal outside the database: whole lines, in order, with ids and keyed hashes alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from lti_server.errors import ConfigurationError
from lti_server.ids import DistrictId
from lti_server.privacy.journal import MEMBERS, Journal, JournalKind

DISTRICT = DistrictId(UUID(int=1))
ROOT = Path(__file__).resolve().parents[3]
ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \|", re.MULTILINE)
NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
SAID: dict[JournalKind, dict[str, Any]] = {
    JournalKind.ERASURE: {"person": str(UUID(int=2))},
    JournalKind.BLOCK: {"block": str(UUID(int=3)), "provider": "lti", "hashes": ["ab" * 32]},
    JournalKind.UNBLOCK: {"block": str(UUID(int=3))},
    JournalKind.REVOCATION: {"grant": str(UUID(int=4)), "epoch": 2, "uses": ["signin"]},
    JournalKind.NARROWING: {"grant": str(UUID(int=4)), "epoch": 3, "sections": [str(UUID(int=5))]},
    JournalKind.SUSPENSION: {"grant": str(UUID(int=4))},
    JournalKind.RESUMPTION: {"grant": str(UUID(int=4))},
    JournalKind.RESTRICTION: {"person": str(UUID(int=2)), "recipients": "gradebook"},
    JournalKind.UNRESTRICTION: {"person": str(UUID(int=2)), "recipients": "gradebook"},
    JournalKind.CORRECTION: {"person": str(UUID(int=2)), "field": "given_name"},
    JournalKind.UNCORRECTION: {"person": str(UUID(int=2)), "field": "given_name"},
    JournalKind.CONSENT_WITHDRAWAL: {"person": str(UUID(int=2)), "purpose": "evaluation"},
    JournalKind.ANSWER: {"case": str(UUID(int=6))},
    JournalKind.READDRESSING: {"grant": str(UUID(int=4)), "addresses": "cd" * 32},
    JournalKind.CONTRACT: {"contract": str(UUID(int=8)), "version": 2, "policy": "ef" * 32, "begins": "2026-10-01"},
    JournalKind.DESK_CLOSED: {"country": "fr"},
    JournalKind.WAY_ENDED: {"identity": str(UUID(int=9))},
    JournalKind.WAY_HELD: {"identity": str(UUID(int=9))},
    JournalKind.WAY_FREED: {"identity": str(UUID(int=9))},
    JournalKind.AGE_STATEMENT: {"school": "0" * 64},
    JournalKind.DISPOSITION: {
        "disposition": str(UUID(int=7)),
        "grant": "",
        "due": "2026-10-01",
        "days": 60,
        "returned": False,
    },
}


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "data" / "journal.jsonl")


def test_what_was_added_is_read_in_its_order(journal: Journal) -> None:
    for kind, said in SAID.items():
        journal.append(kind, district_id=DISTRICT, at=NOW, **said)
    found = journal.entries()
    assert [(one.kind, dict(one.said)) for one in found] == list(SAID.items())
    assert {(one.district_id, one.at) for one in found} == {(DISTRICT, NOW)}


def test_a_notice_is_of_every_district_and_nothing_else_is(journal: Journal) -> None:
    said = {"acts_on": "2026-10-01", "material": True, "purposes": ["instruction"]}
    journal.append(JournalKind.NOTICE, district_id=None, at=NOW, **said)
    assert [(one.district_id, dict(one.said)) for one in journal.entries()] == [(None, said)]
    journal.append(JournalKind.SUSPENSION, district_id=None, at=NOW, **SAID[JournalKind.SUSPENSION])
    with pytest.raises(ConfigurationError, match="Line 2"):
        journal.entries()


def test_each_kind_has_its_row_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference" / "journal.md").read_text(encoding="utf-8")
    rows = {kind: set(re.findall(r"`(\w+)`", says)) for kind, says in ROW.findall(page)}
    assert rows == {kind.value: set(members) for kind, members in MEMBERS.items()}


def test_a_journal_that_nobody_wrote_is_empty(journal: Journal) -> None:
    assert journal.entries() == []


def test_only_its_owner_can_read_the_file(journal: Journal, tmp_path: Path) -> None:
    journal.append(JournalKind.ERASURE, district_id=DISTRICT, at=NOW, **SAID[JournalKind.ERASURE])
    assert (tmp_path / "data" / "journal.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (JournalKind.ERASURE, {"person": "Ada Lovelace"}),
        (JournalKind.ERASURE, {}),
        (JournalKind.ERASURE, {"person": str(UUID(int=2)), "reason": "asked"}),
        (JournalKind.BLOCK, {"block": str(UUID(int=3)), "provider": "", "hashes": ["ada@example.test"]}),
        (JournalKind.BLOCK, {"block": str(UUID(int=3)), "provider": "Ada Lovelace", "hashes": []}),
        (JournalKind.CORRECTION, {"person": str(UUID(int=2)), "field": "Ada Lovelace"}),
        (JournalKind.RESTRICTION, {"person": str(UUID(int=2)), "recipients": ""}),
        (JournalKind.NOTICE, {"acts_on": "soon", "material": False, "purposes": []}),
        (JournalKind.REVOCATION, {"grant": str(UUID(int=4)), "epoch": True, "uses": []}),
        (JournalKind.REVOCATION, {"grant": str(UUID(int=4)), "epoch": 2, "uses": "signin"}),
    ],
)
def test_nothing_gets_in_but_ids_hashes_words_and_numbers(
    journal: Journal, kind: JournalKind, said: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="members"):
        journal.append(kind, district_id=DISTRICT, at=NOW, **said)
    assert journal.entries() == []


@given(cut=st.integers(1, 60), before=st.integers(0, 3))
@hypothesis(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_line_that_a_crash_has_cut_is_none_and_spoils_no_other(tmp_path: Path, cut: int, before: int) -> None:
    path = tmp_path / "cut.jsonl"
    path.unlink(missing_ok=True)
    journal = Journal(path)
    for number in range(before + 1):
        journal.append(JournalKind.ERASURE, district_id=DISTRICT, at=NOW, person=str(UUID(int=number)))
    path.write_bytes(path.read_bytes()[:-cut])
    assert len(journal.entries()) == before
    journal.append(JournalKind.UNBLOCK, district_id=DISTRICT, at=NOW, block=str(UUID(int=9)))
    assert [one.kind for one in journal.entries()] == [*[JournalKind.ERASURE] * before, JournalKind.UNBLOCK]


@pytest.mark.parametrize("line", ["{}", "no JSON", '{"kind":"erasure"}', "[]", '{"kind":"party"}'])
def test_a_line_that_is_not_of_this_program_stops_a_restore(journal: Journal, tmp_path: Path, line: str) -> None:
    journal.append(JournalKind.ERASURE, district_id=DISTRICT, at=NOW, **SAID[JournalKind.ERASURE])
    with (tmp_path / "data" / "journal.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ConfigurationError, match="Line 2"):
        journal.entries()


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4
from lti_server.privacy.journal import Journal, JournalKind
journal = Journal(Path(sys.argv[1]))
for _ in range(40):
    journal.append(JournalKind.ERASURE, district_id=uuid4(), at=datetime.now(UTC), person=str(uuid4()))
"""


def test_processes_that_write_at_once_leave_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path)]) for _ in range(3)]
    assert [one.wait(timeout=60) for one in writers] == [0, 0, 0]
    assert len(Journal(path).entries()) == 120
    assert all(json.loads(line)["kind"] == "erasure" for line in path.read_text().splitlines())
