"""What a launch reads and writes. A repeated launch takes two statements, each a transaction by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.model import Kind, Known
from lti_server.accounts.store import hex_fingerprints
from lti_server.db import Database
from lti_server.ids import (
    ContractId,
    DeploymentRowId,
    DistrictId,
    GrantId,
    MembershipId,
    RegistrationId,
    ResourceLinkRowId,
    SectionId,
    new_id,
)
from lti_server.lti.claims import Launch
from lti_server.lti.lesson_link import Wanted
from lti_server.lti.platform_keys import KeySet
from lti_server.privacy import log
from lti_server.privacy.crypto import DistrictKeys, KeyRing, opened
from lti_server.statements import Statement

# Entering the tenant and reading what stands in it is one way to the server (0001_launch.sql).
_STANDING = Statement(
    "SELECT s.* FROM directory_enter('deployment', :door) AS found, LATERAL launch_standing(found.target_id, :now) AS s"
)

# The nonce is spent by the one INSERT that finds it absent; the same statement reads what stands already.
_ARRIVE = Statement(
    """
WITH spent AS (
  INSERT INTO spent_nonce (district_id, nonce_hash, expires_at) VALUES (:district, :nonce, :until)
  ON CONFLICT DO NOTHING RETURNING 1)
SELECT a.*, launch_blocked(:ids) AS blocked, (SELECT count(*) FROM spent) AS fresh
FROM launch_arrival(:grant, :deployment, :issuer, :client, :subject, :context, :link) AS a
"""
)
# What a repeated launch stands on, and opening it while that stands (0014_repeated_launches.sql).
_READ = Statement("SELECT * FROM launch_read(:door, :now, :subject, :context, :said_link)")
_OPEN_AGAIN_SESSION = """
WITH same AS (
  SELECT launch_stands(:door, :identity, CAST(:membership AS uuid), :ids) AS stands),
spent AS (
  INSERT INTO spent_nonce (district_id, nonce_hash, expires_at)
  SELECT :district, :nonce, :nonce_until FROM same WHERE stands
  ON CONFLICT DO NOTHING RETURNING 1),
opened AS (
  INSERT INTO session (id, district_id, person_id, role, grant_id, grant_epoch, membership_id, resource_link_id,
    lesson_id, activity_id, locale, ticket_hash, ticket_expires_at, created_at, expires_at)
  SELECT :id, :district, :person, :role, :grant, :epoch, CAST(:membership AS uuid), CAST(:link AS uuid),
    :lesson, :activity, :locale, :ticket, :ticket_until, :now, :until FROM spent),
door AS (
  INSERT INTO directory (kind, key_hash, district_id, target_id, expires_at)
  SELECT 'ticket', :ticket, :district, :id, :ticket_until FROM spent)
"""
_OPEN_AGAIN = Statement(_OPEN_AGAIN_SESSION + log.INSERT_FROM + "spent RETURNING 1")

_OPEN_SESSION = """
WITH opened AS (
  INSERT INTO session (id, district_id, person_id, role, grant_id, grant_epoch, membership_id, resource_link_id,
    lesson_id, activity_id, locale, ticket_hash, ticket_expires_at, created_at, expires_at)
  VALUES (:id, :district, :person, :role, :grant, :epoch, :membership, :link,
    :lesson, :activity, :locale, :ticket, :ticket_until, :now, :until)),
door AS (
  INSERT INTO directory (kind, key_hash, district_id, target_id, expires_at)
  VALUES ('ticket', :ticket, :district, :id, :ticket_until))
