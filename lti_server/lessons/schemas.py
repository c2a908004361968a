"""The YAML file of `lesson add` and `LESSONS_FILE`: read whole, or refused whole with every fault named."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import yaml
from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from lti_server.errors import InvalidInput
from lti_server.lessons.model import FALLBACK, LANGUAGES, Activity, GradebookColumn, Lesson, Player, Text

FILE_BYTES = 256 * 1024
ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
MOST_COLUMNS = 20
MOST_POINTS = 10_000
WRONG_FILE = "The lesson file was not added: it has faults. Put each right and add it again; nothing was changed."


def _named() -> fields.String:
    message = "must be lower-case letters, digits and inner hyphens, at most 64."
    return fields.String(required=True, validate=validate.Regexp(rf"\A{ID.pattern}\Z", error=message))


class Translated(fields.Field[dict[str, str]]):
    """A text (meant as English), or a mapping from "en" and "fr" to texts; "en" is required."""

    def __init__(self, *, longest: int, required: bool = False) -> None:
        super().__init__(required=required)
        self._longest = longest

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, str]:
        texts = {FALLBACK: value} if isinstance(value, str) else value
        if not isinstance(texts, dict):
            raise ValidationError("must be a text, or one text for each language (en, fr).")
        faults = {str(key): ["is not a language of this server (en, fr)."] for key in texts if key not in LANGUAGES}
        if FALLBACK not in texts:
            faults[FALLBACK] = ["is missing; every text has an English form."]
        for language in LANGUAGES:
            text = texts.get(language, "-")
            if not isinstance(text, str) or not text.strip():
                faults[language] = ["must be a text that is not empty."]
            elif len(text) > self._longest:
                faults[language] = [f"is longer than {self._longest} characters."]
        if faults:
            raise ValidationError(faults)
        return {language: " ".join(text.split()) for language, text in texts.items()}


class Flag(fields.Boolean):
    """true or false, and nothing that only looks like it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("must be true or false.")
        return value


class ActivitySchema(Schema):
    class Meta:
        unknown = RAISE

    id = _named()
    title = Translated(longest=120, required=True)
    goal = Translated(longest=600)
    written_answer = Flag()


class Points(fields.Float):
    """A number above 0, and nothing that only looks like it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= MOST_POINTS:
            raise ValidationError(f"must be a number above 0, at most {MOST_POINTS}.")
        return float(value)


class ColumnSchema(Schema):
    """A further gradebook column; which activities there are is checked with the lesson."""

    class Meta:
        unknown = RAISE

    id = _named()
    title = Translated(longest=120, required=True)
    activities = fields.List(
        fields.String(), required=True, validate=validate.Length(min=1, max=100, error="needs 1 to 100 of them.")
    )
    extra_credit = fields.List(fields.String(), validate=validate.Length(max=100, error="takes at most 100."))
    score_maximum = Points()


class LessonSchema(Schema):
    """One lesson on another site. `https_only_except` are the hosts of INSECURE_HOSTS, as `host:port`."""

    class Meta:
        unknown = RAISE

    def __init__(self, *, https_only_except: Collection[str] = (), **options: Any) -> None:
        super().__init__(**options)
        self._plain_allowed = frozenset(https_only_except)

    id = _named()
    title = Translated(longest=120, required=True)
    summary = Translated(longest=600, required=True)
    url = fields.String(required=True, validate=validate.Length(max=2000))
    hosts = fields.List(
        fields.String(validate=validate.Regexp(rf"\A{HOST.pattern}\Z", error="must be a host name, in lower case.")),
        validate=validate.Length(max=50),
    )
    no_pii = Flag()
    activities = fields.List(
        fields.Nested(ActivitySchema),
        required=True,
        validate=validate.Length(min=1, max=100, error="needs 1 to 100 of them."),
    )
    columns = fields.List(
        fields.Nested(ColumnSchema), validate=validate.Length(max=MOST_COLUMNS, error=f"takes at most {MOST_COLUMNS}.")
    )

    @validates_schema(skip_on_field_errors=False)
    def check(self, data: Any, **kwargs: Any) -> None:
        faults: dict[str, Any] = {}
        fault = _url_fault(data.get("url"), self._plain_allowed)
        if fault:
            faults["url"] = [fault]
        activities = [one if isinstance(one, dict) else {} for one in data.get("activities") or []]
        taken: set[str] = set()
        for index, activity in enumerate(activities):
            of_one: dict[str, list[str]] = {}
            if activity.get("id") in taken:
                of_one["id"] = ["is there twice in this lesson."]
            if data.get("no_pii") and activity.get("written_answer"):
                of_one["written_answer"] = ["a no_pii lesson asks for no words of the pupil's own (A-03)."]
            if of_one:
                faults.setdefault("activities", {})[index] = of_one
            taken.add(str(activity.get("id")))
        of_columns = _column_faults(data.get("columns") or [], taken)
        if of_columns:
            faults["columns"] = of_columns
        if faults:
            raise ValidationError(faults)


def _column_faults(columns: Sequence[Any], activities: Collection[str]) -> dict[int, dict[str, Any]]:
    """What does not fit between the columns of a lesson and its activities, by the column's place."""
    faults: dict[int, dict[str, Any]] = {}
    seen: set[object] = set()
    for index, column in enumerate(one if isinstance(one, dict) else {} for one in columns):
        named, extra = column.get("activities"), column.get("extra_credit")
        named = [one for one in named if isinstance(one, str)] if isinstance(named, list) else []
        extra = [one for one in extra if isinstance(one, str)] if isinstance(extra, list) else []
        of_one: dict[str, Any] = {
            "id": ["is there twice in this lesson."] if column.get("id") in seen else [],
            "activities": _place_faults(named, activities, "is no activity of this lesson."),
            "extra_credit": _place_faults(extra, named, "is none of this column's activities."),
        }
        if named and set(named) <= set(extra):
            of_one["extra_credit"] = ["leaves nothing that is asked for; one activity at least must count."]
        if any(of_one.values()):
            faults[index] = {name: found for name, found in of_one.items() if found}
        seen.add(column.get("id"))
    return faults


