"""The cookies that bind a login to one browser, and the ones that tell a page whether a browser keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response

from lti_server.accounts.browser_states import LONGEST_LOGIN_S
from lti_server.web.cookies import forget_token, set_token

SECURE_TWIN = "_s"
# Beside each cookie one of no worth that a script may see: it was kept if and only if the other was.
PROBE, SECURE_PROBE = "_p", "_sp"
PROBE_S = 60


def login_cookies(cookies: Mapping[str, str]) -> dict[str, str]:
    """Cookies by the name that the state knows: the secure twin stands in where the plain one was not sent."""
    twins = {name.removesuffix(SECURE_TWIN): value for name, value in cookies.items() if name.endswith(SECURE_TWIN)}
    return {**twins, **{name: value for name, value in cookies.items() if not name.endswith(SECURE_TWIN)}}


def bind(response: Response, name: str, value: str, *, https: bool) -> None:
    """Cookies that come back with the platform's cross-site POST, inside a frame too.

    `Partitioned` and `SameSite=None` need `Secure`, which browsers honour on loopback as well. Over plain http
    (loopback alone, by the rule on BASE_URL) a plain cookie goes along for clients that keep `Secure` to https.
    """
    common: dict[str, Any] = {"max_age": LONGEST_LOGIN_S, "path": "/lti", "httponly": True}
    set_token(response, name + SECURE_TWIN, value, secure=True, samesite="None", partitioned=True, **common)
    if not https:
        set_token(response, name, value, samesite="Lax", **common)


def probe(response: Response, name: str, *, https: bool) -> tuple[str, ...]:
    """Set the probes; answers their names."""
    common: dict[str, Any] = {"max_age": PROBE_S, "path": "/lti"}
    set_token(response, name + SECURE_PROBE, "1", secure=True, samesite="None", partitioned=True, **common)
    if https:
        return (name + SECURE_PROBE,)
    set_token(response, name + PROBE, "1", samesite="Lax", **common)
    return (name + SECURE_PROBE, name + PROBE)


def unbind(response: Response, name: str, *, https: bool) -> None:
    """The login is over."""
    forget_token(
        response, name + SECURE_TWIN, path="/lti", secure=True, samesite="None", partitioned=True, httponly=True
    )
    if not https:
        forget_token(response, name, path="/lti", samesite="Lax", httponly=True)
