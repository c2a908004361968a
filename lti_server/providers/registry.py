"""Which plugins are installed, which of them run, and why the others do not. Called at startup, never at import."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from lti_server.errors import ConfigurationError, NotFound
from lti_server.providers.manifest import CAPABILITY_METHODS, Capability, Manifest
from lti_server.providers.spi import ENTRY_POINT_GROUP, SPI_VERSION

OFF_UNLESS_NAMED: Final = frozenset({"facebook"})
"""Installed, yet not enabled while the setting PROVIDERS is unset (design 6.1): for adults only."""

ALWAYS_ON: Final = frozenset({"lti"})
"""Part of the server: registered platforms are its grants, whatever PROVIDERS names."""

_log = logging.getLogger(__name__)


class PluginState(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"
    QUARANTINED = "quarantined"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One installed plugin. A quarantined one has a `reason`, and its class is never called.

    `stops`: the server must not start like this.

    `made` is Any because a stranger's class is what it is: the contract kit, not the registry, proves it.
    """

    name: str
    state: PluginState
    distribution: str = ""
    version: str = ""
    manifest: Manifest | None = None
    reason: str = ""
    stops: bool = False
    made: Any = field(default=None, repr=False)

    def can(self, capability: Capability) -> bool:
        return self.manifest is not None and capability in self.manifest.capabilities


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginRow:
    """One row of `lti-server plugins` (design 6.2); `state` is a `PluginState`."""

    name: str
    version: str
    spi_version: str
    state: str
    capabilities: list[str]
    reason: str