"""
_OPEN = Statement(_OPEN_SESSION + log.INSERT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The platform, the grant, the tenant's keys and the contract in force, as this transaction sees them."""

    registration_id: RegistrationId
    deployment_row_id: DeploymentRowId
    district_id: DistrictId
    issuer: str
    client_id: str
    jwks_url: str
    grant_id: GrantId
    grant_state: str
    epoch: int
    key_set: KeySet
    keys: DistrictKeys
    locale: str
    contract_id: ContractId | None
    anonymous: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A resource link as it stands."""

    id: ResourceLinkRowId
    content: Mapping[str, Any]

    @property
    def wanted(self) -> Wanted:
        """What it opened last."""
        said = self.content
        return Wanted(lesson_id=said["lesson_id"], activity_id=said["activity_id"], item_id=said["deep_link_item_id"])


@dataclass(frozen=True, slots=True)
class NoticesAsked:
    """Which notices a deployment's platform was asked for last, where, and to which address."""

    service_url: str
    notice_types: tuple[str, ...]
    handler: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Who and what is known already. `fresh`: this launch spent the nonce. `blocked`: nothing may be kept of them."""

    fresh: bool
    blocked: bool
    known: Known | None
    section_id: SectionId | None
    section_name: str
    memberships_url: str | None
    membership_id: MembershipId | None
    membership_role: str | None
    notices_asked: NoticesAsked | None
    link: Link | None


def standing(connection: Connection, ring: KeyRing, door: bytes, now: datetime) -> Standing | None:
    """Enter the tenant of a deployment by its key, and read what it stands on; None for a key that opens nothing."""
    row = _STANDING.one(connection, {"door": door, "now": now})
    return None if row is None else _standing(ring, row)


def _standing(ring: KeyRing, row: tuple[Any, ...]) -> Standing:
    (
        registration_id, issuer, client_id, jwks_url, deployment_row_id, grant_id, state, epoch, version, jwks,
        fetched_at, district_id, data_key, pepper, locale, contract_id, valid_to, today, anonymous,
    ) = row  # fmt: skip
    return Standing(
        registration_id=registration_id,
        deployment_row_id=deployment_row_id,
        district_id=district_id,
        issuer=issuer,
        client_id=client_id,
        jwks_url=jwks_url,
        grant_id=grant_id,
        grant_state=state,
        epoch=epoch,
        key_set=KeySet(registration_id=registration_id, version=version, jwks=jwks, fetched_at=fetched_at),
        keys=opened(ring, district_id, data_key, pepper),
        locale=locale,
        contract_id=_in_force(contract_id, valid_to, today),
        anonymous=anonymous,
    )


def _in_force(contract_id: UUID | None, valid_to: date | None, today: date) -> ContractId | None:
    """The newest contract that has begun; it ends with its last day in the district's time zone."""
    return None if contract_id is None or valid_to is None or valid_to < today else ContractId(contract_id)


_SPEND_NONCE = Statement(
    "INSERT INTO spent_nonce (district_id, nonce_hash, expires_at) VALUES (:district, :nonce, :until)"
    " ON CONFLICT DO NOTHING RETURNING 1"
)


def spend_nonce(connection: Connection, standing: Standing, nonce: bytes, until: datetime) -> bool:
    """Spend a nonce alone; False where it was spent before."""
    values = {"district": standing.district_id, "nonce": nonce, "until": until}
    return _SPEND_NONCE.one(connection, values) is not None


def arrive(
    connection: Connection,
    standing: Standing,
    launch: Launch,
    *,
    nonce: bytes,
    until: datetime,
    subject: bytes,
    ids: Sequence[bytes],
) -> Arrival:
    """Spend the nonce and read what is known, in one statement; `ids` are by what somebody might be blocked."""
    row = _ARRIVE.one(
        connection,
        {
            "district": standing.district_id, "nonce": nonce, "until": until, "grant": standing.grant_id,
            "issuer": standing.issuer, "client": standing.client_id, "subject": subject, "ids": list(ids),
            "context": launch.context.id if launch.context else None,
            "deployment": standing.deployment_row_id,
            "link": launch.resource_link_id,
        },
    )  # fmt: skip
    assert row is not None
    return _arrival(row[:-2], blocked=row[-2], fresh=row[-1] == 1)


def _arrival(columns: tuple[Any, ...], *, blocked: bool = False, fresh: bool = True) -> Arrival:
    section_id, section_name, memberships_url, membership_id, membership_role = columns[5:10]
    service_url, types, handler = columns[10:13]
    return Arrival(
        fresh=fresh,
        blocked=blocked,
        known=_known(columns[:5]),
        section_id=section_id,
        section_name=section_name or "",
        memberships_url=memberships_url,
        membership_id=membership_id,
        membership_role=membership_role,
        notices_asked=None if service_url is None else NoticesAsked(service_url, tuple(types), handler),
        link=_link(columns[13:]),
    )


def read(database: Database, ring: KeyRing, look_up: Mapping[str, object]) -> tuple[Standing, Arrival] | None:
    """All that a launch stands on, in a transaction by itself.

    `look_up` has the deployment's `door`, `now`, and the launch's `subject` (hashed), `context` and `said_link`. None
    where the door opens nothing.
    """
    row = database.once(_READ, look_up)
    return None if row is None else (_standing(ring, row[:19]), _arrival(row[19:]))


def open_again(database: Database, values: Mapping[str, object]) -> bool:
    """Spend the nonce and open a session, if the identity and the membership still stand; else False, nothing is done.

    Raises:
        GrantRevoked: the grant was withdrawn meanwhile.
    """
    return database.once(_OPEN_AGAIN, values) is not None


