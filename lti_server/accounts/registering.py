"""Registering oneself: a tenant for each age pack, made by the operator, under the notice as its contract."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.email_tables import registration_desk
from lti_server.db import Database, Door, enter_by, find_by
from lti_server.errors import InvalidInput, NotFound
from lti_server.ids import Clock, DistrictId
from lti_server.privacy import contracts, districts, grants, log, notices, own_terms
from lti_server.privacy.contracts import Policies
from lti_server.privacy.crypto import KeyRing
from lti_server.privacy.districts import District
from lti_server.privacy.doors import DoorKeys
from lti_server.privacy.grant_states import Use
from lti_server.privacy.journal import Journal, JournalKind
from lti_server.privacy.own_terms import EMAIL, Notice
from lti_server.privacy.signing import Signing

NAMES = {"FR": ("Europe/Paris", "fr")}
"""Time zone and language of a country's tenant; UTC and English elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where people of one country register. `terms` is the notice's version that its contract is made from.

    `open` is false where nobody new may register: who has done so signs in as before. `providers` are those by whose
    accounts people may come, as the contract names them: `email`, and what the operator has added.
    """

    country: str
    district: District
    open: bool
    terms: int
    valid_to: date | None
    providers: frozenset[str]


class Connect(Protocol):
    """Connects a provider to a built-in tenant, by the operator's application."""

    def check(self, provider: str) -> None:
        """Raises NotFound, InvalidInput: as `Registering.enable`."""
        ...

    def connect(self, district_id: DistrictId, provider: str, *, by: str) -> None:
        """Connect it; where it is connected already nothing changes."""
        ...


