"""What becomes of an LMS when its grant is withdrawn: tokens wiped, pickers closed, the platform found by nobody."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.privacy.grant_states import Use
from lti_server.privacy.participants import Done, Withdrawal

_WIPE_TOKENS = sa.text(
    "DELETE FROM service_token WHERE registration_id IN (SELECT id FROM registration WHERE grant_id = :grant)"
)
_CARRY_PICKERS = sa.text(
    "UPDATE deep_link_request SET grant_epoch = :epoch WHERE grant_id = :grant AND grant_epoch = :epoch - 1"
)
_END_PICKERS = sa.text("DELETE FROM deep_link_request WHERE grant_id = :grant AND grant_epoch < :epoch RETURNING id")
_DROP_KEYS = sa.text(
    "UPDATE platform_keys SET jwks = jsonb_build_object('keys', jsonb_build_array()), version = version + 1,"
    " fetched_at = NULL WHERE registration_id IN (SELECT id FROM registration WHERE grant_id = :grant)"
    " AND jsonb_array_length(jwks -> 'keys') > 0"
)
_DROP_HANDLERS = sa.text(
    "DELETE FROM notice_handler WHERE deployment_row_id IN (SELECT d.id FROM deployment d"
    " JOIN registration r ON r.id = d.registration_id WHERE r.grant_id = :grant)"
)
_REMOVE = sa.text("UPDATE registration SET removed_at = :at WHERE grant_id = :grant AND removed_at IS NULL")
_CLOSE = sa.text(
    "SELECT directory_close(kind, r.id) FROM registration r, unnest(ARRAY['client', 'issuer', 'registration']) AS kind"
    " WHERE r.grant_id = :grant"
    " UNION ALL SELECT directory_close('deployment', d.id) FROM deployment d"
    " JOIN registration r ON r.id = d.registration_id WHERE r.grant_id = :grant"
)
_CLOSE_PICKERS = sa.text("SELECT directory_close('picker', id) FROM unnest(CAST(:ids AS uuid[])) AS id")


class Platforms:
    """Service tokens, pickers, key sets and the registration itself."""

    name = "lti"

    def carry_on(self, connection: Connection, withdrawal: Withdrawal) -> None:
        """A teacher who is choosing goes on choosing where launches are left."""
        if Use.SIGN_IN in withdrawal.left:
            connection.execute(_CARRY_PICKERS, {"grant": withdrawal.grant_id, "epoch": withdrawal.epoch})

    def on_revoked(self, connection: Connection, withdrawal: Withdrawal) -> Done:
        """Wipe every token: an LMS offers no way to give one back (Security Framework 1.0, 4.1), so it ends here."""
        values = {"grant": withdrawal.grant_id, "epoch": withdrawal.epoch, "at": withdrawal.at}
        counts = {"service_tokens": connection.execute(_WIPE_TOKENS, values).rowcount}
        pickers = list(connection.execute(_END_PICKERS, values).scalars())
        if pickers:
            connection.execute(_CLOSE_PICKERS, {"ids": pickers})
        counts["pickers"] = len(pickers)
        if withdrawal.whole:
            counts["key_sets"] = connection.execute(_DROP_KEYS, values).rowcount
            counts["notice_handlers"] = connection.execute(_DROP_HANDLERS, values).rowcount
            counts["registrations"] = connection.execute(_REMOVE, values).rowcount
            connection.execute(_CLOSE, values)
        return Done(counts=counts)
