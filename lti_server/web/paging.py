"""Lists of the API: `{items, next}` with an opaque cursor (design 6.3)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from marshmallow import RAISE, Schema, fields, validate

from lti_server.errors import InvalidInput

MOST = 200
USUAL = 50


@dataclass(frozen=True, slots=True)
class After:
    """The last row of a page: the next one begins behind it."""

    at: datetime
    id: UUID

    def cursor(self) -> str:
        """The same row, in a form that promises nothing but to be given back."""
        return base64.urlsafe_b64encode(f"{self.at.isoformat()}|{self.id}".encode()).decode().rstrip("=")


def after(cursor: str) -> After | None:
    """The row that a cursor stands for; None without one.

    Raises:
        InvalidInput: no answer of this server had this cursor.
    """
    if not cursor:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        at, _, row = text.partition("|")
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError("no time zone")
        return After(moment.astimezone(UTC), UUID(row))
    except (ValueError, binascii.Error) as error:
        raise InvalidInput.listing(
            "The list cannot be read from here.", [("/cursor", "Send the `next` of an answer as it was.")]
        ) from error


class PageQuery(Schema):
    """Where a list begins, and how long a page is."""

    class Meta:
        unknown = RAISE

    cursor = fields.String(load_default="", metadata={"description": "The `next` of the page before."})
    limit = fields.Integer(load_default=USUAL, validate=validate.Range(1, MOST))
