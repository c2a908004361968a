"""Links as platforms send them, pages that cannot run away, and what a status means."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_server.providers import (
    Authorization,
    BrokeContract,
    RateLimited,
    RejectedCredentials,
    Response,
    Unavailable,
    next_link,
)
from lti_server.providers.wire import answer_or_fault, host_of, retry_after_s, walk

HERE = "https://lms.example/api/memberships?rlid=1"
NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
NEXT = "https://lms.example/api/m?Page=AbC&limit=50"

LINKS = {
    "quoted": f'<{NEXT}>; rel="next"',
    "unquoted": f"<{NEXT}>; rel=next",
    "several relations in one": f'<{NEXT}>; rel="next last"',
    "relation in capitals": f'<{NEXT}>; REL="NEXT"',
    "a parameter before": f'<{NEXT}>; title="page 2"; rel="next"',
    "a comma and a semicolon in a title": f'<{NEXT}>; title="a, b; rel=prev"; rel="next"',
    "an escaped quote in a title": f'<{NEXT}>; title="say \\"hi\\", now"; rel=next',
    "a parameter after": f'<{NEXT}>; rel="next"; type="application/json"',
    "a parameter without value": f"<{NEXT}>; crossorigin; rel=next",
    "curly quotes": f"<{NEXT}>; rel=“next”",
    "curly quotes read as latin-1": f"<{NEXT}>; rel=“next”".encode().decode("latin-1"),
    "an escaped ampersand": f'<{NEXT.replace("&", "&amp;")}>; rel="next"',
    "no blank anywhere": f'<{NEXT}>;rel="next"',
    "blanks everywhere": f' < {NEXT} > ; rel = "next" ',
    "after another link": f'<https://lms.example/x,y;z>; rel="first", <{NEXT}>; rel="next"',
    "before another link": f'<{NEXT}>; rel="next", <{HERE}>; rel="prev"',
    "after an empty element": f', <{NEXT}>; rel="next"',
    "relative to the root": '</api/m?Page=AbC&limit=50>; rel="next"',
    "relative to the page": '<m?Page=AbC&limit=50>; rel="next"',
    "relative to the scheme": '<//lms.example/api/m?Page=AbC&limit=50>; rel="next"',
    "the first of two": f'<{NEXT}>; rel="next", <https://lms.example/other>; rel="next"',
}
NO_NEXT = [
    "",
    '<https://lms.example/x>; rel="prev"',
    "https://lms.example/x; rel=next",
    "<https://lms.example/x>",
    '<https://lms.example/x>; rel="nextish"',
    '<https://lms.example/x>; title="rel=next"',
    "<<<;;;,,,",
]


def answer(status: int = 200, *, url: str = HERE, **headers: str) -> Response:
    return Response(status=status, url=url, headers={k.replace("_", "-"): v for k, v in headers.items()})


@pytest.mark.parametrize("form", LINKS)
def test_the_next_link_is_found_in_every_form(form: str) -> None:
    assert next_link(answer(link=LINKS[form])) == NEXT


@pytest.mark.parametrize("header", NO_NEXT)
def test_what_is_not_a_next_link_is_none(header: str) -> None:
    assert next_link(answer(link=header)) is None


@given(st.text(alphabet='<>;,=" \\“”relnxt&ampa/é', max_size=60))
def test_no_link_header_hangs_or_breaks_the_parser(header: str) -> None:
    link = next_link(answer(link=header))
    assert link is None or link.startswith("http")


def pages_of(following: dict[str, str | None]) -> tuple[Callable[[str], Response], Callable[[Response], str | None]]:
    return (lambda url: answer(url=url)), (lambda response: following[response.url])


@given(st.lists(st.integers(0, 30), min_size=1, max_size=31), st.integers(0, 30))
def test_a_walk_ends_or_says_that_it_runs_in_a_circle(jumps: list[int], start: int) -> None:
    """Page n names page jumps[n] as next; every walk either reaches an end or is refused, each page read once."""
    urls = [f"https://lms.example/{number}" for number in range(31)]
    following = {url: urls[jumps[number]] if number < len(jumps) else None for number, url in enumerate(urls)}
    get, next_url = pages_of(following)
    read: list[str] = []
    refusal = ""
    try:
        for response in walk(get, urls[start], next_url=next_url):
            read.append(response.url)
    except BrokeContract as fault:
        refusal = str(fault)
    beyond = following[read[-1]]
    assert (beyond in read and "circle" in refusal) if refusal else beyond is None
    assert len(read) == len(set(read))


@pytest.mark.parametrize(
    "foreign",
    ["http://lms.example/2", "https://evil.example/2", "https://lms.example:8443/2", "https://lms.example.evil/2"],
)
def test_a_next_page_elsewhere_is_never_asked_for(foreign: str) -> None:
    asked: list[str] = []

    def get(url: str) -> Response:
        asked.append(url)
        return answer(url=url)

    with pytest.raises(BrokeContract, match="stays on its own host"):
        list(walk(get, HERE, next_url=lambda _response: foreign))
    assert asked == [HERE]


def test_the_default_port_and_the_case_of_a_host_make_no_foreigner() -> None:
    following = {HERE: "https://LMS.example:443/2", "https://LMS.example:443/2": None}
    get, next_url = pages_of(following)
    assert len(list(walk(get, HERE, next_url=next_url))) == 2


def test_too_many_pages_are_refused() -> None:
    numbers = iter(range(100))
    with pytest.raises(BrokeContract, match="more than 5 pages"):
        list(walk(lambda u: answer(url=u), HERE, next_url=lambda _r: f"{HERE}&p={next(numbers)}", max_pages=5))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "17"}, 17),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "1.2"}, 2),
        ({"retry-after": "99999999"}, 86_400),
        ({"retry-after": "Tue, 01 Sep 2026 12:00:30 GMT"}, 30),
        ({"retry-after": "Tue, 01 Sep 2026 11:00:00 GMT"}, 1),
        ({"retry-after": "Tue, 01 Sep 2026 13:00:00 +0200"}, 1),
        ({"x-ratelimit-reset": str(int(NOW.timestamp()) + 42)}, 42),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({}, None),
    ],
)
def test_the_wait_is_read_in_seconds_and_as_a_date(headers: dict[str, str], seconds: int | None) -> None:
    assert retry_after_s(Response(status=429, url=HERE, headers=headers), now=NOW) == seconds


def test_statuses_become_what_the_caller_should_do() -> None:
    for status in (401, 403):
        with pytest.raises(RejectedCredentials):
            answer_or_fault(answer(status), now=NOW)
    for status in (429, 503):
        with pytest.raises(RateLimited) as limited:
            answer_or_fault(answer(status, retry_after="9"), now=NOW)
        assert limited.value.retry_after_s == 9
    with pytest.raises(RateLimited) as limited:
        answer_or_fault(answer(429), now=NOW)
    assert limited.value.retry_after_s == 60
    for status in (500, 502, 503, 504, 599):
        with pytest.raises(Unavailable):
            answer_or_fault(answer(status), now=NOW)
    for status in (200, 204, 301, 400, 404, 409, 410, 422):
        assert answer_or_fault(answer(status), now=NOW).status == status
    assert answer_or_fault(answer(403), now=NOW, accept=[403]).status == 403


def test_a_body_that_is_not_json_is_told_without_the_body() -> None:
    for body in (b"", b'{"name": "Ada"', b"<html>Ada</html>", b"\xff\xfe", b"[" * 200_000):
        with pytest.raises(BrokeContract) as broken:
            Response(status=200, url=HERE, body=body).json()
        assert "Ada" not in str(broken.value)
        assert "rlid" not in str(broken.value)
        assert broken.value.__cause__ is None


def test_a_credential_is_given_to_its_own_hosts_alone() -> None:
    bearer = Authorization.bearer("t0ken", hosts={"api.example", "lms.example:8443"})
    assert bearer.header_for("https://API.example:443/x") == "Bearer t0ken"
    assert bearer.header_for("https://lms.example:8443/x") == "Bearer t0ken"
    for url in ("https://lms.example/x", "https://api.example.evil/x", "https://api.example:8443/", "https://[bad"):
        with pytest.raises(BrokeContract):
            bearer.header_for(url)
    assert "t0ken" not in repr(bearer)
    assert Authorization.basic("user", "pass", hosts={"api.example"}).header_for("https://api.example/") == (
        "Basic dXNlcjpwYXNz"
    )


def test_a_host_is_shown_without_the_rest_of_the_address() -> None:
    assert host_of("https://u:p@Lms.Example:443/path?token=1") == "lms.example"
    assert host_of("http://[::1]:8001/") == "[::1]:8001"
