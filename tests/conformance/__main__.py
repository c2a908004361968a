"""`make conformance`: the certification cases by their names, each vendor's LMS in turn, and the hostile table.

Prints N of N for each.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).parent
HOSTILE = HERE.parent / "functional" / "test_hostile_launches.py"
TABLE = "hostile"
VENDOR = re.compile(r"\[(?P<inside>.*)\]$")


class Tally:
    """Counts by vendor, and names what failed."""

    def __init__(self, vendors: list[str]) -> None:
        self.vendors = vendors
        self.passed: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and not report.failed:
            return
        found = VENDOR.search(report.nodeid)
        inside = found["inside"] if found else ""
        vendor = TABLE if HOSTILE.name in report.nodeid else self._vendor(inside)
        case = inside.removeprefix(vendor).lstrip("-") or report.nodeid.rpartition("::")[2].partition("[")[0]
        self.asked[vendor] += 1
        self.passed[vendor] += report.passed
        print(f"{'ok  ' if report.passed else 'FAIL'}  {vendor:<12}{case}", flush=True)

    def _vendor(self, inside: str) -> str:
        return next((one for one in self.vendors if inside == one or inside.startswith(f"{one}-")), "?")


def main() -> int:
    from lti_server_demo_lms.profiles import PROFILES

    tally = Tally(sorted(PROFILES, key=len, reverse=True))
    options = ["-o", "addopts=", "-p", "no:randomly", "-p", "no:terminal", *sys.argv[1:]]
    code = pytest.main([*options, str(HERE), str(HOSTILE)], plugins=[tally])
    print()
    for vendor in sorted(tally.asked):
        print(f"{vendor:<12}{tally.passed[vendor]} of {tally.asked[vendor]}")
    print(f"{'all':<12}{sum(tally.passed.values())} of {sum(tally.asked.values())}")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
