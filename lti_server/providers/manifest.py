"""What a plugin says of itself before it runs: configuration, hosts, fields, capabilities; part of the SPI."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from lti_server.providers.elements import ELEMENTS
from lti_server.providers.errors import Misconfigured
from lti_server.providers.records import PersonRole
from lti_server.providers.wire import host_of

ConfigValue = str | int | bool
ConfigValues = Mapping[str, ConfigValue]

NAME: Final = re.compile(r"[a-z][a-z0-9_-]{1,39}")


class Capability(StrEnum):
    """One per Protocol of `spi`."""

    LOGIN = "login"
    ROSTER = "roster"
    REVOKE = "revoke"
    SIGNALS = "signals"
    GRADES = "grades"
    TENANTS = "tenants"
    STREAMS = "streams"


CAPABILITY_METHODS: Final[Mapping[Capability, tuple[str, ...]]] = {
    Capability.LOGIN: ("authorize", "exchange"),
    Capability.ROSTER: ("pages",),
    Capability.REVOKE: ("revoke",),
    Capability.SIGNALS: ("parse",),
    Capability.GRADES: ("deliver",),
    Capability.TENANTS: ("tenants",),
    Capability.STREAMS: ("register_stream", "read_stream", "verify_stream"),
}


class SignalAnswers(StrEnum):
    """How a message to `/signals/<name>` is answered, as its sender wants it. Since 1.2."""

    ACCEPTED = "accepted"
    """202 with what was done; a refusal is a problem document."""
    SECURITY_EVENT = "security_event"
    """202 without a body; 400 with `err` and `description` (RFC 8935, 2.2 and 2.3)."""
    LOGOUT = "logout"
    """200; 400 with `error` (OpenID Connect Back-Channel Logout 1.0, 2.8)."""
    CALLBACK = "callback"
    """200, to a deletion with `url` and `confirmation_code` of the page that says what became of it."""


class ConfigKind(StrEnum):
    TEXT = "text"
    URL = "url"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigField:
    """One entry. A `secret` is stored encrypted and never shown again; `help` is shown beside the entry."""

    name: str
    kind: ConfigKind = ConfigKind.TEXT
    required: bool = True
    secret: bool = False
    help: str = ""
    choices: tuple[str, ...] = ()
    default: ConfigValue | None = None

    def fault(self, value: object) -> str | None:
        """What is wrong with a value, without the value; none if nothing is."""
        match self.kind:
            case ConfigKind.BOOLEAN:
                return None if isinstance(value, bool) else f"{self.name} must be true or false."
            case ConfigKind.INTEGER:
                whole = isinstance(value, int) and not isinstance(value, bool)
                return None if whole else f"{self.name} must be a whole number."
            case ConfigKind.CHOICE:
                return None if value in self.choices else f"{self.name} must be one of {', '.join(self.choices)}."
            case ConfigKind.URL:
                good = isinstance(value, str) and _is_address(value)
                return None if good else f"{self.name} must be an address such as https://school.example/api."
            case ConfigKind.TEXT:
                good = isinstance(value, str) and bool(value.strip())
                return None if good else f"{self.name} must be a text that is not empty."


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldUse:
    """The element that a field is, by whom it is about; none means that it is refused."""

    pupil: str | None = None
    educator: str | None = None
    guardian: str | None = None

    def element(self, role: PersonRole) -> str | None:
        """An unknown role is judged as a pupil, the most protected."""
        if role in (PersonRole.TEACHER, PersonRole.STAFF):
            return self.educator
        return self.guardian if role is PersonRole.GUARDIAN else self.pupil

    @property
    def elements(self) -> frozenset[str]:
        return frozenset(name for name in (self.pupil, self.educator, self.guardian) if name)


_NAME = FieldUse(
    pupil="student_name.first_and_or_last", educator="educator.name", guardian="parent_name.first_and_or_last"
)
_KEY = FieldUse(
    pupil="student_identifiers.app_assigned_id",
    educator="educator.identifier",
    guardian="parent_id.parent_id_number",
)

STANDARD_FIELDS: Final[Mapping[str, FieldUse]] = {
    "source_id": _KEY,
    "legacy_ids": _KEY,
    "given_name": _NAME,
    "middle_name": _NAME,
    "family_name": _NAME,
    "full_name": _NAME,
    "preferred_name": _NAME,
    "sis_id": FieldUse(pupil="student_identifiers.local_district_id", educator="educator.identifier"),
    "state_id": FieldUse(pupil="student_identifiers.state_id", educator="educator.identifier"),
    "username": FieldUse(pupil="student_identifiers.app_username", educator="educator.identifier"),
    "email": FieldUse(pupil="student_contact.email", educator="educator.email", guardian="parent_contact.email"),
    "phone": FieldUse(pupil="student_contact.phone", guardian="parent_contact.phone"),
    "schools": FieldUse(pupil="enrollment.school_enrollment"),
    "school": FieldUse(pupil="enrollment.school_enrollment"),
    "grades": FieldUse(pupil="enrollment.grade_level"),
    "birth_date": FieldUse(pupil="demographics.date_of_birth"),
    "gender": FieldUse(pupil="demographics.gender"),
    "ethnicities": FieldUse(pupil="demographics.ethnicity_or_race"),
    "language": FieldUse(pupil="demographics.language"),
    "course_title": FieldUse(pupil="schedule.scheduled_courses"),
}
"""The elements of the records' own attributes (design 6.4). A section's are judged as a pupil's."""


