"""What stands at the end of a run: how many checks each contract class keeps, and which it leaves out, and why."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

import pytest

from lti_server.testing.applying import checks_of

NAME: Final = "lti-server provider contracts"


@dataclass
class Outcomes:
    """What became of the checks of one contract class, by the name of the check."""

    title: str
    checks: list[str]
    kept: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    waived: dict[str, str] = field(default_factory=dict)
    not_applying: dict[str, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """`oidc: 41 of 41 checks kept, 2 do not apply`, and each reason with the checks that it is given for."""
        applying = [one for one in self.checks if one not in self.not_applying]
        run = self.kept | self.failed | self.waived.keys()
        counts = {
            "do not apply" if len(self.not_applying) > 1 else "does not apply": len(self.not_applying),
            "waived": len(self.waived),
            "failed": len(self.failed),
            "not run": len(set(applying) - run),
        }
        told = "".join(f", {count} {word}" for word, count in counts.items() if count)
        return [f"{self.title}: {len(self.kept)} of {len(applying)} checks kept{told}", *self._reasons()]

    def _reasons(self) -> list[str]:
        by_reason: dict[str, list[str]] = defaultdict(list)
        for name, reason in sorted([*self.not_applying.items(), *self.waived.items()]):
            by_reason[reason].append(name)
        return [f"  {', '.join(names)}: {reason}" for reason, names in by_reason.items()]


class Summary:
    """Hears of every check of the contract classes that it was told of."""

    def __init__(self) -> None:
        self._classes: list[Outcomes] = []
        self._of: dict[str, tuple[Outcomes, str]] = {}

    def follow(self, contract: type, title: str, items: list[pytest.Item]) -> None:
        outcomes = Outcomes(f"{title} ({contract.__module__}.{contract.__qualname__})", checks_of(contract))
        self._classes.append(outcomes)
        names = {item.nodeid: item.name.removeprefix("test_") for item in items}
        self._of |= {nodeid: (outcomes, name) for nodeid, name in names.items() if name in outcomes.checks}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcomes, name = self._of.get(report.nodeid, (None, ""))
        if outcomes is None:
            return
        if report.failed:
            outcomes.kept.discard(name)
            outcomes.failed.add(name)
        elif report.skipped and hasattr(report, "wasxfail"):
            outcomes.waived[name] = report.wasxfail.removeprefix("reason: ")
        elif report.skipped:
            outcomes.not_applying[name] = _reason(report)
        elif report.when == "call":
            outcomes.kept.add(name)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("provider contracts")
        for outcomes in sorted(self._classes, key=lambda one: one.title):
            for line in outcomes.lines():
                terminalreporter.write_line(line)


def _reason(report: pytest.TestReport) -> str:
    told = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    return told.removeprefix("Skipped: ").removeprefix("does not apply: ")


def summary_of(config: pytest.Config) -> Summary:
    """The one of this run."""
    found = config.pluginmanager.get_plugin(NAME)
    if not isinstance(found, Summary):
        found = Summary()
        config.pluginmanager.register(found, NAME)
    return found
