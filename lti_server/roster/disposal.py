"""What a disposition finds: whose data a grant alone supports, and what it told of all others and of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import GrantId, PersonId

# Whoever came by the grant, is not erased, and has no live way in and no class by a grant that is not withdrawn.
_PEOPLE = sa.text(
    """
SELECT p.id FROM person p
WHERE p.wrapped_key IS NOT NULL AND (CAST(:grant AS uuid) IS NULL OR (
  (EXISTS (SELECT FROM identity i WHERE i.person_id = p.id AND i.grant_id = :grant)
    OR EXISTS (SELECT FROM membership m WHERE m.person_id = p.id AND m.grant_id = :grant)
    OR EXISTS (SELECT FROM person_field f WHERE f.person_id = p.id AND f.grant_id = :grant))
  AND NOT EXISTS (SELECT FROM identity i JOIN grants g ON g.id = i.grant_id
    WHERE i.person_id = p.id AND i.ended_at IS NULL AND g.id <> :grant AND g.ended_at IS NULL)
  AND NOT EXISTS (SELECT FROM membership m JOIN grants g ON g.id = m.grant_id
    WHERE m.person_id = p.id AND m.ended_at IS NULL AND g.id <> :grant AND g.ended_at IS NULL)))
ORDER BY p.created_at, p.id LIMIT :most
"""
)
_FIELDS = sa.text("DELETE FROM person_field WHERE CAST(:grant AS uuid) IS NULL OR grant_id = :grant")
_AGES = sa.text("DELETE FROM person_age WHERE CAST(:grant AS uuid) IS NULL OR grant_id = :grant")
# An id at the provider under which nobody is found any more: the row stays for what points at it.
_IDENTITIES = sa.text(
    "UPDATE identity SET subject = NULL, subject_hash = decode(replace(gen_random_uuid()::text, '-', ''), 'hex')"
    " WHERE ended_at IS NOT NULL AND (CAST(:grant AS uuid) IS NULL OR grant_id = :grant)"
)
_SECTIONS = sa.text(
    "UPDATE section SET name = '', school = NULL, memberships_url = NULL, differences_url = NULL"
    " WHERE (name <> '' OR school IS NOT NULL OR memberships_url IS NOT NULL)"
    " AND (CAST(:grant AS uuid) IS NULL OR grant_id = :grant)"
)


class KeptByGrants:
    """The whole district, or one of its revoked grants."""

    def people(self, connection: Connection, grant_id: GrantId | None, most: int) -> Sequence[PersonId]:
        found = connection.execute(_PEOPLE, {"grant": grant_id, "most": most}).scalars()
        return [PersonId(one) for one in found]

    def leftovers(self, connection: Connection, grant_id: GrantId | None) -> Mapping[str, int]:
        values = {"grant": grant_id}
        return {
            "fields": connection.execute(_FIELDS, values).rowcount + connection.execute(_AGES, values).rowcount,
            "identities": connection.execute(_IDENTITIES, values).rowcount,
            "class_names": connection.execute(_SECTIONS, values).rowcount,
        }
