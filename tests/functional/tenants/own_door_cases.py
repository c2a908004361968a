"""Coming in by e-mail: whoever registers is in a tenant of its own, and sees nothing of a district."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from lti_server.app import build_house, create_app
from lti_server.own_door_parts import OwnDoorHouse
from tests.functional.tenants.neighbours import Neighbours, Tenant, unused
from tests.peers import smtp
from tests.peers.loopback import on_loopback
from tests.peers.smtp import MailServer


def by_email(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """With a mail server, which neither district has: register, come back, and be nobody of mine or the other's."""
    answers = []
    with smtp.serving() as peer, served(here, peer) as tool_url:
        address = f"{unused()}@neither.example"
        for way in (("/signup", "/signup/address"), ("/signin/email",), ("/recover",)):
            browser = requests.Session()
            for page in (*way, "/signin/code"):
                form = browser.get(f"{tool_url}{page}", timeout=20)
                token = re.search('name="csrf_token" value="([^"]+)"', form.text)
                assert token
                code = re.search(r"\d{4} \d{4}", peer.received[-1].get_content() if peer.received else "")
                typed = {"years": "11", "name": "Somebody", "address": address, "code": code[0] if code else ""}
                answers += [form, browser.post(f"{tool_url}{page}", {"csrf_token": token[1], **typed}, timeout=20)]
            assert answers[-1].url.endswith("/learn")
            assert "People who registered themselves" in answers[-1].text
            answers.append(browser.get(f"{tool_url}/signup/abroad", timeout=20))
            # A district's provider is no way to register.
            answers.append(browser.get(f"{tool_url}/signup/with/google", timeout=20))
            assert "/auth/google" not in answers[-1].text
    return answers


@contextmanager
def served(here: Neighbours, peer: MailServer) -> Iterator[str]:
    """This server once more, with a mail server, where people register."""
    house = build_house(
        dataclasses.replace(here.house.settings, smtp_url=peer.url), here.house.database.url, here.house.clock
    )
    try:
        OwnDoorHouse(house).registering.enable("US", by="test")
        with on_loopback(create_app(house)) as port:
            yield f"http://127.0.0.1:{port}"
    finally:
        house.database.dispose()


OWN_DOOR = {
    f"by_email.{one}": by_email for one in ("age", "abroad", "register", "register_with", "sign_in", "recover", "code")
}
