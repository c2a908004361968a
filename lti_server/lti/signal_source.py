"""What a plugin must know to believe an LMS: issuer, client and key set, as they are registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.errors import NotFound
from lti_server.ids import GrantId
from lti_server.providers.manifest import Capability
from lti_server.providers.registry import Registry

ALONE = frozenset({Capability.SIGNALS})
"""A plugin that does nothing but receive is a platform's (docs/reference/provider-spi.md)."""

_PLATFORM = sa.text("SELECT issuer, client_id, jwks_url FROM registration WHERE grant_id = :grant")


class PlatformReceivers:
    """The configuration of a platform's receiver; nobody types it."""

    def __init__(self, registry: Callable[[], Registry]) -> None:
        self._registry = registry

    def __call__(self, connection: Connection, grant_id: GrantId, receiver: str) -> Mapping[str, object] | None:
        """None where the grant is no platform's, or the plugin no platform's receiver."""
        try:
            manifest = self._registry().manifest(receiver)
        except NotFound:
            return None
        row = connection.execute(_PLATFORM, {"grant": grant_id}).one_or_none()
        if row is None or manifest.capabilities != ALONE:
            return None
        return {"issuer": row.issuer, "client_id": row.client_id, "jwks_url": row.jwks_url}

    def names(self) -> list[str]:
        """The platforms' receivers that run."""
        plugins = self._registry().enabled(Capability.SIGNALS)
        return [one.name for one in plugins if one.manifest is not None and one.manifest.capabilities == ALONE]
