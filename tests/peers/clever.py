"""Clever as far as this server speaks to it: people, districts and tokens that are kept, and switches for bad days."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import requests
from flask import Flask, Response, jsonify, make_response, redirect, request

from tests.peers.loopback import TwoHosts, on_loopback

NORTH, SOUTH = "5f1a7c0000000000000000d1", "5f1a7c0000000000000000d2"
CODE_LIFE_S = 60
REDACTIONS: dict[str, Callable[[dict[str, Any], str], object]] = {
    "null": lambda record, name: record.update({name: None}),
    "empty": lambda record, name: record.update({name: {} if isinstance(record.get(name), dict) else ""}),
    "absent": lambda record, name: record.pop(name, None),
}


@dataclass
class Clever(TwoHosts):
    """`users` and `districts` by Clever's id; `authorised` are the districts that use the application.

    Switches: `out`, `limited_until` (Unix time), `redaction` of `redacted` (what of a user is not shared), `tokens_say`
    (another answer of the token list).
    """

    client_id: str = "client-of-clever"
    client_secret: str = "a secret of clever"
    districts: dict[str, dict[str, Any]] = field(default_factory=dict)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    authorised: list[str] = field(default_factory=list)
    page_size: int = 100
    out: bool = False
    limited_until: float = 0.0
    redaction: str = ""
    redacted: tuple[str, ...] = ("name", "email")
    unshared: set[str] = field(default_factory=set)
    tokens_say: Callable[[], Response] | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    _codes: dict[str, tuple[str, str, float]] = field(default_factory=dict)
    _bearers: dict[str, str] = field(default_factory=dict)

    def has_district(self, district_id: str, name: str) -> None:
        """A district that has authorised the application."""
        self.districts[district_id] = {
            "id": district_id, "name": name, "sis_type": "powerschool", "state": "running", "launch_date": "2026-08-01",
            "login_methods": ["saml"], "portal_url": f"https://clever.com/in/{name.lower()}", "mdr_number": None,
            "nces_id": "", "error": "", "pause_start": None, "pause_end": None, "last_sync": "2026-08-30T08:00:00.000Z",
        }  # fmt: skip
        self.authorise(district_id)

    def authorise(self, district_id: str) -> None:
        if district_id not in self.authorised:
            self.authorised.append(district_id)
        self._bearers[f"district-token-of-{district_id}"] = district_id

    def revoke(self, district_id: str) -> None:
        """The district takes the application away: its row goes, and every token of its people is worthless."""
        self.authorised.remove(district_id)
        gone = {token for token, owner in self._bearers.items() if self._district_of(owner) == district_id}
        for token in gone:
            del self._bearers[token]

    def knows(self, user_id: str, district_id: str = NORTH, **roles: dict[str, Any] | None) -> None:
        """Somebody with these roles."""
        self.users[user_id] = {
            "id": user_id, "district": district_id, "created": "2026-07-20T08:00:00.000Z",
            "last_modified": "2026-08-30T08:00:00.000Z", "email": f"{user_id}@district.example",
            "name": {"first": "Ada", "middle": None, "last": "Lovelace"}, "roles": dict(roles),
        }  # fmt: skip

    def back(self, address: str, user_id: str) -> str:
        """Where the browser of somebody with a session there is sent."""
        answer = requests.get(address, cookies={"session": user_id}, timeout=10, allow_redirects=False)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def portal(self, user_id: str) -> str:
        """Where the tile of the application in somebody's portal leads: the first redirect address, without a state."""
        return f"{self.redirect_uris[0]}?{urlencode({'code': self._code(user_id), 'scope': 'read:user_id'})}"

    def shown(self, user: dict[str, Any]) -> dict[str, Any]:
        """A user as the district shares it."""
        record = dict(user)
        for name in self.redacted if self.redaction else ():
            REDACTIONS[self.redaction](record, name)
        return record

    def _code(self, user_id: str, redirect_uri: str = "") -> str:
        code = secrets.token_hex(20)
        self._codes[code] = (user_id, redirect_uri or self.redirect_uris[0], time.monotonic())
        return code

    def _district_of(self, owner: str) -> str:
        return self.users[owner]["district"] if owner in self.users else owner


@contextmanager
def running(clever: Clever) -> Iterator[Clever]:
    """The peer on a loopback port, until the block ends."""
    with on_loopback(_app(clever)) as clever.port:
        yield clever


def _app(clever: Clever) -> Flask:
    app = Flask("clever")

    @app.before_request
    def bad_days() -> Response | None:
        clever.asked.append((request.method, request.full_path.rstrip("?")))
        if clever.out:
            return make_response("<!DOCTYPE html><title>We will be back</title>", 503)
        if clever.limited_until > time.time():
            refused = _message("Rate limit exceeded", 429)
            refused.headers["X-RateLimit-Reset"] = str(int(clever.limited_until))
            refused.headers["X-RateLimit-Remaining"] = "0"
            return refused
        return None

    _sign_in(app, clever)
    _tokens(app, clever)
    _data(app, clever)
    return app


