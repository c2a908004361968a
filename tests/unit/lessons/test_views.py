"""The pages of lessons: open to everybody, silent about tickets, and safe to hold a token."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import Babel

import lti_server.web
from lti_server.lessons import catalogue
from lti_server.lessons.model import Activity, Lesson, Text
from lti_server.lessons.views import LaunchContext, blueprint
from lti_server.web import languages
from lti_server.web.guards import init_guards
from lti_server.web.headers import init_headers
from lti_server.web.problems import init_problems

WEB = Path(lti_server.web.__file__).parent
WORD = Text(by_language={"en": "Elsewhere"})
ELSEWHERE = Lesson(
    id="elsewhere",
    title=WORD,
    summary=WORD,
    activities=(Activity(id="a", title=WORD),),
    url="https://lesson.example/play",
)
CONTEXT = LaunchContext(
    token="</script><b>t", lesson_id="turtle-garden", api="https://here.example/api/v1", locale="fr-CA"
)
SPENT: list[str] = []


def opens(ticket: str, lesson_id: str) -> LaunchContext | None:
    SPENT.append(ticket)
    return replace(CONTEXT, lesson_id=lesson_id) if ticket in ("good", "teacher") else None


@pytest.fixture
def client() -> FlaskClient:
    app = Flask("pages", static_folder=str(WEB / "static"), template_folder=str(WEB / "templates"))
    Babel(app, locale_selector=languages.selector(("en", "fr")))
    languages.register(app, ("en", "fr"))
    init_headers(app, https=True)
    init_guards(app)
    init_problems(app, "https://here.example")
    lessons = catalogue.from_settings(lambda: [ELSEWHERE])
    app.register_blueprint(blueprint(catalogue=lessons, open_ticket=opens, resume=lambda lesson_id: None))
    app.add_url_rule("/", "home", lambda: "")
    SPENT.clear()
    return app.test_client()


def held(page: str, name: str) -> dict[str, str]:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    document = json.loads(found[1])
    assert isinstance(document, dict)
    return document


def test_a_lesson_needs_no_account_and_leaves_no_cookie(client: FlaskClient) -> None:
    for path in (
        "/lessons",
        "/lessons/turtle-garden",
        "/lessons/elsewhere",
        "/lessons/turtle-garden?activity=the-stairs",
    ):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
        assert "launch-context" not in answer.text
    assert not SPENT


def test_after_a_launch_the_page_holds_the_context_and_nothing_else_of_the_person(client: FlaskClient) -> None:
    answer = client.get("/lessons/turtle-garden?ticket=good")
    assert answer.status_code == 200
    assert held(answer.text, "launch-context") == CONTEXT.document()
    assert set(CONTEXT.document()) == {"token", "lesson_id", "api", "locale"}
    assert set(replace(CONTEXT, activity_id="a", teach_url="/teach").document()) == {
        "token", "lesson_id", "api", "locale", "activity_id", "teach",
    }  # fmt: skip
    assert '<html lang="fr"' in answer.text


def test_a_page_with_a_token_is_kept_by_nobody_and_tells_nobody_where_it_was(client: FlaskClient) -> None:
    for path in ("/lessons/turtle-garden?ticket=good", "/lessons/turtle-garden?ticket=spent"):
        headers = client.get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_no_page_repeats_a_ticket(client: FlaskClient) -> None:
    for path in ("/lessons/turtle-garden", "/lessons/elsewhere", "/lessons"):
        assert "s3cret-ticket" not in client.get(f"{path}?ticket=s3cret-ticket&lang=fr").text


@pytest.mark.parametrize("query", ["ticket=spent", "from=course", "from=course&ticket="])
def test_without_its_launch_a_page_says_to_open_it_again_from_the_course(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/lessons/turtle-garden?{query}")
    assert answer.status_code == 410
    assert "Open it again from your course" in answer.text
    assert "launch-context" not in answer.text


@pytest.mark.parametrize("path", ["/lessons/none", "/lessons/turtle-garden?activity=none", "/lessons/..%2Fetc"])
def test_what_is_not_there_is_not_found(client: FlaskClient, path: str) -> None:
    assert client.get(path, headers={"Accept": "text/html"}).status_code == 404


def test_a_wrong_activity_does_not_spend_the_ticket(client: FlaskClient) -> None:
    assert client.get("/lessons/turtle-garden?ticket=good&activity=none").status_code == 404
    assert not SPENT


def test_no_page_has_a_script_or_a_style_of_its_own(client: FlaskClient) -> None:
    for path in ("/lessons", "/lessons/parcel-scales", "/lessons/elsewhere", "/lessons/turtle-garden?ticket=good"):
        text = client.get(path).text
        scripts = re.findall(r"<script(?![^>]*(?:\bsrc=|application/json))[^>]*>", text)
        assert not scripts
        assert not re.search(r"<style|\sstyle=|\son\w+=", text)


def test_the_language_of_the_address_goes_with_every_link(client: FlaskClient) -> None:
    text = client.get("/lessons?lang=fr").text
    assert "/lessons/turtle-garden?lang=fr" in text
    assert "Le jardin de la tortue" in text
    assert "lang=de" not in client.get("/lessons?lang=de").text
