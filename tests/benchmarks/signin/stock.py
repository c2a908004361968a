"""(b) A bare Authlib client in Flask, put together as its documentation shows: no database, no contract, no log."""

from __future__ import annotations

import os
from typing import Any

from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, render_template_string, session

PAGE = "<!doctype html><title>Lessons</title><h1>Lessons</h1><p>Welcome, {{ name }}</p>"


def create_app() -> Flask:
    """Settings by environment: BENCH_ISSUER, BENCH_CLIENT_ID, BENCH_CLIENT_SECRET, BENCH_BASE_URL."""
    app = Flask(__name__)
    app.secret_key = "a key of the benchmark"
    oauth = OAuth(app)
    oauth.register(
        "oidc",
        client_id=os.environ["BENCH_CLIENT_ID"],
        client_secret=os.environ["BENCH_CLIENT_SECRET"],
        server_metadata_url=f"{os.environ['BENCH_ISSUER']}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256"},
    )

    @app.get("/auth/oidc/login")
    def login() -> Any:
        return oauth.oidc.authorize_redirect(f"{os.environ['BENCH_BASE_URL']}/auth/oidc/callback")

    @app.get("/auth/oidc/callback")
    def callback() -> Any:
        claims = oauth.oidc.authorize_access_token()["userinfo"]
        session["user"] = {name: claims.get(name) for name in ("sub", "given_name", "family_name", "email")}
        return redirect("/learn", 303)

    @app.get("/learn")
    def learn() -> Any:
        user = session.get("user")
        return render_template_string(PAGE, name=user["given_name"]) if user else redirect("/auth/oidc/login")

    return app
