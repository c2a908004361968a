"""Which tenants use the application: the whole list, or none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from lti_server_classlink import ClassLink

from lti_server.providers import BrokeContract, Misconfigured, ProviderFault
from lti_server.testing import Exchange, LoginProviderContract
from lti_server.testing.recorded import FakeClock, RecordedTransport, exchanges
from plugins.classlink.tests.test_contract import CONFIG

LIST = "https://oneroster-proxy.apis.classlink.com/applications?limit=100&offset="


def row(number: int, **changed: object) -> dict[str, object]:
    return {
        "tenant_id": number, "bearer": "x", "enabled": "true", "tenant_status": "Active",
        "oneroster_application_id": f"a{number}%3D", **changed,
    }  # fmt: skip


def page(offset: int, rows: Sequence[object], **changed: Any) -> Exchange:
    return Exchange(url=f"{LIST}{offset}", **{"body": {"status": 1, "applications": rows}, **changed})


def tenants(answers: Sequence[Exchange], **config: object) -> Sequence[str]:
    clock = FakeClock(LoginProviderContract.now)
    return ClassLink(
        config=ClassLink.manifest.read_config({**CONFIG, "partner_key": "k", **config}),
        transport=RecordedTransport(answers, clock=clock),
        clock=clock,
    ).tenants()


def test_every_page_is_read_and_a_tenant_that_is_switched_off_is_none() -> None:
    recording = exchanges(Path(__file__).parent / "recordings" / "tenants.json")
    assert tenants(recording) == ["2222", "2224"]


def test_a_list_may_be_empty() -> None:
    assert tenants([page(0, [])]) == []


@pytest.mark.parametrize("changed", [{"enabled": "false"}, {"enabled": False}, {"tenant_status": "Inactive"}])
def test_who_is_switched_off_is_no_tenant_and_who_is_on_elsewhere_is(changed: dict[str, object]) -> None:
    rows = [row(1, **changed), row(2, tenant_id="1"), row(3, tenant_id=1), row(4, **changed)]
    assert tenants([page(0, rows), page(3, rows[3:])]) == ["1"]


def test_without_a_key_there_is_no_way_to_the_list() -> None:
    clock = FakeClock(LoginProviderContract.now)
    plugin = ClassLink(
        config=ClassLink.manifest.read_config(CONFIG), transport=RecordedTransport([], clock=clock), clock=clock
    )
    with pytest.raises(Misconfigured):
        plugin.tenants()


FIRST = [row(1), row(2)]


@pytest.mark.parametrize(
    "answers",
    [
        [page(0, FIRST), page(1, [])],
        [page(0, FIRST), page(1, [row(3)])],  # a row went meanwhile, so another one may have been passed over
        [page(0, FIRST), page(1, FIRST)],  # the offset is not heeded
        [page(0, FIRST), page(1, [], status=503)],
        [page(0, FIRST), page(1, [row(2), {}])],
        [page(0, [row(1), row(2, tenant_id=None)]), page(1, [row(2)])],
        [page(0, [row(1), row(2, tenant_id="two")]), page(1, [row(2)])],
        [page(0, [row(1), row(2, oneroster_application_id="")])],
        [page(0, [7])],
        [page(0, [], body={"status": 1})],
        [page(0, [], body={"status": 1, "applications": None})],
        [page(0, [], body=[])],
        [page(0, [], body="<html></html>")],
        [page(0, [], status=404)],
    ],
)
def test_what_is_no_whole_list_is_none(answers: list[Exchange]) -> None:
    with pytest.raises(ProviderFault):
        tenants(answers)


def test_a_list_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lti_server_classlink.vendor.MOST_APPLICATIONS", 3)
    with pytest.raises(BrokeContract, match="more than"):
        tenants([page(0, [row(n) for n in range(9)]), page(8, [row(8)])])
