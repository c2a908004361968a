"""A plugin that does something else about one kind of fault than the interface says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Translating:
    """`fault` becomes `instead`."""

    fault: type[Exception] = Exception
    instead: Exception

    def translated(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except self.fault:
            raise self.instead from None
