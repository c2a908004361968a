"""Who may call a route. Every view declares it; a route without a declaration fails the guard test and is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, request

from lti_server.errors import NotFound

View = TypeVar("View", bound=Callable[..., object])
DECLARED = "who_may_call"


def public(reason: str) -> Callable[[View], View]:
    """Anybody may call: `reason` says why that is right, or what else is the credential."""
    return _declared(f"public: {reason}")


def bearer(scope: str) -> Callable[[View], View]:
    """Whoever holds a token with this scope; the view reads the token."""
    return _declared(f"bearer: {scope}")


def signed_in(permission: str) -> Callable[[View], View]:
    """A session with this permission; the view reads the session."""
    return _declared(f"session: {permission}")


def declared(view: Callable[..., object] | None) -> str | None:
    """What a view declares, or None."""
    found = getattr(view, DECLARED, None)
    return found if isinstance(found, str) else None


def init_guards(app: Flask) -> None:
    """Refuse what nobody declared (law 1)."""

    @app.before_request
    def deny_undeclared() -> None:
        endpoint = request.endpoint
        if endpoint is None or endpoint == "static" or endpoint.endswith(".static"):
            return
        if declared(app.view_functions.get(endpoint)) is None:
            raise NotFound("Check the address.")


def _declared(who: str) -> Callable[[View], View]:
    def mark(view: View) -> View:
        setattr(view, DECLARED, who)
        return view

    return mark
