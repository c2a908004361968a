"""What becomes of sign-ins when a grant is withdrawn: sessions and their tokens end, identities with the grant."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.provider_connections import forget
from lti_server.privacy.grant_states import Use
from lti_server.privacy.participants import Done, Withdrawal

_CARRY_SESSIONS = sa.text(
    "UPDATE session SET grant_epoch = :epoch WHERE grant_id = :grant AND grant_epoch = :epoch - 1 AND ended_at IS NULL"
    # Of a narrowed grant, whoever is in a section that it reaches (privacy/population.py).
    " AND NOT EXISTS (SELECT FROM membership m WHERE m.id = session.membership_id"
    " AND NOT grant_reaches(:grant, m.section_id))"
    " AND NOT EXISTS (SELECT FROM resource_link l WHERE l.id = session.resource_link_id AND l.section_id IS NOT NULL"
    " AND NOT grant_reaches(:grant, l.section_id))"
    # Of a session of no section, whoever is in one that the contract names (0024_contract_population.sql).
    " AND (membership_id IS NOT NULL OR EXISTS (SELECT FROM resource_link l WHERE l.id = session.resource_link_id"
    " AND l.section_id IS NOT NULL) OR contract_reaches_person(:grant, person_id))"
)
_END_SESSIONS = sa.text(
    "UPDATE session SET ended_at = :at, ticket_expires_at = least(ticket_expires_at, :at)"
    " WHERE grant_id = :grant AND grant_epoch < :epoch AND ended_at IS NULL RETURNING id"
)
_CLOSE_DOORS = sa.text(
    "SELECT directory_close(kind, id) FROM unnest(CAST(:ids AS uuid[])) AS id,"
    " unnest(ARRAY['session', 'ticket', 'token', 'own_page']) AS kind"
)
_WIPE_TOKENS = sa.text("DELETE FROM lesson_token WHERE session_id = ANY(:ids)")
_END_IDENTITIES = sa.text("UPDATE identity SET ended_at = :at WHERE grant_id = :grant AND ended_at IS NULL")

# Of a narrowed grant: who was in sections alone that it does not reach any more, and has nothing else here.
_END_OUTSIDE = sa.text(
    "UPDATE identity SET ended_at = :at WHERE grant_id = :grant AND ended_at IS NULL AND grant_lost(:grant, person_id)"
)
_DROP_OUTSIDE = sa.text("DELETE FROM person_field WHERE grant_id = :grant AND grant_lost(:grant, person_id)")


class SignIns:
    """Sessions, tickets and lesson tokens; and, with the whole grant, who somebody is at its provider."""

    name = "sign-in"

    def carry_on(self, connection: Connection, withdrawal: Withdrawal) -> None:
        """Whoever is signed in stays so where signing in is left."""
        if Use.SIGN_IN in withdrawal.left:
            connection.execute(_CARRY_SESSIONS, {"grant": withdrawal.grant_id, "epoch": withdrawal.epoch})

    def on_revoked(self, connection: Connection, withdrawal: Withdrawal) -> Done:
        """End every session of a former epoch. An identity is ended, not deleted: the data waits in quarantine."""
        values = {"grant": withdrawal.grant_id, "epoch": withdrawal.epoch, "at": withdrawal.at}
        ended = list(connection.execute(_END_SESSIONS, values).scalars())
        tokens = close_sessions(connection, ended)
        forgotten = 0
        if withdrawal.whole:
            identities = connection.execute(_END_IDENTITIES, values).rowcount
            forgotten = forget(connection, withdrawal.grant_id, withdrawal.at)
        elif withdrawal.narrowing:
            identities = connection.execute(_END_OUTSIDE, values).rowcount
            connection.execute(_DROP_OUTSIDE, values)
        else:
            identities = 0
        counts = {"sessions": len(ended), "lesson_tokens": tokens, "identities": identities}
        return Done(counts={**counts, "configurations": forgotten} if forgotten else counts)


def close_sessions(connection: Connection, ended: Sequence[UUID]) -> int:
    """Nothing leads to these sessions any more; how many lesson tokens they had."""
    if not ended:
        return 0
    connection.execute(_CLOSE_DOORS, {"ids": list(ended)})
    return connection.execute(_WIPE_TOKENS, {"ids": list(ended)}).rowcount