def _sign_in(app: Flask, clever: Clever) -> None:
    @app.get("/oauth/authorize")
    def authorize() -> Any:
        asked, user = request.args, clever.users.get(request.cookies.get("session", ""))
        good = asked.get("response_type") == "code" and asked.get("client_id") == clever.client_id
        if not good or asked.get("redirect_uri") not in clever.redirect_uris:
            return _message("Invalid request", 400)
        if user is None or user["district"] not in clever.authorised:
            return make_response("<!DOCTYPE html><title>Log in, or ask your district</title>", 200)
        given = {"code": clever._code(user["id"], asked["redirect_uri"]), "scope": "read:user_id"}
        if "state" in asked:
            given["state"] = asked["state"]
        return redirect(f"{asked['redirect_uri']}?{urlencode(given)}", 302)

    @app.get("/oauth/instant-login")
    def instant_login() -> Any:
        if request.args.get("client_id") != clever.client_id:
            return _message("Invalid request", 400)
        return redirect(clever.portal(request.cookies.get("session", "")), 302)


def _tokens(app: Flask, clever: Clever) -> None:
    def is_the_client() -> bool:
        given = request.authorization
        pair = (clever.client_id, clever.client_secret)
        return given is not None and given.type == "basic" and (given.username, given.password) == pair

    @app.post("/oauth/tokens")
    def exchange() -> Response:
        if not is_the_client():
            return _message("Invalid client", 401)
        said = request.get_json(silent=True) or request.form
        user_id, redirect_uri, made = clever._codes.pop(said.get("code", ""), ("", "", 0.0))
        late = time.monotonic() - made > CODE_LIFE_S
        wrong = said.get("grant_type") != "authorization_code" or said.get("redirect_uri") != redirect_uri
        if not user_id or late or wrong:
            return _message("Invalid grant: invalid code", 400)
        token = f"il{secrets.token_hex(20)}"
        clever._bearers[token] = user_id
        return jsonify({"access_token": token, "token_type": "bearer"})

    @app.get("/oauth/tokens")
    def every() -> Response:
        if not is_the_client():
            return _message("Invalid client", 401)
        if request.args.get("owner_type") != "district":
            return _message("owner_type is missing", 400)
        return clever.tokens_say() if clever.tokens_say else _listed(clever)


def _listed(clever: Clever) -> Response:
    """One page of the districts that have authorised the application."""
    after = request.args.get("starting_after", "")
    wanted = [one for one in clever.authorised if request.args.get("district", one) == one]
    first = wanted.index(after) + 1 if after else 0
    shown = wanted[first : first + clever.page_size]
    links = [{"rel": "self", "uri": request.full_path.rstrip("?")}]
    if first + clever.page_size < len(wanted):
        query = urlencode({"owner_type": "district", "starting_after": shown[-1]})
        links.append({"rel": "next", "uri": f"/oauth/tokens?{query}"})
    rows = [
        {
            "id": f"token-{one}", "created": "2026-08-01T08:00:00.000Z", "owner": {"type": "district", "id": one},
            "access_token": f"district-token-of-{one}", "scopes": ["read:sis", "read:user_id"],
        }
        for one in shown
    ]  # fmt: skip
    return jsonify({"data": rows, "links": links})


def _owner(clever: Clever) -> str:
    """Whose token a request has: a user's, or a district's."""
    given = request.headers.get("Authorization", "")
    return clever._bearers.get(given.removeprefix("Bearer "), "") if given.startswith("Bearer ") else ""


def _data(app: Flask, clever: Clever) -> None:
    @app.get("/v3.0/me")
    def me() -> Response:
        user = clever.users.get(_owner(clever))
        if user is None:
            return _message("Unauthorized", 401)
        data = {"id": user["id"], "district": user["district"], "type": "user", "authorized_by": "district"}
        links = [{"rel": "self", "uri": "/me"}, {"rel": "canonical", "uri": f"/v3.0/users/{user['id']}"}]
        return jsonify({"type": "user", "data": data, "links": links})

    @app.get("/v3.0/users/<user_id>")
    def one_user(user_id: str) -> Response:
        mine = _owner(clever)
        if not mine:
            return _message("Unauthorized", 401)
        user = clever.users.get(user_id)
        shared = user is not None and user_id not in clever.unshared and mine in (user_id, user["district"])
        if user is None or not shared:
            return _message("Resource not found", 404)
        return jsonify({"data": clever.shown(user)})

    @app.get("/v3.0/districts/<district_id>")
    def one_district(district_id: str) -> Response:
        mine = _owner(clever)
        if not mine:
            return _message("Unauthorized", 401)
        if clever._district_of(mine) != district_id:
            return _message("Resource not found", 404)
        return jsonify({"data": clever.districts[district_id]})


def _message(text: str, status: int) -> Response:
    return make_response(jsonify({"message": text}), status)
