"""Coming in by one's e-mail address: a code is asked for, typed, and somebody is in (design 6.3, `/signup`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy.engine import Connection

from lti_server.accounts import ages, blocks, email_codes, last_use
from lti_server.accounts import store as people
from lti_server.accounts.email_codes import Newcomer, Redeemed, Way, Writes, one_address
from lti_server.accounts.model import Kind, Known
from lti_server.accounts.newcomers import CHOSEN, agreed_to, chosen_name, fields_of, say_age
from lti_server.accounts.person_sessions import Opened, open_session
from lti_server.accounts.registering import Desk, Registering
from lti_server.accounts.sign_in import SignedIn
from lti_server.accounts.sign_in_reasons import refused
from lti_server.accounts.store import Source, subject_hash
from lti_server.db import Database
from lti_server.ids import Clock, ContractId, GrantId, PersonId
from lti_server.mail import Message
from lti_server.privacy import grants, log, own_terms, schedule
from lti_server.privacy.ages import Age
from lti_server.privacy.contracts import Policies, in_force
from lti_server.privacy.crypto import new_token
from lti_server.privacy.districts import District
from lti_server.privacy.grant_states import Use
from lti_server.privacy.model import Origin, Purpose
from lti_server.privacy.own_terms import EMAIL, Agreed
from lti_server.privacy.store_gate import leave

EndOthers = Callable[[District, PersonId, Opened], None]
"""Ends every other session of somebody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was typed where a code is asked for. `browser` is the token of this browser, if it has one.

    `name` and `years` are said by whoever registers, and `agreed` to their data being kept in another country.
    """

    country: str
    way: Way
    address: str = field(repr=False)
    browser: str = field(default="", repr=False)
    name: str = field(default="", repr=False)
    years: int | None = field(default=None, repr=False)
    agreed: Agreed | None = None


class EmailSignIn:
    """The use cases of `/signup`, `/signin/email`, `/recover` and `/signin/code`."""

    def __init__(
        self,
        *,
        database: Database,
        registering: Registering,
        district: Callable[[Connection], District],
        policies: Policies,
        send: Callable[[Message], None],
        end_others: EndOthers,
        kept_in: str,
        clock: Clock,
    ) -> None:
        self._database = database
        self._registering = registering
        self._district = district
        self._policies = policies
        self._send = send
        self._end_others = end_others
        self._kept_in = kept_in
        self._clock = clock

    def may_register(self, country: str, years: int) -> bool:
        """Whether somebody of this age may register alone in a country.

        Raises:
            SignInRefused: `not-open`; nobody registers there.
        """
        if not self._desk(country).open:
            raise refused("not-open")
        return own_terms.may_register(country, years)

    def must_agree(self, country: str) -> Agreed | None:
        """To what somebody who registers in a country has to agree; None where their data stay in it."""
        if own_terms.has_agreed(country, self._kept_in, None):
            return None
        return Agreed(kept_in=self._kept_in, notice=self._registering.notice().version)

    def ask(self, asked: Asked, writes: Writes) -> str:
        """Send a letter to the address that was typed, and say by which token the browser is known from now on.

        The same is done, in the same order, whoever the address belongs to. It is forgotten here, but for what a
        contract lets be kept of somebody who is no child, sealed until the code is used, or for an hour.

        Raises:
            InvalidInput: the address or the name is none. TooManyRequests: it was asked too often.
            SignInRefused: `not-open`, `not-alone`, `not-agreed`, `withdrawn`. ProviderFailed: no mail leaves now.
        """
        address, desk = one_address(asked.address), self._desk(asked.country)
        if asked.way is Way.REGISTER and not desk.open:
            raise refused("not-open")
        newcomer = self._newcomer(desk, asked, address)
        browser, now = asked.browser or new_token(), self._clock.now()
        with self._database.tenant(desk.district.id) as connection:
            keys, grant_id = desk.district.keys, _grant(connection)
            hashed = keys.lookup("email", address)
            people.lock_subject(connection, hashed)  # so that no two count at once
            email_codes.hold_back(connection, keys, browser, hashed, now)
            known = email_codes.known_by(connection, keys, hashed, grant_id) is not None
            code = email_codes.issue(
                connection, keys, way=asked.way, browser=browser, address_hash=hashed, newcomer=newcomer,
                opens=known or asked.way is Way.REGISTER, now=now,
            )  # fmt: skip
        kind = email_codes.letter_for(asked.way, known=known)
        self._send(email_codes.letter(address, kind, code, writes))
        return browser

    def enter(self, country: str, browser: str, code: str, *, locale: str = "", end_others: bool = False) -> SignedIn:
        """Let in whoever typed the code that their browser was sent for.

        Keeps of a newcomer what the contract allows. Other sessions end where that was asked for.

        Raises:
            SignInRefused: `code-wrong`, `code-over`, `withdrawn`, `no-contract`, `not-open`, `erased`.
        """
        desk = self._desk(country)
        with self._database.tenant(desk.district.id) as connection:
            found = email_codes.redeem(connection, desk.district.keys, browser, code, self._clock.now())
            come = self._admit(connection, desk, found, locale) if isinstance(found, Redeemed) else None
        if come is None:
            raise refused("code-wrong" if isinstance(found, int) and found > 0 else "code-over")
        signed_in, person_id = come
        if end_others and person_id is not None and signed_in.opened is not None:
            self._end_others(desk.district, person_id, signed_in.opened)
        return signed_in

    def _desk(self, country: str) -> Desk:
        found = self._registering.of(country)
        if found is None:
            raise refused("not-open")
        return found

    def _newcomer(self, desk: Desk, asked: Asked, address: str) -> Newcomer | None:
        """What is kept until the code is typed; of a child no address."""
        if asked.way is not Way.REGISTER:
            return None
        name, years = chosen_name(asked.name), asked.years
        if years is None or not own_terms.may_register(desk.country, years):
            raise refused("not-alone")
        if not own_terms.has_agreed(desk.country, self._kept_in, asked.agreed):
            raise refused("not-agreed")
        age = Age(years, self._today(desk.district))
        child = own_terms.pack(desk.country).is_child(years)
        return Newcomer(name=name, age=age, address="" if child else address, agreed=asked.agreed)

    def _admit(
        self, connection: Connection, desk: Desk, found: Redeemed, locale: str
    ) -> tuple[SignedIn, PersonId | None]:
        district, now = desk.district, self._clock.now()
        keys, grant_id = district.keys, _grant(connection)
        contract_id = self._contract(connection, district, now)
        hashed = subject_hash(keys, email_codes.subject_of(found.address_hash))
        people.lock_subject(connection, hashed)
        if blocks.blocked(connection, EMAIL, [hashed, found.address_hash]):
            log.record(connection, _entry(district, None, grant_id, now, {"blocked": True}))
            return SignedIn(opened=None, blocked=True), None
        known = email_codes.known_by(connection, keys, found.address_hash, grant_id)
        source = Source(grant_id=grant_id, epoch=_epoch(connection, grant_id), run_id=None, at=now)
        said: dict[str, object] = {"way": found.way.value}
        if known is None:
            known = self._registered(connection, desk, contract_id, found, source)
            said |= agreed_to(found.newcomer)
        if known.wrapped_key is None:
            raise refused("erased")
        opened = open_session(
            connection, district_id=district.id, person_id=known.person_id, identity_id=known.identity_id,
            grant_id=grant_id, epoch=source.epoch, kind=known.kind, locale=locale, now=now,
        )  # fmt: skip
        last_use.note(connection, district, known.identity_id, now)
        log.record(connection, _entry(district, known.person_id, grant_id, now, said))
        return SignedIn(opened=opened), known.person_id

    def _registered(
        self, connection: Connection, desk: Desk, contract_id: ContractId, found: Redeemed, source: Source
    ) -> Known:
        """A new person. The desk is looked at once more: it may have been closed since the code was sent."""
        newcomer, keys = found.newcomer, desk.district.keys
        if newcomer is None or not desk.open:
            raise refused("not-open")
        policy = self._policies.of(connection, contract_id)
        made = people.create(
            connection, keys, email_codes.subject_of(found.address_hash), kind=Kind.PUPIL, source=source,
            keep_subject=False,
        )  # fmt: skip
        child = ages.pack(connection).is_child(newcomer.age.at(self._today(desk.district)))
        typed = {CHOSEN: newcomer.name, "email": newcomer.address}
        fields = fields_of(policy, EMAIL, typed, child=child)
        people.write_fields(connection, keys, made, source, fields, [])
        may = leave(policy, schedule.EMAIL, purpose=Purpose.INSTRUCTION, origin=Origin.STUDENT)
        if not newcomer.address and may is not None:
            people.write_hash(connection, keys, made, source, "email", found.address_hash, may)
        say_age(connection, keys, policy, made, newcomer.age, at=source.at)
        return made

    def _contract(self, connection: Connection, district: District, now: datetime) -> ContractId:
        found = in_force(connection, district.zone, now)
        if found is None:
            raise refused("no-contract")
        if not self._policies.of(connection, found).allows_provider(EMAIL):
            raise refused("provider-not-allowed")
        return found

    def _today(self, district: District) -> date:
        return self._clock.now().astimezone(district.zone).date()


def _grant(connection: Connection) -> GrantId:
    """The grant by which people come by e-mail, read at the moment of use (law 3)."""
    found = grants.in_force(connection, EMAIL, Use.SIGN_IN)
    if not found:
        raise refused("withdrawn")
    return found[0]


def _epoch(connection: Connection, grant_id: GrantId) -> int:
    return grants.standing_now(connection, grant_id).epoch


def _entry(
    district: District, person_id: PersonId | None, grant_id: GrantId, now: datetime, said: Mapping[str, object]
) -> dict[str, object]:
    return log.entry(
        district.keys, at=now, actor=f"grant:{grant_id}" if person_id is None else f"person:{person_id}", act="sign in",
        decision="allowed", purpose=Purpose.INSTRUCTION.value, object_id=person_id,
        population="" if person_id is None else "person",
        interest=log.Interest.NONE if person_id is None else log.Interest.SERVICE,
        payload={"provider": EMAIL, **said},
    )  # fmt: skip
