"""Checks that ask something of some providers alone: where one asks nothing, the class says why, or it fails."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import pytest

KIT: Final = "lti_server.testing"
Check = Callable[[Any], None]


def only_where(holds: Callable[[Any], object], missing: str) -> Callable[[Check], Check]:
    """A check that applies where `holds` is true of the contract; `missing` says what is not there otherwise.

    Where it does not apply, `does_not_apply` of the class gives a reason, and it is skipped with that reason. Without
    one it fails, and it fails where it applies and is said not to: nothing passes that asked nothing.
    """

    def on(check: Check) -> Check:
        name = check.__name__.removeprefix("test_")

        @functools.wraps(check)
        def asked(self: Any) -> None:
            reason = self.does_not_apply.get(name, "").strip()
            if holds(self):
                if reason:
                    pytest.fail(f"{name} applies: take it out of `does_not_apply`", pytrace=False)
                check(self)
            elif reason:
                pytest.skip(f"does not apply: {reason}")
            else:
                pytest.fail(f"{name} asks nothing, for {missing}: say why in `does_not_apply`", pytrace=False)

        asked.only_where = missing  # type: ignore[attr-defined]  # by which it is known as one that may be skipped
        return asked

    return on


def checks_of(contract: type) -> list[str]:
    """The names of the kit's own checks that a contract class inherits, whatever the class makes of them."""
    kits = [vars(one) for one in contract.__mro__ if one.__module__.partition(KIT)[:2] == ("", KIT)]
    return sorted({name.removeprefix("test_") for one in kits for name in one if name.startswith("test_")})


def is_the_kits(check: object) -> bool:
    """Whether it is a check of the kit, as it is or waived."""
    return callable(check) and str(getattr(check, "__module__", "")).startswith(KIT)


def may_not_apply(check: object) -> bool:
    return hasattr(check, "only_where")
