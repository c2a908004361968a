"""What a platform asks of a picker, and what the picker sends back: pure rules (Deep Linking 2.0)."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote, urlencode

from lti_server.errors import LaunchRejected
from lti_server.lti.claims import LONGEST_URL, LTI
from lti_server.lti.signature import VerifiedClaims

DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
REQUEST = "LtiDeepLinkingRequest"
RESPONSE = "LtiDeepLinkingResponse"
LONGEST_DATA = 16_384
RESPONSE_LIFE = timedelta(minutes=5)
LINK, WEB, FILE, HTML, IMAGE = "ltiResourceLink", "link", "file", "html", "image"
TYPES = (LINK, WEB, HTML, IMAGE, FILE)
MEDIA = {IMAGE: "image/png", FILE: "text/html", HTML: "text/html"}
FRAME, WINDOW = "iframe", "window"
FRAME_SIZE = {"width": 1000, "height": 720}
WINDOW_NAME = "lti-server-lesson"
PICTURE_SIZE = {"width": 640, "height": 360}
ICON_SIZE = {"width": 64, "height": 64}


@dataclass(frozen=True, slots=True, kw_only=True)
class PickerSettings:
    """`deep_linking_settings` as far as they matter here. They stay on this server (2.0, 4.4.1).

    `types` are those that the platform takes and this tool makes, in our order. `takes_line_item` is None where the
    platform did not say. `data` is sent back if and only if it came.
    """

    return_url: str
    types: tuple[str, ...]
    targets: tuple[str, ...]
    multiple: bool
    takes_line_item: bool | None
    data: str | None = field(default=None, repr=False)
    has_data: bool = False

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> PickerSettings:
        lists = {name: tuple(document[name]) for name in ("types", "targets")}
        return cls(**{**document, **lists})


def read_settings(claims: VerifiedClaims) -> PickerSettings:
    """What a deep linking request asks for.

    Raises:
        LaunchRejected: `claims-missing`, `malformed-claim`.
    """
    settings = claims.get(DL + "deep_linking_settings")
    if not isinstance(settings, Mapping):
        raise LaunchRejected("claims-missing", "The LMS did not say what may be chosen: deep_linking_settings.")
    wanted = ("deep_link_return_url", "accept_types", "accept_presentation_document_targets")
    missing = [name for name in wanted if not settings.get(name)]
    if missing:
        raise LaunchRejected("claims-missing", f"The LMS did not say what may be chosen: {', '.join(missing)}.")
    return_url = settings["deep_link_return_url"]
    if not isinstance(return_url, str) or len(return_url) > LONGEST_URL:
        raise _malformed("deep_link_return_url")
    accepted = _texts(settings, "accept_types")
    media = _texts(settings, "accept_media_types") if settings.get("accept_media_types") else None
    data = settings.get("data")
    if data is not None and (not isinstance(data, str) or len(data) > LONGEST_DATA):
        raise _malformed("data")
    return PickerSettings(
        return_url=return_url,
        types=tuple(one for one in TYPES if one in accepted and _takes_media(media, one)),
        targets=tuple(one for one in _texts(settings, "accept_presentation_document_targets") if one.isalnum()),
        multiple=_is_true(settings.get("accept_multiple")),
        takes_line_item=None if settings.get("accept_lineitem") is None else _is_true(settings["accept_lineitem"]),
        data=data,
        has_data=data is not None,
    )


def _texts(settings: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list of texts; the certification suite sends some as one text with commas."""
    found = settings.get(name)
    listed = [part.strip() for part in found.split(",")] if isinstance(found, str) else found
    if not isinstance(listed, list) or len(listed) > 100 or not all(isinstance(one, str) for one in listed):
        raise _malformed(name)
    return tuple(one for one in listed if one)


def _takes_media(accepted: tuple[str, ...] | None, kind: str) -> bool:
    """Media types are about files and images; a platform that names none takes any (2.0, 4.4.1)."""
    if accepted is None or kind not in (IMAGE, FILE):
        return True
    return any(fnmatchcase(MEDIA[kind], one.lower()) for one in accepted)


