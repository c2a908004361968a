"""No page calls, loads or sends anything from or to a third party (SOPIPA, COPPA 312.5): policy and markup agree."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.privacy.districts import District
from lti_server.web.guards import public
from tests import world
from tests.functional.test_log_page import signed_in
from tests.peers.bare_platform import Platform

OWN = {"'self'", "'none'", "data:"}
LOADED = re.compile(
    r"<(?:script|link|img|iframe|source|video|audio|object|embed)\b[^>]*\b(?:src|href|data)=\"([^\"]+)\""
)


def pages(app: Flask) -> list[str]:
    """Every address that takes no argument, found in the map of routes."""
    rules = app.url_map.iter_rules()
    return sorted(rule.rule for rule in rules if "GET" in (rule.methods or ()) and not rule.arguments)


def looked_at(browser: FlaskClient, address: str, third: list[str]) -> bool:
    """Whether it is a page; what it loads from elsewhere, or its policy would let it, is added to `third`."""
    answer = browser.get(address)
    for directive in answer.headers["Content-Security-Policy"].split(";"):
        name, *sources = directive.split()
        if name not in ("frame-ancestors", "form-action"):
            third += [f"{address}: {name} {one}" for one in sources if one not in OWN]
    if answer.mimetype != "text/html":
        return False
    third += [f"{address}: {one}" for one in LOADED.findall(answer.text) if urlsplit(one).netloc]
    return True


def test_no_page_loads_anything_from_another_host_and_no_policy_would_let_it(
    app: Flask, house: House, district: District, client: FlaskClient, platform: Platform
) -> None:
    led = world.launch(client, platform, house)
    browser = signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)
    third: list[str] = []
    addresses = [*pages(app), *(f"/lessons/{one.id}" for one in house.catalogue.lessons())]
    seen = [address for address in addresses if looked_at(browser, address, third)]
    assert looked_at(client, led.headers["Location"], third)
    assert {"/", "/district", "/district/log", "/district/connections", "/platforms", "/account"} <= set(seen)
    assert third == []


def test_a_page_that_did_would_be_found(app: Flask) -> None:
    assert LOADED.findall('<script defer src="https://cdn.example/x.js">') == ["https://cdn.example/x.js"]

    @app.get("/leaks")
    def leaks() -> str:
        return '<img alt="" src="//tracker.example/pixel.gif">'

    app.view_functions["leaks"] = public("a test's own page")(leaks)
    third: list[str] = []
    assert looked_at(app.test_client(), "/leaks", third)
    assert third == ["/leaks: //tracker.example/pixel.gif"]
