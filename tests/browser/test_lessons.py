"""The sample lessons in a browser: each puzzle can be solved by keyboard and by touch, with and without a launch."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.hands import Hands, Keyboard, Touch
from tests.browser.lesson_moves import DESKTOP, PHONE, Opener, finish, go_on, launched, write_program
from tests.browser.lesson_server import LessonServer

LESSONS = ("turtle-garden", "parcel-scales", "message-in-bits")


def test_the_turtle_finds_every_flower_with_the_fewest_blocks(
    opened: Opener, lesson_server: LessonServer, hands: Callable[[Page], Hands], complaints: list[str]
) -> None:
    page = opened(launched(lesson_server, "turtle-garden"), has_touch=True)
    hand = hands(page)
    for number, blocks in enumerate(["FFF", "FFLFF", "6F]", "3FLFR]", "3FFFL]"]):
        if number:
            go_on(page, hand)
        write_program(page, hand, blocks)
        finish(page, hand, "Run")
    expect(page.locator("#saving")).to_have_text("Saved.")
    expect(page.locator("#onward")).to_contain_text("every puzzle")
    assert [one["activity_id"] for one in lesson_server.attempts] == [
        "first-steps",
        "round-the-corner",
        "the-long-row",
        "the-stairs",
        "round-the-hedge",
    ]
    assert all(one["optimal"] and one["completed"] and one["score"] == 1 for one in lesson_server.attempts)
    assert lesson_server.attempts[3]["work"] == {
        "program": [{"repeat": 3, "do": ["forward", "left", "forward", "right"]}]
    }
    assert not complaints


def weigh(page: Page, hand: Hands, one: str, other: str) -> bool:
    """Whether `one` is heavier than `other`, as the balance says."""
    before = page.locator(".known li:not(.empty)").count()
    for name in (one, other):
        hand.press(page.locator(f"[data-parcel={name}]"))
    line = page.locator(".known li").nth(before)
    expect(line).to_contain_text("is heavier than")
    return line.inner_text().startswith(one)


def heaviest(page: Page, hand: Hands, names: str) -> None:
    best = names[0]
    for name in names[1:]:
        best = name if weigh(page, hand, name, best) else best
    radio = page.get_by_role("radio", name=best, exact=True)
    if isinstance(hand, Keyboard):
        hand.reach(page.get_by_role("radio").first)
        page.keyboard.press("Space")
        for _ in range(names.index(best)):
            page.keyboard.press("ArrowRight")
    else:
        hand.press(radio)
    expect(radio).to_be_checked()
    hand.press(page.get_by_role("button", name="Check", exact=True))
    expect(page.locator("#verdict")).to_contain_text("No plan needs fewer")


def in_order(page: Page, hand: Hands, names: str) -> None:
    """Merge sort by the balance, then bring the parcels in this order by adjacent moves."""
    pairs = [[name] for name in names]
    while len(pairs) > 1:
        left, right = pairs.pop(0), pairs.pop(0)
        merged: list[str] = []
        while left and right:
            merged.append((right if weigh(page, hand, left[0], right[0]) else left).pop(0))
        pairs.append(merged + left + right)
    now, (wanted,) = list(names), pairs
    for place, name in enumerate(wanted):
        while now.index(name) > place:
            at = now.index(name)
            now[at - 1], now[at] = now[at], now[at - 1]
            hand.press(page.get_by_role("button", name=f"Move {name} towards light"))
    hand.press(page.get_by_role("button", name="Check", exact=True))
    expect(page.locator("#verdict")).to_contain_text("No plan needs fewer")


def test_the_balance_tells_which_parcel_is_heavier_until_the_order_is_proven(
    opened: Opener, lesson_server: LessonServer, hands: Callable[[Page], Hands], complaints: list[str]
) -> None:
    page = opened(launched(lesson_server, "parcel-scales"), has_touch=True)
    hand = hands(page)
    for solve, names in [(heaviest, "ABC"), (in_order, "ABC"), (heaviest, "ABCDE"), (in_order, "ABCD")]:
        solve(page, hand, names)
        if names != "ABCD":
            go_on(page, hand)
    expect(page.locator("#saving")).to_have_text("Saved.")
    assert [one["optimal"] for one in lesson_server.attempts] == [True] * 4
    assert not complaints


def test_an_order_that_no_weighing_proves_is_not_solved(opened: Opener, lesson_server: LessonServer) -> None:
    page = opened(launched(lesson_server, "parcel-scales", "three-in-order"))
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.locator("#verdict")).to_contain_text("cannot be sure yet")
    expect(page.locator("#saving")).to_have_text("Saved.")
    assert lesson_server.attempts[0]["completed"] is False
    assert lesson_server.attempts[0]["score"] == 0


def light(page: Page, hand: Hands, rows: list[tuple[int, int]]) -> None:
    """Press the lamps in which the first number of a row differs from the second."""
    for row, (before, after) in enumerate(rows):
        for value in (32, 16, 8, 4, 2, 1):
            if (before ^ after) & value:
                hand.press(page.locator(".lamps").nth(row).locator(f"[data-value='{value}']"))


def test_lamps_write_numbers_and_words_with_the_fewest_presses(
    opened: Opener, lesson_server: LessonServer, hands: Callable[[Page], Hands], complaints: list[str]
) -> None:
    page = opened(launched(lesson_server, "message-in-bits"), has_touch=True)
    hand = hands(page)
    cat_to_dog = [(ord(old) - 64, ord(new) - 64) for old, new in zip("CAT", "DOG", strict=True)]
    sun = [(0, ord(letter) - 64) for letter in "SUN"]
    for number, rows in enumerate([[(0, 5)], [(7, 19)], [(21, 56)], sun, cat_to_dog]):
        if number:
            go_on(page, hand)
        light(page, hand, rows)
        finish(page, hand, "Check")
    expect(page.locator("#saving")).to_have_text("Saved.")
    assert [one["optimal"] for one in lesson_server.attempts] == [True] * 5
    assert not complaints


def test_a_puzzle_solved_the_long_way_is_solved_but_not_optimal(opened: Opener, lesson_server: LessonServer) -> None:
    page = opened(launched(lesson_server, "turtle-garden", "first-steps"), has_touch=True)
    write_program(page, Touch(), "FFFLR")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#verdict")).to_contain_text("It can be done with 3")
    expect(page.locator("#saving")).to_have_text("Saved.")
    assert (lesson_server.attempts[0]["completed"], lesson_server.attempts[0]["optimal"]) == (True, False)


def test_a_lesson_without_personal_data_has_no_field_to_write_in(opened: Opener, lesson_server: LessonServer) -> None:
    page = opened(f"{lesson_server.url}/lessons/parcel-scales")
    steps = page.locator("a[data-activity]")
    for number in range(steps.count()):
        steps.nth(number).click()
        expect(steps.nth(number)).to_have_attribute("aria-current", "step")
        expect(page.locator("#puzzle button").first).to_be_visible()
        assert page.locator("textarea, input:not([type=radio])").count() == 0


def test_without_scripts_every_goal_is_told(opened: Opener, lesson_server: LessonServer) -> None:
    page = opened(f"{lesson_server.url}/lessons/message-in-bits", java_script_enabled=False)
    expect(page.get_by_text("switched off in this browser")).to_be_visible()
    for goal in ("Make 5.", "Write SUN.", "Make them say DOG"):
        expect(page.get_by_text(goal).last).to_be_visible()
    page.get_by_role("link", name="Just three lamps").click()
    expect(page.get_by_role("heading", name="Just three lamps")).to_be_visible()


def test_the_french_page_is_french_to_the_last_word_of_the_puzzle(opened: Opener, lesson_server: LessonServer) -> None:
    page = opened(f"{lesson_server.url}/lessons/message-in-bits", has_touch=True)
    page.get_by_role("link", name="Français").tap()
    assert page.locator("html").get_attribute("lang") == "fr"
    light(page, Touch(), [(0, 5)])
    page.get_by_role("button", name="Vérifier").tap()
    expect(page.locator("#verdict")).to_contain_text("On ne peut pas faire avec moins")
    page.get_by_role("link", name="Toutes les leçons").tap()
    expect(page.get_by_role("heading", name="La balance aux colis")).to_be_visible()
    assert page.context.cookies() == []


@pytest.mark.parametrize("lesson", LESSONS)
@pytest.mark.parametrize(("width", "lang"), [(1280, "en"), (390, "fr"), (320, "en")])
def test_every_activity_is_accessible_and_fits_its_frame(
    opened: Opener, lesson_server: LessonServer, lesson: str, width: int, lang: str
) -> None:
    page = opened(f"{lesson_server.url}/lessons/{lesson}?lang={lang}", viewport={"width": width, "height": 800})
    steps = page.locator("a[data-activity]")
    for number in range(steps.count()):
        steps.nth(number).click()
        expect(page.locator("#puzzle button").first).to_be_visible()
        assert page.evaluate("document.scrollingElement.scrollWidth - window.innerWidth") <= 0
        assert_accessible(page)


@pytest.mark.parametrize("path", ["/", "/lessons", "/lessons/none", "/lessons/turtle-garden?from=course"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_page_round_the_lessons_is_accessible(
    opened: Opener, lesson_server: LessonServer, path: str, viewport: ViewportSize
) -> None:
    page = opened(lesson_server.url + path, viewport=viewport)
    assert page.evaluate("document.scrollingElement.scrollWidth - window.innerWidth") <= 0
    assert_accessible(page)


def test_a_verdict_and_a_filled_program_are_accessible(opened: Opener, lesson_server: LessonServer) -> None:
    page = opened(launched(lesson_server, "turtle-garden", "round-the-hedge"), has_touch=True)
    write_program(page, Touch(), "3FF")
    page.get_by_role("button", name="Run").tap()
    expect(page.locator("#verdict")).to_have_attribute("data-kind", "try")
    assert_accessible(page)
    write_program(page, Touch(), "FL]")
    page.get_by_role("button", name="Run").tap()
    expect(page.locator("#verdict")).to_have_attribute("data-kind", "good")
    assert_accessible(page)


def assert_accessible(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    told = [
        (one["id"], node["html"])
        for one, nodes in zip(found, (v["nodes"] for v in found), strict=True)
        for node in nodes
    ]
    assert not told, list(itertools.islice(told, 5))