def _is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _malformed(name: str) -> LaunchRejected:
    return LaunchRejected("malformed-claim", f"The launch says something in a form that LTI does not allow: {name}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A lesson or one activity of it, as the course will show it. `picture` is the path of a PNG, or None."""

    lesson_id: str
    activity_id: str
    title: str
    text: str
    picture: str | None

    @property
    def resource_id(self) -> str:
        """How its grade column is found again (AGS 2.0, 3.2.5)."""
        return f"{self.lesson_id}/{self.activity_id}" if self.activity_id else self.lesson_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the teacher wants the chosen things in the course. `points` None makes no column.

    Times come without a zone from a form, and are aware in a content item.
    """

    kind: str
    target: str = ""
    points: float | None = None
    available_from: datetime | None = None
    available_until: datetime | None = None
    due: datetime | None = None


def content_item(
    shown: Shown, item_id: str, options: Options, settings: PickerSettings, base_url: str
) -> dict[str, Any]:
    """One content item of the chosen type (Deep Linking 2.0, 3).

    The address alone opens exactly this item, and so do the custom parameters alone: each may get lost on its way
    through a course copy. Custom values are texts.
    """
    made = {
        LINK: _resource_link, WEB: _web_link, HTML: _html_fragment, IMAGE: _image, FILE: _file,
    }[options.kind](shown, item_id, options, settings, base_url)  # fmt: skip
    return {"type": options.kind, "title": shown.title, **made}


def lesson_url(shown: Shown, base_url: str, **more: str) -> str:
    """Where a lesson or activity is played."""
    query = {**({"activity": shown.activity_id} if shown.activity_id else {}), **more}
    return f"{base_url}/lessons/{quote(shown.lesson_id)}" + (f"?{urlencode(query)}" if query else "")


def _resource_link(
    shown: Shown, item_id: str, options: Options, settings: PickerSettings, base_url: str
) -> dict[str, Any]:
    custom = {"lesson_id": shown.lesson_id, "item": item_id}
    if shown.activity_id:
        custom["activity_id"] = shown.activity_id
    item: dict[str, Any] = {
        "url": lesson_url(shown, base_url, item=item_id),
        "text": shown.text,
        "custom": custom,
        **_pictures(shown, base_url),
        **_presentation(options, settings),
    }
    if options.points is not None and settings.takes_line_item is not False:
        item["lineItem"] = {
            "label": shown.title, "scoreMaximum": options.points, "resourceId": shown.resource_id, "tag": "lesson",
        }  # fmt: skip
    available = _window(options.available_from, options.available_until)
    if available:
        item["available"] = available
    if options.due is not None:
        item["submission"] = _window(None, options.due)
    return item


def _web_link(shown: Shown, item_id: str, options: Options, settings: PickerSettings, base_url: str) -> dict[str, Any]:
    return {
        "url": lesson_url(shown, base_url),
        "text": shown.text,
        **_pictures(shown, base_url),
        **_presentation(options, settings),
    }


def _html_fragment(
    shown: Shown, item_id: str, options: Options, settings: PickerSettings, base_url: str
) -> dict[str, Any]:
    address, title, text = (html.escape(one) for one in (lesson_url(shown, base_url), shown.title, shown.text))
    return {"html": f'<p><a href="{address}">{title}</a></p><p>{text}</p>', "text": shown.text}


def _image(shown: Shown, item_id: str, options: Options, settings: PickerSettings, base_url: str) -> dict[str, Any]:
    return {"url": f"{base_url}{shown.picture}", "text": shown.text, **PICTURE_SIZE}


def _file(shown: Shown, item_id: str, options: Options, settings: PickerSettings, base_url: str) -> dict[str, Any]:
    return {
        "url": f"{base_url}/lessons/{quote(shown.lesson_id)}/sheet",
        "text": shown.text,
        "mediaType": MEDIA[FILE],
    }


def _pictures(shown: Shown, base_url: str) -> dict[str, Any]:
    icon = {"icon": {"url": f"{base_url}/static/icon.png", **ICON_SIZE}}
    if shown.picture is None:
        return icon
    return {**icon, "thumbnail": {"url": f"{base_url}{shown.picture}", **PICTURE_SIZE}}


def _presentation(options: Options, settings: PickerSettings) -> dict[str, Any]:
    """A frame or window with its size, only where the platform takes it and the teacher asked for it."""
    if options.target not in settings.targets:
        return {}
    if options.target == FRAME:
        return {"iframe": dict(FRAME_SIZE)}
    if options.target == WINDOW:
        return {"window": {"targetName": WINDOW_NAME, **FRAME_SIZE}}
    return {}


def _window(start: datetime | None, end: datetime | None) -> dict[str, str]:
    times = {"startDateTime": start, "endDateTime": end}
    return {name: at.isoformat(timespec="seconds") for name, at in times.items() if at is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the LMS may show its reader (`msg`, `errormsg`) and keep in its log (`log`, `errorlog`)."""

    msg: str = ""
    log: str = ""
    errormsg: str = ""
    errorlog: str = ""


def response_claims(
    *,
    issuer: str,
    client_id: str,
    deployment_id: str,
    settings: PickerSettings,
    items: Sequence[Mapping[str, Any]],
    told: Told,
    nonce: str,
    now: datetime,
) -> dict[str, Any]:
    """The claims of a deep linking response (2.0, 4.5). No items: nothing was chosen."""
    claims: dict[str, Any] = {
        "iss": client_id,
        "aud": issuer,
        "iat": int(now.timestamp()),
        "exp": int((now + RESPONSE_LIFE).timestamp()),
        "nonce": nonce,
        LTI + "message_type": RESPONSE,
        LTI + "version": "1.3.0",
        LTI + "deployment_id": deployment_id,
        DL + "content_items": list(items),
        **{DL + name: text for name, text in asdict(told).items() if text},
    }
    if settings.has_data:
        claims[DL + "data"] = settings.data
    return claims
