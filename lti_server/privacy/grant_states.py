"""The states of a grant and the moves between them: a pure rule, held by the database too (0005_grants.sql)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from lti_server.errors import Conflict


class GrantState(StrEnum):
    """Where a grant stands. Only an active one lets anything be read, sent or opened."""

    DRAFT = "draft"
    AWAITING_CONTRACT = "awaiting_contract"
    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    REVOKING = "revoking"
    REVOKED = "revoked"
    DISPOSING = "disposing"
    DISPOSAL_ERROR = "disposal_error"
    DISPOSED = "disposed"


class Use(StrEnum):
    """What a grant is used for; each can be withdrawn by itself."""

    SIGN_IN = "signin"
    ROSTER = "roster"


_S = GrantState
MOVES: Mapping[GrantState, frozenset[GrantState]] = MappingProxyType(
    {
        _S.DRAFT: frozenset({_S.AWAITING_CONTRACT, _S.PENDING, _S.ACTIVE, _S.REVOKING}),
        _S.AWAITING_CONTRACT: frozenset({_S.PENDING, _S.ACTIVE, _S.REVOKING}),
        _S.PENDING: frozenset({_S.ACTIVE, _S.REVOKING}),
        _S.ACTIVE: frozenset({_S.PENDING, _S.SUSPENDED, _S.EXPIRED, _S.REVOKING}),
        # A resumed grant goes on where it stood: suspending is a freeze (law 5).
        _S.SUSPENDED: frozenset({_S.ACTIVE, _S.EXPIRED, _S.REVOKING}),
        _S.EXPIRED: frozenset({_S.REVOKING}),
        _S.REVOKING: frozenset({_S.REVOKED}),
        _S.REVOKED: frozenset({_S.DISPOSING}),
        _S.DISPOSING: frozenset({_S.DISPOSED, _S.DISPOSAL_ERROR}),
        _S.DISPOSAL_ERROR: frozenset({_S.DISPOSING}),
        _S.DISPOSED: frozenset(),
    }
)
WITHDRAWN = frozenset({_S.REVOKING, _S.REVOKED, _S.DISPOSING, _S.DISPOSAL_ERROR, _S.DISPOSED})
"""From here no way leads back: who wants the connection again makes a new grant (law 4)."""

_WORDS: Mapping[GrantState, str] = MappingProxyType(
    {
        _S.DRAFT: "not finished",
        _S.AWAITING_CONTRACT: "waiting for a contract",
        _S.PENDING: "waiting for approval",
        _S.ACTIVE: "in force",
        _S.SUSPENDED: "suspended",
        _S.EXPIRED: "expired",
        _S.REVOKING: "being revoked",
        _S.REVOKED: "revoked",
        _S.DISPOSING: "revoked, its data being disposed of",
        _S.DISPOSAL_ERROR: "revoked, its data not yet disposed of",
        _S.DISPOSED: "revoked, its data disposed of",
    }
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A grant's state, epoch and uses at one moment. What carries another epoch is refused."""

    state: GrantState
    epoch: int
    uses: frozenset[Use] = frozenset(Use)

    def moved(self, to: GrantState) -> Standing:
        """The standing after one move; the way into `revoking` takes the next epoch.

        Raises:
            Conflict: no such move leads from here.
        """
        if to not in MOVES[self.state]:
            raise Conflict(f"This connection is {_WORDS[self.state]}, so it cannot become {_WORDS[to]}.{_next(self)}")
        return replace(self, state=to, epoch=self.epoch + (to is GrantState.REVOKING))

    def withdrawn(self, uses: frozenset[Use]) -> Standing:
        """Phase 1: without these uses. The last use ends the grant; otherwise it stands on at the next epoch.

        Raises:
            Conflict: nothing of it is there to be withdrawn.
        """
        left = self.uses - uses
        if not left:
            return replace(self.moved(GrantState.REVOKING), uses=frozenset())
        if left == self.uses:
            raise Conflict("This connection is not used for that (any more); nothing was withdrawn.")
        self.moved(GrantState.REVOKING)
        return replace(self, epoch=self.epoch + 1, uses=left)

    def stands(self, epoch: int) -> bool:
        """Whether what carries this epoch may be read, sent or written."""
        return self.state is GrantState.ACTIVE and self.epoch == epoch


def _next(standing: Standing) -> str:
    return " Connect it anew: that makes a new grant." if standing.state in WITHDRAWN else ""
