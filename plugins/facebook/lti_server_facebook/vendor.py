"""What is believed of Facebook's addresses and answers, in one place: where Facebook differs, correct it here.

Sure (Meta's documentation of Facebook Login and the Graph API): the addresses, the proof of the secret, the form of an
error. Not sure: each constant and function below that says so.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from lti_server.providers import BrokeContract, RateLimited, RejectedCredentials, Response, Unavailable

SITE = "https://www.facebook.com"
API = "https://graph.facebook.com"
VERSION = "v26.0"

SCOPE = "public_profile,email"
"""With a comma, where RFC 6749 3.3 has a space. More than these two needs Facebook's review."""
PKCE = False
"""Not sure: Facebook documents PKCE with OpenID Connect alone."""
FIELDS = "id,name,email"
THROTTLED = frozenset({4, 17, 32, 613})
"""Of the application, the user, the page, and a limit of a call's own."""
BEYOND = frozenset({102, 190, 458, 459, 460, 463, 464, 467})
"""The token is over: expired, the password changed, the application removed, and so on."""
OUT = frozenset({1, 2})
WRONG_CLIENT = frozenset({1, 101})
"""Not sure: at the token endpoint, a wrong secret (1) and an unknown application (101)."""
WAIT_S = 60


def authorize_url(site: str, version: str) -> str:
    return f"{site}/{version}/dialog/oauth"


def token_url(api: str, version: str) -> str:
    return f"{api}/{version}/oauth/access_token"


def graph_url(api: str, version: str, path: str) -> str:
    return f"{api}/{version}/{path}"


def proof(secret: str, token: str) -> str:
    """`appsecret_proof`: that whoever has the token has the application's secret, too."""
    return hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()


def refusal_word(said: Mapping[str, Any]) -> str:
    """What an error of the Graph API means at the token endpoint. A used or late code is 100 there."""
    code = _code(said)
    if code in THROTTLED:
        return "slow_down"
    if code in WRONG_CLIENT:
        return "invalid_client"
    return "temporarily_unavailable" if code in OUT else "invalid_grant"


def record(answer: Response, what: str) -> Mapping[str, Any]:
    """The object of a good answer.

    Raises:
        RejectedCredentials, RateLimited, Unavailable: as the error's code says. BrokeContract: it makes no sense.
    """
    found = answer.json()
    if not isinstance(found, dict):
        raise BrokeContract(f"Facebook's answer about {what} is no object. Tell Meta.")
    if answer.status == 200 and "error" not in found:
        return found
    code = _code(found)
    if code in THROTTLED:
        raise RateLimited("Facebook answers no more questions of this application for now.", retry_after_s=WAIT_S)
    if code in BEYOND or found.get("error") == "invalid_token":  # or the word of RFC 6750 3.1
        raise RejectedCredentials("Facebook does not take this token any more.")
    if code in OUT:
        raise Unavailable("Facebook cannot answer at the moment. Try again later.")
    raise BrokeContract(f"Facebook refused to tell {what} (error {code}).")


def text_in(found: Mapping[str, Any], name: str, what: str) -> str:
    """An id, which is a text that is not empty.

    Raises:
        BrokeContract: there is none.
    """
    said = found.get(name)
    if not isinstance(said, str) or not said.strip():
        raise BrokeContract(f"Facebook's answer about {what} has no {name}. Tell Meta.")
    return said


def _code(said: Mapping[str, Any]) -> int:
    error = said.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and not isinstance(code, bool) else 0
