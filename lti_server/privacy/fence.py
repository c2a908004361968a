"""The fence of a grant: held around each page that is read and each send, so that a withdrawal can wait for them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import GrantRevoked
from lti_server.ids import DistrictId, GrantId
from lti_server.privacy.grant_states import WITHDRAWN, Use
from lti_server.providers.transport import HttpTransport

LONGEST_DOUBT_S = 0.8
DOUBT_PAUSE_S = 0.02

_HOLD = sa.text("SELECT grant_hold(:grant, :epoch, :use)")
_LISTEN = sa.text("SELECT pg_try_advisory_xact_lock_shared(grant_key(:grant))")
_STATE = sa.text("SELECT state FROM grants WHERE id = :grant")


class Fence:
    """Lets one page or send go out under a grant that stands, and makes its withdrawal wait until the answer is in.

    It holds no data. Its connections are of a pool of their own: a slow platform takes no request's connection.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def holding(self, district_id: DistrictId, grant_id: GrantId, epoch: int, use: Use | None = None) -> Iterator[None]:
        """State, epoch and use are read inside the fence; until the block ends, no withdrawal is acknowledged.

        Raises:
            GrantRevoked: the grant does not stand at this epoch, or not for this use; nothing was sent.
        """
        gives_up = time.monotonic() + LONGEST_DOUBT_S
        while True:
            with self._database.apart(district_id) as connection:
                held = _held(connection, grant_id, epoch, use)
                if held:
                    yield
                    return
            # Somebody withdraws it, or a part of it, at this moment: which of both is known in a moment.
            if held is not None or time.monotonic() > gives_up:
                raise GrantRevoked("The connection was withdrawn; nothing was sent.")
            time.sleep(DOUBT_PAUSE_S)

    @contextmanager
    def listening(self, district_id: DistrictId, grant_id: GrantId) -> Iterator[None]:
        """As `holding`, for what is asked of a provider to believe its own message: also while the grant is suspended.

        Raises:
            GrantRevoked: the grant is withdrawn; nothing was sent.
        """
        with self._database.apart(district_id) as connection:
            if connection.execute(_LISTEN, {"grant": grant_id}).scalar_one_or_none() is not True:
                raise GrantRevoked("The connection was withdrawn; nothing was sent.")
            # Another statement sees what was committed before the fence was had.
            state = connection.execute(_STATE, {"grant": grant_id}).scalar_one_or_none()
            if state is None or state in WITHDRAWN:
                raise GrantRevoked("The connection was withdrawn; nothing was sent.")
            yield

    def around(
        self, transport: HttpTransport, district_id: DistrictId, grant_id: GrantId, epoch: int, use: Use | None = None
    ) -> HttpTransport:
        """A transport whose every call is made within the fence of this grant."""
        return transport.within(partial(self.holding, district_id, grant_id, epoch, use))


def _held(connection: Connection, grant_id: GrantId, epoch: int, use: Use | None) -> bool | None:
    found = connection.execute(
        _HOLD, {"grant": grant_id, "epoch": epoch, "use": None if use is None else use.value}
    ).scalar_one()
    return None if found is None else bool(found)
