"""Which addresses this server may call: https and public, but for the exact exceptions in INSECURE_HOSTS."""

from __future__ import annotations

import ipaddress
import queue
import re
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from lti_server.providers.errors import BrokeContract, Unavailable

Resolver = Callable[[str, int], Sequence[str]]
"""Host and port to numeric addresses; raises OSError when there is none."""

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_SPECIAL: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "2001::/23", "3fff::/20", "5f00::/16", "fec0::/10")
)
"""Special-purpose blocks that `is_global` calls global in some releases of Python."""

_HOST: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?")
_LOOKS_NUMERIC: Final = re.compile(r"(0[xX][0-9A-Fa-f]*|\d+)")
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


def system_resolver(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressGuard:
    """`insecure_hosts` are exact `host:port` that may be plain http or private (design 6.1)."""

    insecure_hosts: frozenset[str] = frozenset()
    resolver: Resolver = system_resolver

    def check_url(self, url: str) -> None:
        """Refuse what no lookup can make good: the scheme, a user name, a host in a disguise.

        Raises:
            BrokeContract: the address may not be called. The message names the host alone.
        """
        if re.search(r"[\x00-\x20\x7f\\]", url):
            raise BrokeContract("An address with blanks, backslashes or control characters is not called.")
        try:
            parts = urlsplit(url)
            port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
        except ValueError:
            raise BrokeContract("An address that cannot be read is not called.") from None
        host = (parts.hostname or "").lower()
        if parts.scheme not in _DEFAULT_PORTS or not host:
            raise BrokeContract("An address must begin with https:// and name a host.")
        if "@" in parts.netloc:
            raise BrokeContract(f"An address with a user name in it is not called ({host}).")
        if parts.scheme == "http" and not self.excepts(host, port):
            raise BrokeContract(f"{host} is not called, because its address is not https.")
        _check_spelling(host)

    def excepts(self, host: str, port: int) -> bool:
        shown = f"[{host}]" if ":" in host else host
        return f"{shown.lower()}:{port}" in self.insecure_hosts

    def addresses(self, host: str, port: int, *, plain: bool, within_s: float) -> list[str]:
        """The numeric addresses to connect to. All of them must be public, or none is used.

        Raises:
            BrokeContract: http, or any address that is not public, without an exception for this host and port.
            Unavailable: the name has no address, or the lookup took longer than `within_s` seconds.
        """
        excepted = self.excepts(host, port)
        if plain and not excepted:
            raise BrokeContract(f"{host} is not called, because its address is not https.")
        found = _resolve_within(self.resolver, host, port, within_s)
        if not excepted and not all(is_public(address) for address in found):
            raise BrokeContract(
                f"{host} is not called, because it is not on the public internet. "
                f"If that is meant, add {host}:{port} to LTI_SERVER_INSECURE_HOSTS."
            )
        return found


def is_public(address: str) -> bool:
    """Whether a numeric address can only mean a host on the public internet (IANA special-purpose registries).

    An IPv6 address that carries an IPv4 address (mapped, 6to4, NAT64) is as public as that one.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    inner = _carried(ip)
    if inner is not None:
        return is_public(str(inner))
    unfit = ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback or ip.is_link_local
    zoned = isinstance(ip, ipaddress.IPv6Address) and ip.scope_id is not None
    return ip.is_global and not unfit and not zoned and not any(ip in block for block in _SPECIAL)


def _carried(ip: IpAddress) -> ipaddress.IPv4Address | None:
    if isinstance(ip, ipaddress.IPv4Address):
        return None
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


def _check_spelling(host: str) -> None:
    """An IPv4 address in decimal, octal, hexadecimal or short form is refused, whatever it means."""
    if ":" in host:
        return
    if not _HOST.fullmatch(host):
        raise BrokeContract("A host name must be ASCII letters, digits, dots and hyphens.")
    if not _LOOKS_NUMERIC.fullmatch(host.rstrip(".").rpartition(".")[2]):
        return
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        raise BrokeContract(f"{host} is not a usual way to write an address; it is not called.") from None


def _resolve_within(resolver: Resolver, host: str, port: int, within_s: float) -> list[str]:
    """A lookup cannot be interrupted, so it runs aside and is abandoned when its time is over."""
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(list(resolver(host, port)))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=look_up, name="lookup", daemon=True).start()
    try:
        answer = answers.get(timeout=max(0.0, within_s))
    except queue.Empty:
        raise Unavailable(f"The address of {host} was not found in time. Try again later.") from None
    if isinstance(answer, Exception) or not answer:
        raise Unavailable(f"{host} has no address. Check its spelling, or try again later.")
    return answer
