"""The contract kit for authors of provider plugins: pytest, the SPI, and for signing in the server's own flow."""

from lti_server.providers.spi import SPI_VERSION
from lti_server.testing.forgeries import ID_TOKEN_CHECKS
from lti_server.testing.login import LoginProviderContract
from lti_server.testing.recorded import Exchange, FakeClock, RecordedTransport, UnrecordedRequest
from lti_server.testing.roster import RosterSourceContract
from lti_server.testing.signals import SignalReceiverContract
from lti_server.testing.tenants import TenantListContract
from lti_server.testing.waivers import waive

__all__ = [
    "ID_TOKEN_CHECKS",
    "SPI_VERSION",
    "Exchange",
    "FakeClock",
    "LoginProviderContract",
    "RecordedTransport",
    "RosterSourceContract",
    "SignalReceiverContract",
    "TenantListContract",
    "UnrecordedRequest",
    "waive",
]
