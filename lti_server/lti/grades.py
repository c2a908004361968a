"""Grades on their way to the LMS's gradebook (Assignment and Grade Services 2.0)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.engine import Connection

from lti_server.accounts.store import subject_of
from lti_server.db import Database
from lti_server.errors import ContractForbids, GrantRevoked
from lti_server.ids import Clock, DistrictId
from lti_server.lti import scores
from lti_server.lti.addresses import score_url
from lti_server.lti.grade_columns import COLUMN_GONE, NO_ACCESS, GradeColumns, Parked, Place
from lti_server.lti.grade_comments import wording
from lti_server.lti.grade_service import GONE, GradeService
from lti_server.lti.results import Result, Results
from lti_server.lti.tokens import Service, service_of
from lti_server.privacy import grants, schedule
from lti_server.privacy.disclose import Asked, Disclose, Disclosed, Recipients
from lti_server.privacy.districts import District
from lti_server.privacy.grant_states import GrantState
from lti_server.privacy.log import Interest
from lti_server.privacy.model import Purpose
from lti_server.progress import outbox
from lti_server.progress.outbox import Outbox, Queued
from lti_server.providers.errors import BrokeContract, ProviderFault, RateLimited, RejectedCredentials, Unavailable
from lti_server.providers.wire import Response
from lti_server.web.languages import N_

MOST_ATTEMPTS = 40
LONGEST_WAIT = timedelta(minutes=15)
# A gradebook that works through a queue of its own may show the former score for so long.
SETTLING = timedelta(seconds=60)

# What an administrator reads where a grade stays here. No name, no token, no text of the LMS.
PERSON = N_("The LMS did not take the score. Is the pupil still in the course, and the column still there?")
REASONS = {
    400: PERSON,
    403: NO_ACCESS,
    404: COLUMN_GONE,
    422: N_("The LMS does not take a grade for this person; a teacher or observer has none."),
}
STRANGER = N_("The LMS does not know this person in the course any more, so the score is kept here alone.")
NEWER = N_("The LMS holds a newer grade than this one; it was left as it is.")
REGRADED = N_("A teacher changed this grade in the LMS, so it stays; the pupil's own score is kept here.")
NO_SUBJECT = N_("The pupil's id in the LMS is not kept any more, so no grade can be addressed.")
CREDENTIALS = N_("The LMS refuses this tool's credentials. Check the client id and the tool's key set URL there.")
MISBEHAVED = N_("The LMS answered in a way that its service must not.")
SILENT = N_("The LMS did not answer for hours. Send it again when it does.")
SETTLED = N_("The score was settled meanwhile.")
FORBIDDEN = N_("The district's contract does not let this score go to the LMS (any more), so it is kept here alone.")
WITHDRAWN = N_("The connection to this LMS was withdrawn after this score was earned.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How one score goes to one LMS."""

    tenant: DistrictId
    service: Service
    calls: GradeService
    locale: str


