"""(a) This server, with contract, row-level security and log on: the application that `serve` serves."""

from __future__ import annotations

from flask import Flask

from lti_server.app import build_house
from lti_server.app import create_app as create
from lti_server.settings import Settings


def create_app() -> Flask:
    """Settings as `serve` reads them."""
    settings = Settings.from_env()
    assert settings.database_url is not None
    return create(build_house(settings, settings.database_url))
