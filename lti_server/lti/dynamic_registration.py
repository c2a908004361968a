"""The rules of LTI Dynamic Registration 1.0 for a tool: whom to believe, what to ask for, what to read. All pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from lti_server.errors import InvalidInput, NotAllowed, ProviderFailed
from lti_server.lti.platform_profiles import by_issuer, family_code, for_registration
from lti_server.lti.tool_description import CLAIMS, MESSAGES, NAME, Tool, custom_of, scopes_of
from lti_server.providers.wire import host_of

PLATFORM_CONFIGURATION = "https://purl.imsglobal.org/spec/lti-platform-configuration"
TOOL_CONFIGURATION = "https://purl.imsglobal.org/spec/lti-tool-configuration"
LONGEST_URL = 2_000
LONGEST_ID = 255
LONGEST_TOKEN = 8_192
UrlCheck = Callable[[str], None]
"""Raises `ValueError` where an address may not be called (the outbound guard)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformConfiguration:
    """What the configuration of a platform says, checked. `placements` are by message type, None where not listed.

    `variables` is None where the platform does not list them.
    """

    issuer: str
    auth_login_url: str
    auth_token_url: str
    jwks_url: str
    registration_url: str
    token_audience: str | None
    product: str
    scopes: tuple[str, ...]
    claims: tuple[str, ...]
    placements: Mapping[str, frozenset[str] | None]
    variables: frozenset[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the platform made of the registration. The deployment may come later."""

    client_id: str
    deployment_id: str | None


def check_asked(url: str, token: str | None, check_url: UrlCheck) -> None:
    """Whether what the platform put into the link may be used at all.

    Raises:
        InvalidInput: no address of a configuration, one that may not be called, or a token that cannot be one.
    """
    if not url:
        raise InvalidInput(
            "This link is for your LMS, not for a browser. Paste it where the LMS registers a tool by itself "
            "(dynamic registration); the LMS then opens this page with what is missing here."
        )
    if not _callable(url, check_url):
        raise InvalidInput(
            "The LMS gave an address of its configuration that this server does not call: it must begin with https:// "
            "and be on the public internet. Register the LMS by hand if it cannot be reached from there."
        )
    if token is not None and not (len(token) <= LONGEST_TOKEN and re.fullmatch(r"[\x21-\x7e]+", token)):
        raise InvalidInput("The LMS gave a registration token that cannot be one. Begin again in the LMS.")


def read_configuration(document: object, url: str, check_url: UrlCheck, *, with_token: bool) -> PlatformConfiguration:
    """The platform's OpenID configuration, which was read from `url` (LTI Dynamic Registration 1.0, 3.4).

    Raises:
        ProviderFailed: it is not one, or lacks what must be there.
        NotAllowed: the issuer or an endpoint is on a host that this configuration does not speak for.
    """
    if not isinstance(document, dict):
        raise _not_a_configuration()
    issuer = _issuer(document, url)
    endpoints = {
        name: _endpoint(document, name, check_url)
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint")
    }
    _check_registration_host(endpoints["registration_endpoint"], issuer, url, with_token=with_token)
    _check_methods(document)
    own = document.get(PLATFORM_CONFIGURATION)
    own = own if isinstance(own, dict) else {}
    product = family_code(own.get("product_family_code"))
    wanted = scopes_of(for_registration(issuer, product))
    return PlatformConfiguration(
        issuer=issuer,
        auth_login_url=endpoints["authorization_endpoint"],
        auth_token_url=endpoints["token_endpoint"],
        jwks_url=endpoints["jwks_uri"],
        registration_url=endpoints["registration_endpoint"],
        token_audience=_audience(document.get("authorization_server"), endpoints["token_endpoint"]),
        product=product,
        scopes=tuple(scope for scope in wanted if scope in _texts(document.get("scopes_supported"))),
        claims=tuple(claim for claim in CLAIMS if claim in _texts(document.get("claims_supported"))),
        placements=_messages(own.get("messages_supported")),
        variables=frozenset(_texts(own["variables"])) if isinstance(own.get("variables"), list) else None,
    )


def registration_body(tool: Tool, platform: PlatformConfiguration) -> dict[str, Any]:
    """What the tool registers itself with: of all that it can use, what the platform says it supports."""
    vendor = for_registration(platform.issuer, platform.product)
    custom = {
        name: value
        for name, value in custom_of(vendor).items()
        if platform.variables is None or value.removeprefix("$") in platform.variables
    }
    messages = []
    for kind, label in MESSAGES.items():
        if kind in platform.placements:
            message: dict[str, Any] = {"type": kind, "target_link_uri": tool.launch_url, "label": label}
            offered = platform.placements[kind] or frozenset()
            wanted = [placement for placement in vendor.placements.get(kind, ()) if placement in offered]
            messages.append({**message, "placements": wanted} if wanted else message)
    return {
        "application_type": "web",
        "response_types": ["id_token"],
        "grant_types": ["implicit", "client_credentials"],
        "initiate_login_uri": tool.login_url,
        "redirect_uris": [tool.launch_url],
        "client_name": NAME,
        "jwks_uri": tool.jwks_url,
        "logo_uri": tool.icon_url,
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": " ".join(platform.scopes),
        TOOL_CONFIGURATION: {
            "domain": tool.domain,
            "target_link_uri": tool.launch_url,
            "claims": list(platform.claims),
            "custom_parameters": custom,
            "messages": messages,
            **vendor.configuration,
        },
    }


def read_answer(document: object) -> Answer:
    """What the platform answers a registration with (LTI Dynamic Registration 1.0, 3.6).

    Raises:
        ProviderFailed: there is no client id in it.
    """
    client_id = _identifier(document.get("client_id")) if isinstance(document, dict) else None
    if client_id is None:
        raise ProviderFailed(
            "The LMS answered the registration without a client id. Nothing was kept here. This link still works, but "
            "look in the LMS first whether it made an entry for this tool, and delete that."
        )
    assert isinstance(document, dict)
    own = document.get(TOOL_CONFIGURATION)
    found = own.get("deployment_id") if isinstance(own, dict) else None
    return Answer(client_id=client_id, deployment_id=_identifier(found) or _identifier(document.get("deployment_id")))


def _issuer(document: Mapping[str, Any], url: str) -> str:
    """The issuer, if the host that the configuration came from may speak for it (3.5.1)."""
    issuer = document.get("issuer")
    if not isinstance(issuer, str) or not 0 < len(issuer) <= LONGEST_ID or not issuer.isprintable():
        raise _not_a_configuration()
    vendor = by_issuer(issuer)
    split = None if vendor is None else vendor.configuration_hosts
    hosts = {host_of(issuer)} if split is None else split
    if host_of(url) not in hosts or not re.match(r"https?://[^?#@]+\Z", issuer):
        raise NotAllowed(
            "The configuration of the LMS is on one host and names an issuer on another, so it cannot be believed. "
            "Begin again from the LMS's own page; if it stays so, register this LMS by hand."
        )
    return issuer


def _check_registration_host(endpoint: str, issuer: str, url: str, *, with_token: bool) -> None:
    """The token is a key to the LMS: it goes where the configuration is, or where a known vendor has its schools."""
    vendor = by_issuer(issuer)
    if with_token and host_of(endpoint) != host_of(url) and not (vendor is not None and vendor.registers_elsewhere):
        raise NotAllowed(
            "The LMS wants its registration token sent to another host than its own. Nothing was sent there. "
            "Register this LMS by hand, or tell its operator."
        )


def _check_methods(document: Mapping[str, Any]) -> None:
    """What this tool can do must be among what the platform can, where it says so."""
    needed = {
        "response_types_supported": "id_token",
        "id_token_signing_alg_values_supported": "RS256",
        "token_endpoint_auth_methods_supported": "private_key_jwt",
    }
    if any(name in document and wanted not in _texts(document[name]) for name, wanted in needed.items()):
        raise ProviderFailed(
            "The LMS does not offer what LTI 1.3 asks for: id_token as an answer, RS256 as a signature, and "
            "private_key_jwt for services. Ask its operator to switch LTI 1.3 on."
        )


def _endpoint(document: Mapping[str, Any], name: str, check_url: UrlCheck) -> str:
    found = document.get(name)
    if isinstance(found, str) and _callable(found, check_url):
        return found
    match name:
        case "authorization_endpoint":
            raise ProviderFailed(f"The configuration of the LMS has no authorization_endpoint that {_CALLABLE}")
        case "token_endpoint":
            raise ProviderFailed(f"The configuration of the LMS has no token_endpoint that {_CALLABLE}")
        case "jwks_uri":
            raise ProviderFailed(f"The configuration of the LMS has no jwks_uri that {_CALLABLE}")
        case _:
            raise ProviderFailed(f"The configuration of the LMS has no registration_endpoint that {_CALLABLE}")


_CALLABLE = "begins with https:// and is on the public internet. Ask the operator of the LMS to set its address right."


def _callable(url: str, check_url: UrlCheck) -> bool:
    if len(url) > LONGEST_URL or not url.isprintable() or "#" in url:
        return False
    try:
        check_url(url)
    except ValueError:
        return False
    return True


def _audience(given: object, token_url: str) -> str | None:
    """Brightspace names its audience here. Canvas puts a bare host, which its own token endpoint does not take."""
    if not isinstance(given, str) or not 0 < len(given) <= LONGEST_URL or not given.isprintable():
        return None
    return given if _scheme(given) in ("https", "http") and given != token_url else None


def _scheme(text: str) -> str:
    """The scheme of an address, or nothing for what is not one."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return parts.scheme if parts.hostname else ""


def _messages(given: object) -> dict[str, frozenset[str] | None]:
    found: dict[str, frozenset[str] | None] = {}
    for one in given if isinstance(given, list) else []:
        if isinstance(one, dict) and isinstance(one.get("type"), str):
            listed = one.get("placements")
            found[one["type"]] = frozenset(_texts(listed)) if isinstance(listed, list) else None
    return found


def _texts(given: object) -> list[str]:
    return [one for one in given if isinstance(one, str)] if isinstance(given, list) else []


def _identifier(given: object) -> str | None:
    """Some platforms send a number."""
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given) if abs(given) < 10**30 else None
    fits = isinstance(given, str) and 0 < len(given) <= LONGEST_ID and given.isascii() and given.isprintable()
    return given if fits and isinstance(given, str) else None


def _not_a_configuration() -> ProviderFailed:
    return ProviderFailed(
        "What the LMS shows as its configuration cannot be read as one. This link still works: begin again in the LMS, "
        "and if it stays so, register this LMS by hand."
    )
