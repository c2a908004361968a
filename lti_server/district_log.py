"""The log of one district, as a member of its staff has it before them."""

from __future__ import annotations

from datetime import tzinfo
from uuid import UUID

from sqlalchemy.engine import Connection

from lti_server.house import House
from lti_server.ids import DistrictId
from lti_server.privacy import log
from lti_server.privacy.districts import District
from lti_server.privacy.log_extract import signed_extract
from lti_server.privacy.log_reading import Page, Wanted, read_log


class StaffLog:
    """Each look is an entry of its own, by the session that looked."""

    def __init__(self, house: House, district_id: DistrictId, session_id: UUID) -> None:
        self._house = house
        self._session_id = session_id
        with house.database.tenant(district_id) as connection:
            self._district = house.entered(connection)

    @property
    def zone(self) -> tzinfo:
        return self._district.zone

    def read(self, wanted: Wanted, *, after: str | None, limit: int) -> Page:
        with self._house.database.tenant(self._district.id) as connection:
            found = read_log(connection, self._district.keys, wanted, after=after, limit=limit)
            self._note(connection, self._district, "log see")
        return found

    def checkpoint(self) -> bytes:
        with self._house.database.tenant(self._district.id) as connection:
            self._note(connection, self._district, "log checkpoint")
        return self._house.audit.checkpoint([self._district.id]).file

    def extract(self, wanted: Wanted, *, after: str | None) -> bytes:
        house = self._house
        with house.database.tenant(self._district.id) as connection:
            file = signed_extract(
                connection, house.document_keys, self._district.keys, wanted, after=after, at=house.clock.now()
            )
            self._note(connection, self._district, "log extract")
        return file

    def _note(self, connection: Connection, district: District, act: str) -> None:
        entry = log.entry(
            district.keys, at=self._house.clock.now(), actor=f"session:{self._session_id}", act=act,
            decision="allowed", purpose="operation", interest=log.Interest.SCHOOL_OFFICIAL,
        )  # fmt: skip
        log.record(connection, entry)
