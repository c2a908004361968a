"""What Facebook posts by itself: somebody has removed the app there, or wants what it knows about them deleted.

Both are a `signed_request`: a signature under the app's secret and a payload, the same for either, so the address that
is registered there says which it is (`event`). Nothing in it says for which app it is but the secret itself.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from lti_server.providers import BrokeContract, Clock, RejectedCredentials, Signal, SignalKind, SignalRequest

ALGORITHM = "HMAC-SHA256"
EVENTS = {"deauthorize": SignalKind.GRANT_REVOKED, "deletion": SignalKind.DATA_DELETION}
LATE, AHEAD = timedelta(days=1), timedelta(minutes=5)
# A login's own signed request, which a browser holds, has a code or a token in it.
OF_A_LOGIN = frozenset({"code", "oauth_token", "access_token"})
LONGEST = 16 * 1024


def signal(request: SignalRequest, *, issuer: str, secret: str, clock: Clock) -> Signal:
    """The signal of one callback.

    Raises:
        RejectedCredentials: it is not from Facebook, of another app, too old, or of a login.
        BrokeContract: it names nobody, or the address does not say what it is about.
    """
    encoded, said = _opened(request, secret)
    if said.get("algorithm") != ALGORITHM or OF_A_LOGIN & said.keys():
        raise RejectedCredentials("This is no callback of Facebook (algorithm).")
    made, now = _time(said.get("issued_at")), clock.now()
    if made is None or not now - LATE <= made <= now + AHEAD:
        raise RejectedCredentials("The callback is too old, or its time is missing (issued_at).")
    kind = EVENTS.get(request.query.get("event", ""))
    user_id = said.get("user_id")
    if kind is None:
        raise BrokeContract("Register the address with event=deauthorize or event=deletion at its end.")
    if not isinstance(user_id, str) or not 0 < len(user_id) <= 255:
        raise BrokeContract("The callback does not say about whom it is (user_id).")
    return Signal(
        kind=kind,
        signal_id=hashlib.sha256(encoded).hexdigest(),  # it has no id of its own
        issuer=issuer,
        occurred_at=made,
        subject=user_id,
    )


def _opened(request: SignalRequest, secret: str) -> tuple[bytes, Mapping[str, Any]]:
    """The payload as it was signed, and what it says, once the signature fits."""
    try:
        form = parse_qsl(request.body[: LONGEST + 1].decode("ascii"), max_num_fields=20)
        (given,) = (value for name, value in form if name == "signed_request")
        first, _, second = given.partition(".")
        signature, encoded = _decoded(first), second.encode("ascii")
    except (ValueError, binascii.Error):
        raise RejectedCredentials("This is no signed_request.") from None
    if len(request.body) > LONGEST or not hmac.compare_digest(
        signature, hmac.digest(secret.encode(), encoded, "sha256")
    ):
        raise RejectedCredentials("The callback was not signed with this app's secret.")
    try:
        said = json.loads(_decoded(second))
    except (ValueError, binascii.Error, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise BrokeContract("The callback is signed and no JSON object.")
    return encoded, said


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _time(said: object) -> datetime | None:
    if not isinstance(said, int) or isinstance(said, bool):
        return None
    try:
        return datetime.fromtimestamp(said, UTC)
    except (ValueError, OverflowError, OSError):
        return None
