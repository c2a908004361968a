"""What every page and endpoint shares: refusals, headers, health, languages, proxies, limits, the log of requests."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lti_server.app import House, create_app
from lti_server.db import Database
from lti_server.settings import Settings
from lti_server.web import limits
from lti_server.web.health import init_health

PROBLEM = "application/problem+json"


def _app(house: House, **settings: object) -> Flask:
    changed: Settings = dataclasses.replace(house.settings, **settings)  # type: ignore[arg-type]  # a test's own names
    return create_app(dataclasses.replace(house, settings=changed))


def _breaks(app: Flask) -> FlaskClient:
    """A client of an application with a view that fails with a secret in its text."""

    def broken() -> str:
        raise KeyError("jane@school.example")

    broken.who_may_call = "public: a test"  # type: ignore[attr-defined]  # what the decorator sets
    app.add_url_rule("/broken", view_func=broken)
    app.add_url_rule("/undeclared", "undeclared", lambda: "seen")
    return app.test_client()


@pytest.fixture
def _quiet() -> Iterator[None]:
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404), ("GET", "/api/v1/nowhere", 404), ("DELETE", "/", 405),
        ("GET", "/problems/nosuch", 404), ("POST", "/api/v1/progress", 422), ("GET", "/api/v1/progress", 401),
        ("GET", "/broken", 500),
    ],
)  # fmt: skip
def test_every_refusal_is_a_problem_document_of_its_status(app: Flask, method: str, path: str, status: int) -> None:
    answer = _breaks(app).open(path, method=method, headers={"Accept": PROBLEM})
    assert (answer.status_code, answer.content_type) == (status, PROBLEM)
    document = json.loads(answer.data)
    assert {"type", "title", "status", "detail", "instance"} <= set(document)
    assert document["status"] == status
    assert document["instance"].startswith("urn:uuid:")


def test_a_problems_type_leads_to_a_page_about_it(client: FlaskClient) -> None:
    kind = client.get("/nowhere", headers={"Accept": PROBLEM}).get_json(force=True)["type"]
    assert kind == "http://127.0.0.1:8000/problems/not-found"
    assert client.get(kind.removeprefix("http://127.0.0.1:8000")).status_code == 200


def test_a_browser_gets_a_page_with_the_number_that_the_log_has(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    page = _breaks(app).get("/broken", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert (page.status_code, page.mimetype) == (500, "text/html")
    assert "jane" not in page.text
    assert "KeyError" not in page.text
    assert "<code>" in page.text


def test_an_interface_for_programs_never_answers_with_a_page(client: FlaskClient) -> None:
    assert client.get("/api/v1/nowhere", headers={"Accept": "text/html"}).content_type == PROBLEM


def test_a_route_that_nobody_declared_is_refused(app: Flask) -> None:
    assert _breaks(app).get("/undeclared").status_code == 404


def test_too_much_is_413(client: FlaskClient) -> None:
    answer = client.post("/lti/launch", data={"id_token": "x" * (1 << 21)}, headers={"Accept": PROBLEM})
    assert (answer.status_code, answer.content_type) == (413, PROBLEM)


@pytest.mark.parametrize("path", ["/", "/nowhere", "/lessons", "/api/v1/openapi.json", "/healthz"])
def test_every_answer_has_the_headers_that_protect_it(client: FlaskClient, path: str) -> None:
    headers = client.get(path, follow_redirects=True).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in headers, "plain http has none"


def test_the_front_page_is_in_no_strangers_frame(client: FlaskClient) -> None:
    assert "frame-ancestors 'self'" in client.get("/").headers["Content-Security-Policy"]


def test_https_is_for_good(house: House) -> None:
    client = _app(house, base_url="https://lessons.example").test_client()
    assert "max-age=" in client.get("/").headers["Strict-Transport-Security"]


def test_it_lives_and_is_ready_and_says_when_the_database_is_away(house: House) -> None:
    client = _app(house).test_client()
    assert client.get("/healthz").get_json() == {"ok": True}
    assert client.get("/readyz").get_json() == {"ok": True}
    alone = Flask("alone")
    init_health(alone, Database("postgresql://127.0.0.1:1/nowhere", role=None), None)
    assert alone.test_client().get("/readyz").status_code == 503
    assert alone.test_client().get("/healthz").status_code == 200


def test_figures_are_for_loopback_or_for_the_token(house: House) -> None:
    client = _app(house).test_client()
    assert b"lti_server_answers_total" in client.get("/metrics").data
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 404
    guarded = _app(house, metrics_token="let me see").test_client()
    assert guarded.get("/metrics").status_code == 404
    assert guarded.get("/metrics", headers={"Authorization": "Bearer let me see"}).status_code == 200


def test_the_address_decides_the_language_and_then_the_browser(client: FlaskClient) -> None:
    assert 'lang="fr"' in client.get("/", headers={"Accept-Language": "fr-CA,en;q=0.5"}).text
    assert '<html lang="en"' in client.get("/?lang=en", headers={"Accept-Language": "fr"}).text
    assert '<html lang="fr"' in client.get("/?lang=fr").text
    assert '<html lang="en"' in client.get("/?lang=xx", headers={"Accept-Language": "de"}).text


def test_an_address_from_a_proxy_is_believed_as_far_as_proxies_are_trusted(house: House) -> None:
    forwarded = {"X-Forwarded-For": "192.0.2.1, 127.0.0.1"}
    assert _app(house).test_client().get("/metrics", headers=forwarded).status_code == 200
    two = _app(house, trusted_proxies=2).test_client()
    assert two.get("/metrics", headers=forwarded).status_code == 404


def test_one_address_may_ask_only_so_often_for_pages_and_is_told_when_to_come_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PER_ADDRESS", "3 per minute")
    client = _app(house).test_client()
    answers = [client.get("/", headers={"Accept": PROBLEM}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 60
    assert client.get("/", environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code == 200
    assert client.get("/lessons").status_code == 200, "a school's lessons are not counted by address"


@pytest.mark.usefixtures("_quiet")
def test_the_log_of_requests_names_the_route_and_no_token_or_query(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger().setLevel(logging.INFO)
    client = _app(house).test_client()
    client.get("/signin/invitation/aSecretToken?lang=fr&code=hidden")
    client.get("/lti/login?login_hint=jane")
    client.get("/nowhere/jane")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if '"event": "request"' in line]
    assert [line["route"] for line in lines] == ["/signin/invitation/<token>", "/lti/login", None]
    for secret in ("aSecretToken", "hidden", "jane"):
        assert secret not in json.dumps(lines)
