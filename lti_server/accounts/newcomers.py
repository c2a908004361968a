"""People who register themselves: what they say of themselves, who may, and what is kept of it (A-04, A-12, A-13)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy.engine import Connection

from lti_server.accounts import ages, email_codes
from lti_server.accounts import store as people
from lti_server.accounts.arrivals import Arrival
from lti_server.accounts.email_codes import LONGEST_NAME
from lti_server.accounts.model import FieldValue, Known, spelt
from lti_server.accounts.registering import is_open
from lti_server.accounts.sign_in_reasons import refused
from lti_server.errors import InvalidInput
from lti_server.privacy import own_terms
from lti_server.privacy.ages import Age, AgeSource, Said
from lti_server.privacy.card_numbers import has_card_number
from lti_server.privacy.collect import collect
from lti_server.privacy.crypto import DistrictKeys
from lti_server.privacy.model import Origin, Policy, Purpose, SubjectKind
from lti_server.privacy.own_terms import Agreed
from lti_server.privacy.store_gate import leaves

CHOSEN = "nickname"
"""Under which name the name is kept that somebody has chosen; no provider says it, so none takes it away."""

# Within words of some scripts, and within emoji.
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What somebody has answered before anything is kept of them: in which country's tenant, how old, which name.

    `agreed`: to their data being kept in another country.
    """

    country: str
    years: int = field(repr=False)
    name: str = field(repr=False)
    agreed: Agreed | None = None


def chosen_name(text: str) -> str:
    """The name by which somebody wants to be called, without characters that are not seen or turn others around.

    Raises:
        InvalidInput: nothing of it is seen, it is too long, or a card's number.
    """
    name = "".join(one for one in text if unicodedata.category(one)[0] != "C" or one in _JOINERS).strip()
    is_seen = any(unicodedata.category(one)[0] in "LNPS" for one in name)
    if not is_seen or len(name) > LONGEST_NAME or has_card_number(name):
        raise InvalidInput("Choose a name of at most 60 characters. It need not be yours.")
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """Somebody who registers by a provider, and may; nothing is written yet."""

    policy: Policy
    provider: str
    name: str = field(repr=False)
    age: Age = field(repr=False)
    agreed: Agreed | None = None

    def write(
        self, connection: Connection, keys: DistrictKeys, made: Known, source: people.Source, *, child: bool
    ) -> None:
        """Keep the name that they have chosen, and how old they have said to be."""
        fields = fields_of(self.policy, self.provider, {CHOSEN: self.name}, child=child)
        people.write_fields(connection, keys, made, source, fields, [])
        say_age(connection, keys, self.policy, made, self.age, at=source.at)


def registers(
    connection: Connection, arrival: Arrival, policy: Policy, answers: Answers | None, *, kept_in: str
) -> Newcomer:
    """Somebody whom a provider has proven to be who they are, once everything is said that is asked before.

    Raises:
        SignInRefused: `not-registered`, `not-open`, `not-alone`, `not-agreed`, `address-known`; nothing was kept.
    """
    country = arrival.district.country
    if answers is None or answers.country != country:
        raise refused("not-registered")
    if not is_open(connection):
        raise refused("not-open")
    if not own_terms.may_register(country, answers.years):
        raise refused("not-alone")
    if not own_terms.has_agreed(country, kept_in, answers.agreed):
        raise refused("not-agreed")
    if _address_known(connection, arrival):
        raise refused("address-known")
    age = Age(answers.years, arrival.today)
    return Newcomer(
        policy=policy, provider=arrival.connected.provider, name=answers.name, age=age, agreed=answers.agreed
    )


class Agreeing(Protocol):
    @property
    def agreed(self) -> Agreed | None: ...


def agreed_to(newcomer: Agreeing | None) -> dict[str, object]:
    """For the log, where the person reads it: where their data are kept, and which notice they had read."""
    return {} if newcomer is None or newcomer.agreed is None else {"agreed": newcomer.agreed.plain()}


def fields_of(policy: Policy, provider: str, said: Mapping[str, object], *, child: bool) -> list[FieldValue]:
    """What may be kept of what a newcomer has typed: `nickname`, `email`."""
    passed = collect(
        policy, SubjectKind.PUPIL, provider=provider, purpose=Purpose.INSTRUCTION, origin=Origin.STUDENT, fields=said,
        child=child,
    )  # fmt: skip
    given = leaves(policy, SubjectKind.PUPIL, passed, purpose=Purpose.INSTRUCTION, origin=Origin.STUDENT)
    return [
        FieldValue(
            name=name, value=value if isinstance(value, str) else value.value, leave=given[name],
            hash_only=not isinstance(value, str), findable=name == "email",
        )
        for name, value in passed.kept.items()
        if name in given
    ]  # fmt: skip


def say_age(connection: Connection, keys: DistrictKeys, policy: Policy, made: Known, age: Age, *, at: datetime) -> None:
    """Keep how old a newcomer has said to be, where their contract takes ages."""
    if Origin.STUDENT in policy.age_from and (whose := ages.whose_of(keys, made)) is not None:
        said = Said(AgeSource.SELF, age)
        ages.learn(connection, whose, said, grant_id=None, by=f"person:{made.person_id}", at=at)


def _address_known(connection: Connection, arrival: Arrival) -> bool:
    """Whether somebody comes in by a code to this address, which the provider has proven to be the newcomer's (A-13).

    They are told to sign in by it, and nobody is let in by an address alone.
    """
    address = arrival.identity.person.email
    if not address or not arrival.identity.email_verified:
        return False
    keys = arrival.district.keys
    hashed = keys.lookup("email", spelt("email", address))
    return email_codes.known_by(connection, keys, hashed, arrival.connected.grant_id) is not None
