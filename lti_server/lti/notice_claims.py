"""What the Platform Notification Service says: in a launch where it is, and in a notice what happened (PNS 1.0)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lti_server.errors import LaunchRejected
from lti_server.lti.history import LONGEST_ID, ORIGIN_CONTEXTS, origin_ids

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
SCOPE = "https://purl.imsglobal.org/spec/lti/scope/noticehandlers"
HELLO, CONTEXT_COPY = "LtiHelloWorldNotice", "LtiContextCopyNotice"
HANDLED = (CONTEXT_COPY, HELLO)
LONGEST_URL = 2_000
MOST_TYPES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeService:
    """Where a deployment's notices are asked for, and which of those that are handled here it sends."""

    url: str
    notice_types: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice that may be acted upon. `said` holds ids of courses alone; nothing for a type that nobody handles."""

    id: str
    type: str
    said: Mapping[str, Any]


def read_service(claim: object) -> NoticeService | None:
    """The service of a launch, where it has one that this tool may use; a launch opens without, too."""
    if not isinstance(claim, Mapping):
        return None
    url, scopes = claim.get("platform_notification_service_url"), claim.get("scope", [SCOPE])
    if not isinstance(url, str) or not url.startswith(("https://", "http://")) or len(url) > LONGEST_URL:
        return None
    types = claim.get("notice_types_supported")
    if not url.isprintable() or not isinstance(scopes, list) or SCOPE not in scopes or not isinstance(types, list):
        return None
    offered = tuple(one for one in HANDLED if one in types[:MOST_TYPES])
    return NoticeService(url=url, notice_types=offered) if offered else None


def read_notice(claims: Mapping[str, Any]) -> Notice:
    """What happened.

    Raises:
        LaunchRejected: `claims-missing`, `version`, `malformed-claim`.
    """
    missing = [name for name in ("version", "notice") if claims.get(LTI + name) is None]
    if missing:
        raise LaunchRejected("claims-missing", f"The notice lacks what every notice must say: {', '.join(missing)}.")
    if claims[LTI + "version"] != "1.3.0":
        raise LaunchRejected("version", "The LMS sent another version of LTI than 1.3.0.")
    told = claims[LTI + "notice"]
    if not isinstance(told, Mapping):
        raise _malformed("notice")
    found = {name: told.get(name) for name in ("id", "timestamp", "type")}
    for name, value in found.items():
        if not _is_id(value):
            raise _malformed(f"notice.{name}")
    kind = str(found["type"])
    return Notice(id=str(found["id"]), type=kind, said=_copied(claims) if kind == CONTEXT_COPY else {})


def _copied(claims: Mapping[str, Any]) -> dict[str, Any]:
    context = claims.get(LTI + "context")
    if not isinstance(context, Mapping) or not _is_id(context.get("id")):
        raise _malformed("context")
    origins = origin_ids(claims.get(LTI + ORIGIN_CONTEXTS)) or origin_ids(context.get(ORIGIN_CONTEXTS))
    if not origins:
        raise _malformed(ORIGIN_CONTEXTS)
    return {"context": context["id"], "origins": list(origins)}


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isascii() and value.isprintable()


def _malformed(name: str) -> LaunchRejected:
    return LaunchRejected("malformed-claim", f"The notice says something in a form that LTI does not allow: {name}.")
