"""`POST /signals/<provider>`: where a provider says that it has revoked, disabled or deleted something.

With `?grant=ID` for a connection; without it for the operator's own application at that provider.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, jsonify, make_response, request, url_for

from lti_server.errors import InvalidInput, SignalRefused, TooLarge
from lti_server.privacy.application_signals import HeedApplication
from lti_server.privacy.signals import Heeded, HeedSignals
from lti_server.providers.manifest import SignalAnswers
from lti_server.providers.spi import SignalRequest
from lti_server.web.guards import public

LONGEST_BODY = 64 * 1024
# What a sender is told that was not believed, in the words of its own standard; the others get a problem document.
REFUSALS = {
    SignalAnswers.SECURITY_EVENT: {"err": "invalid_request", "description": "The message was not believed."},
    SignalAnswers.LOGOUT: {"error": "invalid_request"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalParts:
    """`answers` is how a plugin's sender wants to be answered; one of nobody has none of its own."""

    connections: Callable[[], HeedSignals]
    application: Callable[[], HeedApplication]
    answers: Callable[[str], SignalAnswers]
    base_url: str


def blueprint(parts: SignalParts) -> Blueprint:
    """The one endpoint. A repeat is no error, and neither is a withdrawn connection. No answer is ever kept."""
    pages = Blueprint("signals", __name__)

    @pages.post("/signals/<provider>")
    @public("each message is verified by the provider's plugin")
    def take(provider: str) -> Response:
        answers = parts.answers(provider)
        try:
            return _answer(parts, answers, _heed(parts, provider))
        except (SignalRefused, InvalidInput):
            if answers not in REFUSALS:
                raise
            return make_response(jsonify(REFUSALS[answers]), 400)

    return pages


def _heed(parts: SignalParts, provider: str) -> Sequence[Heeded]:
    if "grant" not in request.args:
        return parts.application().heed(provider, _read())
    heeds = parts.connections()
    sender = heeds.sender(provider, request.args["grant"])
    if not sender.listens:
        heeds.drop(sender)
        return ()
    return heeds.heed(sender, _read())


def _answer(parts: SignalParts, answers: SignalAnswers, heeded: Sequence[Heeded]) -> Response:
    code = next((one.code for one in heeded if one.code), "")
    if answers is SignalAnswers.SECURITY_EVENT:
        return make_response("", 202)
    if answers is SignalAnswers.CALLBACK and code:
        page = parts.base_url + url_for("deletion.show", code=code)
        return make_response(jsonify({"url": page, "confirmation_code": code}), 200)
    shown = [
        {
            "kind": one.kind,
            "outcome": one.outcome,
            **({} if one.revocation_id is None else {"revocation": str(one.revocation_id)}),
            **({} if one.receipt_id is None else {"receipt": str(one.receipt_id)}),
        }
        for one in heeded
    ]
    return make_response(jsonify({"signals": shown}), 202 if answers is SignalAnswers.ACCEPTED else 200)


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
