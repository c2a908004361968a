"""Reading a platform's public key set (RFC 7517, 5), within the time that a launch can wait."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from lti_server.errors import ProviderFailed
from lti_server.providers.connections import OutboundLimits
from lti_server.providers.faults import server_errors
from lti_server.providers.spi import Clock
from lti_server.providers.transport import HttpTransport, outbound_session


def read_key_set(url: str, timeout_s: float, *, insecure_hosts: Collection[str], clock: Clock) -> Mapping[str, Any]:
    """The JSON object at an address.

    Raises:
        ProviderFailed: there is none, or not in time.
    """
    session = outbound_session(insecure_hosts=insecure_hosts, limits=OutboundLimits(total_s=timeout_s))
    try:
        with server_errors("lti"):
            found = HttpTransport(session, clock).request("GET", url, headers={"Accept": "application/json"}).json()
    finally:
        session.close()
    if not isinstance(found, dict):
        raise ProviderFailed("The key set of the LMS is not a JSON object.")
    return found
