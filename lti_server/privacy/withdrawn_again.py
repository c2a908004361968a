"""What was suspended, narrowed or revoked after a backup, done again to the grants that the backup has brought back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lti_server.db import Database
from lti_server.errors import NotFound
from lti_server.ids import DistrictId, GrantId, SectionId
from lti_server.privacy import grants, population
from lti_server.privacy.grant_states import WITHDRAWN, GrantState, Standing, Use
from lti_server.privacy.revocation import Withdraw

BY, REASON = "restore", "The journal says so."


class WithdrawAgain:
    """Each answers False where the backup does not know the grant, or knows already what the journal tells."""

    def __init__(self, database: Database, withdraw: Withdraw) -> None:
        self._database = database
        self._withdraw = withdraw

    def revoked(
        self, district_id: DistrictId, grant_id: GrantId, epoch: int, uses: frozenset[Use], *, at: datetime
    ) -> bool:
        """Withdraw these uses as of an epoch; the contract's days for what is left count from when it was asked."""
        standing = _standing(self._database, district_id, grant_id)
        left = frozenset[Use]() if standing is None else standing.uses & uses
        if standing is None or standing.epoch >= epoch or not left:
            return False
        with self._database.tenant(district_id) as connection:
            self._withdraw.begin_on(connection, grant_id, by=BY, reason=REASON, uses=left, asked_at=at)
        return self._withdraw.finish(district_id, grant_id)

    def narrowed(self, district_id: DistrictId, grant_id: GrantId, epoch: int, keep: Sequence[SectionId]) -> bool:
        """Let these sections alone be reached; one that the backup does not know reaches nobody."""
        standing = _standing(self._database, district_id, grant_id)
        if standing is None or standing.epoch >= epoch:
            return False
        with self._database.tenant(district_id) as connection:
            known = population.known(connection, grant_id, keep)
        self._withdraw.narrow(district_id, grant_id, known, by=BY, reason=REASON)
        return self._withdraw.finish(district_id, grant_id)

    def suspended(self, district_id: DistrictId, grant_id: GrantId) -> bool:
        """Freeze a grant in force."""
        standing = _standing(self._database, district_id, grant_id)
        if standing is None or standing.state is not GrantState.ACTIVE:
            return False
        self._withdraw.suspend(district_id, grant_id, by=BY, reason=REASON)
        return True

    def resumed(self, district_id: DistrictId, grant_id: GrantId) -> bool:
        """Let a suspended grant go on."""
        standing = _standing(self._database, district_id, grant_id)
        if standing is None or standing.state is not GrantState.SUSPENDED:
            return False
        self._withdraw.resume(district_id, grant_id, by=BY, reason=REASON)
        return True


def _standing(database: Database, district_id: DistrictId, grant_id: GrantId) -> Standing | None:
    """Where a grant stands that is not withdrawn yet."""
    with database.tenant(district_id) as connection:
        try:
            found = grants.standing_of(connection, grant_id)
        except NotFound:
            return None
    return None if found.state in WITHDRAWN else found
