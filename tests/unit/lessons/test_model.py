"""What follows from a lesson's address."""

from __future__ import annotations

import pytest

from lti_server.lessons.model import Activity, Lesson, Text


def lesson(url: str | None, *extra_hosts: str) -> Lesson:
    word = Text(by_language={"en": "Word"})
    return Lesson(
        id="one", title=word, summary=word, activities=(Activity(id="a", title=word),), url=url, extra_hosts=extra_hosts
    )


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://lesson.example/play", "https://lesson.example"),
        ("https://lesson.example:443/play", "https://lesson.example"),
        ("https://lesson.example:8443/", "https://lesson.example:8443"),
        ("https://LESSON.example/", "https://lesson.example"),
        ("http://127.0.0.1:80/", "http://127.0.0.1"),
        ("http://[::1]:9000/", "http://[::1]:9000"),
        (None, None),
    ],
)
def test_an_origin_is_spelt_as_browsers_spell_it(url: str | None, origin: str | None) -> None:
    assert lesson(url).origin == origin


def test_the_contract_must_name_the_site_and_every_further_host_once() -> None:
    assert lesson("https://a.example/", "b.example", "a.example").hosts == ("a.example", "b.example")
    assert lesson(None).hosts == ()


def test_a_text_falls_back_to_english() -> None:
    text = Text(by_language={"en": "Lamp", "fr": "Lampe"})
    assert [text.within(locale) for locale in ("fr", "fr_CA", "FR-be", "de", "")] == ["Lampe"] * 3 + ["Lamp"] * 2
