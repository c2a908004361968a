"""The transport over a mocked wire: credentials, redirects, hosts, retries. Real sockets: tests/integration."""

import logging
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import responses
import stamina

from lti_server.providers import (
    Authorization,
    BrokeContract,
    RateLimited,
    RejectedCredentials,
    Unavailable,
)
from lti_server.providers.transport import (
    USER_AGENT,
    HttpTransport,
    outbound_session,
    patiently,
    worth_waiting,
)

API = "https://api.example/v3/users"


class Noon:
    def now(self) -> datetime:
        return datetime(2026, 9, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def transport() -> HttpTransport:
    return HttpTransport(outbound_session(), Noon(), hosts={"api.example", "other.example"})


@pytest.fixture
def bearer() -> Authorization:
    return Authorization.bearer("t0ken", hosts={"api.example"})


@responses.activate
def test_an_answer_arrives_whole_with_lower_case_header_names(transport: HttpTransport) -> None:
    responses.get(API, json={"data": []}, headers={"X-Total-Count": "0"})
    response = transport.request("GET", API, params={"limit": "10"})
    assert (response.status, response.json(), response.headers["x-total-count"]) == (200, {"data": []}, "0")
    sent = responses.calls[0].request
    assert sent.url == f"{API}?limit=10"
    assert sent.headers["User-Agent"] == USER_AGENT
    assert "Authorization" not in sent.headers


@responses.activate
def test_a_form_and_a_credential_are_sent_as_given(transport: HttpTransport, bearer: Authorization) -> None:
    responses.post(API, json={})
    transport.request("POST", API, form={"grant_type": "client_credentials"}, authorization=bearer)
    sent = responses.calls[0].request
    assert sent.body == "grant_type=client_credentials"
    assert sent.headers["Authorization"] == "Bearer t0ken"


@responses.activate
def test_nothing_is_sent_to_a_host_that_was_not_declared(transport: HttpTransport) -> None:
    with pytest.raises(BrokeContract, match="not among the hosts"):
        transport.request("GET", "https://evil.example/")
    assert len(responses.calls) == 0


@responses.activate
def test_a_credential_is_not_sent_to_another_declared_host(transport: HttpTransport, bearer: Authorization) -> None:
    with pytest.raises(BrokeContract, match="not for"):
        transport.request("GET", "https://other.example/", authorization=bearer)
    assert len(responses.calls) == 0


@responses.activate
def test_a_redirect_is_followed_and_keeps_the_credential_on_its_host(
    transport: HttpTransport, bearer: Authorization
) -> None:
    responses.get(API, status=302, headers={"Location": "/v3/people?x=1"})
    responses.get("https://api.example/v3/people", json=[1])
    response = transport.request("GET", API, params={"limit": "1"}, authorization=bearer)
    assert response.json() == [1]
    assert response.url == "https://api.example/v3/people?x=1"
    assert responses.calls[1].request.headers["Authorization"] == "Bearer t0ken"


@responses.activate
def test_a_redirect_to_another_host_never_carries_the_credential(
    transport: HttpTransport, bearer: Authorization
) -> None:
    responses.get(API, status=302, headers={"Location": "https://other.example/"})
    responses.get("https://other.example/", json={})
    with pytest.raises(BrokeContract, match="not for"):
        transport.request("GET", API, authorization=bearer)
    assert len(responses.calls) == 1
    transport.request("GET", API)
    assert "Authorization" not in responses.calls[2].request.headers


@responses.activate
@pytest.mark.parametrize(
    "location",
    ["http://api.example/", "https://evil.example/", "https://127.1/", "file:///etc/passwd", "https://u@api.example/"],
)
def test_a_redirect_is_checked_like_a_first_address(location: str) -> None:
    open_transport = HttpTransport(outbound_session(), Noon(), hosts={"api.example", "127.1", ""})
    responses.get(API, status=307, headers={"Location": location})
    with pytest.raises(BrokeContract):
        open_transport.request("GET", API)
    assert len(responses.calls) == 1


@responses.activate
def test_redirects_do_not_go_on_for_ever(transport: HttpTransport) -> None:
    responses.get(API, status=302, headers={"Location": API})
    with pytest.raises(BrokeContract, match="redirects more than"):
        transport.request("GET", API)


@responses.activate
def test_a_form_is_never_sent_again_to_where_a_redirect_points(transport: HttpTransport) -> None:
    responses.post(API, status=307, headers={"Location": "https://other.example/"})
    with pytest.raises(BrokeContract, match="redirects a POST"):
        transport.request("POST", API, form={"secret": "s"})
    assert len(responses.calls) == 1


@responses.activate
def test_pages_are_followed_on_the_same_host(transport: HttpTransport, bearer: Authorization) -> None:
    responses.get(API, json=[1], headers={"Link": f'<{API}?Page=B>; rel="next"'}, match=[query({"limit": "1"})])
    responses.get(API, json=[2], headers={"Link": "</v3/users?page=c>; rel=“next”".encode().decode("latin-1")},
                  match=[query({"Page": "B"})])  # fmt: skip
    responses.get(API, json=[3], match=[query({"page": "c"})])
    read = [response.json() for response in transport.pages(API, params={"limit": "1"}, authorization=bearer)]
    assert read == [[1], [2], [3]]


def query(params: dict[str, str]) -> Any:
    return responses.matchers.query_param_matcher(params)


@responses.activate
def test_cookies_proxies_and_netrc_play_no_part(
    transport: HttpTransport, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine api.example login u password p\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    responses.get(API, json={}, headers={"Set-Cookie": "sid=1; Domain=api.example; Path=/"})
    transport.request("GET", API)
    transport.request("GET", API)
    for call in responses.calls:
        assert "Cookie" not in call.request.headers
        assert "Authorization" not in call.request.headers


@responses.activate
def test_what_breaks_on_the_wire_is_told_without_its_address(transport: HttpTransport) -> None:
    broken: list[tuple[Exception, type[Exception]]] = [
        (requests.exceptions.ReadTimeout("… /users?code=abc"), Unavailable),
        (requests.exceptions.ConnectionError("… /users?code=abc"), Unavailable),
        (requests.exceptions.SSLError("… /users?code=abc"), Unavailable),
        (requests.exceptions.InvalidURL("… /users?code=abc"), BrokeContract),
        (OSError("… /users?code=abc"), Unavailable),
    ]
    for error, fault in broken:
        responses.reset()
        responses.get(API, body=error)
        with pytest.raises(fault) as raised:
            transport.request("GET", API, params={"code": "abc"})
        assert "abc" not in str(raised.value)
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__


@responses.activate
def test_no_log_line_holds_a_query_or_a_token(
    transport: HttpTransport, bearer: Authorization, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    responses.get(API, json={"name": "Ada"})
    transport.request("GET", API, params={"code": "abc"}, authorization=bearer)
    assert "api.example" in caplog.text
    for secret in ("abc", "t0ken", "Ada"):
        assert secret not in caplog.text


@responses.activate
def test_the_session_alone_is_guarded_too() -> None:
    session = outbound_session()
    responses.get(API, status=302, headers={"Location": "http://169.254.169.254/latest"})
    with pytest.raises(BrokeContract):
        session.get(API)
    assert len(responses.calls) == 1


def test_a_short_limit_is_waited_for_and_a_long_one_is_not() -> None:
    assert worth_waiting(RateLimited("", retry_after_s=7), most_s=10) == 7.0
    assert worth_waiting(RateLimited("", retry_after_s=11), most_s=10) is False
    assert worth_waiting(Unavailable(""), most_s=10) is True
    assert worth_waiting(RejectedCredentials(""), most_s=10) is False
    assert worth_waiting(BrokeContract(""), most_s=10) is False


def test_a_get_is_repeated_after_an_outage_and_the_last_failure_is_told() -> None:
    answers: list[str | Exception] = [Unavailable("down"), RateLimited("", retry_after_s=1), "answer"]

    def get() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with stamina.set_testing(True, attempts=3):
        assert patiently(get) == "answer"
        answers[:] = [RejectedCredentials("no"), "answer"]
        with pytest.raises(RejectedCredentials):
            patiently(get)
        answers[:] = [Unavailable("down")] * 3
        with pytest.raises(Unavailable):
            patiently(get)
