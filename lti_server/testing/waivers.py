"""A check that a plugin cannot pass yet: named, with a reason, until a date."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import TypeVar

import pytest

C = TypeVar("C", bound=type)


def waive(check: str, *, reason: str, until: str) -> Callable[[C], C]:
    """On a contract class: the named check may fail through the end of `until` (`2027-01` or `2027-01-15`).

    It shows as an expected failure with its reason. Once the date is over, or the check passes, it fails.

    Raises:
        ValueError: no such check, no reason, or no date.
    """
    end = _end_of(until)
    if not reason.strip():
        raise ValueError("a waiver needs a reason")

    def on(contract: C) -> C:
        name = f"test_{check}"
        original = getattr(contract, name, None)
        if original is None:
            raise ValueError(f"there is no check named {check}")

        @functools.wraps(original)
        def waived(self: object) -> None:
            if datetime.now(UTC).date() >= end:
                pytest.fail(f"the waiver of {check} ended with {until}: {reason}", pytrace=False)
            try:
                original(self)
            except Exception as failure:  # an expected failure, whatever its kind
                pytest.xfail(f"waived until {until}: {reason} ({type(failure).__name__})")
            pytest.fail(f"{check} passes: delete its waiver", pytrace=False)

        waived.waived = reason  # type: ignore[attr-defined]  # for the count at the end
        setattr(contract, name, waived)
        return contract

    return on


def _end_of(until: str) -> date:
    """The first day on which the waiver no longer holds."""
    if re.fullmatch(r"\d{4}-\d{2}", until):
        year, month = int(until[:4]), int(until[5:])
        return date(year + month // 12, month % 12 + 1, 1)
    return date.fromordinal(date.fromisoformat(until).toordinal() + 1)
