"""`/api/v1/grants`: a district's connections, and revoking one, for whoever may do it on the console."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask.views import MethodView
from marshmallow import RAISE, Schema, fields, validate

from lti_server.accounts.connection_views import LONGEST_REASON, PATIENCE_S, ConnectionParts
from lti_server.accounts.permissions import Permission
from lti_server.errors import NotFound
from lti_server.ids import DistrictId, GrantId
from lti_server.privacy import grant_view
from lti_server.privacy.grant_states import GrantState, Use
from lti_server.web.api import ApiBlueprint
from lti_server.web.guards import public, signed_in
from lti_server.web.paging import After, PageQuery, after

EACH_DECLARES = [public("each method declares its own")]


class PartSchema(Schema):
    """What one part of the server did in a withdrawal: counts alone."""

    participant = fields.String(required=True)
    at = fields.String(required=True)
    did = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class StepSchema(Schema):
    """One step of the timetable: `ended`, `given_back` or `disposed`; `done_at` is null while it is to be done."""

    step = fields.String(required=True)
    due_at = fields.String(required=True)
    done_at = fields.String(required=True, allow_none=True)


class ReceiptSchema(Schema):
    """One withdrawal; `acknowledged_at` is null while something is in flight."""

    id = fields.UUID(required=True)
    epoch = fields.Integer(required=True)
    uses = fields.List(fields.String(), required=True)
    asked_by = fields.String(required=True)
    requested_at = fields.String(required=True)
    acknowledged_at = fields.String(required=True, allow_none=True)
    dispose_by = fields.String(required=True, allow_none=True)
    parts = fields.List(fields.Nested(PartSchema), required=True)
    upstream = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    steps = fields.List(fields.Nested(StepSchema), required=True)


class GrantSchema(Schema):
    """A connection as it stands; nothing about a person."""

    id = fields.UUID(required=True)
    state = fields.String(required=True, validate=validate.OneOf([state.value for state in GrantState]))
    epoch = fields.Integer(required=True)
    provider = fields.String(required=True)
    uses = fields.List(fields.String(), required=True)
    population = fields.String(required=True, metadata={"description": "whose data it may bring: all, none, sections"})
    sections = fields.List(fields.UUID(), required=True, allow_none=True)
    created_at = fields.String(required=True)
    in_flight = fields.Integer(required=True, metadata={"description": "pages and sends under way at this moment"})
    suspended_on = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "the evidence on which it is suspended by itself: tenant_missing, tenants_unread"},
    )
    receipts = fields.List(fields.Nested(ReceiptSchema), required=True)


class GrantsSchema(Schema):
    """One page; `next` is null on the last."""

    items = fields.List(fields.Nested(GrantSchema), required=True)
    next = fields.String(required=True, allow_none=True)


class RevokeSchema(Schema):
    """Why, and what of it; without `uses`, the whole connection."""

    class Meta:
        unknown = RAISE

    reason = fields.String(
        required=True,
        validate=validate.And(validate.Length(1, LONGEST_REASON), validate.Regexp(r".*\S")),
        metadata={"description": "for the log and the receipt; name nobody"},
    )
    uses = fields.List(
        fields.String(validate=validate.OneOf([use.value for use in Use])),
        load_default=[use.value for use in Use],
        validate=validate.Length(1),
    )


def blueprint(parts: ConnectionParts) -> ApiBlueprint:
    """The list, and the revocation. The session's cookie is the credential; a change needs the form token, too."""
    api = ApiBlueprint("grants", __name__, url_prefix="/api/v1", description="What a district has let in.")

    class GrantsView(MethodView):
        decorators = EACH_DECLARES

        @api.arguments(PageQuery, location="query", unknown=RAISE)
        @api.response(200, GrantsSchema)
        @signed_in(Permission.REVOKE_GRANTS)
        def get(self, asked: Mapping[str, Any]) -> dict[str, Any]:
            """The district's connections, oldest first, the revoked ones too."""
            district_id, _by = _who(parts)
            with parts.database.tenant(district_id) as connection:
                begins, limit = after(asked["cursor"]), asked["limit"]
                found = grant_view.page(connection, parts.population, begins, limit + 1)
            shown, more = found[:limit], len(found) > limit
            last = After(shown[-1].created_at, shown[-1].id).cursor() if more else None
            return {"items": [one.plain() for one in shown], "next": last}

    api.add_url_rule("/grants", "grants", GrantsView)
    _revocation(api, parts)
    return api


def _revocation(api: ApiBlueprint, parts: ConnectionParts) -> None:
    class RevokeView(MethodView):
        decorators = EACH_DECLARES

        @api.arguments(RevokeSchema)
        @api.response(200, GrantSchema)
        @signed_in(Permission.REVOKE_GRANTS)
        def post(self, asked: Mapping[str, Any], grant_id: UUID) -> dict[str, Any]:
            """Revoke a connection, or one use of it, for good.

            Nothing new passes once this answers. `acknowledged_at` of the receipt is null while something is in flight:
            the worker waits for it, and the list says when it is done. Send the console's form token as X-CSRFToken.
            """
            district_id, by = _who(parts)
            grant, uses = GrantId(grant_id), frozenset(map(Use, asked["uses"]))
            parts.withdraw.begin(district_id, grant, by=by, reason=asked["reason"].strip(), uses=uses)
            parts.withdraw.finish(district_id, grant, patience_s=PATIENCE_S)
            with parts.database.tenant(district_id) as connection:
                return grant_view.view(connection, grant, parts.population).plain()

    api.add_url_rule("/grants/<uuid:grant_id>/revoke", "revoke", RevokeView)


def _who(parts: ConnectionParts) -> tuple[DistrictId, str]:
    staff = parts.staff(Permission.REVOKE_GRANTS)
    if staff.district_id is None:
        raise NotFound("Sign in as an administrator of the district.")
    return staff.district_id, f"staff:{staff.id}"