def _place_faults(named: Sequence[str], known: Collection[str], unknown: str) -> dict[int, list[str]]:
    faults = {place: [unknown] for place, one in enumerate(named) if one not in known}
    twice = {place: ["is there twice."] for place, one in enumerate(named) if one in named[:place]}
    return {**faults, **twice}


def _url_fault(url: object, plain_allowed: Collection[str]) -> str | None:
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not an address."
    if parts.scheme not in ("https", "http") or not parts.hostname or not url.isascii() or re.search(r"[\s\\]", url):
        return "must be the address of the lesson's page, such as https://lesson.example/play."
    if parts.fragment or "#" in url:
        return "must have no part after '#': the ticket is handed over there."
    if parts.username is not None or parts.password is not None:
        return "must hold no user name and no password."
    if parts.scheme == "http" and f"{parts.hostname}:{port or 80}" not in plain_allowed:
        return "must be https."
    return None


def read_file(content: bytes, *, https_only_except: Collection[str] = (), taken: Collection[str] = ()) -> list[Lesson]:
    """The lessons of a file: one lesson, or `lessons:` with a list of them. `taken` are ids that it must not use.

    Raises:
        InvalidInput: with every fault as a pointer into the file; nothing of such a file is used.
    """
    documents, prefix = _documents(content)
    faults: list[tuple[str, str]] = []
    lessons: list[Lesson] = []
    schema = LessonSchema(https_only_except=https_only_except)
    used = set(taken)
    for index, document in enumerate(documents):
        place = f"{prefix}/{index}" if prefix else ""
        try:
            data = schema.load(document)
        except ValidationError as error:
            faults += [(place + pointer, message) for pointer, message in _flat(error.messages)]
            continue
        if data["id"] in used:
            faults.append((f"{place}/id", "is the id of another lesson here; choose another."))
        used.add(data["id"])
        lessons.append(_lesson(data))
    if faults:
        raise InvalidInput.listing(WRONG_FILE, faults)
    return lessons


