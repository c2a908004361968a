"""One run of a sync: under what everything in it is done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lti_server.accounts.store import Source
from lti_server.ids import GrantId, RunId
from lti_server.privacy.districts import District


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Under what this is done. `writes` is false for a dry run: all is planned, and nothing changed."""

    id: RunId
    district: District
    grant_id: GrantId
    epoch: int
    at: datetime
    writes: bool

    @property
    def source(self) -> Source:
        return Source(grant_id=self.grant_id, epoch=self.epoch, run_id=self.id, at=self.at)