class Registry:
    """The plugins of this installation, by name."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        self._all = sorted(plugins, key=lambda plugin: plugin.name)
        self._by_name = {plugin.name: plugin for plugin in self._all}

    def all(self) -> list[Plugin]:
        return list(self._all)

    def problems(self) -> list[str]:
        """What keeps the server from starting: a plugin that PROVIDERS names, or a shared name."""
        return [plugin.reason for plugin in self._all if plugin.stops]

    def enabled(self, capability: Capability | None = None) -> list[Plugin]:
        """Those that run; with a capability, those that have it."""
        running = [plugin for plugin in self.all() if plugin.state is PluginState.ENABLED]
        return [plugin for plugin in running if capability is None or plugin.can(capability)]

    def manifest(self, name: str) -> Manifest:
        """Raises:
        NotFound: no enabled plugin has this name; the text says why.
        """
        found = self._enabled(name).manifest
        assert found is not None
        return found

    def factory(self, name: str, capability: Capability) -> Callable[..., Any]:
        """The class of an enabled plugin that has the capability; `connector.Connector` calls it.

        Raises:
            NotFound: none has this name, or it lacks the capability.
        """
        plugin = self._enabled(name)
        if not plugin.can(capability):
            raise NotFound(f"The provider plugin {name} has no capability {capability}.")
        made: Callable[..., Any] = plugin.made
        return made

    def describe(self) -> list[PluginRow]:
        return [
            PluginRow(
                name=plugin.name,
                version=plugin.version,
                spi_version=".".join(map(str, plugin.manifest.spi_version)) if plugin.manifest else "",
                state=plugin.state.value,
                capabilities=sorted(one.value for one in plugin.manifest.capabilities) if plugin.manifest else [],
                reason=plugin.reason,
            )
            for plugin in self.all()
        ]

    def _enabled(self, name: str) -> Plugin:
        plugin = self._by_name.get(name)
        if plugin is None or plugin.state is PluginState.MISSING:
            raise NotFound(f"No provider plugin named {name} is installed. See `lti-server plugins`.")
        if plugin.state is PluginState.QUARANTINED:
            raise NotFound(f"The provider plugin {name} does not run. {plugin.reason}")
        if plugin.state is PluginState.DISABLED:
            raise NotFound(f"The provider plugin {name} is not enabled. Add it to LTI_SERVER_PROVIDERS.")
        return plugin


def installed_entry_points() -> list[EntryPoint]:
    return list(entry_points(group=ENTRY_POINT_GROUP))


def load_registry(
    enabled: Collection[str] | None,
    *,
    discover: Callable[[], Iterable[EntryPoint]] = installed_entry_points,
) -> Registry:
    """Look at every installed plugin. `enabled` is the setting PROVIDERS; none means all but `OFF_UNLESS_NAMED`.

    One plugin that breaks is set aside and explained; the others run. Effects: logs a warning for each.

    Raises:
        ConfigurationError: two plugins share a name but for case; an enabled one is missing or set aside.
    """
    registry = look_at_plugins(enabled, discover=discover)
    if problems := registry.problems():
        raise ConfigurationError(problems)
    for plugin in registry.all():
        if plugin.state is PluginState.QUARANTINED:
            _log.warning("provider plugin %s is set aside: %s", plugin.name, plugin.reason)
    return registry


def look_at_plugins(
    enabled: Collection[str] | None,
    *,
    discover: Callable[[], Iterable[EntryPoint]] = installed_entry_points,
) -> Registry:
    """As `load_registry`, but to be shown: what would stop the server is a row like the others."""
    found = list(discover())
    shared = _shared_names(found)
    wanted = None if enabled is None else {name.casefold() for name in enabled}
    plugins = [_looked_at(entry, wanted, shared.get(entry.name.casefold(), "")) for entry in found]
    installed = {plugin.name.casefold() for plugin in plugins}
    plugins += [
        Plugin(
            name=name,
            state=PluginState.MISSING,
            reason=f"LTI_SERVER_PROVIDERS names {name}, and no plugin of that name is installed.",
            stops=True,
        )
        for name in sorted((wanted or set()) - installed)
    ]
    return Registry(plugins)


def _shared_names(found: Iterable[EntryPoint]) -> dict[str, str]:
    """Case-folded name → the problem, for each name that two plugins have."""
    by_name: dict[str, list[str]] = {}
    for entry in found:
        by_name.setdefault(entry.name.casefold(), []).append(f"{entry.name} of {_distribution(entry) or entry.value}")
    return {
        name: f"Installed plugins share the name {name}: {' and '.join(sorted(of))}. Remove all but one."
        for name, of in by_name.items()
        if len(of) > 1
    }


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else ""


def _looked_at(entry: EntryPoint, wanted: Collection[str] | None, shared: str) -> Plugin:
    distribution, named = _distribution(entry), wanted is not None and entry.name.casefold() in wanted
    try:
        made = entry.load()
    except Exception as error:  # a stranger's module may raise anything while it is imported
        made, reason = None, f"It cannot be imported ({type(error).__name__}). Install a version that fits this server."
    else:
        reason = ""
    manifest = getattr(made, "manifest", None)
    fitting = manifest if isinstance(manifest, Manifest) else None
    reason = shared or reason or _unfit(entry.name, made, fitting)
    return Plugin(
        name=entry.name,
        state=PluginState.QUARANTINED if reason else _state(entry.name, wanted),
        distribution=distribution,
        version=fitting.version if fitting else "",
        manifest=fitting,
        reason=f"LTI_SERVER_PROVIDERS names {entry.name}, which does not run. {reason}" if reason and named else reason,
        stops=bool(shared or (reason and named)),
        made=None if reason else made,
    )


def _state(name: str, wanted: Collection[str] | None) -> PluginState:
    if name in ALWAYS_ON:
        return PluginState.ENABLED
    on = name not in OFF_UNLESS_NAMED if wanted is None else name.casefold() in wanted
    return PluginState.ENABLED if on else PluginState.DISABLED


def _unfit(name: str, made: object, manifest: Manifest | None) -> str:
    """Why a plugin may not run, or nothing. Signatures are the kit's to prove, not the registry's."""
    if not isinstance(made, type) or manifest is None:
        return "Its entry point is not a class with a `manifest` attribute of kind Manifest. Tell its author."
    if not _is_version(manifest.spi_version):
        return "The spi_version of its manifest is not a pair of numbers. Tell its author."
    if manifest.spi_version[0] != SPI_VERSION[0]:
        return (
            f"It is made for version {_shown(manifest.spi_version)} of the provider interface, and this server has "
            f"{_shown(SPI_VERSION)}. Install a version of it that fits."
        )
    if manifest.spi_version[1] > SPI_VERSION[1]:
        return (
            f"It needs version {_shown(manifest.spi_version)} of the provider interface, and this server has "
            f"{_shown(SPI_VERSION)}. Update this server, or install an older version of it."
        )
    if manifest.name != name:
        return f"Its manifest is named {manifest.name} and its entry point {name}. Tell its author."
    if faults := manifest.faults():
        return f"Its manifest is not right: {' '.join(faults)} Tell its author."
    missing = [
        method
        for capability in sorted(manifest.capabilities)
        for method in CAPABILITY_METHODS.get(capability, ())
        if not callable(getattr(made, method, None))
    ]
    return f"It declares capabilities without {', '.join(missing)}(). Tell its author." if missing else ""


def _is_version(version: object) -> bool:
    return isinstance(version, tuple) and len(version) == 2 and all(isinstance(part, int) for part in version)


def _shown(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
