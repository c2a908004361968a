"""Puts a plugin to work for one connection: its checked configuration, its own hosts, one capability."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from lti_server.providers.faults import server_errors
from lti_server.providers.manifest import Capability
from lti_server.providers.registry import Registry
from lti_server.providers.spi import (
    Clock,
    GradeSink,
    GrantRevoker,
    LoginProvider,
    RosterSource,
    SignalReceiver,
    SignalStream,
    TenantList,
)
from lti_server.providers.transport import Around, HttpTransport


class Connector:
    """Each method raises NotFound for a plugin that does not run, InvalidInput for a configuration that does not fit.

    What is given back is a stranger's code: call it within `faults.server_errors(name)`.
    """

    def __init__(
        self, registry: Registry, *, transport: Callable[[Collection[str]], HttpTransport], clock: Clock
    ) -> None:
        self._registry = registry
        self._transport = transport
        self._clock = clock

    def within(self, around: Around) -> Connector:
        """The same plugins, each of whose calls to its provider happens within `around`: a page or a send."""
        inner = self._transport
        return Connector(self._registry, transport=lambda hosts: inner(hosts).within(around), clock=self._clock)

    def login(self, name: str, config: Mapping[str, object]) -> LoginProvider:
        made: LoginProvider = self._ready(name, Capability.LOGIN, config)()
        return made

    def roster(self, name: str, config: Mapping[str, object]) -> RosterSource:
        made: RosterSource = self._ready(name, Capability.ROSTER, config)()
        return made

    def revoker(self, name: str, config: Mapping[str, object]) -> GrantRevoker:
        made: GrantRevoker = self._ready(name, Capability.REVOKE, config)()
        return made

    def signals(self, name: str, config: Mapping[str, object]) -> SignalReceiver:
        made: SignalReceiver = self._ready(name, Capability.SIGNALS, config)()
        return made

    def grades(self, name: str, config: Mapping[str, object]) -> GradeSink:
        made: GradeSink = self._ready(name, Capability.GRADES, config)()
        return made

    def tenants(self, name: str, config: Mapping[str, object]) -> TenantList:
        made: TenantList = self._ready(name, Capability.TENANTS, config)()
        return made

    def stream(self, name: str, config: Mapping[str, object]) -> SignalStream:
        made: SignalStream = self._ready(name, Capability.STREAMS, config)()
        return made

    def check(self, name: str, config: Mapping[str, object]) -> None:
        """Whether the configuration fits, before it is stored or used."""
        with server_errors(name):
            self._registry.manifest(name).read_config(config)

    def _ready(self, name: str, capability: Capability, config: Mapping[str, object]) -> Callable[[], Any]:
        factory, manifest = self._registry.factory(name, capability), self._registry.manifest(name)

        def build() -> object:
            with server_errors(name):
                checked = manifest.read_config(config)
                transport = self._transport(manifest.hosts_for(checked))
                return factory(config=checked, transport=transport, clock=self._clock)

        return build
