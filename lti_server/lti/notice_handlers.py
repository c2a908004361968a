"""Asking a platform for its notices: one handler a deployment, kept in step with addresses and keys (PNS 1.0)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database, Door, enter_by
from lti_server.errors import GrantRevoked
from lti_server.ids import Clock, DistrictId, GrantId, RegistrationId
from lti_server.lti.keys import ToolKeys
from lti_server.lti.notice_claims import SCOPE, NoticeService
from lti_server.lti.notices import MOST_NOTICES
from lti_server.lti.store import NoticesAsked, Standing
from lti_server.lti.tokens import Service, ServiceTokens, ToPlatform, service_of
from lti_server.privacy.districts import District
from lti_server.privacy.doors import DoorKeys
from lti_server.providers.errors import BrokeContract, ProviderFault, RateLimited, RejectedCredentials, Unavailable
from lti_server.providers.wire import Authorization, Response, host_of
from lti_server.tasks import Queue
from lti_server.web.languages import N_

TASK = "notices.register"
AGAIN_AFTER = timedelta(days=1)

REFUSES = N_("The LMS does not let this tool ask for notices; allow its notice scope in the LMS.")
REFUSED = N_("The LMS did not take the address for notices; look for an update of the LMS.")
SILENT = N_("The LMS did not answer when it was asked for notices; it is asked again by itself.")
WRONG = N_("The LMS answered in a way that its notification service must not; look for an update of the LMS.")

_WANT = sa.text(
    """
INSERT INTO notice_handler (deployment_row_id, district_id, service_url, notice_types, handler, state)
VALUES (:deployment, :district, :url, :types, :handler, 'wanted')
ON CONFLICT (deployment_row_id) DO UPDATE SET service_url = excluded.service_url, notice_types = excluded.notice_types,
  handler = excluded.handler, state = 'wanted', reason = NULL
"""
)
_ROW = sa.text(
    """
SELECT h.*, r.grant_id, r.auth_token_url FROM notice_handler h
JOIN deployment d ON d.id = h.deployment_row_id JOIN registration r ON r.id = d.registration_id
WHERE h.deployment_row_id = :deployment AND r.removed_at IS NULL
"""
)
_ROWS = sa.text(
    """
SELECT h.*, r.grant_id, r.auth_token_url FROM notice_handler h JOIN deployment d ON d.id = h.deployment_row_id
JOIN registration r ON r.id = d.registration_id AND r.removed_at IS NULL
JOIN grants g ON g.id = r.grant_id AND g.state = 'active'
WHERE CAST(:registration AS uuid) IS NULL OR r.id = :registration
"""
)
_SETTLE = sa.text(
    """