def _known(columns: tuple[Any, ...]) -> Known | None:
    identity_id, person_id, kind, wrapped_key, fingerprints = columns
    if person_id is None:
        return None
    return Known(
        person_id=person_id,
        identity_id=identity_id,
        kind=Kind(kind),
        wrapped_key=wrapped_key,
        fingerprints=hex_fingerprints(fingerprints),
    )


_LINK_COLUMNS = (
    "lesson_id", "activity_id", "section_id", "title", "lineitems_url", "lineitem_url", "ags_scopes",
    "deep_link_item_id",
)  # fmt: skip


def _link(columns: tuple[Any, ...]) -> Link | None:
    if columns[0] is None:
        return None
    return Link(id=columns[0], content=dict(zip(_LINK_COLUMNS, columns[1:], strict=True)))


_ITEM = Statement("SELECT lesson_id, activity_id FROM deep_link_item WHERE id = :id")


def deep_link_item(connection: Connection, item_id: UUID) -> Wanted | None:
    """What the picker once made an item of; None for an item of nobody here."""
    row = _ITEM.one(connection, {"id": item_id})
    return None if row is None else Wanted(lesson_id=row[0], activity_id=row[1], item_id=item_id)


def link_content(
    launch: Launch, wanted: Wanted, section_id: SectionId | None, before: Link | None
) -> dict[str, object]:
    """What a resource link is by this launch: service addresses from its signed claims alone.

    A launch without the grade service's claim (some platforms leave it out for pupils) leaves what an earlier one said.
    """
    service = launch.grade_service
    if service is None and before is not None:
        kept = ("lineitems_url", "lineitem_url", "ags_scopes")
        return {**_lesson_content(launch, wanted, section_id), **{name: before.content[name] for name in kept}}
    return {
        **_lesson_content(launch, wanted, section_id),
        "lineitems_url": service.lineitems_url if service else None,
        "lineitem_url": service.lineitem_url if service else None,
        "ags_scopes": list(service.scopes) if service else [],
    }


def _lesson_content(launch: Launch, wanted: Wanted, section_id: SectionId | None) -> dict[str, object]:
    return {
        "section_id": section_id,
        "lesson_id": wanted.lesson_id,
        "activity_id": wanted.activity_id,
        "deep_link_item_id": wanted.item_id,
        "title": launch.resource_link_title,
    }


_PUT_LINK = sa.text(
    """
INSERT INTO resource_link (id, district_id, grant_id, deployment_row_id, resource_link_id, section_id, lesson_id,
  activity_id, title, lineitems_url, lineitem_url, ags_scopes, deep_link_item_id, created_at)
VALUES (:id, :district, :grant, :deployment, :link, :section_id, :lesson_id,
  :activity_id, :title, :lineitems_url, :lineitem_url, :ags_scopes, :deep_link_item_id, :now)
ON CONFLICT (deployment_row_id, resource_link_id) DO UPDATE SET section_id = excluded.section_id,
  lesson_id = excluded.lesson_id, activity_id = excluded.activity_id, title = excluded.title,
  lineitems_url = excluded.lineitems_url, lineitem_url = excluded.lineitem_url, ags_scopes = excluded.ags_scopes,
  deep_link_item_id = excluded.deep_link_item_id
RETURNING id
"""
)


def put_link(
    connection: Connection, standing: Standing, launch: Launch, content: Mapping[str, object], now: datetime
) -> ResourceLinkRowId:
    """Make the link, or bring it up to this launch."""
    found = connection.execute(
        _PUT_LINK,
        {
            "id": new_id(),
            "district": standing.district_id,
            "grant": standing.grant_id,
            "deployment": standing.deployment_row_id,
            "link": launch.resource_link_id,
            "now": now,
            **content,
        },
    ).scalar_one()
    return ResourceLinkRowId(found)


_NOTE_FAMILY = sa.text(
    "UPDATE registration SET product_family = :family WHERE id = :id AND product_family <> :family AND :family <> ''"
)


def note_family(connection: Connection, standing: Standing, launch: Launch) -> None:
    """Keep what the platform calls itself, for the calls to its services; called where a link is new or changed."""
    connection.execute(_NOTE_FAMILY, {"id": standing.registration_id, "family": launch.product_family})


def open_session(connection: Connection, values: Mapping[str, object]) -> None:
    """The session with its ticket, the ticket's door, and the log entry, in one statement."""
    _OPEN.run(connection, values)
