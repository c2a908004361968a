"""`make bench-oracle`: whether the time of an answer says whose an e-mail address is, or whether a child is here.

Known and unknown are asked in pairs, in a random order within each pair, so that a machine whose speed drifts is the
same for both. What is printed beside the medians is how often a known one takes longer than an unknown one (0.50:
never to be told apart) with the z of Mann and Whitney, and the same between two halves of the unknown, which is chance.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from lti_server.accounts.email_codes import Letter, Way
from lti_server.accounts.email_sign_in import Asked
from lti_server.app import House, build_house, create_app
from lti_server.ids import DistrictId
from lti_server.migrate import upgrade
from lti_server.own_door_parts import OwnDoorHouse
from lti_server.postgres import BundledPostgres
from lti_server.settings import Settings
from tests.peers import smtp

PAIRS = int(os.environ.get("BENCH_PAIRS", "500"))
WARM = 20
CLEAN_AFTER = 100
SECRET = "a-secret-key-of-the-benchmark-long-enough"
_CSRF = re.compile('name="csrf_token" value="([^"]+)"')
_addresses = (f"10.{a}.{b}.{c}" for a, b, c in itertools.product(range(256), range(256), range(1, 255)))


@dataclass(frozen=True, slots=True)
class Door:
    """One form: how a browser comes to it, and what it sends for an address."""

    page: str
    before: Callable[[FlaskClient, str], None]
    form: Callable[[str], dict[str, str]]


def nothing(browser: FlaskClient, address: str) -> None:
    """The form is open to whoever comes."""


def says_an_age(browser: FlaskClient, address: str) -> None:
    sent(browser, "/signup", {"years": "30"})


def asks_for_a_code(browser: FlaskClient, address: str) -> None:
    sent(browser, "/signin/email", {"address": address})


DOORS = (
    Door("/signin/email", nothing, lambda address: {"address": address}),
    Door("/recover", nothing, lambda address: {"address": address}),
    Door("/signup/address", says_an_age, lambda address: {"address": address, "name": "Cool Coder"}),
    Door("/signin/code", asks_for_a_code, lambda address: {"code": "0000 0000"}),
    Door("/privacy/request", nothing, lambda address: {"district": "public-us", "text": f"Is {address} here?"}),
)


def sent(browser: FlaskClient, page: str, form: dict[str, str]) -> float:
    """Send a form that was opened before, and say how long the answer took."""
    token = _CSRF.search(browser.get(page).text)
    assert token, page
    data = {"csrf_token": token[1], **form}
    began = time.perf_counter()
    answer = browser.post(page, data=data)
    took = time.perf_counter() - began
    assert answer.status_code in (200, 303, 403), answer.text
    return took


def asked(app: Flask, door: Door, address: str) -> float:
    """A browser of its own, at an address of its own: no limit is what is measured."""
    browser = app.test_client()
    browser.environ_base["REMOTE_ADDR"] = next(_addresses)
    door.before(browser, address)
    return sent(browser, door.page, door.form(address))


def prepared(url: str, mail: smtp.MailServer) -> tuple[House, DistrictId, list[str]]:
    """A country whose people register themselves, and so many who have."""
    upgrade(url, url)
    settings = Settings(database_url=url, secret_keys=(SECRET,), smtp_url=mail.url, mail_from="lessons@here.example")
    house = build_house(settings, url)
    here = OwnDoorHouse(house)
    desk = here.registering.enable("US", by="bench")
    codes: list[str] = []

    def writes(kind: Letter, code: str) -> tuple[str, str]:
        codes.append(code)
        return kind.value, code

    known = [f"known-{number}@example.org" for number in range(PAIRS + WARM)]
    for number, address in enumerate(known):
        years = 9 if number % 2 else 30
        wanted = Asked(country="US", way=Way.REGISTER, address=address, name="Cool Coder", years=years)
        here.sign_in.enter("US", here.sign_in.ask(wanted, writes), codes[-1])
    return house, desk.district.id, known


def measured(app: Flask, door: Door, known: Sequence[str], clean: Callable[[], None]) -> Iterator[tuple[float, float]]:
    """How long the answers took to a known and to an unknown one, pair by pair."""
    dice = random.Random(door.page)
    for number, address in enumerate(known):
        if number % CLEAN_AFTER == 0:
            clean()
        pair = [(True, address), (False, address.replace("known", "nobody"))]
        dice.shuffle(pair)
        took = {here: asked(app, door, one) for here, one in pair}
        if number >= WARM:
            yield took[True], took[False]


def rank(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """How often one of the first is above one of the second, and its z where chance alone were at work."""
    ranked = sorted([(one, True) for one in first] + [(one, False) for one in second])
    of_first = sum(place for place, (_, mine) in enumerate(ranked, 1) if mine)
    n, m = len(first), len(second)
    above = of_first - n * (n + 1) / 2
    return above / (n * m), (above - n * m / 2) / (n * m * (n + m + 1) / 12) ** 0.5


def main() -> None:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        postgres = BundledPostgres(directory)
        url = postgres.hold()
        stack.callback(postgres.release)
        mail = stack.enter_context(smtp.serving())
        house, district_id, known = prepared(url, mail)
        stack.callback(house.database.dispose)
        app = create_app(house)
        print(f"{PAIRS} pairs a form, medians in ms; >0.50: a known one takes longer", flush=True)
        for door in DOORS:
            told(door, list(measured(app, door, known, partial(clean, house, district_id))))


def clean(house: House, district_id: DistrictId) -> None:
    """No form is asked with what others have left; a district takes a thousand requests that nobody answers."""
    with house.database.tenant(district_id) as connection:
        for table in ("email_code", "guardian_request"):
            connection.execute(sa.text(f"DELETE FROM {table}"))


def told(door: Door, took: Sequence[tuple[float, float]]) -> None:
    known, unknown = zip(*took, strict=True)
    above, z = rank(known, unknown)
    by_chance, z_chance = rank(unknown[::2], unknown[1::2])
    middle, middle_unknown = (1000 * statistics.median(one) for one in (known, unknown))
    print(
        f"  {door.page:<17} known {middle:7.2f}  unknown {middle_unknown:7.2f}"
        f"  above {above:.3f} (z {z:+5.2f})  chance {by_chance:.3f} (z {z_chance:+5.2f})",
        flush=True,
    )


if __name__ == "__main__":
    main()
