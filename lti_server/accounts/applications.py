"""Which application at a provider a connection goes by: the operator's, or one of the district's own. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from lti_server.providers.errors import Misconfigured
from lti_server.providers.manifest import ConfigKind, Manifest

Config = Mapping[str, object]


def is_own(manifest: Manifest, config: Config) -> bool:
    """Whether a district brings an application of its own, and not its tenant of the operator's alone."""
    return any(name != manifest.tenant for name in config)


def in_force(manifest: Manifest, application: Config, own: Config) -> dict[str, object]:
    """The operator's configuration with the district's over it; what is whole by itself stands alone.

    The operator's secrets go to the operator's addresses alone: where a district names another, it has none of them.
    """
    if is_own(manifest, own) and _whole(manifest, own):
        return dict(own)
    withheld = secrets(manifest) if leads_elsewhere(manifest, application, own) else frozenset()
    return {**{name: value for name, value in application.items() if name not in withheld}, **own}


def is_the_operators(manifest: Manifest, application: Config, own: Config) -> bool:
    """Whether a district goes by the operator's application, whatever else it sets: same client, secrets, addresses."""
    by_itself = {one.name for one in manifest.config if one.required and one.default is None}
    addresses = {one.name for one in manifest.config if one.kind is ConfigKind.URL}
    decides = (by_itself | addresses | secrets(manifest)) - {manifest.tenant}
    found = in_force(manifest, application, own)
    return all(found.get(name) == application.get(name) for name in decides)


def leads_elsewhere(manifest: Manifest, before: Config, after: Config) -> bool:
    """Whether a configuration names another address than the one before it."""
    by_host = {host.strip("{}") for host in manifest.hosts if host.startswith("{")}
    addresses = {one.name for one in manifest.config if one.kind is ConfigKind.URL} | by_host
    return any(before.get(name) != after[name] for name in addresses & after.keys())


def secrets(manifest: Manifest) -> frozenset[str]:
    """The fields that are never shown again."""
    return frozenset(one.name for one in manifest.config if one.secret)


def _whole(manifest: Manifest, config: Config) -> bool:
    try:
        manifest.read_config(config)
    except Misconfigured:
        return False
    return True
