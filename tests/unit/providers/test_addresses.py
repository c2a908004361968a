"""What the outbound guard refuses before and after the lookup of a name."""

import threading

import pytest

from lti_server.providers import BrokeContract, Unavailable
from lti_server.providers.addresses import AddressGuard, is_public

PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8", "64:ff9b::808:808"]
NOT_PUBLIC = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1",
    "169.254.169.254", "192.0.0.8", "192.88.99.1", "192.0.2.1", "198.18.0.1", "203.0.113.7", "224.0.0.1",
    "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1",
    "fd12::1", "ff02::1", "2001:db8::1", "100::1", "5f00::1", "3fff::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "2002:7f00:1::", "2002:a00:1::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "2001::1", "not an address", "",
]  # fmt: skip

REFUSED_URLS = [
    "http://school.example/", "ftp://school.example/", "file:///etc/passwd", "//school.example/", "school.example",
    "https://", "https:///path", "https://user@school.example/", "https://user:secret@school.example/",
    "https://school.example@evil.example/", "https://school.example:70000/", "https://school.example:x/",
    "https://2130706433/", "https://0177.0.0.1/", "https://0x7f.0.0.1/", "https://0x7f000001/", "https://127.1/",
    "https://127.0.1/", "https://010.0.0.1/", "https://1.2.3.4.5/", "https://256.1.1.1/", "https://1.2.3.0x4/",
    "https://school.example\\@evil.example/", "https://school.example/\r\nX: y", "https://school .example/",
    "https://\u2488\u2488.example/", "https://sch\u00f6\u00f6l.example/", "https://-x_.example;/", "https://[::1",
]  # fmt: skip


def guard(*addresses: str, insecure: str = "") -> AddressGuard:
    hosts = frozenset([insecure] if insecure else [])
    return AddressGuard(insecure_hosts=hosts, resolver=lambda _host, _port: list(addresses))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_on_the_public_internet_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_a_url_in_disguise_is_refused_before_any_lookup(url: str) -> None:
    with pytest.raises(BrokeContract):
        guard("8.8.8.8").check_url(url)


@pytest.mark.parametrize(
    "url",
    ["https://school.example/a?b=c#d", "https://SCHOOL.example:8443/", "https://8.8.8.8/", "https://x_y.example./"],
)
def test_an_https_address_with_a_plain_host_passes_the_first_check(url: str) -> None:
    guard("8.8.8.8").check_url(url)


def test_a_refusal_names_no_password() -> None:
    with pytest.raises(BrokeContract) as refused:
        guard("8.8.8.8").check_url("https://user:hunter2@school.example/?code=abc")
    assert "hunter2" not in str(refused.value)
    assert "abc" not in str(refused.value)


def test_one_private_answer_among_public_ones_refuses_them_all() -> None:
    with pytest.raises(BrokeContract, match="not on the public internet"):
        guard("8.8.8.8", "10.0.0.1").addresses("school.example", 443, plain=False, within_s=1)


def test_all_public_answers_are_given_in_order() -> None:
    found = guard("8.8.8.8", "2606:2800::1").addresses("school.example", 443, plain=False, within_s=1)
    assert found == ["8.8.8.8", "2606:2800::1"]


def test_an_exception_is_for_that_host_and_port_alone() -> None:
    allowing = guard("127.0.0.1", insecure="localhost:8001")
    assert allowing.addresses("localhost", 8001, plain=True, within_s=1) == ["127.0.0.1"]
    assert allowing.addresses("LOCALHOST", 8001, plain=False, within_s=1) == ["127.0.0.1"]
    for host, port in [("localhost", 8002), ("127.0.0.1", 8001), ("localhost.example", 8001)]:
        with pytest.raises(BrokeContract):
            allowing.addresses(host, port, plain=False, within_s=1)
    allowing.check_url("http://localhost:8001/x")
    with pytest.raises(BrokeContract, match="not https"):
        allowing.check_url("http://localhost:8002/x")


def test_an_exception_may_be_an_ipv6_address() -> None:
    guard("::1", insecure="[::1]:8001").check_url("http://[::1]:8001/")


def test_plain_http_is_refused_again_when_connecting() -> None:
    with pytest.raises(BrokeContract, match="not https"):
        guard("8.8.8.8").addresses("school.example", 80, plain=True, within_s=1)


def test_a_name_without_address_is_unavailable() -> None:
    def nothing(_host: str, _port: int) -> list[str]:
        raise OSError("no such host")

    def empty(_host: str, _port: int) -> list[str]:
        return []

    for resolver in (nothing, empty):
        with pytest.raises(Unavailable, match="has no address"):
            AddressGuard(resolver=resolver).addresses("school.example", 443, plain=False, within_s=1)


def test_a_lookup_that_hangs_is_abandoned() -> None:
    release = threading.Event()

    def hang(_host: str, _port: int) -> list[str]:
        release.wait(30)
        return ["8.8.8.8"]

    with pytest.raises(Unavailable, match="not found in time"):
        AddressGuard(resolver=hang).addresses("school.example", 443, plain=False, within_s=0.05)
    release.set()
