"""Public documents are kept, read anew where a key is missing, and go on while their provider is out."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from lti_server.providers.documents import Documents
from lti_server.providers.errors import BrokeContract, RateLimited, Unavailable
from lti_server.providers.transport import HttpTransport, outbound_session
from lti_server.providers.wire import Response
from tests.clock import FakeClock
from tests.waiting import until

URL = "https://id.example/keys"


class Provider:
    """Answers with how often it was asked; out while `out`."""

    def __init__(self) -> None:
        self.asked = 0
        self.out = False
        self.status = 200

    def __call__(self) -> Response:
        self.asked += 1
        if self.out:
            raise Unavailable("out")
        return Response(status=self.status, url=URL, body=str(self.asked).encode())


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def documents(clock: FakeClock) -> Documents:
    return Documents(clock)


def test_a_document_is_read_once_while_it_is_young(documents: Documents, provider: Provider, clock: FakeClock) -> None:
    for _ in range(5):
        assert documents.get(URL, 3600, provider).body == b"1"
    clock.pass_s(3600)
    assert documents.get(URL, 3600, provider).body == b"2"


def test_it_is_read_anew_at_once_for_a_missing_key_and_then_once_a_minute(
    documents: Documents, provider: Provider, clock: FakeClock
) -> None:
    documents.get(URL, 3600, provider)
    assert documents.get(URL, 0, provider).body == b"2"
    for _ in range(100):  # tokens with keys that nobody has are no way to make this server call
        assert documents.get(URL, 0, provider).body == b"2"
    clock.pass_s(60)
    assert documents.get(URL, 0, provider).body == b"3"


def test_the_one_from_before_goes_on_for_three_days(documents: Documents, provider: Provider, clock: FakeClock) -> None:
    documents.get(URL, 3600, provider)
    provider.out = True
    clock.pass_s(3 * 86_400)
    assert documents.get(URL, 3600, provider).body == b"1"
    asked = provider.asked
    assert documents.get(URL, 3600, provider).body == b"1"
    assert provider.asked == asked  # one that is out is not asked by every sign-in
    clock.pass_s(86_400)
    for _ in range(2):
        with pytest.raises(Unavailable):
            documents.get(URL, 3600, provider)


class Counting(Documents):
    """Knows how many have come."""

    came = 0

    def _of(self, url: str) -> Any:
        found = super()._of(url)
        self.came += 1
        return found


def test_whoever_waits_while_another_call_fails_is_told_alike(clock: FakeClock) -> None:
    """A school signs in within a minute: nobody waits for as often as the provider did not answer."""
    documents = Counting(clock)
    asked, failing, told = [], threading.Event(), list[RateLimited]()

    def slow() -> Response:
        asked.append(URL)
        assert failing.wait(timeout=10)
        raise RateLimited("wait", retry_after_s=17)

    def ask() -> None:
        with pytest.raises(RateLimited) as found:
            documents.get(URL, 3600, slow)
        told.append(found.value)

    waiting = [threading.Thread(target=ask) for _ in range(5)]
    for one in waiting:
        one.start()
    until(lambda: documents.came == 5)
    failing.set()
    for one in waiting:
        one.join(timeout=10)
    assert (len(asked), [one.retry_after_s for one in told]) == (1, [17] * 5)
    assert len(set(map(id, told))) == 5
    with pytest.raises(RateLimited):
        documents.get(URL, 3600, slow)
    assert len(asked) == 2  # whoever comes later asks again


def test_one_that_is_slow_to_fail_is_not_asked_again_at_once(
    documents: Documents, provider: Provider, clock: FakeClock
) -> None:
    def slow() -> Response:
        clock.pass_s(25)
        return provider()

    documents.get(URL, 3600, slow)
    provider.out = True
    clock.pass_s(3600)
    for _ in range(8):
        assert documents.get(URL, 3600, slow).body == b"1"
    assert provider.asked == 2


def test_an_answer_that_is_no_document_is_given_back_and_not_kept(documents: Documents, provider: Provider) -> None:
    provider.status = 404
    assert documents.get(URL, 3600, provider).status == 404
    provider.status = 200
    assert documents.get(URL, 3600, provider).body == b"2"


def test_documents_are_forgotten_before_they_are_too_many(documents: Documents, provider: Provider) -> None:
    documents.get(URL, 3600, provider)
    for number in range(500):
        documents.get(f"{URL}/{number}", 3600, provider)
    assert documents.get(URL, 3600, provider).body != b"1"


def test_a_document_is_read_from_a_declared_host_alone(clock: FakeClock) -> None:
    documents = Documents(clock)
    documents.get(URL, 3600, Provider())  # another connection may read it, and has
    transport = HttpTransport(outbound_session(), clock, documents=documents)
    assert transport.limited_to(["id.example"]).public_document(URL).body == b"1"
    with pytest.raises(BrokeContract, match="not among the hosts"):
        transport.limited_to(["elsewhere.example"]).public_document(URL)
