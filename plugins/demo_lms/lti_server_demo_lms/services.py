"""The services that a tool calls: keys, tokens, members (NRPS 2.0), line items, scores and results (AGS 2.0)."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, abort, jsonify, request
from flask.typing import ResponseReturnValue

from lti_server_demo_lms import gradebook, members, notices
from lti_server_demo_lms.answers import fault, problem
from lti_server_demo_lms.faults import Answer
from lti_server_demo_lms.parts import Parts
from lti_server_demo_lms.tokens import AGS, NOTICES, NRPS, Refused
from lti_server_demo_lms.world import District

READ = AGS + "lineitem.readonly"
WRITES = (AGS + "lineitem",)


def blueprint(parts: Parts) -> Blueprint:
    """`/<district>/token`, `/jwks`, `/memberships/…` and `/lineitems/…`."""
    api = Blueprint("services", __name__, url_prefix="/<slug>")
    reads = (READ,) if parts.config.profile.readonly_explicit else (*WRITES, READ)
    _add_keys(api, parts)
    _add_notices(api, parts)
    if parts.config.profile.needs_user_agent:
        api.before_request(_refuse_nameless)

    @api.get("/memberships/<course_id>")
    def memberships(slug: str, course_id: str) -> Response:
        place = parts.place(slug, course_id)
        faults = parts.faults.memberships
        return _guarded(parts, place[0], faults, (NRPS,), lambda: members.listed(parts, *place))

    @api.route("/lineitems/<course_id>", methods=["GET", "POST"])
    def line_items(slug: str, course_id: str) -> Response:
        place, faults = parts.place(slug, course_id), parts.faults.lineitems
        if request.method == "POST":
            return _guarded(parts, place[0], faults, WRITES, lambda: gradebook.made(parts, *place))
        return _guarded(parts, place[0], faults, reads, lambda: gradebook.listed(parts, *place))

    @api.route("/lineitems/<course_id>/<int:item>", methods=["GET", "PUT", "DELETE"])
    def line_item(slug: str, course_id: str, item: int) -> Response:
        place, faults = parts.place(slug, course_id), parts.faults.lineitems
        scopes = reads if request.method == "GET" else WRITES
        return _guarded(parts, place[0], faults, scopes, lambda: gradebook.one(parts, *place, item))

    @api.post("/lineitems/<course_id>/<int:item>/scores")
    def scores(slug: str, course_id: str, item: int) -> Response:
        place, scopes = parts.place(slug, course_id), (AGS + "score",)
        return _guarded(parts, place[0], parts.faults.score, scopes, lambda: gradebook.scored(parts, *place, item))

    @api.get("/lineitems/<course_id>/<int:item>/results")
    def results(slug: str, course_id: str, item: int) -> Response:
        place, scopes = parts.place(slug, course_id), (AGS + "result.readonly",)
        return _guarded(parts, place[0], parts.faults.results, scopes, lambda: gradebook.results(parts, *place, item))

    return api


def _add_notices(api: Blueprint, parts: Parts) -> None:
    @api.route("/notice-handlers", methods=["GET", "PUT"])
    def notice_handlers(slug: str) -> Response:
        district, faults = parts.district(slug), parts.faults.notices
        if not parts.config.profile.notices:
            abort(404)
        return _guarded(parts, district, faults, (NOTICES,), lambda: notices.handlers(parts, district))


def _add_keys(api: Blueprint, parts: Parts) -> None:
    @api.get("/jwks")
    def jwks(slug: str) -> Response:
        parts.at_endpoint(slug)
        return _faulty(parts, parts.faults.jwks) or jsonify(parts.key.jwks())

    @api.post(f"/{parts.config.profile.token_path}")
    def token(slug: str) -> ResponseReturnValue:
        district = parts.at_endpoint(slug)
        answer = _faulty(parts, parts.faults.token)
        if answer is not None:
            return answer
        try:
            return jsonify(parts.tokens.issue(district, parts.token_audience(district), request.form))
        except Refused as refused:
            return jsonify(error=refused.error, error_description=str(refused)), refused.status


def _faulty(parts: Parts, waiting: list[Answer]) -> Response | None:
    answer = parts.faults.next(waiting)
    return None if answer is None else fault(answer)


def _refuse_nameless() -> Response | None:
    return None if request.headers.get("User-Agent") else problem(403, "A call must name its User-Agent.")


def _guarded(
    parts: Parts, district: District, faults: list[Answer], scopes: tuple[str, ...], then: Callable[[], Response]
) -> Response:
    """401 without a live token, 403 without the scope (RFC 6750, 3), then a fault if one waits, then the service."""
    held = parts.tokens.scopes(district, request.headers.get("Authorization", ""))
    if held is None:
        refused = problem(401, "There is no live token with this call.")
        refused.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
        return refused
    if not held & set(scopes):
        return problem(403, f"The token lacks the scope {scopes[0]}.")
    return _faulty(parts, faults) or then()
