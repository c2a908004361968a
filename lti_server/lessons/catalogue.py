"""The lessons that are here: this package's samples, those of LESSONS_FILE, and those added by file."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path

from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import ConfigurationError, InvalidInput, NotFound
from lti_server.lessons import schemas, store
from lti_server.lessons.model import Lesson

FRESH_S = 5.0
SAMPLES = ("turtle-garden", "parcel-scales", "message-in-bits")
Stored = Callable[[], Sequence[Lesson]]


class Catalogue:
    """Finds lessons. Packaged ones cost no statement; an added one is known at once, a changed one within FRESH_S."""

    def __init__(
        self, packaged: Iterable[Lesson], stored: Stored, *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._packaged = {lesson.id: lesson for lesson in packaged}
        self._stored = stored
        self._monotonic_s = monotonic_s
        self._known: Mapping[str, Lesson] = {}
        self._read_at_s = float("-inf")

    @property
    def packaged_ids(self) -> frozenset[str]:
        """Ids that `lesson add` may not take."""
        return frozenset(self._packaged)

    def lessons(self) -> list[Lesson]:
        """Every lesson, the packaged ones first."""
        known = self._refresh()
        return [*self._packaged.values(), *(one for key, one in known.items() if key not in self._packaged)]

    def find(self, lesson_id: str) -> Lesson | None:
        packaged = self._packaged.get(lesson_id)
        if packaged is not None:
            return packaged
        if self._monotonic_s() - self._read_at_s < FRESH_S and lesson_id in self._known:
            return self._known[lesson_id]
        return self._refresh().get(lesson_id)

    def get(self, lesson_id: str) -> Lesson:
        """The lesson.

        Raises:
            NotFound: no such lesson is here.
        """
        lesson = self.find(lesson_id)
        if lesson is None:
            raise NotFound("No lesson has this address. Look for it in the list of lessons, or ask whoever sent it.")
        return lesson

    def _refresh(self) -> Mapping[str, Lesson]:
        # Threads may refresh at the same moment: each assigns a whole, finished mapping.
        self._known = {lesson.id: lesson for lesson in self._stored()}
        self._read_at_s = self._monotonic_s()
        return self._known


@functools.cache
def samples() -> tuple[Lesson, ...]:
    """The lessons that come with this package, read once."""
    folder = resources.files("lti_server.lessons") / "samples"
    return tuple(schemas.sample((folder / f"{name}.yaml").read_text(encoding="utf-8")) for name in SAMPLES)


def from_settings(
    stored: Stored, lessons_file: Path | None = None, *, https_only_except: Collection[str] = ()
) -> Catalogue:
    """The catalogue of a server; `https_only_except` is INSECURE_HOSTS.

    Raises:
        ConfigurationError: LESSONS_FILE cannot be read, with each fault in it.
    """
    return Catalogue([*samples(), *_from_file(lessons_file, https_only_except)], stored)


def _from_file(path: Path | None, https_only_except: Collection[str]) -> list[Lesson]:
    if path is None:
        return []
    try:
        content = path.read_bytes()
        return schemas.read_file(content, https_only_except=https_only_except, taken=[one.id for one in samples()])
    except OSError as error:
        raise ConfigurationError([f"LTI_SERVER_LESSONS_FILE: {path} cannot be read ({error.strerror})."]) from error
    except InvalidInput as error:
        faults = error.public["errors"]
        assert isinstance(faults, list)
        told = [f"LTI_SERVER_LESSONS_FILE, {one['pointer'] or 'the file'}: {one['message']}" for one in faults]
        raise ConfigurationError(told) from error


def stored_in(database: Database) -> Stored:
    """Reads the added lessons, in a transaction of its own."""

    def read() -> list[Lesson]:
        return [schemas.from_document(one) for one in store.definitions(database)]

    return read


def add(
    connection: Connection,
    content: bytes,
    at: datetime,
    *,
    taken: Collection[str],
    https_only_except: Collection[str] = (),
) -> list[Lesson]:
    """`lesson add FILE`: keep every lesson of the file, or none. A lesson that was added before is replaced.

    Raises:
        InvalidInput: with every fault in the file.
    """
    lessons = schemas.read_file(content, https_only_except=https_only_except, taken=taken)
    store.keep(connection, {lesson.id: schemas.document(lesson) for lesson in lessons}, at)
    return lessons