def standard_fields(*names: str) -> dict[str, FieldUse]:
    """The named entries of `STANDARD_FIELDS`, and `source_id`, which every record has."""
    return {name: STANDARD_FIELDS[name] for name in ("source_id", *names)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`hosts` are `host` or `host:port`, or `{name}` for the host of the address that the configuration holds there.

    `fields` names every attribute and `extra` key that the plugin fills; a field that is not here, or has no
    element for that role, is refused and counted. `tenant` names the configuration field that says which school
    system of the provider a connection is; only identities of that tenant come in by it. Since 1.1.
    `adults_only`: children may not use the provider; who is not known as staff, or as an adult among those who
    registered themselves, does not come in by it. Since 1.2.
    `own_accounts`: it has accounts that are people's own and no school's, without a tenant: by those somebody may
    register who has no school. Since 1.2.
    `answers` is for a receiver of signals. Since 1.2.
    `names_administrators`: its identities say who administers their tenant (`SourceIdentity.administers`). Since 1.2.
    """

    name: str
    version: str
    spi_version: tuple[int, int]
    capabilities: frozenset[Capability]
    config: tuple[ConfigField, ...] = ()
    hosts: tuple[str, ...] = ()
    fields: Mapping[str, FieldUse] = field(default_factory=dict)
    title: str = ""
    tenant: str = ""
    adults_only: bool = False
    own_accounts: bool = False
    answers: SignalAnswers = SignalAnswers.ACCEPTED
    names_administrators: bool = False

    def element(self, name: str, role: PersonRole) -> str | None:
        """The element of a field for a person of this role; none means refuse (design law 1)."""
        use = self.fields.get(name)
        return use.element(role) if use else None

    def faults(self) -> list[str]:
        """What is wrong with the manifest itself, for its author."""
        found: list[str] = []
        if not NAME.fullmatch(self.name):
            found.append(f"name {self.name!r} must be 2 to 40 of a-z, 0-9, - and _, beginning with a letter.")
        if not self.capabilities:
            found.append("capabilities is empty: there is nothing that this plugin does.")
        known = {item.name for item in self.config}
        found += [
            f"hosts: {host!r} names no configuration field of kind url."
            for host in self.hosts
            if host.startswith("{") and host.strip("{}") not in known
        ]
        if self.tenant and self.tenant not in known:
            found.append(f"tenant: {self.tenant!r} names no configuration field.")
        found += [
            f"fields: {name} stands for {element!r}, which is no element of the schedule."
            for name, use in self.fields.items()
            for element in sorted(use.elements - ELEMENTS)
        ]
        return found

    def read_config(self, values: Mapping[str, object]) -> dict[str, ConfigValue]:
        """The configuration checked, with defaults.

        Raises:
            Misconfigured: naming every missing, unknown or wrong field at once, never a value.
        """
        known = {item.name: item for item in self.config}
        problems = [f"{name} is not a field of {self.name}'s configuration." for name in values if name not in known]
        read: dict[str, ConfigValue] = {}
        for name, item in known.items():
            value = values.get(name, item.default)
            if value is None:
                problems += [f"{name} is missing. {item.help}".strip()] if item.required else []
            elif fault := item.fault(value):
                problems.append(fault)
            elif isinstance(value, str | int | bool):
                read[name] = value
        if problems:
            raise Misconfigured(problems)
        return read

    def hosts_for(self, config: ConfigValues) -> frozenset[str]:
        """The hosts that the plugin may talk to under this configuration."""
        return frozenset(
            host_of(str(config[host.strip("{}")])) if host.startswith("{") else host.lower()
            for host in self.hosts
            if not host.startswith("{") or host.strip("{}") in config
        )

    def secrets_in(self, config: ConfigValues) -> Collection[str]:
        return [str(config[item.name]) for item in self.config if item.secret and item.name in config]


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
