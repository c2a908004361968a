"""The form of a provider's configuration, made from its manifest: what it shows, and what was filled in. Pure.

No secret that was filled in or is kept is ever given back to a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from lti_server.accounts.applications import leads_elsewhere
from lti_server.privacy.grant_states import Use
from lti_server.providers.manifest import Capability, ConfigField, ConfigKind, Manifest

PREFIX = "config-"
YES, NO = "yes", "no"
LONGEST_VALUE = 4_096
USES: Mapping[Capability, Use] = {Capability.LOGIN: Use.SIGN_IN, Capability.ROSTER: Use.ROSTER}


class Fault(StrEnum):
    """What is wrong with an entry; the page has the words."""

    MISSING = "missing"
    ADDRESS = "address"
    NUMBER = "number"
    CHOICE = "choice"
    LONG = "long"
    UNKNOWN = "unknown"
    AGAIN = "again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry as a page shows it. `kept`: a secret that stands, and stays where nothing is filled in."""

    field: ConfigField
    value: str
    kept: bool
    fault: Fault | None
    is_tenant: bool

    @property
    def name(self) -> str:
        return PREFIX + self.field.name

    @property
    def label(self) -> str:
        return self.field.name.replace("_", " ").capitalize()

    @property
    def options(self) -> tuple[str, ...]:
        return (YES, NO) if self.field.kind is ConfigKind.BOOLEAN else self.field.choices

    @property
    def preset(self) -> str:
        """What holds where nothing is filled in."""
        return "" if self.field.default is None else shown(self.field.default)

    @property
    def must(self) -> bool:
        return self.field.required and self.field.default is None and not self.kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What a form says. With faults, `config` is not whole. `unknown` are names that are no fields, without values."""

    config: Mapping[str, object] = field(repr=False)
    faults: Mapping[str, Fault]
    unknown: tuple[str, ...]

    @property
    def good(self) -> bool:
        return not self.faults and not self.unknown


def offered(manifest: Manifest) -> tuple[Use, ...]:
    """What a connection to this provider can be for."""
    return tuple(use for capability, use in USES.items() if capability in manifest.capabilities)


def read(manifest: Manifest, posted: Mapping[str, str], stands: Mapping[str, object]) -> Filled:
    """Read a form over the configuration that stands; a secret left empty stays, while the addresses stay, too."""
    known = {one.name: one for one in manifest.config}
    said = {name.removeprefix(PREFIX): text.strip() for name, text in posted.items() if name.startswith(PREFIX)}
    config: dict[str, object] = {}
    faults: dict[str, Fault] = {}
    for name, one in known.items():
        text = said.get(name, "")
        value = _value(one, text)
        if isinstance(value, Fault):
            faults[name] = value
        elif value is not None:
            config[name] = value
    kept = {one.name: stands[one.name] for one in manifest.config if _stays(one, said, stands)}
    if kept and leads_elsewhere(manifest, stands, config):
        faults |= dict.fromkeys(kept, Fault.AGAIN)
    config = {**kept, **config}
    for name, one in known.items():
        if one.required and one.default is None and name not in config:
            faults.setdefault(name, Fault.MISSING)
    return Filled(config=config, faults=faults, unknown=tuple(sorted(set(said) - set(known))))


def entries(
    manifest: Manifest, posted: Mapping[str, str], stands: Mapping[str, object], faults: Mapping[str, Fault]
) -> list[Entry]:
    """The entries of the form: what was just filled in, else what stands."""
    return [
        Entry(
            field=one,
            value="" if one.secret else posted.get(PREFIX + one.name, shown(stands.get(one.name, "")))[:LONGEST_VALUE],
            kept=one.secret and one.name in stands,
            fault=faults.get(one.name),
            is_tenant=one.name == manifest.tenant,
        )
        for one in manifest.config
    ]


def shown(value: object) -> str:
    """A value as the form has it."""
    return {True: YES, False: NO}[value] if isinstance(value, bool) else str(value)


def _stays(one: ConfigField, said: Mapping[str, str], stands: Mapping[str, object]) -> bool:
    return one.secret and one.name in stands and not said.get(one.name)


def _value(one: ConfigField, text: str) -> object:
    """The value of a text, None for none, or what is wrong with it."""
    if not text:
        return None
    if len(text) > LONGEST_VALUE or "\x00" in text:
        return Fault.LONG
    value: object = text
    if one.kind is ConfigKind.BOOLEAN:
        value = {YES: True, NO: False}.get(text)
    elif one.kind is ConfigKind.INTEGER:
        value = int(text) if text.lstrip("-").isascii() and text.lstrip("-").isdecimal() and len(text) < 19 else None
    if one.fault(value) is None:
        return value
    by_kind = {ConfigKind.URL: Fault.ADDRESS, ConfigKind.INTEGER: Fault.NUMBER}
    return by_kind.get(one.kind, Fault.CHOICE)
