"""What is kept of people themselves: names and ids, who they are at which issuer, and the sessions they came by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.waiting_tenants import WAITING
from lti_server.ids import PersonId
from lti_server.privacy import schedule
from lti_server.privacy.crypto import DistrictKeys
from lti_server.privacy.holdings import (
    Column,
    DataSubject,
    Form,
    Table,
    about,
    element,
    nobody,
    passing,
    rows_about,
)

_PUPIL_ELEMENT = {name: one for one in schedule.ELEMENTS for name in schedule.stored_fields(one)}
_STAFF_ELEMENT = {name: one for one in schedule.EDUCATOR_ELEMENTS for name in schedule.stored_educator_fields(one)}
_PROVENANCE = "by which grant and read it was learnt, and when (law 11)"

PERSON = Table(
    name="person",
    mine="t.id = :person",
    columns=MappingProxyType(
        {
            **about("id", "under which id this server keeps everything of a person; random"),
            **about("kind", "whether the schedule of pupils or that of educators governs"),
            **about("created_at key_destroyed_at", "since when somebody is known, and when they were erased"),
            **about("merged_into", "with which other id this is one person"),
            **nobody("wrapped_key", "the key under which the person's data is, itself encrypted"),
            **nobody("district_id", "the tenant"),
        }
    ),
)


def _element(row: Mapping[str, Any]) -> str:
    known = _STAFF_ELEMENT if row["kind"] == "staff" else _PUPIL_ELEMENT
    return known.get(row["field"], "")


FIELDS = Table(
    name="person_field",
    mine="t.person_id = :person",
    place=("person_id", "field", "grant_id"),
    says=MappingProxyType({"kind": "(SELECT p.kind FROM person p WHERE p.id = t.person_id)"}),
    element_of=_element,
    columns=MappingProxyType(
        {
            **about("person_id field", "whose value, and of which field"),
            "ciphertext": Column(why="the value; its element is that of the field", about=True, form=Form.SEALED),
            **about("lookup", "finds an equal e-mail or local id in the district", form=Form.HASHED),
            **about("grant_id run_id collected_at", _PROVENANCE),
            **nobody("fingerprint", "says whether this very row is still the same, and nothing else"),
            **nobody("epoch", "the epoch of the grant"),
            **nobody("district_id", "the tenant"),
        }
    ),
)
AGES = Table(
    name="person_age",
    mine="t.person_id = :person",
    place=("id",),
    columns=MappingProxyType(
        {
            **about(
                "id person_id source grant_id recorded_by recorded_at", "who has said how old somebody is, and when"
            ),
            "sealed": element(
                schedule.BIRTH_DATE, form=Form.SEALED, why="whole years and the day on which they were so"
            ),
            **nobody("district_id", "the tenant"),
        }
    ),
)
AGE_STATEMENTS = Table(
    name="age_statement",
    columns=nobody("district_id school years stated_on stated_by", "what a district says of a whole school"),
)
IDENTITIES = Table(
    name="identity",
    mine="t.person_id = :person",
    columns=MappingProxyType(
        {
            **about("id person_id", "whose identity"),
            **about("provider issuer client_id grant_id", "at which system somebody is known under it"),
            **about("subject_hash", "finds the identity again", form=Form.HASHED),
            "subject": element(schedule.APP_ID, form=Form.SEALED, why="the id there, where the contract keeps it"),
            **about("created_at ended_at", "since when, and until when"),
            **about("seen_on", "on which day somebody came last who has registered themself"),
            **about("held_at", "since when the provider has it disabled, so that it lets nobody in here"),
            **passing("sealed_token", "a token that can be given back there; gone once it is over, or its account is"),
            **nobody("token_expires_at", "until when that is"),
            **nobody("district_id", "the tenant"),
        }
    ),
)
INVITATIONS = Table(
    name="invitation",
    columns=nobody(
        "id district_id role token_hash created_at expires_at used_at", "a link for whoever holds it; it names nobody"
    ),
)
PROMISES = Table(
    name="confidence_promise",
    columns=nobody(
        "id district_id session_id invitation_id role text_hash locale promised_at expires_at",
        "that whoever came by an invitation promised confidence, in which words; it names nobody",
    ),
)
APPLICATIONS = Table(
    name="provider_application",
    columns=nobody(
        "provider wrapped connected_at connected_by tenants_looked_at", "this server's own account at a provider"
    ),
)
CONNECTIONS = Table(
    name="provider_connection",
    columns=nobody(
        "id district_id grant_id provider tenant sealed connected_at connected_by ended_at"
        " tenants_looked_at tenants_read_at tenants_unread tenant_missing_at",
        "a district's account at a provider, and who of its staff or operators connected it, by an id",
    ),
)
CLAIMS = Table(
    name="tenant_claim",
    columns=nobody(
        "id district_id session_id provider tenant refused created_at expires_at",
        "a district shows within ten minutes that a school system is its own; the account that proves it is not kept",
    ),
)
SESSIONS = Table(
    name="session",
    mine="t.person_id = :person",
    columns=MappingProxyType(
        {
            **about("id person_id role", "who came, and as what"),
            **about("grant_id membership_id resource_link_id", "from which system, class and link"),
            **about("lesson_id activity_id locale", "what was opened, and in which language"),
            **about("identity_id", "by which identity somebody signed in"),
            **about("created_at ticket_used_at last_seen_at expires_at ended_at", "when"),
            **about("provider_session_hash", "which sign-in it is at the provider", form=Form.HASHED),
            **nobody("ticket_hash ticket_expires_at cookie_hash", "hashes of random keys of the browser"),
            **nobody("grant_epoch", "the epoch of the grant"),
            **nobody("district_id", "the tenant"),
        }
    ),
)
TOKENS = Table(
    name="lesson_token",
    mine="t.session_id IN (SELECT s.id FROM session s WHERE s.person_id = :person)",
    columns=MappingProxyType(
        {
            **about("session_id expires_at", "of which session, and until when"),
            **nobody("token_hash", "the hash of a random key of the lesson's page"),
            **nobody("district_id", "the tenant"),
        }
    ),
)
CORRECTIONS = Table(
    name="correction",
    mine="t.person_id = :person",
    place=("person_id", "field"),
    says=FIELDS.says,
    element_of=_element,
    columns=MappingProxyType(
        {
            **about("person_id field corrected_by corrected_at", "what the district has put right, and when"),
            "ciphertext": Column(why="the right value; its element is that of the field", about=True, form=Form.SEALED),
            **nobody("district_id", "the tenant"),
        }
    ),
)
RESTRICTIONS = Table(
    name="disclosure_restriction",
    mine="t.person_id = :person",
    columns=MappingProxyType(
        {
            **about("person_id recipients restricted_by restricted_at", "to whom nothing of somebody goes"),
            **nobody("district_id", "the tenant"),
        }
    ),
)
BLOCKS = Table(
    name="block",
    mine="t.person_id = :person",
    columns=MappingProxyType(
        {
            **about("id person_id provider made_by made_at", "that nothing is collected of somebody any more"),
            **about("lifted_by lifted_at", "and until when"),
            **nobody("district_id", "the tenant"),
        }
    ),
)
ALIASES = Table(
    name="block_alias",
    columns=MappingProxyType(
        {
            **passing("hash", "a keyed hash by which a blocked child is not taken in again; gone with the block"),
            **nobody("district_id block_id provider", "of which block"),
        }
    ),
)
STAFF_ACCESS = Table(
    name="staff_access",
    columns=MappingProxyType(
        {
            **nobody("id district_id session_id reason opened_at expires_at", "that somebody of the staff may look"),
            **passing("sealed", "why, in words that are to name nobody; gone once the 30 minutes are over"),
        }
    ),
)

_CLOSE_DOORS = sa.text(
    "SELECT directory_close(kind, s.id) FROM session s, unnest(ARRAY['session', 'ticket', 'token', 'own_page']) AS kind"
    " WHERE s.person_id = :person"
)
_DROP_TOKENS = sa.text(
    "DELETE FROM lesson_token WHERE session_id IN (SELECT id FROM session WHERE person_id = :person)"
)
_DROP_SESSIONS = sa.text("DELETE FROM session WHERE person_id = :person")
_DROP_FIELDS = sa.text("DELETE FROM person_field WHERE person_id = :person")
_DROP_CORRECTIONS = sa.text("DELETE FROM correction WHERE person_id = :person")
_DROP_RESTRICTIONS = sa.text("DELETE FROM disclosure_restriction WHERE person_id = :person")
_DROP_AGES = sa.text("DELETE FROM person_age WHERE person_id = :person")
_DROP_IDENTITIES = sa.text("DELETE FROM identity WHERE person_id = :person")
# The tombstone: an id that no key is ever made for again.
_DESTROY_KEY = sa.text(
    "UPDATE person SET wrapped_key = NULL, key_destroyed_at = :at WHERE id = :person AND wrapped_key IS NOT NULL"
)


_SUBJECT = sa.text("SELECT kind, wrapped_key FROM person WHERE id = :person")
_LOCK = sa.text("SELECT FROM person WHERE id = :person FOR UPDATE")


def subject_of(
    connection: Connection, keys: DistrictKeys, person_id: PersonId, at: datetime, *, lock: bool = False
) -> DataSubject | None:
    """A person of the entered district, an erased one too; None for nobody's id.

    `lock`: whoever would write of the person waits until this transaction ends.
    """
    if lock:
        connection.execute(_LOCK, {"person": person_id})
    row = connection.execute(_SUBJECT, {"person": person_id}).one_or_none()
    if row is None:
        return None
    key = None if row.wrapped_key is None else keys.person_key(person_id, bytes(row.wrapped_key))
    return DataSubject(person_id=person_id, district_id=keys.district_id, kind=row.kind, at=at, keys=keys, key=key)


def end_sessions(connection: Connection, person_id: PersonId) -> tuple[int, int]:
    """End every session of somebody at once, and take it away with its tokens; how many there were of both."""
    mine = {"person": person_id}
    connection.execute(_CLOSE_DOORS, mine)
    tokens = connection.execute(_DROP_TOKENS, mine).rowcount
    return connection.execute(_DROP_SESSIONS, mine).rowcount, tokens


class SessionsData:
    """Sessions and the tokens that came of them."""

    name = "sign-in"
    tables: Sequence[Table] = (
        SESSIONS, TOKENS, INVITATIONS, PROMISES, STAFF_ACCESS, APPLICATIONS, CONNECTIONS, CLAIMS, WAITING,
    )  # fmt: skip

    def export(self, connection: Connection, subject: DataSubject) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """When somebody came, by which system, and to which lesson."""
        return rows_about(connection, self.tables, subject)

    def erase(self, connection: Connection, subject: DataSubject) -> Mapping[str, int]:
        """End every session at once, and take it away."""
        sessions, tokens = end_sessions(connection, subject.person_id)
        return {"sessions": sessions, "lesson_tokens": tokens}


class PeopleData:
    """People, their fields and identities. Erased last: whatever else there is points at the person."""

    name = "people"
    tables: Sequence[Table] = (
        PERSON,
        FIELDS,
        AGES,
        AGE_STATEMENTS,
        IDENTITIES,
        CORRECTIONS,
        RESTRICTIONS,
        BLOCKS,
        ALIASES,
    )

    def export(self, connection: Connection, subject: DataSubject) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Names, ids and e-mails with their provenance."""
        return rows_about(connection, self.tables, subject)

    def erase(self, connection: Connection, subject: DataSubject) -> Mapping[str, int]:
        """Take away fields and identities, and destroy the key: nobody reads what is left in the write-ahead log."""
        mine = {"person": subject.person_id, "at": subject.at}
        return {
            "corrections": connection.execute(_DROP_CORRECTIONS, mine).rowcount,
            "restrictions": connection.execute(_DROP_RESTRICTIONS, mine).rowcount,
            "fields": connection.execute(_DROP_FIELDS, mine).rowcount,
            "ages": connection.execute(_DROP_AGES, mine).rowcount,
            "identities": connection.execute(_DROP_IDENTITIES, mine).rowcount,
            "keys": connection.execute(_DESTROY_KEY, mine).rowcount,
        }
