"""What a plugin promises that reads a list by its pages."""

from __future__ import annotations

from typing import Any

from lti_server.providers.errors import ProviderFault
from lti_server.testing.alterations import FOREIGN_HOST, links_abroad
from lti_server.testing.applying import only_where
from lti_server.testing.contract import ProviderContract
from lti_server.testing.recorded import exchanges


class ListContract(ProviderContract):
    """The roster and tenant list contracts build on it."""

    @only_where(lambda self: self._has_links(), "no answer of the recording leads to another")
    def test_a_next_link_to_another_host_is_refused(self) -> None:
        """A list that leads abroad ends the read with BrokeContract, and nothing is sent there."""
        run = self.run(links_abroad(self._addresses()))
        sent = [url for _method, url in run.transport.sent if FOREIGN_HOST in url]
        assert not sent, "a next link to another host is followed"
        refused = isinstance(run.error, ProviderFault)
        assert refused, "a next link to another host ends the read as if it were its last page"

    def _addresses(self) -> list[str]:
        return [one.url for one in exchanges(self._said("recording"))]

    def _has_links(self) -> bool:
        touched: list[bool] = []
        lead = links_abroad(self._addresses())

        def alter(ordinal: int, response: Any) -> Any:
            led = lead(ordinal, response)
            touched.append(FOREIGN_HOST in str(led.headers) or FOREIGN_HOST.encode() in led.body)
            return response

        self.run(alter)
        return any(touched)
