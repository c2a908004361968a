"""Every way into the server: who may call it, and whether the description of the API knows it."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from werkzeug.routing import Rule

from lti_server.app import House, create_app
from lti_server.web.guards import declared
from tests.guards.repository import ROOT


@pytest.fixture
def app(house: House) -> Flask:
    """On a database of its own: it makes keys there, and the one that all tests copy must have none."""
    return create_app(house)


def test_every_route_declares_who_may_call_it(app: Flask) -> None:
    undeclared = [str(rule) for rule in _rules(app) if declared(app.view_functions[rule.endpoint]) is None]
    assert not undeclared


def test_every_declaration_is_of_a_known_kind_and_says_something(app: Flask) -> None:
    said = {str(rule): declared(app.view_functions[rule.endpoint]) or "" for rule in _rules(app)}
    vague = {path: what for path, what in said.items() if not re.match(r"(public|bearer|session): \S{3}", what)}
    assert not vague


def test_every_route_of_the_api_is_in_its_description_and_no_other(app: Flask) -> None:
    response = app.test_client().get("/api/v1/openapi.json")
    assert response.status_code == 200
    document = response.get_json()
    described = {
        (path, method.upper()) for path, item in document["paths"].items() for method in item if method != "parameters"
    }
    served = {
        (re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", str(rule)), method)
        for rule in _rules(app)
        if str(rule).startswith("/api/v1/") and not str(rule).endswith(("openapi.json", "docs"))
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {path for path, _ in served}, "the API has no route at all"
    assert described == served


def test_every_refusal_of_the_api_is_described_as_a_problem_document(app: Flask) -> None:
    document = app.test_client().get("/api/v1/openapi.json").get_json()
    plain = [
        f"{method.upper()} {path} {status}"
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
        for status, answer in operation["responses"].items()
        if str(status).startswith(("4", "5", "default")) and "$ref" not in answer
        if set(answer.get("content", {})) - {"application/problem+json"}
    ]
    assert not plain


def test_every_address_in_the_reference_is_served(app: Flask) -> None:
    page = (ROOT / "docs/reference/http.md").read_text(encoding="utf-8")
    named = {
        (method, path)
        for methods, path in re.findall(r"^\| ((?:`?(?:GET|POST)`?[, ]*)+`?)(/\S+?)` \|", page, re.MULTILINE)
        for method in re.findall(r"GET|POST", methods)
    }
    served = {
        (method, re.sub(r"<[^<>]+>", "<id>", str(rule))) for rule in _rules(app) for method in (rule.methods or ())
    }
    assert named
    assert named <= served


def _rules(app: Flask) -> list[Rule]:
    return [
        rule for rule in app.url_map.iter_rules() if rule.endpoint != "static" and not rule.endpoint.endswith(".static")
    ]