class DeliverGrade:
    """Sends one queued score. Run again after any crash, it changes nothing more (law 10)."""

    def __init__(
        self,
        *,
        database: Database,
        columns: GradeColumns,
        outbox: Outbox,
        district: Callable[[Connection], District],
        disclose: Disclose,
        clock: Clock,
    ) -> None:
        self._database = database
        self._columns = columns
        self._outbox = outbox
        self._district = district
        self._disclose = disclose
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
        except ContractForbids:
            self._settle(tenant, waiting, "parked", FORBIDDEN)
        except GrantRevoked as revoked:
            self._settle_or_freeze(tenant, waiting, revoked.detail)
        except RateLimited as limit:
            self._wait(tenant, waiting, timedelta(seconds=limit.retry_after_s))
        except Unavailable:
            self._wait(tenant, waiting, min(timedelta(seconds=2 ** min(waiting.attempts, 12)), LONGEST_WAIT))
        except RejectedCredentials:
            self._settle_or_freeze(tenant, waiting, CREDENTIALS)
        except (BrokeContract, ProviderFault):
            self._settle(tenant, waiting, "parked", MISBEHAVED)

    def _deliver(self, tenant: DistrictId, waiting: Queued) -> None:
        way = self._way(tenant, waiting)
        place = self._columns.place(way.service, waiting.column_id, way.locale)
        self._if_made_anew(way, waiting, place)
        result = None
        if waiting.may_stand and not place.anew:
            result = self._result(way, waiting, place)
            if self._ends_before_sending(way, waiting, place, result):
                return
        answer, sent = self._send(way, waiting, place, result)
        if answer.status in GONE:
            place = self._again(way, waiting, place)
            answer, sent = self._send(way, waiting, place, None)
        self._judge(way, sent, place, answer)

    def _way(self, tenant: DistrictId, waiting: Queued) -> _Way:
        with self._database.tenant(tenant) as connection:
            district = self._district(connection)
            service = service_of(connection, district, waiting.grant_id)
            self._disclose.check(connection, district, _asked(service, waiting))
            if service.epoch != waiting.epoch:
                raise GrantRevoked(WITHDRAWN)
            _subject(connection, district, waiting)
        calls = self._columns.calls(service, waiting.column_id)
        return _Way(tenant=tenant, service=service, calls=calls, locale=district.locale)

    def _result(self, way: _Way, waiting: Queued, place: Place) -> Result | None:
        """What stands in the LMS for the pupil; the question tells of whom a grade is wanted, so it passes the gate.

        Raises:
            ContractForbids, GrantRevoked, Parked: as for the score itself.
        """
        results = Results(way.calls)
        if not results.readable:
            return None
        with self._database.tenant(way.tenant) as connection:
            district = self._district(connection)
            service_of(connection, district, way.service.grant_id)
            asked = _asked(way.service, waiting, act="grade read", elements=frozenset({schedule.APP_ID}))
            subject = _subject(connection, district, waiting)
            who: Disclosed[str] = self._disclose(connection, district, asked, subject)
        return results.of(place.url, who)

    def _ends_before_sending(self, way: _Way, waiting: Queued, place: Place, result: Result | None) -> bool:
        """Whether there is nothing to send: it arrived before a crash, or a teacher's own grade stands there.

        Where the results cannot be read, or hold no grade, the score is sent.
        """
        if result is None or result.points is None:
            return False
        maximum = place.column.score_maximum
        if waiting.attempted and not waiting.cleared and scores.stands(result, waiting.score, maximum):
            self._settle(way.tenant, waiting, "delivered", None)
            return True
        if any(scores.stands(result, one, maximum) for one in waiting.may_stand):
            return False
        if waiting.delivered_at is not None and self._clock.now() - waiting.delivered_at < SETTLING:
            self._wait(way.tenant, waiting, SETTLING)
            return True
        self._settle(way.tenant, waiting, "regraded", REGRADED)
        return True

    def _again(self, way: _Way, waiting: Queued, place: Place) -> Place:
        """The LMS does not know the column, or the person: if the column is there, it is the person."""
        if self._columns.stands(way.calls, place.url):
            raise Parked(STRANGER)
        found = self._columns.place(way.service, waiting.column_id, way.locale, gone=place.url)
        self._if_made_anew(way, waiting, found)
        return found

    def _if_made_anew(self, way: _Way, waiting: Queued, place: Place) -> None:
        if place.anew:
            with self._database.tenant(way.tenant) as connection:
                self._outbox.send_again(connection, way.tenant, waiting.column_id, but=waiting.id)

    def _send(self, way: _Way, waiting: Queued, place: Place, result: Result | None) -> tuple[Response, Queued]:
        """Grant, contract and pupil's id are read again where the score is marked as attempted, before the send."""
        with self._database.tenant(way.tenant) as connection:
            district = self._district(connection)
            service_of(connection, district, way.service.grant_id)
            sent = outbox.take(connection, waiting.id, mark=True)
            if sent is None:
                raise Parked(SETTLED)
            body = _body(way, _subject(connection, district, sent), sent, place, result)
            score: Disclosed[bytes] = self._disclose(connection, district, _asked(way.service, sent), body)
        return way.calls.send_score(score_url(place.url, "scores"), score), sent

    def _judge(self, way: _Way, sent: Queued, place: Place, answer: Response) -> None:
        """What the answer says of the score. A resend after a crash is refused as too old: the results decide."""
        if answer.status < 300:
            self._settle(way.tenant, sent, "delivered", None)
            return
        if answer.status == 401:
            raise RejectedCredentials("The LMS refused the token twice.")
        result = self._result(way, sent, place) if answer.status in (400, 409, 412) else None
        graded = result is not None and result.points is not None
        maximum = place.column.score_maximum
        if result is not None and graded and not sent.cleared and scores.stands(result, sent.score, maximum):
            self._settle(way.tenant, sent, "delivered", None)
        elif result is not None and graded and not any(scores.stands(result, one, maximum) for one in sent.may_stand):
            self._settle(way.tenant, sent, "regraded", REGRADED)
        elif answer.status == 409 or graded:
            self._settle(way.tenant, sent, "stale", NEWER)
        else:
            raise Parked(REASONS.get(answer.status, PERSON))

    def _wait(self, tenant: DistrictId, waiting: Queued, how_long: timedelta) -> None:
        if waiting.attempts >= MOST_ATTEMPTS:
            self._settle(tenant, waiting, "parked", SILENT)
            return
        with self._database.tenant(tenant) as connection:
            outbox.count_attempt(connection, waiting)
            self._outbox.defer(connection, tenant, waiting.id, self._clock.now() + how_long)

    def _settle_or_freeze(self, tenant: DistrictId, waiting: Queued, reason: str) -> None:
        """While the grant is suspended the score stays queued, without a job; resuming the grant gives it one.

        Nothing is held meanwhile: where the grant is resumed after this look, the score is still queued and gets one.
        """
        with self._database.tenant(tenant) as connection:
            standing = grants.standing_now(connection, waiting.grant_id)
            if standing.state is GrantState.SUSPENDED and standing.epoch == waiting.epoch:
                return
            outbox.settle(connection, waiting, "parked", reason, self._clock.now())

    def _settle(self, tenant: DistrictId, sent: Queued, state: str, reason: str | None) -> None:
        with self._database.tenant(tenant) as connection:
            outbox.settle(connection, sent, state, reason, self._clock.now())


