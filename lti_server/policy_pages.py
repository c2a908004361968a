"""The privacy notice and the contract page over the house: what is published, and what a district's staff sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from flask import Blueprint

from lti_server.db import Door
from lti_server.errors import NotFound
from lti_server.house import House
from lti_server.ids import DistrictId
from lti_server.own_door_parts import OwnDoorHouse
from lti_server.privacy import contract_views, contracts, districts, log, notice_views, notices, own_terms
from lti_server.privacy.contracts import Signed
from lti_server.privacy.notice_views import NoticeParts, OwnTerms, Published
from lti_server.sign_in_parts import SignInHouse


class StaffContracts:
    """Each look is an entry of the log, by the session that looked."""

    def __init__(self, house: House, district_id: DistrictId, session_id: UUID) -> None:
        self._house = house
        self._session_id = session_id
        with house.database.tenant(district_id) as connection:
            self._district = house.entered(connection)

    @property
    def slug(self) -> str:
        return self._district.slug

    def versions(self) -> Sequence[Signed]:
        now = self._house.clock.now()
        with self._house.database.tenant(self._district.id) as connection:
            entry = log.entry(
                self._district.keys, at=now, actor=f"session:{self._session_id}", act="contract see",
                decision="allowed", purpose="operation", interest=log.Interest.SCHOOL_OFFICIAL,
            )  # fmt: skip
            log.record(connection, entry)
            return contracts.versions(connection, self._district.zone, now)


def notice_pages(house: House) -> Blueprint:
    """`/privacy`, for everybody."""

    def versions() -> Sequence[notices.Version]:
        with house.database.anyone() as connection:
            return notices.versions(connection)

    def published(slug: str) -> Published:
        try:
            district = districts.by_slug(house.database, house.ring, slug, house.doors.of(Door.DISTRICT, slug))
        except NotFound as error:
            raise NotFound("Check the address.") from error
        with house.database.tenant(district.id) as connection:
            found = contracts.versions(connection, district.zone, house.clock.now())
        current = next((one for one in found if one.state == "in_force"), None)
        return Published(district=district.name, signed=current)

    def own() -> OwnTerms:
        registering = OwnDoorHouse(house).registering
        slugs = tuple(map(own_terms.slug_of, registering.countries(new=True)))
        lines = own_terms.own_lines(registering.notice()) if slugs else ()
        return OwnTerms(lines=lines, slugs=slugs, ways=tuple(SignInHouse(house).own_accounts.ways().values()))

    return notice_views.blueprint(
        NoticeParts(versions=versions, published=published, own=own, today=lambda: house.clock.now().date())
    )


def contract_pages(opened: Callable[[], StaffContracts]) -> Blueprint:
    """`/district/contract`, for a district's staff."""
    return contract_views.blueprint(contract_views.ContractParts(opened=opened))
