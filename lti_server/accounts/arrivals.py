"""Who comes by which connection, before anything is written. Pure, but for the district's keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from lti_server.accounts import store as people
from lti_server.accounts.connected import Connected
from lti_server.accounts.model import Kind, Subject
from lti_server.accounts.person_sessions import provider_session_hash
from lti_server.privacy import own_terms
from lti_server.privacy.districts import District
from lti_server.privacy.model import Origin
from lti_server.providers.records import PersonRole, SourceIdentity

LONGEST_KEY = 255
MOST_KEYS = 3 + 8  # issuer, client and subject, and a few former ids
STAFF = frozenset({PersonRole.TEACHER, PersonRole.STAFF})
_HALF = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Who comes by which connection, before anything is written."""

    connected: Connected
    identity: SourceIdentity
    district: District
    now: datetime

    @property
    def today(self) -> date:
        return self.now.astimezone(self.district.zone).date()

    @property
    def subject(self) -> Subject:
        return self._subject(self.identity.subject)

    @property
    def former(self) -> tuple[Subject, ...]:
        """By which else the provider knows the same person; its own word, and within the same issuer and client."""
        return tuple(map(self._subject, self.identity.person.legacy_ids))

    def told(self) -> dict[str, tuple[bytes, Mapping[str, object]]]:
        """For blocks, which hold under a former id, too, and under an address that is not proven."""
        keys, said = self.district.keys, self._told
        every = (self.subject, *self.former)
        return {str(number): (people.subject_hash(keys, one), said) for number, one in enumerate(every)}

    @property
    def _told(self) -> dict[str, object]:
        return {**self.identity.person.without({"legacy_ids"}).present(), "sub": self.identity.subject}

    def _subject(self, subject: str) -> Subject:
        who = self.identity
        return Subject(provider=self.connected.provider, issuer=who.issuer, client_id=who.client_id, subject=subject)

    @property
    def session_hash(self) -> bytes | None:
        """What the provider calls this sign-in, keyed; none where it has no name, or one that nobody could ask for."""
        who, keys = self.identity, self.district.keys
        called = who.provider_session_id
        return provider_session_hash(keys, who.issuer, who.client_id, called) if _is_key(called) else None

    @property
    def kind(self) -> Kind:
        """Nobody is staff where there is no school."""
        return Kind.STAFF if self.identity.person.role in STAFF and not self.own else Kind.PUPIL

    @property
    def own(self) -> bool:
        """Whether somebody comes who registered alone, or is about to."""
        return own_terms.is_own(self.district.slug)

    @property
    def origin(self) -> Origin:
        return Origin.STUDENT if self.own else Origin.SCHOOL

    @property
    def said(self) -> dict[str, object]:
        """What the provider tells, by the names of the schedule; the subject is `sub`, a former one is not kept.

        Of somebody's own account an address counts that the provider has proven to be theirs, and no other.
        """
        unproven = self.own and not self.identity.email_verified
        return {name: value for name, value in self._told.items() if not (unproven and name == "email")}


def has_keys(identity: object) -> bool:
    """Whether a plugin's answer is an identity that somebody can be known by."""
    if not isinstance(identity, SourceIdentity):
        return False
    keys = (identity.issuer, identity.client_id, identity.subject, *identity.person.legacy_ids)
    tenant = identity.tenant == "" or _is_key(identity.tenant)
    return len(keys) <= MOST_KEYS and all(map(_is_key, keys)) and tenant


def _is_key(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= LONGEST_KEY and "\x00" not in text and not _HALF.search(text)
