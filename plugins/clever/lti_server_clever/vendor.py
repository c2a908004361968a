"""What is believed of Clever's addresses and answers, in one place: where Clever does it differently, correct it here.

Sure (Clever's documentation, API version 3.1): the addresses, Basic at the token endpoint, `{"data": …}` around every
record, relative addresses in `links`. Not sure: each constant and function below that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urljoin

from lti_server.providers import BrokeContract, Response

SITE = "https://clever.com"
API = "https://api.clever.com"
VERSION = "v3.0"

PKCE = False
"""Clever documents no code challenge, and what an authorisation server does not know it may refuse."""
OPENID_SCOPE = "openid"
"""Not sure: whether Clever wants a scope where it enabled OpenID Connect for an application."""
DISTRICT_TOKENS = {"owner_type": "district"}
"""Which tokens are listed: one for each district that has authorised the application."""
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


def refusal_word(_said: Mapping[str, Any]) -> str:
    """A used code is answered with 400 and the words "Invalid grant: invalid code". Not sure: under which member."""
    return "invalid_grant"


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
    """An id, which is a text of plain characters that is not empty.

    Raises:
        BrokeContract: there is none.
    """
    said = found.get(name)
    if not isinstance(said, str) or not said.strip() or not (said.isascii() and said.isprintable()):
        raise BrokeContract(f"Clever's answer about {what} has no {name}. Tell Clever.")
    return said


def districts_on(page: Response) -> list[str]:
    """The districts of one page of the token list. The tokens beside them are not looked at.

    Raises:
        BrokeContract: it is no page of that list; then the whole list counts for nothing.
    """
    owners = [_owner(row) for row in _list(page, "data")]
    return [id_in(owner, "id", "a district's token") for owner in owners if owner["type"] == "district"]


def _owner(row: Mapping[str, Any]) -> Mapping[str, Any]:
    owner = row.get("owner")
    if not isinstance(owner, dict) or not isinstance(owner.get("type"), str):
        raise BrokeContract("Clever's list of tokens has a row without an owner. Tell Clever.")
    return owner


def next_page(page: Response) -> str | None:
    """Where `links` lead on to. Sure: they are on every page; a page without them may be a part that looks whole.

    Raises:
        BrokeContract: there are none, or one of them is no link.
    """
    links = _list(page, "links")
    following = [link.get("uri") for link in links if link.get("rel") == "next"]
    if not all(isinstance(uri, str) and uri for uri in following):
        raise BrokeContract("Clever's list of tokens leads on to nowhere. Tell Clever.")
    return urljoin(page.url, following[0]) if following else None


def _list(page: Response, name: str) -> list[dict[str, Any]]:
    said = page.json() if page.status == 200 else None
    found = said.get(name) if isinstance(said, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise BrokeContract(f"Clever's list of tokens has no {name} on a page ({page.status}). Tell Clever.")
    return found
