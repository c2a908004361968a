"""Content items, whatever a teacher chooses and a platform takes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from lti_server.lti.deep_linking import HTML, TYPES, Options, PickerSettings, Shown, content_item
from lti_server.lti.lesson_link import wanted, wanted_item

BASE = "https://tool.example/lessons-here"
ITEM = "7b0c8f9e-6f43-4c0e-9a3e-2f2b0d3c1a11"
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,40}", fullmatch=True)
times = st.none() | st.datetimes(timezones=st.just(UTC))
shown = st.builds(
    Shown, lesson_id=names, activity_id=st.just("") | names, title=st.text(min_size=1), text=st.text(),
    picture=st.just("/static/lessons/pictures/one.png"),
)  # fmt: skip
options = st.builds(
    Options, kind=st.sampled_from(TYPES), target=st.sampled_from(["", "iframe", "window", "embed"]),
    points=st.none() | st.floats(min_value=0.5, max_value=1000), available_from=times, available_until=times, due=times,
)  # fmt: skip
asked = st.builds(
    PickerSettings, return_url=st.just("https://lms.example/back"), types=st.just(TYPES),
    targets=st.lists(st.sampled_from(["iframe", "window", "embed"]), unique=True).map(tuple), multiple=st.booleans(),
    takes_line_item=st.sampled_from([True, False, None]),
)  # fmt: skip


@given(shown, options, asked)
def test_an_item_is_json_and_says_only_what_the_platform_takes(
    one: Shown, chosen: Options, settings: PickerSettings
) -> None:
    item = content_item(one, ITEM, chosen, settings, BASE)
    assert json.loads(json.dumps(item)) == item
    assert item["type"] == chosen.kind
    assert ("iframe" in item) <= ("iframe" in settings.targets)
    assert ("window" in item) <= ("window" in settings.targets)
    assert ("lineItem" in item) <= (settings.takes_line_item is not False and chosen.points is not None)
    assert all(isinstance(value, str) for value in item.get("custom", {}).values())
    assert {} not in item.values()


@given(shown, options, asked)
def test_the_address_alone_and_the_custom_parameters_alone_name_the_item(
    one: Shown, chosen: Options, settings: PickerSettings
) -> None:
    item = content_item(one, ITEM, Options(kind="ltiResourceLink", target=chosen.target), settings, BASE)
    for target, custom in ((item["url"], {}), (f"{BASE}/lti/launch", item["custom"])):
        named = wanted(target, custom, "/lessons-here")
        assert named is not None
        assert (named.lesson_id, named.activity_id) == (one.lesson_id, one.activity_id)
        assert str(wanted_item(target, custom)) == ITEM
    assert parse_qs(urlsplit(item["url"]).query)["item"] == [ITEM]


@given(st.text(), st.text())
def test_a_text_with_a_link_holds_no_markup_of_a_lesson(title: str, text: str) -> None:
    one = Shown(lesson_id="turtle", activity_id="", title=f"<img>{title}", text=f'"><script>{text}', picture=None)
    settings = PickerSettings(
        return_url="https://lms.example/", types=TYPES, targets=(), multiple=False, takes_line_item=None
    )
    made = content_item(one, ITEM, Options(kind=HTML), settings, BASE)["html"]
    assert "<img" not in made
    assert "<script" not in made
    assert made.count("<") == made.count("</") * 2


def test_a_deadline_keeps_its_zone() -> None:
    due = datetime(2026, 9, 15, 12, tzinfo=UTC)
    one = Shown(lesson_id="turtle", activity_id="", title="Turtle", text="", picture=None)
    settings = PickerSettings(
        return_url="https://lms.example/", types=TYPES, targets=(), multiple=False, takes_line_item=None
    )
    item = content_item(one, ITEM, Options(kind="ltiResourceLink", due=due), settings, BASE)
    assert item["submission"] == {"endDateTime": "2026-09-15T12:00:00+00:00"}
