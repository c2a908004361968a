"""Which lesson a launch opens (design 6.3): what target_link_uri names, else the custom parameter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID

LESSON_PATH = re.compile(r"/lessons/([A-Za-z0-9][A-Za-z0-9_.-]{0,99})/?")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A lesson, and one activity of it or the empty text; `item_id` where the picker made the link."""

    lesson_id: str
    activity_id: str
    item_id: UUID | None = None


def wanted_item(target_link_uri: str, custom: Mapping[str, str]) -> UUID | None:
    """The deep link item that a launch names, by its custom parameter or else by the address."""
    query = parse_qs(urlsplit(_once_encoded(target_link_uri)).query)
    for given in (custom.get("item", ""), query.get("item", [""])[0]):
        try:
            return UUID(given)
        except ValueError:
            continue
    return None


def _once_encoded(uri: str) -> str:
    """An address that a platform has encoded twice on its way (Canvas does), as it was."""
    return unquote(uri) if "%25" in uri or "%3F" in uri.upper() else uri


def wanted(target_link_uri: str, custom: Mapping[str, str], base_path: str) -> Wanted | None:
    """The lesson that a launch names, or None; `base_path` is the path of BASE_URL ("" at a host's root)."""
    parts = urlsplit(_once_encoded(target_link_uri))
    match = LESSON_PATH.fullmatch(parts.path.removeprefix(base_path))
    if match:
        given = parse_qs(parts.query).get("activity", [""])[0] or custom.get("activity_id", "")
        return Wanted(lesson_id=match[1], activity_id=given if NAME.fullmatch(given) else "")
    lesson_id = custom.get("lesson_id", "")
    if not NAME.fullmatch(lesson_id):
        return None
    given = custom.get("activity_id", "")
    return Wanted(lesson_id=lesson_id, activity_id=given if NAME.fullmatch(given) else "")


def completed(named: Wanted | None, known: Wanted | None) -> Wanted | None:
    """What a link names, with what is known of it where the link has lost its item or even its lesson.

    A link that names a lesson as a whole, and was made by the picker for an activity of that lesson, has lost the rest
    of its address.
    """
    if named is None:
        return known
    cut = known is not None and known.item_id is not None and known.lesson_id == named.lesson_id
    return known if cut and not named.activity_id else named
