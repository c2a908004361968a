"""Which ways in belong to one person: pure rules (design law 6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lti_server.ids import IdentityId


@dataclass(frozen=True, slots=True, kw_only=True)
class WayIn:
    """One identity of a person. `stands`: it leads here at this moment: not ended, and by a grant for signing in."""

    id: IdentityId
    stands: bool


def may_remove(ways: Iterable[WayIn], identity_id: IdentityId) -> bool:
    """Whether a person keeps a way in when this identity goes: another one must stand. Nobody else's goes at all."""
    found = list(ways)
    return any(one.id == identity_id for one in found) and any(one.stands for one in found if one.id != identity_id)
