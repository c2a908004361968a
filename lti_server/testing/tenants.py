"""The contract of a TenantList."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lti_server.providers.errors import BrokeContract, Unavailable
from lti_server.providers.wire import Response
from lti_server.testing.alterations import body_at
from lti_server.testing.applying import only_where
from lti_server.testing.contract import Run, instead
from lti_server.testing.lists import ListContract


class TenantListContract(ListContract):
    """Inherit, say `provider`, `config` and a `recording` of a list with two pages at least, and every check runs."""

    def exercise(self, plugin: Any, run: Run) -> None:
        run.tenants = plugin.tenants()

    def found_anything(self, run: Run) -> bool:
        return bool(run.tenants)

    def test_only_records_come_out(self) -> None:
        """A list or tuple of texts that say something, each once."""
        found = self.good().tenants
        assert isinstance(found, list | tuple), "the tenants are no list"
        texts = [one for one in found if type(one) is str and one.strip()]
        assert len(texts) == len(found), "a tenant is no text, or an empty one"
        assert len(set(texts)) == len(texts), "a tenant comes twice"

    @only_where(lambda self: any(True for _ in self._lacking()), "no answer is an object that holds a list")
    def test_a_page_without_its_list_is_no_list(self) -> None:
        """An answer that lacks a list which it should have ends the read: what is left would pass for all there is."""
        for ordinal, name, less in self._lacking():
            run = self.run(body_at(ordinal, less))
            good = isinstance(run.error, BrokeContract | Unavailable)
            assert good, instead(run, f"an answer without {name} at request {ordinal}")

    def _lacking(self) -> Iterator[tuple[int, str, bytes]]:
        bodies: list[bytes] = []

        def note(_ordinal: int, response: Response) -> Response:
            bodies.append(response.body)
            return response

        self.run(note)
        for ordinal, body in enumerate(bodies):
            for name, less in _lacking(body):
                yield ordinal, name, less


def _lacking(body: bytes) -> Iterator[tuple[str, bytes]]:
    """The same object without each of its lists in turn."""
    try:
        read = json.loads(body)
    except ValueError:
        return
    if isinstance(read, dict):
        for name in [name for name, value in read.items() if isinstance(value, list)]:
            yield name, json.dumps({other: value for other, value in read.items() if other != name}).encode()
