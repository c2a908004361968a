"""Grades on their way to the LMS's gradebook (Assignment and Grade Services 2.0)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pylti1p3.grade import Grade
from pylti1p3.lineitem import LineItem
from sqlalchemy.engine import Connection

from lti_server.accounts.store import subject_of
from lti_server.db import Database
from lti_server.errors import GrantRevoked
from lti_server.ids import Clock, DistrictId
from lti_server.lti.addresses import score_url, with_parameters
from lti_server.lti.tokens import Service, ServiceTokens, ToPlatform, service_of
from lti_server.privacy import grants
from lti_server.privacy.districts import District
from lti_server.progress import outbox
from lti_server.progress.outbox import Outbox, Queued
from lti_server.providers.errors import BrokeContract, ProviderFault, RateLimited, RejectedCredentials, Unavailable
from lti_server.providers.wire import Authorization, Response, host_of

AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
MEDIA = "application/vnd.ims.lis."
SCORE_MAXIMUM = 100
MOST_ATTEMPTS = 40
LONGEST_WAIT = timedelta(minutes=15)
REFUSALS = (400, 401, 403, 404, 409, 410, 412, 422)

# What an administrator reads where a grade stays here. No name, no token, no text of the LMS.
REASONS = {
    400: "The LMS did not take the score. Is the pupil still in the course, and the column still there?",
    403: "The LMS does not let this tool write grades. Allow the tool's gradebook access in the LMS.",
    404: "The column is gone from the LMS's gradebook, and could not be made again.",
    422: "The LMS does not take a grade for this person; a teacher or observer has none.",
}


class Parked(Exception):
    """This score cannot be delivered until somebody mends something: the reason says what."""


class DeliverGrade:
    """Sends one queued score. Run again after any crash, it changes nothing more (law 10)."""

    def __init__(
        self,
        *,
        database: Database,
        transport: ToPlatform,
        tokens: ServiceTokens,
        outbox: Outbox,
        district: Callable[[Connection], District],
        title: Callable[[str], str],
        clock: Clock,
    ) -> None:
        self._database = database
        self._transport = transport
        self._tokens = tokens
        self._outbox = outbox
        self._district = district
        self._title = title
        self._clock = clock

    def __call__(self, district_id: str, delivery_id: str) -> None:
        """Deliver, wait, or park. The score that is sent is the one in the row now, not the one of the job."""
        tenant, wanted = DistrictId(UUID(district_id)), UUID(delivery_id)
        with self._database.tenant(tenant) as connection:
            waiting = outbox.take(connection, wanted, mark=False)
            if waiting is None:
                return
            if waiting.score_at > self._clock.now():
                self._outbox.defer(connection, tenant, wanted, waiting.score_at)
                return
        try:
            self._deliver(tenant, waiting)
        except Parked as parked:
            self._settle(tenant, waiting, "parked", str(parked))
        except GrantRevoked as revoked:
            self._settle(tenant, waiting, "parked", revoked.detail)
        except RateLimited as limit:
            self._wait(tenant, waiting, timedelta(seconds=limit.retry_after_s))
        except Unavailable:
            self._wait(tenant, waiting, min(timedelta(seconds=2 ** min(waiting.attempts, 12)), LONGEST_WAIT))
        except RejectedCredentials:
            reason = "The LMS refuses this tool's credentials. Check the client id and the tool's key set URL there."
            self._settle(tenant, waiting, "parked", reason)
        except (BrokeContract, ProviderFault):
            self._settle(tenant, waiting, "parked", "The LMS answered in a way that its service must not.")

    def _deliver(self, tenant: DistrictId, waiting: Queued) -> None:
        with self._database.tenant(tenant) as connection:
            district = self._district(connection)
            service = service_of(connection, district, waiting.grant_id)
            subject = subject_of(connection, district.keys, waiting.identity_id)
        if service.epoch != waiting.epoch:
            raise GrantRevoked("The connection to this LMS was withdrawn after this score was earned.")
        if subject is None:
            raise Parked("The pupil's id in the LMS is not kept any more, so no grade can be addressed.")
        column = self._line_item(service, waiting)
        answer, sent = self._send(service, tenant, waiting, column, subject)
        if answer.status in (404, 410):
            self._forget_line_item(tenant, waiting, column)
            column = self._line_item(service, waiting)
            answer, sent = self._send(service, tenant, waiting, column, subject)
        self._judge(service, tenant, sent, column, subject, answer)

    def _send(
        self, service: Service, tenant: DistrictId, waiting: Queued, column: str, subject: str
    ) -> tuple[Response, Queued]:
        """The grant is read again in the transaction that marks the score as attempted, right before the send."""
        with self._database.tenant(tenant) as connection:
            service_of(connection, self._district(connection), service.grant_id)
            sent = outbox.take(connection, waiting.id, mark=True)
        if sent is None:
            raise Parked("The score was settled meanwhile.")
        url = score_url(column, "scores")
        body = _score(sent, subject)
        return self._call(service, "POST", url, ("score",), body=body, media="v1.score+json"), sent

    def _judge(
        self, service: Service, tenant: DistrictId, sent: Queued, column: str, subject: str, answer: Response
    ) -> None:
        if answer.status < 300 or (
            answer.status in (409, 400, 412) and self._stands_there(service, column, subject, sent)
        ):
            self._settle(tenant, sent, "delivered", None)
        elif answer.status == 409:
            self._settle(tenant, sent, "stale", "The LMS holds a newer grade than this one; it was left as it is.")
        elif answer.status == 401:
            raise RejectedCredentials("The LMS refused the token twice.")
        else:
            raise Parked(REASONS.get(answer.status, REASONS[400]))

    def _stands_there(self, service: Service, column: str, subject: str, sent: Queued) -> bool:
        """Whether the LMS took this very score before: a resend after a crash is answered by 409 (design 6.7)."""
        url = with_parameters(score_url(column, "results"), {"user_id": subject})
        answer = self._call(service, "GET", url, ("result.readonly",), media="v2.resultcontainer+json")
        found = answer.json() if answer.status < 300 else None
        for row in found if isinstance(found, list) else ():
            if isinstance(row, dict) and row.get("userId") == subject and _equal(row, sent.score):
                return True
        return False

    def _line_item(self, service: Service, waiting: Queued) -> str:
        """The column's address: the launch's own, else found or made once; the row is locked meanwhile."""
        with self._database.tenant(service.district_id) as connection:
            row = connection.execute(_COLUMN, {"id": waiting.column_id}).one()
            if row.line_item_url is not None:
                return str(row.line_item_url)
            if row.lineitem_url is not None and row.activity_id == row.link_activity_id:
                url = str(row.lineitem_url)
            else:
                url = self._find_or_make(service, row)
            grants.fence(connection, service.grant_id, service.epoch)
            connection.execute(_SET_URL, {"id": waiting.column_id, "url": url})
            return url

    def _find_or_make(self, service: Service, row: sa.Row[Any]) -> str:
        if row.lineitems_url is None or AGS + "lineitem" not in row.ags_scopes:
            raise Parked("The LMS gave no column for this link, and does not let this tool make one.")
        ours = str(row.id)
        filters = {"resource_id": ours, "resource_link_id": row.resource_link_id}
        listing = with_parameters(row.lineitems_url, filters)
        answer = self._call(service, "GET", listing, ("lineitem",), media="v2.lineitemcontainer+json")
        found = answer.json() if answer.status < 300 else None
        for item in found if isinstance(found, list) else ():
            if isinstance(item, dict) and item.get("resourceId") == ours and isinstance(item.get("id"), str):
                return str(item["id"])
        made = LineItem().set_label(self._title(row.lesson_id)).set_score_maximum(SCORE_MAXIMUM)
        body = json.loads(made.set_resource_id(ours).get_value())
        body["resourceLinkId"] = row.resource_link_id
        media = "v2.lineitem+json"
        answer = self._call(service, "POST", row.lineitems_url, ("lineitem",), body=json.dumps(body), media=media)
        item = answer.json() if answer.status < 300 else None
        if not isinstance(item, dict) or not isinstance(item.get("id"), str):
            raise Parked(REASONS.get(answer.status, REASONS[403]))
        return str(item["id"])

    def _forget_line_item(self, tenant: DistrictId, waiting: Queued, column: str) -> None:
        with self._database.tenant(tenant) as connection:
            connection.execute(_FORGET_URL, {"id": waiting.column_id, "url": column})

    def _call(
        self, service: Service, method: str, url: str, scopes: tuple[str, ...], *, media: str, body: str | None = None
    ) -> Response:
        """One call with a token; a 401 gets one new token, then it stands."""
        wanted = [AGS + scope for scope in scopes]
        for attempt in range(2):
            token = self._tokens.bearer(service, wanted)
            answer = self._transport(service).request(
                method,
                url,
                headers={"Accept" if body is None else "Content-Type": MEDIA + media},
                body=None if body is None else body.encode(),
                authorization=Authorization.bearer(token, hosts={host_of(url)}),
                accept=REFUSALS,
            )
            if answer.status != 401 or attempt == 1:
                break
            self._tokens.forget(service, wanted)
        return answer

    def _wait(self, tenant: DistrictId, waiting: Queued, how_long: timedelta) -> None:
        if waiting.attempts >= MOST_ATTEMPTS:
            self._settle(tenant, waiting, "parked", "The LMS did not answer for hours. Send it again when it does.")
            return
        with self._database.tenant(tenant) as connection:
            outbox.count_attempt(connection, waiting)
            self._outbox.defer(connection, tenant, waiting.id, self._clock.now() + how_long)

    def _settle(self, tenant: DistrictId, sent: Queued, state: str, reason: str | None) -> None:
        with self._database.tenant(tenant) as connection:
            outbox.settle(connection, sent, state, reason, self._clock.now())


_COLUMN = sa.text(
    """
