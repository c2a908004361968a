"""What a lesson is, wherever it is played. Pure: no personal data, no tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

LANGUAGES = ("en", "fr")
FALLBACK = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text in each language that its author gave; English is always there."""

    by_language: Mapping[str, str]

    def within(self, locale: str) -> str:
        """The text in the language of `locale` ("fr", "fr-CA", "fr_CA"), else in English."""
        language = locale.replace("_", "-").partition("-")[0].lower()
        return self.by_language.get(language) or self.by_language[FALLBACK]

    def __str__(self) -> str:
        return self.by_language[FALLBACK]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One puzzle of a lesson. With `written_answer` it asks for words of the pupil's own (sent as `answers`)."""

    id: str
    title: Text
    goal: Text | None = None
    written_answer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GradebookColumn:
    """A further column of an LMS's gradebook: some activities, and how many points all that is asked for gives.

    What is done of `extra_credit` (some of the activities) is added, and is not asked for.
    """

    id: str
    title: Text
    activities: tuple[str, ...]
    extra_credit: tuple[str, ...] = ()
    score_maximum: float = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """What this server's own page needs to play a lesson: a script of ours, its words, a puzzle per activity."""

    module: str
    words: Mapping[str, Text] = field(default_factory=dict)
    puzzles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A lesson of this server (`player`), or one that is played on another site (`url`).

    `extra_hosts` are hosts besides the site's own to which the lesson sends anything. A `no_pii` lesson takes no
    personal field at all (A-03).
    """

    id: str
    title: Text
    summary: Text
    activities: tuple[Activity, ...]
    no_pii: bool = False
    url: str | None = None
    extra_hosts: tuple[str, ...] = ()
    player: Player | None = None
    columns: tuple[GradebookColumn, ...] = ()

    @property
    def origin(self) -> str | None:
        """The one origin that CORS opens to, as browsers spell it; None for a lesson of this server."""
        if self.url is None:
            return None
        parts = urlsplit(self.url)
        default = {"https": 443, "http": 80}[parts.scheme]
        port = "" if parts.port in (None, default) else f":{parts.port}"
        host = parts.hostname or ""
        return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host that must stand among the contract's `subprocessors` before a pupil is sent there."""
        if self.url is None:
            return ()
        return tuple(dict.fromkeys([urlsplit(self.url).hostname or "", *self.extra_hosts]))

    def activity(self, activity_id: str) -> Activity | None:
        return next((activity for activity in self.activities if activity.id == activity_id), None)
