"""The receipt of a withdrawal as one signed file, which the district keeps and anyone can check."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.engine import Connection

from lti_server.errors import Conflict, NotFound
from lti_server.ids import DistrictId
from lti_server.privacy.document_keys import DocumentKeys
from lti_server.privacy.grant_view import GrantView
from lti_server.privacy.signed_documents import Kind
from lti_server.privacy.timetable import StepName

RECEIPT = Kind(
    name="revocation-receipt",
    version=2,
    members=frozenset(
        {
            "grant",
            "provider",
            "epoch",
            "uses",
            "requested_at",
            "acknowledged_at",
            "dispose_by",
            "parts",
            "upstream",
            "last_read_at",
            "last_send_at",
        }
    ),
)


def receipt_file(
    connection: Connection, keys: DocumentKeys, district_id: DistrictId, grant: GrantView, revocation_id: UUID
) -> bytes:
    """The same receipt at every call, once it is acknowledged: times and counts, nobody's name.

    Where tokens go back to a provider there is a second one, of the moment when the last of them was settled.

    Raises:
        NotFound: the grant has no such withdrawal.
        Conflict: it is not acknowledged yet.
    """
    found = next((one for one in grant.receipts if one.id == revocation_id), None)
    if found is None:
        raise NotFound("This connection has no such receipt.")
    if found.acknowledged_at is None:
        raise Conflict("Something is still in flight, so there is no receipt yet. Try again in a moment.")
    said = found.plain()
    body = {name: said[name] for name in RECEIPT.members - {"grant", "provider"}}
    at = found.acknowledged_at
    for step in found.steps:
        if step.name is StepName.GIVEN_BACK and step.done_at is None:
            body["upstream"] = {"waiting": sum(found.upstream.values())}  # as at the acknowledgement
        elif step.name is StepName.GIVEN_BACK:
            at = max(at, step.done_at or at)
    return keys.sign(
        connection, RECEIPT, {**body, "grant": str(grant.id), "provider": grant.provider}, district_id=district_id,
        at=at,
    )  # fmt: skip
