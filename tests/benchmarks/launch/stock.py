"""(b) A stock PyLTI1p3 2.0.0 Flask tool, put together as its README shows."""

from __future__ import annotations

import json
import os
from typing import Any

from flask import Flask, render_template_string, request
from pylti1p3.contrib.flask import FlaskMessageLaunch, FlaskOIDCLogin, FlaskRequest
from pylti1p3.tool_config import ToolConfDict

PAGE = "<!doctype html><title>Lesson</title><h1>Lesson</h1><p>Welcome, {{ name }}</p>"


def create_app() -> Flask:
    """Settings by environment: BENCH_PLATFORM (JSON), BENCH_PRIVATE_PEM."""
    app = Flask(__name__)
    app.secret_key = "a key of the benchmark"
    platform = json.loads(os.environ["BENCH_PLATFORM"])
    tool_conf = ToolConfDict(
        {
            platform["issuer"]: {
                "default": True,
                "client_id": platform["client_id"],
                "auth_login_url": platform["auth_login_url"],
                "auth_token_url": platform["auth_token_url"],
                "key_set_url": platform["jwks_url"],
                "key_set": None,
                "deployment_ids": [platform["deployment_id"]],
            }
        }
    )
    tool_conf.set_private_key(platform["issuer"], os.environ["BENCH_PRIVATE_PEM"])

    @app.get("/lti/login")
    def login() -> Any:
        oidc_login = FlaskOIDCLogin(FlaskRequest(), tool_conf)
        return oidc_login.redirect(request.args["target_link_uri"])

    @app.post("/lti/launch")
    def launch() -> Any:
        message = FlaskMessageLaunch(FlaskRequest(), tool_conf)
        data = message.get_launch_data()
        return render_template_string(PAGE, name=data.get("name", ""))

    return app
