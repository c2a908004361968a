"""Plugins that are wrong in one way each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Breakers(dict[str, list[tuple[type, dict[str, Any]]]]):
    """Check → plugins that fail it alone, each with what its contract class says otherwise."""

    def by(self, check: str, **says: Any) -> Callable[[type], Any]:
        """Name the check that the decorated plugin fails."""

        def register(plugin: type) -> type:
            self.setdefault(check, []).append((plugin, says))
            return plugin

        return register
