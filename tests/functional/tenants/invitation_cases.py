"""Coming in by an invitation: mine opens mine, whoever took it was."""

from __future__ import annotations

import re

import requests

from tests.functional.inviting import form_of
from tests.functional.tenants.neighbours import Neighbours, Tenant


def invitation(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """Whoever came in for the other, and takes my invitation, is in mine alone; signing out ends that alone."""
    browser = requests.Session()
    browser.cookies.update(other.staff.cookies)
    account = here.invited(mine, browser)
    assert mine.district.name in account.text
    again = browser.post(f"{here.tool_url}/account", data=form_of(account.text), timeout=10)
    assert again.status_code == 409, "a promise is given in the words of a form"
    token = re.search('name="csrf_token" value="([^"]+)"', account.text)
    out = browser.post(f"{here.tool_url}/signout", data={"csrf_token": token[1] if token else ""}, timeout=10)
    assert out.ok
    assert other.district.name in other.staff.get(f"{here.tool_url}/account", timeout=10).text
    return [account, again, out, mine.staff.get(f"{here.tool_url}/account", timeout=10)]


INVITATIONS = dict.fromkeys(
    ("accounts.invitation", "accounts.accept", "accounts.account", "accounts.promise", "accounts.sign_out"), invitation
)
