"""Plugins that are wrong in one way each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from lti_server.testing.applying import checks_of
from lti_server.testing.behind_the_server import ServerChecks
from lti_server.testing.signing_in import SigningIn

BEHIND_THE_SERVER = tuple(sorted(set(checks_of(ServerChecks)) - set(checks_of(SigningIn))))


class Breakers(dict[str, list[tuple[type, dict[str, Any]]]]):
    """Check → plugins that fail it alone, each with what its contract class says otherwise.

    `also` names what cannot but fail with it.
    """

    def by(self, check: str, **says: Any) -> Callable[[type], Any]:
        """Name the check that the decorated plugin fails."""

        def register(plugin: type) -> type:
            self.setdefault(check, []).append((plugin, says))
            return plugin

        return register


def checks(contract: type) -> list[str]:
    return sorted(name.removeprefix("test_") for name in dir(contract) if name.startswith("test_"))


def failures(contract: type, **says: Any) -> dict[str, BaseException]:
    """Check → what it failed with, over a contract class made from `says`."""
    made = type("Made", (contract,), says)
    failed: dict[str, BaseException] = {}
    for check in checks(made):
        try:
            getattr(made(), f"test_{check}")()
        except pytest.skip.Exception:
            continue
        except (Exception, pytest.fail.Exception) as failure:
            failed[check] = failure
    return failed


def misused(check: str, said: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """What a contract class must not say: a check replaced, one unknown, one that always applies, and no reason."""
    more = dict(said or {})
    return [
        {f"test_{check}": lambda self: None, "does_not_apply": more},
        {"does_not_apply": {**more, "no_such_check": "There is none."}},
        {"does_not_apply": {**more, check: "It is not wanted."}},
        {"does_not_apply": {**more, "revoking_twice_is_fine": " "}},
    ]
