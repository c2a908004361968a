"""Where platforms send their notices."""

from __future__ import annotations

from typing import Protocol

from flask import Blueprint, Response, jsonify, request
from flask_babel import gettext as _

from lti_server.errors import InvalidInput, TooLarge
from lti_server.lti.notices import MOST_NOTICES, Refused, Taken
from lti_server.lti.signature import strict_json
from lti_server.web.guards import public


class Take(Protocol):
    def __call__(self, jwts: list[object]) -> Taken: ...


def add_notices(pages: Blueprint, take: Take, base_url: str) -> None:
    """`POST /lti/notices` on the LTI blueprint."""

    @pages.post("/notices")
    @public("each notice is signed by its platform")
    def notices() -> Response:
        taken = take(_jwts(request.get_data()))
        refused = [_problem(one, base_url) for one in taken.refused]
        return jsonify({"handled": taken.handled, "refused": refused})


def _jwts(body: bytes) -> list[object]:
    """The tokens of a batch, whatever they are.

    Raises:
        InvalidInput: the body is no batch. TooLarge: it holds more than 100 notices.
    """
    try:
        given = strict_json(body)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The batch of notices is not JSON.") from error
    listed = given.get("notices") if isinstance(given, dict) else None
    if not isinstance(listed, list):
        raise InvalidInput("A batch is an object whose member notices is a list.")
    if len(listed) > MOST_NOTICES:
        raise TooLarge("A batch may hold 100 notices. Send less at once.")
    return [one.get("jwt") if isinstance(one, dict) else None for one in listed]


def _problem(refused: Refused, base_url: str) -> dict[str, object]:
    """One member of the answer in the manner of RFC 9457; nothing of the notice is in it."""
    return {
        "index": refused.index,
        "type": f"{base_url}/problems/{refused.error.slug}",
        "title": _("This notice was refused"),
        "reason": refused.error.reason,
        "detail": _(refused.error.detail),
    }
