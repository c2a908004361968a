"""Which districts have let the application in: the whole list, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from lti_server.providers import BrokeContract, ProviderFault, RateLimited
from lti_server.testing import Exchange
from lti_server.testing.recorded import exchanges
from plugins.clever.tests.test_sign_in import clever

LIST = "https://clever.com/oauth/tokens?owner_type=district"
ROW = {"owner": {"type": "district", "id": "d"}, "access_token": "x"}
SELF = [{"rel": "self", "uri": "/oauth/tokens?owner_type=district"}]


def test_every_page_is_read_and_tokens_of_users_are_none_of_a_district() -> None:
    recording = exchanges(Path(__file__).parent / "recordings" / "tenants.json")
    assert clever(recording).tenants() == ["5f1a7c0000000000000000d1", "5f1a7c0000000000000000d2"]


def test_a_list_may_be_empty_and_says_so_by_itself() -> None:
    assert clever([Exchange(url=LIST, body={"data": [], "links": SELF})]).tenants() == []


@pytest.mark.parametrize(
    "body",
    [
        "", "<html></html>", "null", "[]", {}, {"links": SELF}, {"data": None, "links": SELF},
        {"data": {}, "links": SELF}, {"data": [ROW]}, {"data": []}, {"data": [ROW], "links": None},
        {"data": [ROW], "links": [{"rel": "next"}]}, {"data": [ROW], "links": [{"rel": "next", "uri": ""}]},
        {"data": [ROW, {}], "links": SELF}, {"data": [ROW, {"owner": None}], "links": SELF},
        {"data": [ROW, {"owner": {"type": "district"}}], "links": SELF},
        {"data": [ROW, {"owner": {"type": "district", "id": ""}}], "links": SELF},
        {"data": [ROW, {"owner": {"id": "e"}}], "links": SELF}, {"data": [ROW, "e"], "links": SELF},
    ],
)  # fmt: skip
def test_what_is_no_page_of_the_list_is_no_list(body: object) -> None:
    with pytest.raises(BrokeContract):
        clever([Exchange(url=LIST, body=body)]).tenants()


@pytest.mark.parametrize("status", [204, 301, 400, 404, 501])
def test_another_status_is_no_list(status: int) -> None:
    with pytest.raises(ProviderFault):
        clever([Exchange(url=LIST, status=status, body={"data": [], "links": SELF})]).tenants()


def test_a_limit_on_the_second_page_is_told_with_the_wait_and_leaves_no_half_a_list() -> None:
    first = {"data": [ROW], "links": [{"rel": "next", "uri": "/oauth/tokens?owner_type=district&starting_after=d"}]}
    reset = {"X-RateLimit-Reset": "1788264060"}  # a minute after the recording's noon
    limited = Exchange(url=f"{LIST}&starting_after=d", status=429, headers=reset)
    with pytest.raises(RateLimited) as told:
        clever([Exchange(url=LIST, body=first), limited]).tenants()
    assert told.value.retry_after_s == 60
