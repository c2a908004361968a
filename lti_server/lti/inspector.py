"""The launch inspector: the last launches and grade deliveries of a platform, and why those that failed did.

No name, e-mail, token or id of a person is in what it shows: the log's sealed words and the outbox's own reasons alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database, Door, enter_by
from lti_server.errors import NotFound
from lti_server.ids import DistrictId, RegistrationId
from lti_server.lti.platform_profiles import PlatformProfile, profile_of
from lti_server.lti.reasons import sentence
from lti_server.privacy import districts, log
from lti_server.privacy.crypto import DistrictKeys, KeyRing
from lti_server.privacy.doors import DoorKeys
from lti_server.web.languages import N_

MOST = 200
# How far back the log is read for one platform among several of a district.
LOOKED_AT = 2_000
ACTS = ("launch", "deep-linking", "data-privacy", "notice")

_PLATFORM = sa.text("SELECT issuer, auth_token_url, product_family FROM registration WHERE id = :id")
_ENTRIES = sa.text(
    "SELECT at, act, decision, payload FROM log_entry WHERE act = ANY(:acts) ORDER BY at DESC, id DESC LIMIT :most"
)
_DELIVERIES = sa.text(
    """
SELECT g.state, g.reason, g.queued_at, g.settled_at, g.attempts, l.lesson_id, c.activity_id
FROM grade_delivery g
JOIN grade_column c ON c.id = g.column_id
JOIN resource_link l ON l.id = c.resource_link_id
JOIN deployment d ON d.id = l.deployment_row_id
WHERE d.registration_id = :registration
ORDER BY coalesce(g.settled_at, g.queued_at) DESC LIMIT :most
"""
)

_NOTICES = sa.text(
    """
SELECT d.deployment_id, coalesce(h.state, 'registered') AS state, h.reason, max(n.received_at) AS last_at,
  count(n.id) AS taken
FROM deployment d
LEFT JOIN notice_handler h ON h.deployment_row_id = d.id
LEFT JOIN notice n ON n.deployment_row_id = d.id
WHERE d.registration_id = :registration AND (h.deployment_row_id IS NOT NULL OR n.id IS NOT NULL)
GROUP BY d.id, h.deployment_row_id ORDER BY d.created_at, d.deployment_id
"""
)


# Courses whose platform was asked how they are divided and did not say.
_UNTOLD = sa.text(
    """
SELECT DISTINCT s.name FROM section s
JOIN registration r ON r.grant_id = s.grant_id
WHERE r.id = :registration AND s.division = 'untold' AND s.archived_at IS NULL ORDER BY s.name LIMIT :most
"""
)
NOT_DIVIDED = N_(
    "The course is one class here, because the LMS did not say which of the course's sections each member is in. "
    "In the tool's key in the LMS, add the custom fields section_ids=$Canvas.course.sectionIds and "
    "section_names=$com.instructure.User.sectionNames; the next roster sync divides the course."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCourse:
    """A course of which there is something to say."""

    name: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenLaunch:
    """One launch. `reason` and `sentence` are empty where it opened; `refused_fields` counts what was not kept."""

    at: datetime
    act: str
    opened: bool
    reason: str
    sentence: str
    refused_fields: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDelivery:
    """One grade on its way. `sentence` is empty where it arrived or is still to be sent."""

    at: datetime
    state: str
    attempts: int
    lesson_id: str
    activity_id: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenNotices:
    """How one deployment's notices stand. `state`: wanted, registered or failed, with a `sentence` for the last."""

    deployment_id: str
    state: str
    sentence: str
    last_at: datetime | None
    taken: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a platform's last days were like, newest first."""

    district_id: DistrictId
    registration_id: RegistrationId
    issuer: str
    profile: PlatformProfile
    launches: tuple[SeenLaunch, ...]
    deliveries: tuple[SeenDelivery, ...]
    notices: tuple[SeenNotices, ...]
    courses: tuple[SeenCourse, ...] = ()


class Inspector:
    """Reads the log and the outbox of one district."""

    def __init__(self, database: Database, ring: KeyRing, doors: DoorKeys) -> None:
        self._database = database
        self._ring = ring
        self._doors = doors

    def __call__(
        self, registration_id: RegistrationId, *, most: int = 50, within: DistrictId | None = None
    ) -> Inspection:
        """The last `most` (at most 200) launches and deliveries; `within` keeps an administrator to their district.

        Raises:
            NotFound: there is no such platform, or it is another district's; the answer is the same.
        """
        most = max(1, min(most, MOST))
        with self._database.anyone() as connection:
            key = self._doors.of(Door.REGISTRATION, str(registration_id))
            found = enter_by(connection, Door.REGISTRATION, key)
            if found is None or within not in (None, found.district_id):
                raise NotFound("There is no such platform. `lti-server platform list` shows those there are.")
            keys = districts.current(connection, self._ring).keys
            row = connection.execute(_PLATFORM, {"id": registration_id}).one()
            return Inspection(
                district_id=found.district_id,
                registration_id=registration_id,
                issuer=row.issuer,
                profile=profile_of(*row),
                launches=tuple(_launches(connection, keys, registration_id, most)),
                deliveries=tuple(_deliveries(connection, registration_id, most)),
                notices=tuple(_notices(connection, registration_id)),
                courses=tuple(_courses(connection, registration_id, most)),
            )


def _launches(
    connection: Connection, keys: DistrictKeys, registration_id: RegistrationId, most: int
) -> Iterable[SeenLaunch]:
    shown = 0
    for row in connection.execute(_ENTRIES, {"acts": list(ACTS), "most": LOOKED_AT}):
        said = log.payload_of(keys, bytes(row.payload))
        if said.get("registration") != str(registration_id):
            continue
        reason, refused = str(said.get("reason") or ""), said.get("refused")
        yield SeenLaunch(
            at=row.at, act=row.act, opened=row.decision == "allowed", reason=reason,
            sentence=sentence(reason) if row.decision != "allowed" else "",
            refused_fields={str(name): int(count) for name, count in refused.items()}
            if isinstance(refused, dict) else {},
        )  # fmt: skip
        shown += 1
        if shown >= most:
            return


def _courses(connection: Connection, registration_id: RegistrationId, most: int) -> Iterable[SeenCourse]:
    for row in connection.execute(_UNTOLD, {"registration": registration_id, "most": most}):
        yield SeenCourse(name=row.name, sentence=NOT_DIVIDED)


def _deliveries(connection: Connection, registration_id: RegistrationId, most: int) -> Iterable[SeenDelivery]:
    for row in connection.execute(_DELIVERIES, {"registration": registration_id, "most": most}):
        yield SeenDelivery(
            at=row.settled_at or row.queued_at, state=row.state, attempts=row.attempts, lesson_id=row.lesson_id,
            activity_id=row.activity_id, sentence=row.reason or "",
        )  # fmt: skip


def _notices(connection: Connection, registration_id: RegistrationId) -> Iterable[SeenNotices]:
    for row in connection.execute(_NOTICES, {"registration": registration_id}):
        yield SeenNotices(
            deployment_id=row.deployment_id, state=row.state, sentence=row.reason or "", last_at=row.last_at,
            taken=row.taken,
        )  # fmt: skip
