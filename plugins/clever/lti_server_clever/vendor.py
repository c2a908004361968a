"""What is believed of Clever's addresses and answers, in one place: where Clever does it differently, correct it here.

Sure (Clever's documentation, API version 3.1): the addresses, Basic at the token endpoint, `{"data": …}` around every
record, relative addresses in `links`. Not sure: each constant and function below that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from lti_server.providers import BrokeContract, Response

SITE = "https://clever.com"
API = "https://api.clever.com"
VERSION = "v3.0"

PKCE = False
"""Clever documents no code challenge, and what an authorisation server does not know it may refuse."""
REFUSAL_WITHOUT_WORD = "invalid_grant"
"""A used code is answered with 400 and the words "Invalid grant: invalid code". Not sure: under which member."""
OPENID_SCOPE = "openid"
"""Not sure: whether Clever wants a scope where it enabled OpenID Connect for an application."""
WITHHELD = frozenset({403, 404})
"""Not sure: which of both answers for a person whom the district does not share with the application."""


def authorize_url(site: str) -> str:
    return f"{site}/oauth/authorize"


def tokens_url(site: str) -> str:
    return f"{site}/oauth/tokens"


def me_url(api: str) -> str:
    return f"{api}/{VERSION}/me"


def user_url(api: str, user_id: str) -> str:
    return f"{api}/{VERSION}/users/{quote(user_id, safe='')}"


def record(answer: Response, what: str) -> Mapping[str, Any]:
    """What is within `data`.

    Raises:
        BrokeContract: the answer is no record of Clever's.
    """
    said = answer.json() if answer.status == 200 else None
    found = said.get("data") if isinstance(said, dict) else None
    if not isinstance(found, dict):
        raise BrokeContract(f"Clever's answer about {what} is not what it documents ({answer.status}). Tell Clever.")
    return found


def id_in(found: Mapping[str, Any], name: str, what: str) -> str:
    """An id, which is a text that is not empty.

    Raises:
        BrokeContract: there is none.
    """
    said = found.get(name)
    if not isinstance(said, str) or not said.strip():
        raise BrokeContract(f"Clever's answer about {what} has no {name}. Tell Clever.")
    return said
