"""What a token endpoint says of this tool: a clear "unknown client" freezes the connection, and nothing else does."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from lti_server.app import House
from lti_server.errors import GrantRevoked
from lti_server.lti.registrations import Registered
from lti_server.lti.tokens import Service, service_of
from lti_server.privacy.districts import District
from lti_server.providers.errors import ProviderFault, RejectedCredentials
from tests import world
from tests.peers.member_list import NRPS_SCOPE, MemberList, listing

SCOPES = [NRPS_SCOPE]
RECIPIENTS = """reports:
  - audience: district
    level: aggregate
    dimensions: []
    min_n: {value: 10, clause: "Exhibit H 2"}
    recipients:
      - {name: Data office, email: data@district.example, role: data_steward}
      - {name: Administration, email: admin@district.example, role: district_admin}
      - {name: A school, email: school@district.example, role: school_admin}
  - audience: district
    level: aggregate
    dimensions: []
    min_n: {value: 10, clause: "Exhibit H 2"}
    recipients: [{name: Data office, email: data@district.example, role: data_steward}]
"""


@dataclasses.dataclass
class Answering(MemberList):
    """Says what it is told to of whoever asks for a token."""

    says: tuple[int, dict[str, Any]] | None = None

    def token(self, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        return self.says or super().token(form)


@pytest.fixture
def peer() -> Iterator[Answering]:
    with listing(Answering()) as found:
        assert isinstance(found, Answering)
        yield found


@pytest.fixture
def district(house: House) -> District:
    return world.district(house, terms=world.contract(house, more=RECIPIENTS))


def service(house: House, district: District, platform: Registered) -> Service:
    with house.database.tenant(district.id) as connection:
        return service_of(connection, district, platform.grant_id)


def row(house: House, district: District, statement: str) -> Any:
    with house.database.tenant(district.id) as connection:
        return connection.execute(sa.text(statement)).one()


def ask(house: House, district: District, platform: Registered) -> None:
    house.service_tokens.bearer(service(house, district, platform), SCOPES)


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("error", ["invalid_client", "unauthorized_client"])
def test_one_clear_unknown_client_suspends_and_removes_nobody(
    house: House, district: District, platform: Registered, peer: Answering, status: int, error: str
) -> None:
    peer.says = (status, {"error": error})
    with pytest.raises(RejectedCredentials):
        ask(house, district, platform)
    assert tuple(row(house, district, "SELECT state, epoch FROM grants")) == ("suspended", 1)
    assert row(house, district, "SELECT count(*) FROM revocation")[0] == 0
    logged = row(house, district, "SELECT actor FROM log_entry WHERE act = 'grant suspend'")
    assert logged.actor == "inference"
    with pytest.raises(GrantRevoked):
        ask(house, district, platform)


@pytest.mark.parametrize(
    "says",
    [
        (500, {"error": "invalid_client"}), (502, {}), (503, {"error": "invalid_client"}), (504, {}), (429, {}),
        (401, {}), (403, {"message": "forbidden"}), (400, {"error": "invalid_scope"}),
        (400, {"error": "invalid_request"}), (400, {"error": "temporarily_unavailable"}),
        (400, {"error": ["invalid_client"]}), (404, {"error": "invalid_client"}), (200, {"error": "invalid_client"}),
    ],
)  # fmt: skip
def test_an_outage_or_an_unclear_answer_suspends_nothing(
    house: House, district: District, platform: Registered, peer: Answering, says: tuple[int, dict[str, Any]]
) -> None:
    peer.says = says
    for _ in range(3):
        with pytest.raises(ProviderFault):
            ask(house, district, platform)
    assert row(house, district, "SELECT state FROM grants").state == "active"
    assert row(house, district, "SELECT count(*) FROM mail_message")[0] == 0


def test_an_lms_that_does_not_answer_suspends_nothing(
    house: House, district: District, platform: Registered, peer: Answering
) -> None:
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE registration SET auth_token_url = 'http://127.0.0.1:9/token'"))
    with pytest.raises(ProviderFault):
        ask(house, district, platform)
    assert row(house, district, "SELECT state FROM grants").state == "active"


def test_the_districts_offices_are_told_once_each(
    house: House, district: District, platform: Registered, peer: Answering
) -> None:
    mine = service(house, district, platform)
    peer.says = (401, {"error": "invalid_client"})
    for _ in range(3):  # as many workers as asked before the first answer came
        with pytest.raises((RejectedCredentials, GrantRevoked)):
            house.service_tokens.bearer(mine, SCOPES)
    with house.database.tenant(district.id) as connection:
        rows = connection.execute(sa.text("SELECT id, sealed FROM mail_message")).all()
    mails = [
        house.ring.unwrap("mail", f"{district.id}|mail_message|sealed|{one.id}".encode(), bytes(one.sealed)).decode()
        for one in rows
    ]
    assert {text.partition("\n")[0] for text in mails} == {"data@district.example", "admin@district.example"}
    assert len(mails) == 2
    assert all(f"/district/connections/{platform.grant_id}" in text for text in mails)
    assert all("invalid_client" in text for text in mails)


def test_an_answer_to_a_former_epoch_suspends_nothing(
    house: House, district: District, platform: Registered, peer: Answering
) -> None:
    assert not house.grants.suspect(district.id, platform.grant_id, 0, "LTI", "somebody says so")
    assert row(house, district, "SELECT state FROM grants").state == "active"


def test_a_revoked_grant_is_not_suspended(
    house: House, district: District, platform: Registered, peer: Answering
) -> None:
    house.grants.withdraw.begin(district.id, platform.grant_id, by="test", reason="over")
    assert not house.grants.suspect(district.id, platform.grant_id, 2, "LTI", "somebody says so")
    assert row(house, district, "SELECT state FROM grants").state == "revoking"


def test_resuming_by_hand_lets_it_go_on(
    house: House, district: District, platform: Registered, peer: Answering
) -> None:
    peer.says = (401, {"error": "invalid_client"})
    with pytest.raises(RejectedCredentials):
        ask(house, district, platform)
    peer.says = None
    house.grants.withdraw.resume(district.id, platform.grant_id, by="test")
    ask(house, district, platform)
    assert tuple(row(house, district, "SELECT state, epoch FROM grants")) == ("active", 1)
