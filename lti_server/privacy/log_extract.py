"""An extract of a district's log as one signed file, to hand on: anyone checks it with the public key alone."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sqlalchemy.engine import Connection

from lti_server.ids import DistrictId
from lti_server.privacy.crypto import DistrictKeys
from lti_server.privacy.document_keys import DocumentKeys
from lti_server.privacy.log_reading import MOST, Wanted, read_log
from lti_server.privacy.signed_documents import Kind

EXTRACT = Kind(name="log-extract", version=1, members=frozenset({"asked", "entries", "next"}))
MOST_ENTRIES = 10_000
WORDS = re.compile(r"[a-z_ ]{1,60}")


def signed_extract(
    connection: Connection, signs: DocumentKeys, keys: DistrictKeys, wanted: Wanted, *, after: str | None, at: datetime
) -> bytes:
    """The entries that fit, newest first, without what they say beyond their columns: that may be about somebody.

    `next` is where a further file goes on, None where this one is all.

    Raises:
        InvalidInput: `after` is no place in the list.
    """
    entries: list[dict[str, object]] = []
    while True:
        page = read_log(connection, keys, wanted, after=after, limit=MOST)
        for one in page.items:
            said = one.plain()
            del said["details"]
            entries.append(said)
        after = page.next
        if after is None or len(entries) >= MOST_ENTRIES:
            break
    body = {"asked": _asked(wanted), "entries": entries, "next": after}
    return signs.sign(connection, EXTRACT, body, district_id=DistrictId(keys.district_id), at=at)


def _asked(wanted: Wanted) -> dict[str, str | None]:
    """What was asked for; a word that is no act of ours found nothing, and is not handed on."""
    act = wanted.act if wanted.act is not None and WORDS.fullmatch(wanted.act) else None
    return {
        "act": act, "decision": wanted.decision, "purpose": wanted.purpose,
        "since": _iso(wanted.since), "until": _iso(wanted.until),
    }  # fmt: skip


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