def _asked(service: Service, sent: Queued, *, act: str = "grade", elements: frozenset[str] | None = None) -> Asked:
    """A score for a gradebook; one that is taken back there tells of nothing but whose it was."""
    told = {schedule.APP_ID} if sent.cleared else {schedule.APP_ID, schedule.PERFORMANCE}
    return Asked(
        act=act, party=f"grant:{service.grant_id}", recipients=Recipients.GRADEBOOK,
        interest=Interest.SCHOOL_OFFICIAL, purpose=Purpose.INSTRUCTION,
        elements=frozenset(told) if elements is None else elements,
        population="person", provider="lti", person_id=sent.person_id, payload={"delivery": str(sent.id)},
    )  # fmt: skip


def _subject(connection: Connection, district: District, sent: Queued) -> str:
    """By which id the LMS knows the pupil; read at the moment of use, for a block or an erasure can come between."""
    found = subject_of(connection, district.keys, sent.identity_id)
    if found is None:
        raise Parked(NO_SUBJECT)
    return found


def _body(way: _Way, subject: str, sent: Queued, place: Place, result: Result | None) -> bytes:
    extra: Mapping[str, Any] = {} if sent.new_submission else way.calls.profile.same_submission
    return scores.score(sent, subject, place.column.score_maximum, _comment(way, sent, result), extra)


def _comment(way: _Way, sent: Queued, result: Result | None) -> str:
    """How much is done, where that takes the place of what this tool said before and of nobody else's words."""
    said = partial(wording, way.locale)
    if not (way.calls.profile.comments_replace or sent.new_submission):
        return ""
    if result is not None and not scores.our_comment(sent, result.comment, said):
        return ""
    return said(sent.done, sent.activities)