def _documents(content: bytes) -> tuple[list[Any], str]:
    if len(content) > FILE_BYTES:
        raise InvalidInput.listing(WRONG_FILE, [("", f"is larger than {FILE_BYTES // 1024} KiB.")])
    try:
        text = content.decode("utf-8-sig")
        _refuse_aliases(text)
        whole = yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a SafeLoader, see below
    except UnicodeDecodeError:
        raise InvalidInput.listing(WRONG_FILE, [("", "is not UTF-8 text.")]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" near line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = str(getattr(error, "problem", None) or "it cannot be read")
        raise InvalidInput.listing(WRONG_FILE, [("", f"is not YAML{where}: {problem}.")]) from None
    if isinstance(whole, dict) and "lessons" in whole:
        listed = whole.pop("lessons")
        faults = [(f"/{key}", "is not known beside `lessons`.") for key in whole]
        if not isinstance(listed, list) or not listed:
            faults.append(("/lessons", "must be a list of lessons."))
        if faults:
            raise InvalidInput.listing(WRONG_FILE, faults)
        return listed, "/lessons"
    return [whole], ""


def _refuse_aliases(text: str) -> None:
    """A YAML bomb is made of aliases, and no lesson needs one."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            where = f" in line {event.start_mark.line + 1}" if event.start_mark else ""
            raise InvalidInput.listing(WRONG_FILE, [("", f"has an alias{where}; write it out.")])


class _PlainLoader(yaml.SafeLoader):
    """YAML without a key given twice: one of the two would be lost."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = [key.value for key, _ in node.value]
        for position, (key, _) in enumerate(node.value):
            if key.value in keys[:position]:
                raise yaml.MarkedYAMLError(problem="a key is given twice", problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


def _flat(messages: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Marshmallow's nested messages as (JSON pointer, sentence); pointers hold keys of the file, never values."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            below = pointer if key == "_schema" else f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"
            yield from _flat(inner, below)
    elif isinstance(messages, Sequence) and not isinstance(messages, str):
        for message in dict.fromkeys(messages):
            yield pointer, str(message)
    else:
        yield pointer, str(messages)


def _text(texts: Mapping[str, str]) -> Text:
    return Text(by_language=dict(texts))


def _lesson(data: Mapping[str, Any], player: Player | None = None) -> Lesson:
    return Lesson(
        id=data["id"],
        title=_text(data["title"]),
        summary=_text(data["summary"]),
        activities=tuple(
            Activity(
                id=one["id"],
                title=_text(one["title"]),
                goal=_text(one["goal"]) if "goal" in one else None,
                written_answer=one.get("written_answer", False),
            )
            for one in data["activities"]
        ),
        no_pii=data.get("no_pii", False),
        url=data.get("url"),
        extra_hosts=tuple(data.get("hosts", ())),
        player=player,
        columns=tuple(_column(one) for one in data.get("columns", ())),
    )


def _column(one: Mapping[str, Any]) -> GradebookColumn:
    return GradebookColumn(
        id=one["id"],
        title=_text(one["title"]),
        activities=tuple(one["activities"]),
        extra_credit=tuple(one.get("extra_credit", ())),
        score_maximum=one.get("score_maximum", 100.0),
    )


def document(lesson: Lesson) -> dict[str, Any]:
    """The lesson as `LessonSchema` reads it again: what the store keeps."""
    kept: dict[str, Any] = {
        "id": lesson.id,
        "title": dict(lesson.title.by_language),
        "summary": dict(lesson.summary.by_language),
        "url": lesson.url,
        "hosts": list(lesson.extra_hosts),
        "no_pii": lesson.no_pii,
        "activities": [],
    }
    for activity in lesson.activities:
        one: dict[str, Any] = {"id": activity.id, "title": dict(activity.title.by_language)}
        if activity.goal is not None:
            one["goal"] = dict(activity.goal.by_language)
        if activity.written_answer:
            one["written_answer"] = True
        kept["activities"].append(one)
    if lesson.columns:
        kept["columns"] = [
            {
                "id": column.id, "title": dict(column.title.by_language), "activities": list(column.activities),
                "extra_credit": list(column.extra_credit), "score_maximum": column.score_maximum,
            }
            for column in lesson.columns
        ]  # fmt: skip
    return kept


def from_document(kept: Mapping[str, Any]) -> Lesson:
    """The lesson of a document that was checked when it was kept."""
    return _lesson(kept)


def sample(content: str) -> Lesson:
    """One of this package's own lessons: the same words as a file, with `player` in the place of `url`."""
    data: dict[str, Any] = yaml.safe_load(content)
    given = data.pop("player")
    words = {name: _text(texts) for name, texts in given["words"].items()}
    puzzles = {one["id"]: one.pop("puzzle") for one in data["activities"]}
    checked = LessonSchema(exclude=("url", "hosts")).load(data)
    return _lesson(checked, Player(module=given["module"], words=words, puzzles=puzzles))
