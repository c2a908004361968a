"""The Platform Notification Service 1.0: where a tool wants its notices, and the notices."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import requests
from flask import Response, abort, jsonify, request

from lti_server_demo_lms.answers import problem
from lti_server_demo_lms.messages import LTI, NOTICES_SENT, signed
from lti_server_demo_lms.parts import Parts
from lti_server_demo_lms.world import Course, District

HELLO, CONTEXT_COPY = NOTICES_SENT
LIFE_S = 300
TIMEOUT_S = 5.0
MOST = 100


def handlers(parts: Parts, district: District) -> Response:
    """GET lists them, PUT sets one; a hello goes to an address that is new."""
    if request.method == "PUT":
        kind, handler, most = _asked(parts)
        if parts.store.put_handler(district.slug, kind, handler, most) and handler and kind == HELLO:
            send(parts, district, HELLO, [{}])
    set_now = parts.store.handlers(district.slug)
    return jsonify(
        client_id=parts.client_id_in_json(district),
        deployment_id=district.deployment_id,
        notice_handlers=[
            {"notice_type": kind, "handler": set_now.get(kind, ("", 0))[0]} for kind in (HELLO, CONTEXT_COPY)
        ],
    )


def _asked(parts: Parts) -> tuple[str, str, int]:
    given = request.get_json(force=True, silent=True)
    if not isinstance(given, dict):
        abort(problem(400, "The body must be a JSON object."))
    kind, handler, most = given.get("notice_type"), given.get("handler"), given.get("max_batch_size", MOST)
    if kind not in (HELLO, CONTEXT_COPY):
        abort(problem(400, "notice_type is none of those that this platform sends."))
    tool = parts.config.tool_url.rstrip("/") + "/"
    if not isinstance(handler, str) or (handler and not handler.startswith(tool)):
        abort(problem(400, "handler must be an address of the tool, or empty."))
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        abort(problem(400, "max_batch_size must be a whole number above 0."))
    return kind, handler, most


def tell_of_copy(parts: Parts, district: District, course: Course) -> None:
    """Say that a course is a copy of others."""
    said = {LTI + "context": {"id": course.id, "title": course.title}, LTI + "origin_contexts": list(course.history)}
    send(parts, district, CONTEXT_COPY, [said])


def send(parts: Parts, district: District, kind: str, told: Sequence[dict[str, Any]]) -> int:
    """Send notices to whoever asked for this type, in batches; answers how many were sent. Never twice."""
    handler, most = parts.store.handlers(district.slug).get(kind, ("", MOST))
    if not handler:
        return 0
    batch = [{"jwt": signed(parts.key, claims(parts, district, kind, said))} for said in told]
    for start in range(0, len(batch), most):
        with requests.Session() as session:
            # A proxy of the environment cannot reach a tool on this computer.
            session.trust_env = False
            try:
                session.post(handler, json={"notices": batch[start : start + most]}, timeout=TIMEOUT_S)
            except requests.RequestException:
                continue
    return len(batch)


def claims(parts: Parts, district: District, kind: str, said: dict[str, Any]) -> dict[str, Any]:
    """What a notice says: no person, no nonce."""
    now_s = int(time.time())
    return {
        "iss": parts.issuer(district),
        "aud": district.client_id,
        "iat": now_s,
        "exp": now_s + LIFE_S,
        LTI + "version": "1.3.0",
        LTI + "deployment_id": district.deployment_id,
        LTI + "notice": {"id": str(uuid4()), "timestamp": datetime.now(UTC).isoformat(), "type": kind},
        **said,
    }
