"""What is kept of those who come by e-mail: codes that were asked for. Nobody can be found by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.privacy.holdings import DataSubject, Table, nobody, passing

TABLES: Sequence[Table] = (
    Table(
        name="registration_desk",
        columns=nobody("district_id opened_at opened_by closed_at closed_by", "whether people register themselves"),
    ),
    Table(
        name="email_code",
        columns=MappingProxyType(
            {
                **nobody("id district_id way attempts created_at open_until expires_at used_at", "a code, and when"),
                **nobody("code_hash browser_hash", "keyed hashes of the code and of the browser that asked"),
                **passing("address_hash", "the keyed hash of an address; gone after an hour"),
                **passing("sealed", "what a newcomer said, sealed; gone once the code is used, or after an hour"),
            }
        ),
    ),
)
# By the hash that an address of theirs is found by: codes are of an address, and of nobody before they are typed.
_DROP_CODES = sa.text(
    "DELETE FROM email_code WHERE address_hash IN (SELECT lookup FROM person_field"
    " WHERE person_id = :person AND field = 'email' AND lookup IS NOT NULL)"
)


class EmailData:
    """Codes that were asked for. Erased before the person's fields, by which they are found."""

    name = "codes by e-mail"
    tables: Sequence[Table] = TABLES

    def export(self, connection: Connection, subject: DataSubject) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Nothing: no code is anybody's."""
        return {}

    def erase(self, connection: Connection, subject: DataSubject) -> Mapping[str, int]:
        """Take away what was asked for with an address of theirs, within the last hour."""
        codes = connection.execute(_DROP_CODES, {"person": subject.person_id}).rowcount
        return {"codes": codes} if codes else {}
