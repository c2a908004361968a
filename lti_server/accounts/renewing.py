"""The contract of those who registered themselves follows the notice: a new version acts for them on its day (A-56).

Nobody signs for them, so the notice is what they agreed to. Their terms are for instruction alone, whatever else it
names: a renewed contract is no wider, so that no old data are used anew without consent (A-57). A notice that does not
name instruction can be no contract; then nothing is read (`new_use`), and each round says that somebody must decide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import structlog

from lti_server.accounts.registering import Desk, Registering
from lti_server.errors import LtiServerError
from lti_server.ids import Clock
from lti_server.privacy import own_terms
from lti_server.privacy.own_terms import Notice
from lti_server.privacy.signing import Signing

TASK = "terms.renew"
RENEW_AT = "*/10 * * * *"
BY = "notice"
AHEAD = timedelta(days=60)
"""So long before its last day a contract is made anew: nobody is locked out because a date has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renew:
    """One round over every country's people. It changes nothing where each contract is of the notice that acts."""

    registering: Registering
    signing: Callable[[], Signing]
    clock: Clock

    def __call__(self) -> list[str]:
        """Sign what is due, and say for which countries. What fails for one country is told, and stops no other."""
        notice, renewed = self.registering.notice(), []
        for desk in self.registering.every():
            today = self.clock.now().astimezone(desk.district.zone).date()
            if not due(desk, notice, today):
                continue
            try:
                self.signing().sign(desk.district, own_terms.own_contract(notice, today, desk.providers), by=BY)
            except LtiServerError as error:
                structlog.get_logger("lti_server.accounts").warning(
                    "the notice is not the contract of who registered", country=desk.country, error=error.slug
                )
            else:
                renewed.append(desk.country)
        return renewed


def due(desk: Desk, notice: Notice, today: date) -> bool:
    """Whether a contract is of an older notice than the one that acts, or soon over.

    One that somebody has signed is left alone: `desk.terms` is 0 where the contract in force is of no version of the
    notice, and where there is none. Pure.
    """
    if desk.terms == 0 or desk.valid_to is None or desk.terms > notice.version:
        return False
    return desk.terms < notice.version or desk.valid_to - today <= AHEAD