SELECT c.id, c.activity_id, c.line_item_url, l.lineitem_url, l.lineitems_url, l.ags_scopes, l.resource_link_id,
  l.lesson_id, l.activity_id AS link_activity_id
FROM grade_column c JOIN resource_link l ON l.id = c.resource_link_id WHERE c.id = :id FOR UPDATE OF c
"""
)
_SET_URL = sa.text("UPDATE grade_column SET line_item_url = :url WHERE id = :id")
_FORGET_URL = sa.text("UPDATE grade_column SET line_item_url = NULL WHERE id = :id AND line_item_url = :url")


def _score(sent: Queued, subject: str) -> str:
    made = Grade().set_score_given(round(sent.score * SCORE_MAXIMUM, 4)).set_score_maximum(SCORE_MAXIMUM)
    made.set_timestamp(_timestamp(sent.score_at)).set_user_id(subject)
    made.set_activity_progress("Completed" if sent.completed else "InProgress").set_grading_progress("FullyGraded")
    return str(made.get_value())


def _timestamp(at: datetime) -> str:
    """ISO 8601 with zone and sub-seconds, as AGS wants it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _equal(row: dict[str, Any], score: float) -> bool:
    given, most = row.get("resultScore"), row.get("resultMaximum", SCORE_MAXIMUM)
    if not isinstance(given, (int, float)) or not isinstance(most, (int, float)) or most <= 0:
        return False
    return abs(given / most - score) < 1e-4
