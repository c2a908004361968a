"""ClassLink as far as this server speaks to it: people of tenants, and switches for bad days."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import requests
from flask import Flask, Response, jsonify, make_response, redirect, request

from tests.peers.loopback import TwoHosts, on_loopback

NORTH, SOUTH = 2222, 2223


@dataclass
class ClassLink(TwoHosts):
    """`people` by ClassLink's own number; `applications` are the tenants that share their roster, and whether it is on.

    Switches: `out`, `limited` (429), `withheld` (what is not told), `token_says` (more of a token), `cap` (rows a page,
    whatever is asked for).
    """

    client_id: str = "client-of-classlink"
    client_secret: str = "a secret of classlink"
    people: dict[int, dict[str, Any]] = field(default_factory=dict)
    out: bool = False
    limited: bool = False
    withheld: tuple[str, ...] = ()
    token_says: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    partner_key: str = "a key of the partner"
    applications: dict[int, bool] = field(default_factory=lambda: {NORTH: True, SOUTH: True})
    cap: int = 100
    _codes: dict[str, tuple[int, str]] = field(default_factory=dict)
    _bearers: dict[str, int] = field(default_factory=dict)

    def knows(self, user_id: int, tenant_id: int = NORTH, **changes: object) -> None:
        """Somebody of a tenant; a pupil, if `changes` does not say otherwise."""
        self.people[user_id] = {
            "UserId": user_id, "TenantId": tenant_id, "LoginId": f"login-{user_id}", "SourcedId": f"sourced-{user_id}",
            "OrgId": ["5678"], "FirstName": "Ada", "LastName": "Lovelace", "DisplayName": "Ada Lovelace",
            "ImagePath": "https://images.example/ada.png", "Email": f"{user_id}@district.example", "Role": "Student",
            "Role_Level": 4, **changes,
        }  # fmt: skip

    def back(self, address: str, user_id: int) -> str:
        """Where the browser of somebody with a session there is sent."""
        answer = requests.get(address, cookies={"session": str(user_id)}, timeout=10, allow_redirects=False)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def launchpad(self, user_id: int) -> str:
        """Where the tile of the application in somebody's LaunchPad leads: with a code and without a state."""
        return f"{self.redirect_uris[0]}?{urlencode({'code': self._code(user_id), 'response_type': 'code'})}"

    def leaves(self, user_id: int) -> None:
        """The account is gone; its tokens are worthless."""
        self._bearers = {token: owner for token, owner in self._bearers.items() if owner != user_id}

    def _code(self, user_id: int, redirect_uri: str = "") -> str:
        code = secrets.token_hex(20)
        self._codes[code] = (user_id, redirect_uri or self.redirect_uris[0])
        return code


@contextmanager
def running(classlink: ClassLink) -> Iterator[ClassLink]:
    """The peer on a loopback port, until the block ends."""
    with on_loopback(_app(classlink)) as classlink.port:
        yield classlink


def _app(classlink: ClassLink) -> Flask:
    app = Flask("classlink")

    @app.before_request
    def bad_days() -> Response | None:
        classlink.asked.append((request.method, request.path))
        if classlink.out:
            return make_response("<!DOCTYPE html><title>Service unavailable</title>", 503)
        if classlink.limited:
            refused = make_response(jsonify({"message": "Too many requests"}), 429)
            refused.headers["Retry-After"] = "30"
            return refused
        return None

    _sign_in(app, classlink)
    _info(app, classlink)
    _applications(app, classlink)
    return app


def _sign_in(app: Flask, classlink: ClassLink) -> None:
    @app.get("/oauth2/v2/auth")
    def authorize() -> Any:
        asked, cookie = request.args, request.cookies.get("session", "")
        good = asked.get("response_type") == "code" and asked.get("client_id") == classlink.client_id
        if not good or asked.get("redirect_uri") not in classlink.redirect_uris:
            return make_response("<!DOCTYPE html><title>Invalid request</title>", 400)
        if not cookie.isdigit() or int(cookie) not in classlink.people:
            return make_response("<!DOCTYPE html><title>Sign in</title>", 200)
        given = {"code": classlink._code(int(cookie), asked["redirect_uri"]), "response_type": "code"}
        if "state" in asked:
            given["state"] = asked["state"]
        return redirect(f"{asked['redirect_uri']}?{urlencode(given)}", 302)

    @app.post("/oauth2/v2/token")
    def token() -> Response:
        said = request.form
        if (said.get("client_id"), said.get("client_secret")) != (classlink.client_id, classlink.client_secret):
            return make_response(jsonify({"error": "invalid_client"}), 401)
        user_id, redirect_uri = classlink._codes.pop(said.get("code", ""), (0, ""))
        wrong = said.get("grant_type") != "authorization_code" or said.get("redirect_uri") != redirect_uri
        if not user_id or wrong:
            return make_response(jsonify({"message": "Invalid code"}), 400)
        bearer = f"c{secrets.token_hex(20)}"
        classlink._bearers[bearer] = user_id
        given = {"access_token": bearer, "token_type": "Bearer", "response_type": "token"}
        return jsonify({**given, **classlink.token_says})


def _info(app: Flask, classlink: ClassLink) -> None:
    @app.get("/v2/my/info")
    def info() -> Response:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        found = classlink.people.get(classlink._bearers.get(given, 0))
        if found is None:
            return make_response(jsonify({"message": "Unauthorized"}), 401)
        return jsonify({name: value for name, value in found.items() if name not in classlink.withheld})


def _applications(app: Flask, classlink: ClassLink) -> None:
    @app.get("/applications")
    def applications() -> Response:
        if request.headers.get("Authorization") != f"Bearer {classlink.partner_key}":
            return make_response(jsonify({"status": 0, "message": "Unauthorized"}), 401)
        rows = [
            {
                "id": number, "tenant_name": f"Tenant {number}", "tenant_id": number, "bearer": f"bearer-{number}",
                "enabled": "true" if is_on else "false", "tenant_status": "Active",
                "oneroster_application_id": f"app{number}%3D",
            }
            for number, is_on in classlink.applications.items()
        ]  # fmt: skip
        first = int(request.args.get("offset", "0"))
        most = min(int(request.args.get("limit", "100")), classlink.cap)
        return jsonify({"status": 1, "applications": rows[first : first + most]})
