"""What is believed of ClassLink's addresses and answers, in one place: where ClassLink differs, correct it here.

ClassLink documents its sign-in to partners alone; this is what clients of others do (omniauth-classlink and captures of
live answers). Not sure: each constant and function below that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lti_server.providers import BrokeContract, Response

SITE = "https://launchpad.classlink.com"
API = "https://nodeapi.classlink.com"
PROXY = "https://oneroster-proxy.apis.classlink.com"

SCOPE = "email,profile"
"""With a comma, where RFC 6749 3.3 has a space."""
PKCE = False
"""Not sure: no client of others sends a code challenge, and a server may refuse what it does not know."""


def authorize_url(site: str) -> str:
    return f"{site}/oauth2/v2/auth"


def token_url(site: str) -> str:
    return f"{site}/oauth2/v2/token"


def info_url(api: str) -> str:
    return f"{api}/v2/my/info"


def refusal_word(_said: Mapping[str, Any]) -> str:
    """Not sure: how a used code is refused. A 400 without an error word is taken for that."""
    return "invalid_grant"


def record(answer: Response) -> Mapping[str, Any]:
    """Who signed in.

    Raises:
        BrokeContract: the answer is no record of ClassLink's.
    """
    found = answer.json()
    if not isinstance(found, dict):
        raise BrokeContract("ClassLink's answer about who signed in is no object. Tell ClassLink.")
    return found


def number_in(found: Mapping[str, Any], name: str) -> str:
    """An id that is a whole number, as text. Not sure: whether it is ever sent as text; both are taken.

    Raises:
        BrokeContract: there is none.
    """
    said = found.get(name)
    text = str(said) if isinstance(said, (int, str)) else ""
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
        raise BrokeContract(f"ClassLink's answer has no {name}. Tell ClassLink.")
    return text


LONGEST_NUMBER = 20
PAGE = 100
MOST_APPLICATIONS = 50_000


def applications_url(proxy: str) -> str:
    return f"{proxy}/applications"


def applications(answer: Response) -> list[Mapping[str, Any]]:
    """The rows of one page of the applications that a partner's key reaches: one a tenant, as a rule.

    Raises:
        BrokeContract: it is no such page; then the whole list counts for nothing.
    """
    said = answer.json() if answer.status == 200 else None
    rows = said.get("applications") if isinstance(said, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BrokeContract(f"ClassLink's list of applications is not what it was ({answer.status}). Tell ClassLink.")
    return rows


def application_id(row: Mapping[str, Any]) -> str:
    """What a row is known by.

    Raises:
        BrokeContract: it has no id.
    """
    found = row.get("oneroster_application_id")
    if not isinstance(found, str) or not found:
        raise BrokeContract("ClassLink's list of applications has a row without an id. Tell ClassLink.")
    return found


def is_on(row: Mapping[str, Any]) -> bool:
    """Whether the tenant lets the application in. `enabled` is a text, "true" or "false"; not sure: other states."""
    enabled, status = row.get("enabled", "true"), row.get("tenant_status", "Active")
    return str(enabled).lower() == "true" and str(status).lower() == "active"
