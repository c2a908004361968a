"""Everything that a run of a plugin says: log records, prints, warnings, and the texts of what it raises."""

from __future__ import annotations

import contextlib
import io
import logging
import traceback
import warnings
from collections.abc import Iterator


class _TextsOnly(logging.Formatter):
    """A traceback's source lines are the plugin's own; only the exceptions' texts can hold data."""

    def formatException(self, ei: object) -> str:
        error = ei[1] if isinstance(ei, tuple) else None
        return texts_of(error) if isinstance(error, BaseException) else ""


@contextlib.contextmanager
def overheard() -> Iterator[io.StringIO]:
    """Collects what is logged at any level, printed or warned inside the block."""
    heard = io.StringIO()
    handler = logging.StreamHandler(heard)
    handler.setFormatter(_TextsOnly("%(name)s %(message)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with (
            warnings.catch_warnings(record=True) as warned,
            contextlib.redirect_stdout(heard),
            contextlib.redirect_stderr(heard),
        ):
            warnings.simplefilter("always")
            yield heard
        heard.write("\n".join(str(one.message) for one in warned))
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def texts_of(error: BaseException) -> str:
    """What a log or a report would show of an exception and of those that it came from."""
    texts: list[str] = []
    following: BaseException | None = error
    while following is not None:
        texts += [*traceback.format_exception_only(following), repr(following)]
        hidden = following.__suppress_context__
        following = following.__cause__ or (None if hidden else following.__context__)
    return "\n".join(texts)
