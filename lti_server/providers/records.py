"""What a provider plugin returns: frozen values, one meaning each; part of the SPI.

Every record that may hold personal data prints its shape alone, so that no log line or traceback shows a value.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class PersonRole(StrEnum):
    """What a person is to the district. Whoever is a pupil anywhere is a pupil; unknown words are `OTHER`."""

    PUPIL = "pupil"
    TEACHER = "teacher"
    STAFF = "staff"
    GUARDIAN = "guardian"
    OTHER = "other"


class MembershipRole(StrEnum):
    """What a person is to one section. A role that neither teaches nor learns is no membership."""

    PUPIL = "pupil"
    TEACHER = "teacher"


class RecordKind(StrEnum):
    PERSON = "person"
    SECTION = "section"
    MEMBERSHIP = "membership"


class _Hidden:
    """Prints which fields are filled, never with what."""

    __slots__ = ()

    def __repr__(self) -> str:
        filled = [item.name for item in dataclasses.fields(self) if getattr(self, item.name)]  # type: ignore[arg-type]  # mixed into dataclasses alone
        return f"<{type(self).__name__} with {', '.join(filled) or 'nothing'}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSchool:
    source_id: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SourcePerson(_Hidden):
    """One person as the provider tells of them.

    `source_id` is the provider's own, stable id. Withheld, null and empty are one state: the empty value.
    `sis_id` is the district's own id (OneRoster `sourcedId`, LTI `lis.person_sourcedid`), `legacy_ids` are
    former ids that the provider itself vouches for. `birth_date` becomes whole years at the collect gate and
    is gone. `extra` holds what has no attribute here, under the provider's name: refused, and counted, unless
    the manifest gives it an element.
    """

    source_id: str
    role: PersonRole
    given_name: str = ""
    middle_name: str = ""
    family_name: str = ""
    full_name: str = ""
    preferred_name: str = ""
    sis_id: str = ""
    state_id: str = ""
    username: str = ""
    email: str = ""
    phone: str = ""
    legacy_ids: tuple[str, ...] = ()
    schools: tuple[SourceSchool, ...] = ()
    grades: tuple[str, ...] = ()
    birth_date: date | None = None
    gender: str = ""
    ethnicities: tuple[str, ...] = ()
    language: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    def present(self) -> dict[str, object]:
        """Every filled field but id and role, by the name that the manifest's `fields` uses."""
        return _present(self, but=("source_id", "role"))

    def without(self, names: Collection[str]) -> SourcePerson:
        """The same person with the named fields empty."""
        return dataclasses.replace(self, **_emptied(self, names))  # type: ignore[arg-type]  # defaults by name


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SourceSection(_Hidden):
    """One class: OneRoster class, Clever section, Google course, LTI context. `starts_on` to `ends_on`, inclusive."""

    source_id: str
    name: str
    course_title: str = ""
    school: SourceSchool | None = None
    grades: tuple[str, ...] = ()
    starts_on: date | None = None
    ends_on: date | None = None
    archived: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)

    def present(self) -> dict[str, object]:
        """Every filled field that may need an element; ids, name, dates and state need none."""
        return _present(self, but=("source_id", "name", "starts_on", "ends_on", "archived"))

    def without(self, names: Collection[str]) -> SourceSection:
        """The same section with the named fields empty."""
        return dataclasses.replace(self, **_emptied(self, names))  # type: ignore[arg-type]  # defaults by name


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceMembership:
    """One person in one section. `active` is false where the provider lists it but suspends it (LTI `Inactive`)."""

    section_source_id: str
    person_source_id: str
    role: MembershipRole
    source_id: str = ""
    active: bool = True
    starts_on: date | None = None
    ends_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """The provider says that this is gone; nothing else ever means it (design law 5).

    A person or section is named by `source_id`; a membership by its own `source_id` or by the pair.
    """

    kind: RecordKind
    source_id: str = ""
    section_source_id: str = ""
    person_source_id: str = ""

    def __post_init__(self) -> None:
        pair = self.section_source_id and self.person_source_id
        if not (self.source_id or (self.kind is RecordKind.MEMBERSHIP and pair)):
            raise ValueError(f"a tombstone of a {self.kind} must say which one")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a read goes on; opaque to everyone but its plugin. It is stored: no token and no personal data in it."""

    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterPage:
    """One page of a read, in the provider's order.

    `cursor` resumes after this page. The last page alone has `complete=True` and `cursor=None`: a read that ends
    without it was cut short and counts for nothing. `checkpoint`, on the last page, is what the next read passes
    as `since` to get changes alone. `delta` says that this read tells changes alone, so that absence means
    nothing in it. `announced` is how many the provider says there are in the whole read, where it says so.
    """

    cursor: Cursor | None
    complete: bool
    people: tuple[SourcePerson, ...] = ()
    sections: tuple[SourceSection, ...] = ()
    memberships: tuple[SourceMembership, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    delta: bool = False
    checkpoint: Cursor | None = None
    announced: Mapping[RecordKind, int] = field(default_factory=dict)


class TokenKind(StrEnum):
    ACCESS = "access"
    REFRESH = "refresh"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SourceToken(_Hidden):
    """A secret of the provider. `expires_at` is aware UTC; none when the provider does not say."""

    value: str
    kind: TokenKind
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SourceIdentity(_Hidden):
    """Who signed in, and by whose word: keyed by (issuer, client_id, subject) within the tenant's district.

    `tenant` is the provider's id of the school system (Clever district, Google `hd`, Microsoft `tid`, ClassLink
    tenant), empty for a consumer account. An e-mail is never a key, whatever `email_verified` says. `administers`: the
    provider itself says that this account administers the tenant; that alone proves whose the tenant is. Since 1.2.
    """

    issuer: str
    client_id: str
    subject: str
    person: SourcePerson
    tenant: str = ""
    email_verified: bool = False
    granted_scopes: frozenset[str] = frozenset()
    tokens: tuple[SourceToken, ...] = ()
    provider_session_id: str = ""
    administers: bool = False


class SignalKind(StrEnum):
    """What a provider's verified message asks for."""

    GRANT_REVOKED = "grant_revoked"
    TOKENS_REVOKED = "tokens_revoked"
    SESSIONS_REVOKED = "sessions_revoked"
    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_ENABLED = "account_enabled"
    ACCOUNT_PURGED = "account_purged"
    CREDENTIAL_CHANGED = "credential_changed"
    ACCOUNT_SUSPECT = "account_suspect"
    """The provider doubts an account and has not closed it; somebody has to look. Since 1.2."""
    DATA_DELETION = "data_deletion"
    VERIFICATION = "verification"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One verified message. `signal_id` is the provider's own (`jti`), by which a repeat is known.

    Without `subject` and `provider_session_id` it is about the whole `tenant`. `issuer` and `subject` are those of
    `SourceIdentity`; `provider_session_id` is one sign-in of theirs. `occurred_at` is aware UTC. `note` is what the
    provider adds for the log: a word of its own, never about anybody. Since 1.2.
    """

    kind: SignalKind
    signal_id: str
    issuer: str
    occurred_at: datetime
    subject: str = ""
    tenant: str = ""
    provider_session_id: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """Where a provider sends its signals, and which, in its own words. No `address`: nowhere. Since 1.2."""

    address: str = ""
    events: tuple[str, ...] = ()
    enabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceScore:
    """One score that the disclose gate let out. `score_fraction` is in [0, 1]; `occurred_at` is fixed at queueing."""

    section_source_id: str
    person_source_id: str
    activity_id: str
    title: str
    score_fraction: float
    completed: bool
    occurred_at: datetime


class ScoreOutcome(StrEnum):
    """`STALE`: the provider already holds a newer one. `REFUSED`: do not send it again."""

    DELIVERED = "delivered"
    STALE = "stale"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreReceipt:
    """`reason` is for the administrator, without personal data; filled when refused."""

    outcome: ScoreOutcome
    reason: str = ""


def _present(record: SourcePerson | SourceSection, *, but: tuple[str, ...]) -> dict[str, object]:
    names = [item.name for item in dataclasses.fields(record) if item.name not in (*but, "extra")]
    found: dict[str, object] = {name: value for name in names if (value := getattr(record, name))}
    found.update((name, value) for name, value in record.extra.items() if value)
    return found


def _emptied(record: SourcePerson | SourceSection, names: Collection[str]) -> dict[str, object]:
    empty: dict[str, object] = {
        item.name: item.default
        for item in dataclasses.fields(record)
        if item.name in names and item.default is not dataclasses.MISSING
    }
    empty["extra"] = {name: value for name, value in record.extra.items() if name not in names}
    return empty