UPDATE notice_handler SET state = :state, reason = :reason, asked_as = :asked_as, settled_at = :now
WHERE deployment_row_id = :deployment AND service_url = :url AND handler = :handler
"""
)


class _Refused(Exception):
    """The platform will not do it until somebody mends something: the sentence says what."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoticeHandlers:
    """Says where notices are to go, and takes that back."""

    def __init__(
        self,
        *,
        database: Database,
        doors: DoorKeys,
        transport: ToPlatform,
        tokens: Callable[[], ServiceTokens],
        tool_keys: ToolKeys,
        queue: Queue,
        district: Callable[[Connection], District],
        handler: str,
        clock: Clock,
    ) -> None:
        self._database = database
        self._doors = doors
        self._transport = transport
        self._tokens = tokens
        self._tool_keys = tool_keys
        self._queue = queue
        self._district = district
        self._handler = handler
        self._clock = clock

    def after_launch(
        self, connection: Connection, standing: Standing, service: NoticeService | None, asked: NoticesAsked | None
    ) -> None:
        """Ask where this launch's signed claim offers notices, and other ones or elsewhere than were asked for."""
        if service is None:
            return
        if asked == NoticesAsked(service.url, service.notice_types, self._handler):
            return
        values = {
            "deployment": standing.deployment_row_id, "district": standing.district_id, "url": service.url,
            "types": list(service.notice_types), "handler": self._handler,
        }  # fmt: skip
        connection.execute(_WANT, values)
        self._defer(connection, standing.district_id, standing.deployment_row_id)

    def resume(self, connection: Connection, district_id: DistrictId | None) -> None:
        """Ask again where a key or an address is another now, and once a day where an LMS refused."""
        rows = connection.execute(_ROWS, {"registration": None}).all() if district_id is not None else ()
        if district_id is None or not rows:
            return
        kid, again = self._tool_keys.current().kid, self._clock.now() - AGAIN_AFTER
        for row in rows:
            changed = (row.asked_as, row.handler) != (_asked_as(kid, row), self._handler)
            due = changed if row.state == "registered" else row.settled_at is None or row.settled_at <= again
            if due or row.state == "wanted":
                if row.handler != self._handler:
                    update = sa.text("UPDATE notice_handler SET handler = :handler WHERE deployment_row_id = :id")
                    connection.execute(update, {"handler": self._handler, "id": row.deployment_row_id})
                self._defer(connection, district_id, row.deployment_row_id)

    def _defer(self, connection: Connection, district_id: DistrictId, deployment_row_id: UUID) -> None:
        key = f"{TASK}:{deployment_row_id}"
        self._queue.defer(
            connection, TASK, lock=key, queueing_lock=key, district_id=str(district_id),
            deployment_row_id=str(deployment_row_id),
        )  # fmt: skip

    def __call__(self, district_id: str, deployment_row_id: str) -> None:
        """Ask one deployment's platform; run again, it changes nothing more.

        Raises:
            Unavailable, RateLimited: the queue tries it again later.
        """
        tenant, kid = DistrictId(UUID(district_id)), self._tool_keys.current().kid
        with self._database.tenant(tenant) as connection:
            row = connection.execute(_ROW, {"deployment": UUID(deployment_row_id)}).one_or_none()
            if row is None:
                return
            try:
                service = service_of(connection, self._district(connection), GrantId(row.grant_id))
            except GrantRevoked:
                return
        try:
            self._ask(service, row)
        except GrantRevoked:
            return
        except (RateLimited, Unavailable):
            self._settle(tenant, row, "failed", SILENT, None)
            raise
        except _Refused as refused:
            self._settle(tenant, row, "failed", refused.reason, None)
        except RejectedCredentials:
            self._settle(tenant, row, "failed", REFUSES, None)
        except (BrokeContract, ProviderFault):
            self._settle(tenant, row, "failed", WRONG, None)
        else:
            self._settle(tenant, row, "registered", None, _asked_as(kid, row))

    def withdraw(self, registration_id: RegistrationId) -> None:
        """Take back what was asked of a platform that is about to be removed. One that does not answer keeps nothing
        of ours but an address that refuses it from then on."""
        with self._database.anyone() as connection:
            door = self._doors.of(Door.REGISTRATION, str(registration_id))
            if enter_by(connection, Door.REGISTRATION, door) is None:
                return
            rows = connection.execute(_ROWS, {"registration": registration_id}).all()
            service = service_of(connection, self._district(connection), GrantId(rows[0].grant_id)) if rows else None
            delete = sa.text("DELETE FROM notice_handler WHERE deployment_row_id = :id")
            for row in rows:
                connection.execute(delete, {"id": row.deployment_row_id})
        for row in rows:
            assert service is not None
            try:
                for kind in row.notice_types:
                    self._put(service, row.service_url, {"notice_type": kind, "handler": ""})
            except (ProviderFault, GrantRevoked, _Refused):
                continue

    def _ask(self, service: Service, row: sa.Row[Any]) -> None:
        for kind in row.notice_types:
            asked = {"notice_type": kind, "handler": self._handler, "max_batch_size": MOST_NOTICES}
            self._put(service, row.service_url, asked)
        answer = self._call(service, "GET", row.service_url, None)
        if answer.status < 300 and not _stands_in(answer.json(), self._handler, row.notice_types):
            raise _Refused(REFUSED)

    def _put(self, service: Service, url: str, asked: dict[str, Any]) -> None:
        answer = self._call(service, "PUT", url, json.dumps(asked).encode())
        if answer.status >= 300:
            raise _Refused(REFUSES if answer.status in (401, 403) else REFUSED)

    def _call(self, service: Service, method: str, url: str, body: bytes | None) -> Response:
        """One call with a token; a 401 gets one new token, then it stands. The address is of a signed claim."""
        named = "Accept" if body is None else "Content-Type"
        for attempt in range(2):
            token = self._tokens().bearer(service, [SCOPE])
            answer = self._transport(service).request(
                method, url, headers={named: "application/json"}, body=body, accept=(400, 401, 403, 404, 405, 409, 422),
                authorization=Authorization.bearer(token, hosts=[host_of(url)]),
            )  # fmt: skip
            if answer.status != 401 or attempt:
                return answer
            self._tokens().forget(service, [SCOPE])
        raise AssertionError

    def _settle(
        self, tenant: DistrictId, row: sa.Row[Any], state: str, reason: str | None, asked_as: str | None
    ) -> None:
        now: datetime = self._clock.now()
        with self._database.tenant(tenant) as connection:
            connection.execute(
                _SETTLE,
                {
                    "state": state, "reason": reason, "asked_as": asked_as, "now": now, "url": row.service_url,
                    "deployment": row.deployment_row_id, "handler": self._handler,
                },
            )  # fmt: skip


def _asked_as(kid: str, row: sa.Row[Any]) -> str:
    """What a platform knows this tool by, and where: another key, or another token address, is asked anew."""
    return f"{kid} {row.auth_token_url}"


def _stands_in(listed: object, handler: str, kinds: list[str]) -> bool:
    """Whether a platform's list has our address for these types. Its other members, such as Canvas' client_id that is a
    number, say nothing that is needed."""
    rows = listed.get("notice_handlers") if isinstance(listed, dict) else listed
    found = {
        row.get("notice_type")
        for row in (rows if isinstance(rows, list) else ())
        if isinstance(row, dict) and row.get("handler") == handler
    }
    return found.issuperset(kinds)
