"""What holds for every test of the repository and of its plugins: under `REQUIRE_ALL=1` a skip is a failure."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

DESCRIPTIONS = "LTI_SERVER_TEST_DESCRIPTIONS"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests in Chromium come last, in whatever order they are: Playwright keeps an event loop in the main thread."""
    items.sort(key=lambda item: "/browser/" in item.path.as_posix())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure that names its reason; an expected failure stays what it is.

    What a vendor's own description says is looked at where somebody has it: it is the vendor's, and no part of this. A
    check of the provider contracts that does not apply has its reason on the class, or it failed by itself.
    """
    report = yield
    left_out = report.skipped and not hasattr(report, "wasxfail") and DESCRIPTIONS not in _reason(report)
    left_out = left_out and not hasattr(getattr(item, "function", None), "only_where")
    if os.environ.get("REQUIRE_ALL") and left_out:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and REQUIRE_ALL allows no skip: {_reason(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself while it is collected."""
    report = yield
    if os.environ.get("REQUIRE_ALL") and report.outcome == "skipped":
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped, and REQUIRE_ALL allows no skip: {_reason(report)}"
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