class Registering:
    """Opens, closes and finds the desks. One transaction a use case, but for the signature, which is one of its own."""

    def __init__(
        self,
        *,
        database: Database,
        ring: KeyRing,
        doors: Callable[[], DoorKeys],
        district: Callable[[Connection], District],
        signing: Callable[[], Signing],
        policies: Policies,
        connect: Connect,
        journal: Callable[[], Journal],
        clock: Clock,
    ) -> None:
        self._database = database
        self._ring = ring
        self._doors = doors
        self._district = district
        self._signing = signing
        self._policies = policies
        self._connect = connect
        self._journal = journal
        self._clock = clock

    def enable(self, country: str, *, by: str, providers: Collection[str] = ()) -> Desk:
        """Let people of a country register themselves. Again, it takes the notice as it acts now as the contract.

        `providers`: by whose accounts besides, of the operator's own application there; they are added.

        Raises:
            InvalidInput: there is no age pack for the country; a provider has no accounts of people's own, or the
                operator has no application there. NotFound: no such plugin runs.
        """
        country = country.upper()
        if country not in own_terms.countries():
            known = ", ".join(own_terms.countries())
            raise InvalidInput(f"There is no age pack for {country[:20]}. There are: {known}.")
        for one in providers:
            self._connect.check(one)
        owner = self._tenant(country) or self._made(country)
        found = self._read(owner)
        named = found.providers | set(providers)
        if found.terms != self._notice().version or found.valid_to is None or named != found.providers:
            self._signing().sign(owner, own_terms.own_contract(self._notice(), self._today(owner), named), by=by)
        with self._database.tenant(owner.id) as connection:
            now = self._clock.now()
            if not grants.in_force(connection, EMAIL, Use.SIGN_IN):
                grants.open_grant(connection, owner.id, EMAIL, now, uses=(Use.SIGN_IN,))
            connection.execute(_OPEN, {"district": owner.id, "now": now, "by": by})
            log.record(connection, _entry(owner, "signup enable", by, now))
        for one in providers:
            self._connect.connect(owner.id, one, by=by)
        return self._read(owner)

    def disable(self, country: str, *, by: str) -> Desk:
        """Let nobody new register. Who is here signs in, is erased and takes their data along as before.

        Raises:
            NotFound: nobody registers there.
        """
        owner = self._tenant(country)
        if owner is None:
            raise NotFound("Nobody registers there. `lti-server signup show` says where people do.")
        with self._database.tenant(owner.id) as connection:
            now = self._clock.now()
            close(connection, now, by=by)
            log.record(connection, _entry(owner, "signup disable", by, now))
            self._journal().append(JournalKind.DESK_CLOSED, district_id=owner.id, at=now, country=country.lower())
        return self._read(owner)

    def every(self) -> list[Desk]:
        """Every desk that there is, open or not, by country."""
        found = [self._tenant(country) for country in own_terms.countries()]
        return [self._read(owner) for owner in found if owner is not None]

    def of(self, country: str) -> Desk | None:
        """The desk of a country, open or not."""
        owner = self._tenant(country)
        return None if owner is None else self._read(owner)

    def countries(self, *, new: bool) -> list[str]:
        """Where people have registered themselves, or may do so now (`new`), by country."""
        doors, found = self._doors(), []
        with self._database.anyone() as connection:
            for country in own_terms.countries():
                key = doors.of(Door.DISTRICT, own_terms.slug_of(country))
                found += [(country, one.district_id) for one in find_by(connection, Door.DISTRICT, key)]
        return [country for country, district_id in found if not new or self._is_open(district_id)]

    def _is_open(self, district_id: DistrictId) -> bool:
        with self._database.tenant(district_id) as connection:
            return is_open(connection)

    def notice(self) -> Notice:
        """The notice as it acts today."""
        return self._notice()

    def _notice(self) -> Notice:
        with self._database.anyone() as connection:
            version, purposes = notices.acting(notices.versions(connection), self._clock.now().date())
        return Notice(version=version, purposes=purposes)

    def _tenant(self, country: str) -> District | None:
        if country.upper() not in own_terms.countries():
            return None
        key = self._doors().of(Door.DISTRICT, own_terms.slug_of(country))
        with self._database.anyone() as connection:
            return None if enter_by(connection, Door.DISTRICT, key) is None else self._district(connection)

    def _made(self, country: str) -> District:
        slug, (timezone, locale) = own_terms.slug_of(country), NAMES.get(country, ("UTC", "en"))
        with self._database.anyone() as connection:
            return districts.create(
                connection, self._ring, slug=slug, name=f"People who registered themselves ({country})",
                timezone=timezone, country=country, locale=locale, slug_key=self._doors().of(Door.DISTRICT, slug),
                now=self._clock.now(), reserved=True,
            )  # fmt: skip

    def _read(self, owner: District) -> Desk:
        with self._database.tenant(owner.id) as connection:
            signed = contracts.versions(connection, owner.zone, self._clock.now())
            opened = is_open(connection)
            contract_id = contracts.in_force(connection, owner.zone, self._clock.now())
            named = None if contract_id is None else self._policies.of(connection, contract_id).providers
        now = next((one for one in signed if one.state == "in_force"), None)
        return Desk(
            country=owner.country, district=owner, open=opened, terms=0 if now is None else _version(now.document),
            valid_to=None if now is None else now.valid_to, providers=frozenset(named or ()),
        )  # fmt: skip

    def _today(self, owner: District) -> date:
        return self._clock.now().astimezone(owner.zone).date()


def close(connection: Connection, at: datetime, *, by: str) -> bool:
    """Let nobody new register in the entered tenant; False where nobody could, or was let only since then."""
    return connection.execute(_CLOSE, {"now": at, "by": by}).rowcount > 0


def is_open(connection: Connection) -> bool:
    """Whether somebody new may register in the entered tenant."""
    return connection.execute(_IS_OPEN).scalar_one_or_none() is True


def _version(document: str) -> int:
    """Of which version of the notice a contract is; 0 where it is none of them: somebody has signed another."""
    first = document.partition("\n")[0].removeprefix("## ")
    number = "".join(one for one in first if one.isdigit())
    return int(number) if number and first == own_terms.marked(int(number)) else 0


def _entry(owner: District, act: str, by: str, now: datetime) -> dict[str, object]:
    return log.entry(
        owner.keys, at=now, actor=by, act=act, decision="allowed", purpose="operation",
        interest=log.Interest.OPERATION, payload={"country": owner.country},
    )  # fmt: skip


_IS_OPEN = sa.select(registration_desk.c.closed_at.is_(None))
_OPEN = sa.text(
    "INSERT INTO registration_desk (district_id, opened_at, opened_by) VALUES (:district, :now, :by)"
    " ON CONFLICT (district_id) DO UPDATE SET opened_at = excluded.opened_at, opened_by = excluded.opened_by,"
    " closed_at = NULL, closed_by = NULL"
)
_CLOSE = sa.text(
    "UPDATE registration_desk SET closed_at = :now, closed_by = :by WHERE closed_at IS NULL AND opened_at <= :now"
)
