"""On which day somebody came last, where nobody but they themselves says who they are.

A school tells a name anew with each launch and each roster, so a name that has gone comes back. Nobody tells that of
whoever has registered themself: of them the days that the notice says count from the last sign-in (`retention`).
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import IdentityId
from lti_server.privacy import own_terms
from lti_server.privacy.districts import District

_SEEN = sa.text("UPDATE identity SET seen_on = :day WHERE id = :id AND seen_on IS DISTINCT FROM :day")


def note(connection: Connection, district: District, identity_id: IdentityId, now: datetime) -> None:
    """Somebody who has registered themself comes in by this identity: a day, and no moment, and the last one alone."""
    if own_terms.is_own(district.slug):
        connection.execute(_SEEN, {"id": identity_id, "day": now.astimezone(district.zone).date()})
