"""What a launch must say, and what it says: pure checks (LTI Core 1.3, 5; IMS Security Framework 1.0, 5.1.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeGuard

from pylti1p3.exception import LtiException
from pylti1p3.message_validators.resource_message import ResourceMessageValidator

from lti_server.errors import LaunchRejected
from lti_server.lti.history import LONGEST_ID, ORIGIN_CONTEXTS, History, history_of
from lti_server.lti.notice_claims import NoticeService, read_service
from lti_server.lti.platform_profiles import family_code
from lti_server.lti.signature import UnverifiedClaims, VerifiedClaims

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
AGS_ENDPOINT = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
NOTICE_SERVICE = LTI + "platformnotificationservice"
NRPS_SERVICE = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
RESOURCE_LINK_REQUEST = "LtiResourceLinkRequest"
# The name that LTI libraries know, and the one that the other messages' names suggest.
DATA_PRIVACY_REQUESTS = ("DataPrivacyLaunchRequest", "LtiDataPrivacyLaunchRequest")
LEEWAY_S = 60
LONGEST_AGE_S = 600
LONGEST_TITLE = 1_000
LONGEST_URL = 2_000
MOST_ROLES = 100

# The personal claims that the collect gate decides about (design 6.4).
PERSONAL_CLAIMS = (
    "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "email", "picture", "locale",
    "birthdate", "gender", "phone_number", "address", "zoneinfo", "profile", "website",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The course of a launch."""

    id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeService:
    """Where grades go: from signed claims alone."""

    scopes: tuple[str, ...]
    lineitems_url: str | None
    lineitem_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A resource link launch that may be acted upon. `personal` has not passed the collect gate."""

    issuer: str
    client_id: str
    deployment_id: str
    subject: str
    roles: tuple[str, ...]
    target_link_uri: str
    resource_link_id: str
    resource_link_title: str
    context: Context | None
    custom: Mapping[str, str]
    history: History
    notice_service: NoticeService | None
    locale: str | None
    grade_service: GradeService | None
    memberships_url: str | None
    product_family: str
    personal: Mapping[str, object]


def check_token(claims: UnverifiedClaims, *, issuer: str, client_id: str, nonce: str, now: datetime) -> VerifiedClaims:
    """The checks on the token itself. Call it once the signature holds.

    Raises:
        LaunchRejected: `issuer`, `audience`, `authorized-party`, `times-missing`, `expired`, `too-old`,
            `not-yet-valid`, `nonce`.
    """
    checked = check_sender(claims, issuer=issuer, client_id=client_id, now=now)
    if claims.get("nonce") != nonce:
        raise LaunchRejected("nonce", "This launch belongs to another sign-in. Open the lesson again from your course.")
    return checked


def check_sender(claims: UnverifiedClaims, *, issuer: str, client_id: str, now: datetime) -> VerifiedClaims:
    """Who sent a token, for whom, and when: all of `check_token` but the nonce, which no notice has.

    Raises:
        LaunchRejected: as `check_token`, without `nonce`.
    """
    if claims.get("iss") != issuer:
        raise LaunchRejected("issuer", "The launch names another LMS than the one that it began with.")
    _check_audience(claims, client_id)
    _check_times(claims, now.timestamp())
    return VerifiedClaims(dict(claims))


def _check_audience(claims: Mapping[str, Any], client_id: str) -> None:
    audience = claims.get("aud")
    listed = [audience] if isinstance(audience, str) else audience
    if not isinstance(listed, list) or client_id not in listed:
        raise LaunchRejected("audience", "The launch was made for another tool (aud).")
    party = claims.get("azp")
    if (party is not None or len(listed) > 1) and party != client_id:
        raise LaunchRejected("authorized-party", "The launch was made for another tool (azp).")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, issued = claims.get("exp"), claims.get("iat")
    if not _is_number(expires) or not _is_number(issued):
        raise LaunchRejected("times-missing", "The launch does not say when it was made or until when it holds.")
    if expires <= now - LEEWAY_S:
        raise LaunchRejected("expired", "This launch has expired. Open the lesson again from your course.")
    if issued < now - LONGEST_AGE_S:
        raise LaunchRejected("too-old", "This launch was made too long ago. Open the lesson again from your course.")
    not_before = claims.get("nbf", issued)
    if issued > now + LEEWAY_S or not _is_number(not_before) or not_before > now + LEEWAY_S:
        raise LaunchRejected("not-yet-valid", "The clock of the LMS is ahead of this server's by more than a minute.")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_message(claims: VerifiedClaims, *, client_id: str, tool_origin: str) -> Launch:
    """The checks on a resource link launch, and what it says.

    Raises:
        LaunchRejected: `claims-missing` (names them), `malformed-claim`, `anonymous`, `target-link-uri`.
    """
    _check_present(claims)
    subject = _subject(claims)
    roles = _roles(claims)
    link = _mapping(claims, LTI + "resource_link")
    try:
        ResourceMessageValidator().validate(claims)
    except LtiException as error:
        raise LaunchRejected("claims-missing", "The launch is not complete.", internal=str(error)) from error
    target = _text(claims, LTI + "target_link_uri", longest=LONGEST_URL)
    if not (target == tool_origin or target.startswith((tool_origin + "/", tool_origin + "?"))):
        raise LaunchRejected("target-link-uri", "The link in the course leads to another site than this tool.")
    return Launch(
        issuer=claims["iss"],
        client_id=client_id,
        deployment_id=_id(claims, LTI + "deployment_id"),
        subject=subject,
        roles=roles,
        target_link_uri=target,
        resource_link_id=_id(link, "id"),
        resource_link_title=_optional_text(link, "title", LONGEST_TITLE),
        context=context_of(claims),
        custom=_custom(claims),
        history=_history(claims),
        notice_service=read_service(claims.get(NOTICE_SERVICE)),
        locale=_locale(claims),
        grade_service=_grade_service(claims),
        memberships_url=_memberships_url(claims),
        product_family=_product_family(claims),
        personal=_personal(claims),
    )


def without_person(claims: VerifiedClaims) -> VerifiedClaims:
    """A launch that names nobody, as if one nameless person sent them all; what is personal in it is left behind."""
    gone = {*PERSONAL_CLAIMS, LTI + "lis", LTI + "roles"}
    kept = {name: value for name, value in claims.items() if name not in gone}
    return VerifiedClaims({**kept, "sub": "anonymous", LTI + "roles": []})


def message_type(claims: VerifiedClaims) -> str:
    """What the message asks for, once version and type are there.

    Raises:
        LaunchRejected: `claims-missing`, `version`.
    """
    missing = [name for name in ("message_type", "version") if claims.get(LTI + name) is None]
    if missing:
        raise _lacking(missing)
    if claims[LTI + "version"] != "1.3.0":
        raise LaunchRejected("version", "The LMS sent another version of LTI than 1.3.0.")
    return str(claims[LTI + "message_type"])


def roles_of(claims: VerifiedClaims) -> tuple[str, ...]:
    """The roles of a message that may leave them out; none then.

    Raises:
        LaunchRejected: `malformed-claim`.
    """
    return _roles(claims) if claims.get(LTI + "roles") is not None else ()


def locale_of(claims: VerifiedClaims) -> str | None:
    """The language that the LMS shows its pages in (LTI Core 5.4.4), or None."""
    return _locale(claims)


def return_url(claims: VerifiedClaims) -> str | None:
    """Where the LMS wants its reader back (LTI Core 5.4.4), if that is an address of the web."""
    presentation = claims.get(LTI + "launch_presentation")
    found = presentation.get("return_url") if isinstance(presentation, Mapping) else None
    if not isinstance(found, str) or len(found) > LONGEST_URL or not found.isprintable():
        return None
    return found if found.startswith(("https://", "http://")) else None


def _check_present(claims: Mapping[str, Any]) -> None:
    wanted = ("deployment_id", "target_link_uri", "roles", "resource_link")
    missing = [name for name in wanted if claims.get(LTI + name) is None]
    if missing:
        raise _lacking(missing)


def _lacking(names: Sequence[str]) -> LaunchRejected:
    return LaunchRejected("claims-missing", f"The launch lacks what every launch must say: {', '.join(names)}.")


def _subject(claims: Mapping[str, Any]) -> str:
    """LTI Core 5.3.6: absent is an anonymous launch, empty is a fault."""
    if "sub" not in claims:
        raise LaunchRejected(
            "anonymous",
            "The LMS did not say who is opening the lesson. Anonymous launches are switched off for this course.",
        )
    return _id(claims, "sub")


def _roles(claims: Mapping[str, Any]) -> tuple[str, ...]:
    roles = claims[LTI + "roles"]
    if not isinstance(roles, list) or len(roles) > MOST_ROLES or not all(isinstance(r, str) for r in roles):
        raise _malformed("roles")
    return tuple(roles)


def context_of(claims: Mapping[str, Any]) -> Context | None:
    if claims.get(LTI + "context") is None:
        return None
    context = _mapping(claims, LTI + "context")
    context_id = _id(context, "id")
    title = _optional_text(context, "title", LONGEST_TITLE) or _optional_text(context, "label", LONGEST_TITLE)
    return Context(id=context_id, title=title)


def _custom(claims: Mapping[str, Any]) -> dict[str, str]:
    """Custom parameters that have a value: an unexpanded `$Variable` is not available (LTI Core 6.1, note)."""
    if claims.get(LTI + "custom") is None:
        return {}
    return {
        name: str(value)
        for name, value in _mapping(claims, LTI + "custom").items()
        if isinstance(value, (str, int)) and not str(value).startswith("$") and len(str(value)) <= LONGEST_TITLE
    }


def _history(claims: Mapping[str, Any]) -> History:
    """Platforms say `origin_contexts` beside the context, in it, or with the notification service."""
    holders = (claims.get(LTI + "context"), claims.get(NOTICE_SERVICE))
    said = [claims.get(LTI + ORIGIN_CONTEXTS), *(one.get(ORIGIN_CONTEXTS) for one in holders if isinstance(one, dict))]
    return history_of(said, claims.get(LTI + "custom"))


def _locale(claims: Mapping[str, Any]) -> str | None:
    presentation = claims.get(LTI + "launch_presentation")
    found = presentation.get("locale") if isinstance(presentation, Mapping) else None
    return found if isinstance(found, str) and len(found) <= 35 else None


def _grade_service(claims: Mapping[str, Any]) -> GradeService | None:
    if claims.get(AGS_ENDPOINT) is None:
        return None
    endpoint = _mapping(claims, AGS_ENDPOINT)
    scopes = endpoint.get("scope", [])
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise _malformed("lti-ags endpoint")
    return GradeService(
        scopes=tuple(sorted(set(scopes))),
        lineitems_url=_optional_text(endpoint, "lineitems", LONGEST_URL) or None,
        lineitem_url=_optional_text(endpoint, "lineitem", LONGEST_URL) or None,
    )


def _memberships_url(claims: Mapping[str, Any]) -> str | None:
    if claims.get(NRPS_SERVICE) is None:
        return None
    return _optional_text(_mapping(claims, NRPS_SERVICE), "context_memberships_url", LONGEST_URL) or None


def _product_family(claims: Mapping[str, Any]) -> str:
    """What the platform is (LTI Core 5.4.3), or nothing: it is optional, and no launch hangs on it."""
    platform = claims.get(LTI + "tool_platform")
    return family_code(platform.get("product_family_code")) if isinstance(platform, Mapping) else ""


def _personal(claims: Mapping[str, Any]) -> dict[str, object]:
    found: dict[str, object] = {name: claims[name] for name in PERSONAL_CLAIMS if name in claims}
    lis = claims.get(LTI + "lis")
    if isinstance(lis, Mapping) and "person_sourcedid" in lis:
        found["lis.person_sourcedid"] = lis["person_sourcedid"]
    found["sub"] = claims["sub"]
    return found


def _mapping(claims: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = claims.get(name)
    if not isinstance(found, Mapping):
        raise _malformed(name.rsplit("/", 1)[-1])
    return found


def _id(claims: Mapping[str, Any], name: str) -> str:
    found = opaque_id(claims.get(name))
    if found is None:
        raise _malformed(name.rsplit("/", 1)[-1])
    return found


def opaque_id(found: object) -> str | None:
    """An id as LTI has them (Core 5.3.4, 5.4.1), 1 to 255 printable ASCII characters; None for what is no such id."""
    if not isinstance(found, str) or not 0 < len(found) <= LONGEST_ID or not found.isascii() or not found.isprintable():
        return None
    return found


def _text(claims: Mapping[str, Any], name: str, *, longest: int) -> str:
    found = claims.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= longest or "\x00" in found:
        raise _malformed(name.rsplit("/", 1)[-1])
    return found


def _optional_text(claims: Mapping[str, Any], name: str, longest: int) -> str:
    found = claims.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise _malformed(name)
    # JSON can carry half of a surrogate pair, which is no text: neither a database nor a page could take it.
    return found.replace("\x00", "").encode(errors="ignore").decode().strip()[:longest]


def _malformed(name: str) -> LaunchRejected:
    return LaunchRejected("malformed-claim", f"The launch says something in a form that LTI does not allow: {name}.")
