"""(c) The floor: bare Flask that verifies one RS256 and does one durable PostgreSQL upsert."""

from __future__ import annotations

import json
import os
import secrets
from urllib.parse import urlencode

import sqlalchemy as sa
from flask import Flask, Response, redirect, request
from joserfc import jws
from joserfc.jwk import RSAKey

from lti_server.db import sqlalchemy_url


def create_app() -> Flask:
    """Settings by environment: BENCH_DATABASE_URL, BENCH_JWK (the platform's public key), BENCH_AUTH_URL."""
    app = Flask(__name__)
    engine = sa.create_engine(sqlalchemy_url(os.environ["BENCH_DATABASE_URL"]), pool_size=16)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS floor (subject text PRIMARY KEY, launches integer)")
    key = RSAKey.import_key(json.loads(os.environ["BENCH_JWK"]))
    upsert = sa.text(
        "INSERT INTO floor (subject, launches) VALUES (:subject, 1)"
        " ON CONFLICT (subject) DO UPDATE SET launches = floor.launches + 1"
    )

    @app.get("/lti/login")
    def login() -> Response:
        query = {
            "scope": "openid", "response_type": "id_token", "response_mode": "form_post", "prompt": "none",
            "client_id": request.args["client_id"], "redirect_uri": request.args["target_link_uri"],
            "login_hint": request.args["login_hint"], "state": secrets.token_urlsafe(24),
            "nonce": secrets.token_urlsafe(24),
        }  # fmt: skip
        found = redirect(f"{os.environ['BENCH_AUTH_URL']}?{urlencode(query)}")
        assert isinstance(found, Response)
        return found

    @app.post("/lti/launch")
    def launch() -> Response:
        claims = json.loads(jws.deserialize_compact(request.form["id_token"], key, algorithms=["RS256"]).payload)
        with engine.begin() as connection:
            connection.execute(upsert, {"subject": claims["sub"]})
        found = redirect("/page", 303)
        assert isinstance(found, Response)
        return found

    @app.get("/page")
    def page() -> str:
        return "<!doctype html><title>Lesson</title><h1>Lesson</h1>"

    return app
