"""`POST /signals/<provider>?grant=ID`: where a provider says that it has revoked, disabled or deleted something."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, jsonify, make_response, request

from lti_server.errors import TooLarge
from lti_server.privacy.signals import HeedSignals
from lti_server.providers.spi import SignalRequest
from lti_server.web.guards import public

LONGEST_BODY = 64 * 1024


def blueprint(signals: Callable[[], HeedSignals]) -> Blueprint:
    """The one endpoint. Answers 202 with what was done: a repeat is no error, and neither is a withdrawn connection."""
    pages = Blueprint("signals", __name__)

    @pages.post("/signals/<provider>")
    @public("each message is verified by the provider's plugin")
    def take(provider: str) -> Response:
        heeds = signals()
        sender = heeds.sender(provider, request.args.get("grant", ""))
        if not sender.listens:
            heeds.drop(sender)
            return make_response(jsonify({"signals": []}), 202)
        heeded = heeds.heed(sender, _read())
        shown = [
            {
                "kind": one.kind,
                "outcome": one.outcome,
                **({} if one.revocation_id is None else {"revocation": str(one.revocation_id)}),
            }
            for one in heeded
        ]
        return make_response(jsonify({"signals": shown}), 202)

    return pages


def _read() -> SignalRequest:
    if (request.content_length or 0) > LONGEST_BODY:
        raise TooLarge("A signal may hold 64 KB.")
    body = request.stream.read(LONGEST_BODY + 1)
    if len(body) > LONGEST_BODY:
        raise TooLarge("A signal may hold 64 KB.")
    return SignalRequest(
        headers={name.lower(): value for name, value in request.headers.items()},
        query={name: value for name, value in request.args.items() if name != "grant"},
        body=body,
    )
