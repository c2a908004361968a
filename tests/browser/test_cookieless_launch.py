"""Launches in a frame of another site, in a Chromium that keeps no cookies there (the LMS on localhost)."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from flask import Flask, Response, make_response, request
from lti_server_demo_lms.profiles import PLAIN, PROFILES, Profile
from playwright.sync_api import BrowserContext, expect

from tests.browser.blocked_cookies import NOTHING, THIRD_PARTY
from tests.browser.framed_launches import (
    AS_IT_SHOULD,
    BUTTON,
    KEEPER,
    LESSON,
    MUTE,
    NO_STORAGE,
    WRONG_ID,
    Browser,
    LmsAs,
    look,
    open_link,
    sessions,
    solve,
    unhurried,
)
from tests.browser.lesson_site import serving
from tests.functional.street import HIDDEN, SLUG, Street

# The right answer to the right question, by a page of no origin.
FROM_ELSEWHERE = """
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts";
    frame.src = "/elsewhere";
    const forward = (said) => {
      if (said.source !== frame.contentWindow) return;
      document.documentElement.dataset.said = said.data;
      if (said.data === "there") frame.contentWindow.postMessage(right, "*");
    };
    addEventListener("message", forward);
    document.body.append(frame);
"""
ELSEWHERE = """<script>
addEventListener("message", (event) => {
  parent.frames[0].postMessage(event.data, "*");
  parent.postMessage("said", "*");
});
parent.postMessage("there", "*");
</script>"""
ANSWERS_THAT_DO_NOT_COUNT = {
    "another message id": WRONG_ID,
    "no message id": "event.source.postMessage({ ...right, message_id: undefined }, event.origin);",
    "another subject": 'event.source.postMessage({ ...right, subject: "lti.put_data.response" }, event.origin);',
    "another key": 'event.source.postMessage({ ...right, key: "lti_login_0" }, event.origin);',
    "another origin": FROM_ELSEWHERE,
}


def cookies_in_a_frame(context: BrowserContext) -> set[str]:
    """Which of a plain and a partitioned cookie of 127.0.0.1 come back from a frame of a page of localhost."""
    back: list[set[str]] = []
    host = Flask("cookies")
    host.add_url_rule("/", "page", lambda: "<iframe src='http://127.0.0.1:{}/put'></iframe>".format(
        request.host.partition(":")[2]))  # fmt: skip

    @host.get("/put")
    def put() -> Response:
        answer = make_response("<a href='/back'>back</a>")
        answer.set_cookie("third_party", "1", secure=True, samesite="None")
        answer.set_cookie("partitioned", "1", secure=True, samesite="None", partitioned=True)
        return answer

    @host.get("/back")
    def came_back() -> str:
        back.append({*request.cookies})
        return "<p>seen</p>"

    with serving(host) as url:
        page = context.new_page()
        page.goto(url.replace("127.0.0.1", "localhost"))
        page.frame_locator("iframe").get_by_role("link").click()
        expect(page.frame_locator("iframe").get_by_text("seen")).to_be_visible()
        page.close()
    return back[0]


@pytest.mark.timeout(180)
def test_with_every_cookie_blocked_a_lesson_opens_by_storage_and_its_grade_stands(
    lms_as: LmsAs, browser: Browser
) -> None:
    here, context = lms_as(PLAIN), unhurried(browser(NOTHING))
    page, lesson = open_link(context, here)
    assert cookies_in_a_frame(page.context) == set()
    solve(lesson)
    steps = lesson.locator("a.step")
    for number in (1, 2, 3):
        steps.nth(number).click()
        expect(steps.nth(number)).to_have_attribute("aria-current", "step")
        expect(lesson.locator("#puzzle")).not_to_be_empty()
        expect(lesson.locator("#saving")).not_to_contain_text("not saved")
    assert here.deliver() == "delivered"
    course = here.lms.config.world.districts[0].courses[0]
    page.goto(f"{here.lms_url}/{SLUG}/courses/{course.id}/gradebook")
    expect(page.locator("td .score").first).to_contain_text("/ 100")
    assert sessions(here) == 1
    assert [one["name"] for one in context.cookies(here.tool_url)] == []


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", ["canvas", "blackboard", "d2l"])
def test_each_vendor_s_storage_opens_a_lesson(lms_as: LmsAs, browser: Browser, name: str) -> None:
    here = lms_as(PROFILES[name])
    _, lesson = open_link(unhurried(browser(NOTHING)), here)
    solve(lesson)
    assert sessions(here) == 1


@pytest.mark.timeout(180)
@pytest.mark.parametrize("profile", [MUTE, NO_STORAGE], ids=["mute", "none"])
def test_partitioned_cookies_open_a_lesson_where_third_party_ones_are_blocked(
    lms_as: LmsAs, browser: Browser, profile: Profile
) -> None:
    here = lms_as(profile)
    page, lesson = open_link(browser(THIRD_PARTY), here)
    assert cookies_in_a_frame(page.context) == {"partitioned"}
    solve(lesson)
    assert sessions(here) == 1


@pytest.mark.timeout(180)
@pytest.mark.parametrize("profile", [MUTE, NO_STORAGE], ids=["mute", "none"])
def test_without_cookies_and_storage_the_lesson_opens_in_a_new_window(
    lms_as: LmsAs, browser: Browser, profile: Profile
) -> None:
    here = lms_as(profile)
    page, frame = open_link(browser(NOTHING), here)
    button = frame.get_by_role("button", name=BUTTON)
    expect(button).to_be_visible()
    assert sessions(here) == 0
    assert Axe().run(page).violations_count == 0
    look(page, f"new-window-{'mute' if profile.storage else 'none'}")
    with page.expect_popup() as popup:
        button.press("Enter")
    solve(popup.value)
    assert sessions(here) == 1
    assert "id_token" not in popup.value.url


@pytest.mark.timeout(180)
@pytest.mark.parametrize("answer", ANSWERS_THAT_DO_NOT_COUNT)
def test_an_answer_that_is_not_the_platform_s_own_to_this_question_is_not_heard(
    lms_as: LmsAs, browser: Browser, answer: str
) -> None:
    here, context = lms_as(PLAIN), browser(NOTHING)
    script = KEEPER.replace("HOW", ANSWERS_THAT_DO_NOT_COUNT[answer])
    context.route("**/static/storage.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    context.route("**/elsewhere", lambda route: route.fulfill(body=ELSEWHERE, content_type="text/html"))
    page, frame = open_link(context, here)
    expect(page.locator("html")).to_have_attribute("data-asked", "yes")
    expect(frame.get_by_role("button", name=BUTTON)).to_be_visible()
    if answer == "another origin":
        expect(page.locator("html")).to_have_attribute("data-said", "said")
    assert sessions(here) == 0
    look(page, "ask-storage")


def test_the_same_page_is_believed_when_it_answers_as_it_should(lms_as: LmsAs, browser: Browser) -> None:
    here, context = lms_as(PLAIN), unhurried(browser(NOTHING))
    script = KEEPER.replace("HOW", AS_IT_SHOULD)
    context.route("**/static/storage.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    _, lesson = open_link(context, here)
    solve(lesson)


def stolen(here: Street) -> dict[str, str]:
    """A launch that its own pupil began elsewhere: everything that opens it, binding included."""
    course = here.lms.config.world.districts[0].courses[0]
    signed_in = requests.post(
        f"{here.lms_url}/{SLUG}/sign-in", data={"person": here.pupils[1].id}, timeout=10, allow_redirects=False
    )
    # Browsers send a `Secure` cookie over http on loopback; this client has to be told to.
    own = {"Cookie": signed_in.headers["Set-Cookie"].partition(";")[0]}
    page = requests.get(f"{here.lms_url}/{SLUG}/launch/{course.id}-{LESSON}?in=frame", headers=own, timeout=10).text
    script, onward = re.search(r'id="storage">(.*?)<', page), re.search(r'href="([^"]+)" data-onward', page)
    assert script, page
    assert onward, page
    form = requests.get(unescape(onward[1]), headers=own, timeout=10).text
    fields = {name: unescape(value) for name, value in HIDDEN.findall(form)}
    return {**fields, "binding": json.loads(script[1])["value"]}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("with_binding", [True, False], ids=["posts-the-binding", "says-the-binding"])
def test_another_site_opens_its_own_launch_in_nobody_else_s_browser(
    lms_as: LmsAs, browser: Browser, with_binding: bool
) -> None:
    here, context = lms_as(PLAIN), browser(NOTHING)
    launch = stolen(here)
    sent = launch if with_binding else {name: launch[name] for name in ("id_token", "state")}
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in sent.items())
    page = context.new_page()
    evil = f"""<iframe name=tool></iframe>
<form method=post target=tool action="{here.tool_url}/lti/launch">{inputs}<button>send</button></form>
<script>
const said = {json.dumps({"subject": "lti.get_data.response", "value": launch["binding"]})};
const heard = [];
addEventListener("message", (event) => {{
  heard.push(event.data);
  event.source.postMessage({{ ...said, key: event.data.key, message_id: event.data.message_id }}, "*");
}});
</script>"""
    site = Flask("evil")
    site.add_url_rule("/", "page", lambda: evil)
    with serving(site) as url:
        page.goto(url.replace("127.0.0.1", "localhost"))
        page.get_by_role("button", name="send").click()
        tool = page.frame_locator("iframe")
        expect(tool.get_by_role("button", name=BUTTON)).to_be_visible()
        assert page.evaluate("heard") == []
    assert sessions(here) == 0
