"""Service tokens: one for all workers, of one registration, scope and epoch, and unreadable at rest."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from lti_server.app import House, build_house
from lti_server.errors import GrantRevoked
from lti_server.lti.registrations import Registered
from lti_server.lti.tokens import Service, service_of
from lti_server.privacy.districts import District
from lti_server.providers.errors import RejectedCredentials
from tests import world
from tests.peers.member_list import NRPS_SCOPE, MemberList

SCOPES = [NRPS_SCOPE]


def service(house: House, district: District, platform: Registered) -> Service:
    with house.database.tenant(district.id) as connection:
        return service_of(connection, district, platform.grant_id)


def test_the_assertion_says_who_for_whom_and_once(
    house: House, district: District, platform: Registered, peer: MemberList
) -> None:
    house.service_tokens.bearer(service(house, district, platform), SCOPES)
    (claims,) = peer.assertions
    assert claims["iss"] == claims["sub"] == peer.client_id
    assert claims["aud"] == peer.token_url
    assert 0 < claims["exp"] - claims["iat"] <= 300
    assert claims["jti"]


def test_another_audience_is_used_where_the_platform_wants_one(
    house: House, district: District, platform: Registered, peer: MemberList
) -> None:
    audience = "https://api.lms.example/auth/token"
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE registration SET token_audience = :a"), {"a": audience})
    with pytest.raises(RejectedCredentials):
        house.service_tokens.bearer(service(house, district, platform), SCOPES)
    assert peer.assertions[0]["aud"] == audience


def test_another_process_uses_the_token_that_is_there(
    house: House, district: District, platform: Registered, peer: MemberList
) -> None:
    found = house.service_tokens.bearer(service(house, district, platform), SCOPES)
    other = build_house(house.settings, house.database.url, house.clock)
    assert other.service_tokens.bearer(service(other, district, platform), SCOPES) == found
    other.database.dispose()
    assert len(peer.tokens) == 1


def test_two_clients_of_one_issuer_have_tokens_of_their_own(
    house: House, district: District, platform: Registered, peer: MemberList
) -> None:
    first = service(house, district, platform)
    house.service_tokens.bearer(first, SCOPES)
    peer.client_id, peer.deployment_id = "client-2", "deployment-2"
    second = service(house, district, world.register(house, district, peer))
    house.service_tokens.bearer(second, SCOPES)
    assert first.issuer == second.issuer
    assert [claims["iss"] for claims in peer.assertions] == ["client-1", "client-2"]
    assert house.service_tokens.bearer(first, SCOPES) == "token-1"
    assert house.service_tokens.bearer(second, SCOPES) == "token-2"


def test_a_new_epoch_gets_a_new_token(house: House, district: District, platform: Registered, peer: MemberList) -> None:
    house.service_tokens.bearer(service(house, district, platform), SCOPES)
    with house.database.tenant(district.id) as connection:
        connection.execute(sa.text("UPDATE grants SET epoch = epoch + 1"))
    assert house.service_tokens.bearer(service(house, district, platform), SCOPES) == "token-2"


def test_a_forgotten_token_is_asked_for_anew(
    house: House, district: District, platform: Registered, peer: MemberList
) -> None:
    mine = service(house, district, platform)
    house.service_tokens.bearer(mine, SCOPES)
    house.service_tokens.forget(mine, SCOPES)
    assert house.service_tokens.bearer(mine, SCOPES) == "token-2"


def test_a_revoked_grant_has_no_service(house: House, district: District, platform: Registered) -> None:
    house.registrations.remove(platform.id)
    with pytest.raises(GrantRevoked):
        service(house, district, platform)


def test_a_token_is_sealed_where_it_is_kept(
    house: House, district: District, platform: Registered, peer: MemberList
) -> None:
    found = house.service_tokens.bearer(service(house, district, platform), SCOPES)
    with house.database.tenant(district.id) as connection:
        kept = bytes(connection.execute(sa.text("SELECT sealed FROM service_token")).scalar_one())
    assert found.encode() not in kept
