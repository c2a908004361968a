"""Texts that nobody should have as a name, put into one field after the other of what a vendor says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from lti_server.app import House
from lti_server.privacy import log
from lti_server.privacy.districts import District
from lti_server.testing.leaks import overheard
from tests.functional.sign_in.conftest import begin

PAGE, PROBLEM = "text/html", "application/problem+json"

MARK = "q7zhostile"
"""Is in each text, so that it can be looked for."""
TEXTS: Mapping[str, str] = {
    "nul": f"{MARK}\x00{MARK}",
    "half a surrogate": f"\ud800{MARK}\udc00\ud800",
    "a megabyte": MARK + "x" * 1_000_000,
    "right to left": f"‮{MARK}‏⁦",
    "html": f"<script>alert('{MARK}')</script>",
    "lines": f"{MARK}\r\nSet-Cookie: {MARK}=1",
    "formula and sql": f"=cmd|'{MARK}'!A0'; DROP TABLE person; --",
    "beyond the plane": "\U0001f9d2" * 300 + MARK,
}


def survives(come: Callable[[], TestResponse], *, says: str = "") -> TestResponse:
    """Whoever comes is in, or at a page that says why not; nothing of a hostile text is in the log or the answer."""
    with overheard() as heard:
        answer = come()
    assert answer.status_code in (303, 403), (says, answer.status_code)
    assert MARK not in heard.getvalue(), says
    assert MARK not in answer.text + str(answer.headers), says
    return answer


def answers_by_browser(app: Flask, provider: str, text: str) -> None:
    """The same in what somebody's browser brings back; of that, a page repeats nothing that opens anything."""
    for name, shown in (("code", PAGE), ("error_description", PAGE), ("error", PROBLEM), ("of_the_vendor", PROBLEM)):
        browser = app.test_client()
        state = parse_qs(urlsplit(begin(browser, "north", provider)).query)["state"][0]
        brought = {"state": state, name: text.encode("utf-8", "surrogatepass")[:2000]}
        back = partial(browser.get, f"/auth/{provider}/callback", query_string=brought, headers={"Accept": shown})
        survives(back, says=name)


def refused_of(house: House, district: District) -> dict[str, Any]:
    """What the contract did not allow at the last sign-in, by name and number."""
    with house.database.tenant(district.id) as connection:
        rows = connection.execute(
            sa.text("SELECT payload FROM log_entry WHERE act = 'sign in' ORDER BY at DESC, id DESC LIMIT 1")
        )
        said = log.payload_of(district.keys, bytes(rows.scalar_one()))
    assert MARK not in json.dumps(said)
    found = said["refused"]
    assert isinstance(found, dict)
    return found
