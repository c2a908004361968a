"""What a district connects: a provider of its own, beside an application that is the operator's."""

from __future__ import annotations

from lti_server.app import House
from lti_server.ids import DistrictId
from lti_server.sign_in_parts import SignInHouse
from tests.functional.tenants.one_person import merged


def connected(house: House, district_id: DistrictId, slug: str) -> None:
    """A provider that nobody reaches, whose every word names its district."""
    connections = SignInHouse(house).connections
    connections.application("oidc", {"client_id": "everybody's"}, by="operator")
    config = {"issuer": f"https://id.{slug}.invalid", "client_id": slug, "client_secret": slug}
    made = connections.connect(district_id, "oidc", config, by=f"staff of {slug}")
    merged(house, district_id, made.grant_id, slug)
