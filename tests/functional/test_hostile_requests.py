"""Whatever is put into an address, a form, a body or a header of any route, it is answered, and never by a 500."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from lti_server.accounts.permissions import StaffRole
from lti_server.app import House
from lti_server.privacy.districts import District
from lti_server.web import limits
from tests.functional.test_inspector import signed_in

NAMES = (
    "lang", "pick", "after", "uses", "text", "reason", "do", "district", "ticket", "reader", "grant", "from", "act",
    "activity", "decision", "since", "until", "cursor", "limit", "request", "state", "id_token", "iss", "client_id",
    "login_hint", "target_link_uri", "lti_message_hint", "lti_deployment_id", "lti_storage_target", "registration",
    "openid_configuration", "registration_token", "code", "token", "next", "csrf_token", "error", "lesson_id",
    "person", "section", "q", "page",
)  # fmt: skip
VALUES = {
    "nul": "a\x00b", "half a pair": "\udcff", "long": "x" * 5_000, "no ascii": "é\u2028", "a huge number": "9" * 400,
    "a format": "{0.__class__}%s%(x)s", "a name of a file": "../../etc/passwd", "a date of no year": "0000-00-00",
    "the last date": "9999-12-31",
}  # fmt: skip
PATHS = ("a\x00b", "é", "%00", "..%2f..", "9" * 400, "00000000-0000-0000-0000-000000000000")


@pytest.fixture
def browsers(app: Flask, house: House, district: District) -> list[FlaskClient]:
    """Nobody, and an administrator of the district, for whom most routes are open."""
    app.config["WTF_CSRF_ENABLED"] = False
    for counted in app.before_request_funcs.values():
        counted[:] = [one for one in counted if one.__module__ != limits.__name__]
    return [app.test_client(), signed_in(app, house, StaffRole.DISTRICT_ADMIN, district)]


def routes(app: Flask) -> Iterator[tuple[Rule, str]]:
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD"}):
            yield rule, method


def addresses(rule: Rule) -> list[str]:
    """The rule with each path part hostile in turn; with a value of its kind where the rule wants one."""
    if not rule.arguments:
        return [rule.rule]
    plain = re.sub(r"<uuid:[a-z_]+>", str(uuid4()), rule.rule)
    plain = re.sub(r"<int:[a-z_]+>", "9" * 40, plain)
    return [re.sub(r"<[a-z_:]+>", part.replace("\\", ""), plain) for part in PATHS]


@pytest.mark.parametrize("value", VALUES.values(), ids=list(VALUES))
def test_hostile_values_are_answered_by_every_route(app: Flask, browsers: list[FlaskClient], value: str) -> None:
    given = dict.fromkeys(NAMES, value)
    raw = {name: text.encode("utf-8", "surrogateescape") for name, text in given.items()}
    told = value.encode("utf-8", "surrogateescape").decode("latin-1").replace("\x00", "")
    heads = {"Authorization": f"Bearer {told}", "Accept-Language": told, "Origin": told, "X-CSRFToken": told}
    failed = []
    for rule, method in routes(app):
        for browser in browsers:
            for address in addresses(rule)[:1]:
                answers = [
                    browser.open(address, method=method, query_string=raw),
                    browser.open(address, method=method, headers=heads),
                    browser.open(address, method=method, data=raw),
                    browser.open(address, method=method, json=given if value.isprintable() else {"a": "\x00"}),
                ]
                failed += [f"{method} {rule.rule}" for one in answers if one.status_code >= 500]
    assert not failed


def test_hostile_addresses_are_answered_by_every_route(app: Flask, browsers: list[FlaskClient]) -> None:
    failed = []
    for rule, method in routes(app):
        for browser in browsers:
            for address in addresses(rule):
                answer = browser.open(address, method=method)
                failed += [f"{method} {address}"] if answer.status_code >= 500 else []
    assert not failed


def test_bodies_that_are_no_json_are_answered_by_every_route(app: Flask, browsers: list[FlaskClient]) -> None:
    bodies = (
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 2_000,
        b'"text"',
        b"[]",
        b"null",
        b"1e999",
        b'{"a": NaN}',
        b'{"\\ud800": 1}',
    )
    failed = []
    for rule, method in routes(app):
        for browser in browsers:
            for body in bodies:
                answer = browser.open(addresses(rule)[0], method=method, data=body, content_type="application/json")
                failed += [f"{method} {rule.rule} {body[:9]!r}"] if answer.status_code >= 500 else []
    assert not failed
