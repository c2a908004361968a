"""What a lesson saves and what it never stores: with a launch, without one, and when the network fails."""

from __future__ import annotations

from playwright.sync_api import Browser, Request, expect

from tests.browser.hands import Touch
from tests.browser.lesson_moves import DESKTOP, Opener, finish, launched, solve_first, write_program
from tests.browser.lesson_server import TICKET, LessonServer

STORED = """async () => localStorage.length + sessionStorage.length + (await indexedDB.databases()).length
    + (await caches.keys()).length"""


def test_without_an_account_a_lesson_is_whole_and_nothing_is_stored_or_sent(
    opened: Opener, lesson_server: LessonServer, complaints: list[str]
) -> None:
    page = opened(f"{lesson_server.url}/lessons/turtle-garden", has_touch=True)
    write_program(page, Touch(), "FFF")
    finish(page, Touch(), "Run")
    expect(page.locator("#saving")).to_contain_text("without an account")
    assert page.context.cookies() == []
    assert page.evaluate(STORED) == 0
    assert not [path for _, path in lesson_server.requests if path.startswith("/api/")]
    assert {method for method, _ in lesson_server.requests} == {"GET"}
    assert not complaints


def test_the_ticket_is_gone_from_the_address_and_from_history(opened: Opener, lesson_server: LessonServer) -> None:
    page = opened(launched(lesson_server, "turtle-garden", "the-stairs"))
    expect(page.get_by_role("heading", name="The stairs")).to_be_visible()
    assert TICKET not in page.url
    page.reload()
    expect(page.get_by_role("heading", name="Open it again from your course")).to_be_visible()
    page.get_by_role("button", name="Play without saving").click()
    expect(page.locator("#saving")).to_contain_text("without an account")


def test_a_lesson_goes_on_where_the_pupil_left_off(opened: Opener, lesson_server: LessonServer) -> None:
    work = {"program": ["forward", "left"]}
    common = {"attempts": 2, "best_score": 1, "optimal": True}
    lesson_server.progress = {
        "activities": [
            {"activity_id": "first-steps", "completed": True, "work": None, **common},
            {"activity_id": "round-the-corner", "completed": False, "work": work, **common, "optimal": False},
        ]
    }
    page = opened(launched(lesson_server, "turtle-garden"))
    expect(page.get_by_role("heading", name="Round the corner")).to_be_visible()
    expect(page.locator(".program-list > li")).to_have_count(2)
    expect(page.get_by_role("link", name="First steps (solved in the best way)")).to_be_visible()


def test_a_link_to_one_activity_opens_that_activity(opened: Opener, lesson_server: LessonServer) -> None:
    lesson_server.single_activity = "the-stairs"
    page = opened(launched(lesson_server, "turtle-garden"))
    expect(page.get_by_role("heading", name="The stairs")).to_be_visible()


def test_an_attempt_that_cannot_be_saved_is_kept_and_sent_again_under_its_id(
    opened: Opener, lesson_server: LessonServer
) -> None:
    page = opened(launched(lesson_server, "turtle-garden"), has_touch=True)
    expect(page.locator("#saving")).to_have_text("Your work is saved for you and your teacher.")
    sent: list[str] = []

    def note(one: Request) -> None:
        if one.url.endswith("/progress") and one.method == "POST":
            sent.append(str((one.post_data_json or {})["attempt_id"]))

    page.on("request", note)
    lesson_server.fail_with = 503
    solve_first(page)
    expect(page.locator("#saving")).to_contain_text("Not saved yet")
    lesson_server.fail_with = None
    expect(page.locator("#saving")).to_have_text("Saved.")
    assert len(sent) >= 2
    assert {one["attempt_id"] for one in lesson_server.attempts} == set(sent)
    assert len(lesson_server.attempts) == 1


def test_a_lost_connection_is_told_and_mended(opened: Opener, lesson_server: LessonServer) -> None:
    page = opened(launched(lesson_server, "turtle-garden"), has_touch=True)
    expect(page.locator("#saving")).to_have_text("Your work is saved for you and your teacher.")
    page.context.set_offline(True)
    solve_first(page)
    expect(page.locator("#saving")).to_contain_text("Not saved yet")
    page.context.set_offline(False)
    expect(page.locator("#saving")).to_have_text("Saved.")
    assert len(lesson_server.attempts) == 1


def test_who_is_no_pupil_is_told_that_nothing_is_saved(opened: Opener, lesson_server: LessonServer) -> None:
    lesson_server.saved = False
    lesson_server.teacher = True
    page = opened(launched(lesson_server, "turtle-garden"), has_touch=True)
    solve_first(page)
    expect(page.locator("#saving")).to_contain_text("without being a pupil")
    expect(page.get_by_role("link", name="Your class")).to_have_attribute("href", f"{lesson_server.url}/teach")


def test_an_ended_session_is_told_and_asked_no_more(opened: Opener, lesson_server: LessonServer) -> None:
    page = opened(launched(lesson_server, "turtle-garden"), has_touch=True)
    lesson_server.tokens = 7
    solve_first(page)
    expect(page.locator("#saving")).to_contain_text("Saving has ended")
    asked = len(lesson_server.requests)
    page.get_by_role("button", name="Run").tap()
    expect(page.locator("#verdict")).to_contain_text("All flowers found")
    assert len(lesson_server.requests) == asked


def test_the_token_is_renewed_before_its_two_hours_end(chromium: Browser, lesson_server: LessonServer) -> None:
    context = chromium.new_context(viewport=DESKTOP, has_touch=True, reduced_motion="reduce", locale="en-GB")
    page = context.new_page()
    page.clock.install()
    page.goto(launched(lesson_server, "turtle-garden"))
    expect(page.locator("#saving")).to_have_text("Your work is saved for you and your teacher.")
    with page.expect_response("**/token/renew"):
        page.clock.fast_forward("01:35:00")
    solve_first(page)
    page.clock.run_for(5_000)
    expect(page.locator("#saving")).to_have_text("Saved.")
    assert lesson_server.tokens == 2
    context.close()


def test_a_written_answer_travels_apart_from_the_work(opened: Opener, lesson_server: LessonServer) -> None:
    page = opened(launched(lesson_server, "turtle-garden", "round-the-hedge"), has_touch=True)
    field = page.get_by_label("How did you find the part that repeats?")
    field.fill("Each side is the same.")
    page.get_by_role("button", name="Send the answer").tap()
    expect(page.locator("#verdict")).to_contain_text("Run your program first")
    write_program(page, Touch(), "3FFFL]")
    finish(page, Touch(), "Run")
    page.get_by_role("button", name="Send the answer").tap()
    expect(page.locator("#verdict")).to_contain_text("Thank you")
    expect(page.locator("#saving")).to_have_text("Saved.")
    first, second = lesson_server.attempts
    assert "answers" not in first
    assert second["answers"] == {"how": "Each side is the same."}
    assert second["work"] == first["work"]
    assert second["attempt_id"] != first["attempt_id"]
