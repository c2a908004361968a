"""What a message says of the courses and links that its own were copied from: pure reading of signed claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

LONGEST_ID = 255
# A course that is copied every year for decades is far below this.
MOST_ORIGINS = 100
LONGEST_HISTORY = MOST_ORIGINS * LONGEST_ID
ORIGIN_CONTEXTS = "origin_contexts"
# The custom parameters by which this tool asks for `$Context.id.history` and `$ResourceLink.id.history`
# (LTI Core 1.3, appendix C), and the variables themselves.
CONTEXT_HISTORY, LINK_HISTORY = "context_id_history", "resource_link_id_history"
HISTORY_VARIABLES = {CONTEXT_HISTORY: "$Context.id.history", LINK_HISTORY: "$ResourceLink.id.history"}


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Ids of the courses and of the links that were copied, the last one first; empty where nothing is said."""

    contexts: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


def history_of(said: Iterable[object], custom: object) -> History:
    """The history of a message. `said` are the members that may hold `origin_contexts`, the surest first.

    What is no list of ids is passed over: a launch opens without its history, too.
    """
    origins = next((found for found in map(origin_ids, said) if found), ())
    given = custom if isinstance(custom, Mapping) else {}
    return History(contexts=origins or _listed(given.get(CONTEXT_HISTORY)), links=_listed(given.get(LINK_HISTORY)))


def origin_ids(said: object) -> tuple[str, ...]:
    """The ids of `origin_contexts`: a list of ids, or of contexts that have one."""
    if not isinstance(said, list):
        return ()
    return _ids(one.get("id") if isinstance(one, Mapping) else one for one in said[:MOST_ORIGINS])


def _listed(text: object) -> tuple[str, ...]:
    """URL-encoded ids with commas; a variable that was not expanded says nothing (LTI Core 1.3, 6.1)."""
    if not isinstance(text, str) or text.startswith("$") or len(text) > LONGEST_HISTORY:
        return ()
    return _ids(unquote(part.strip()) for part in text.split(",")[:MOST_ORIGINS])


def _ids(found: Iterable[object]) -> tuple[str, ...]:
    """Those that an id may be (255 printable ASCII characters at most), each once and in order."""
    fit = (one for one in found if isinstance(one, str) and 0 < len(one) <= LONGEST_ID)
    return tuple(dict.fromkeys(one for one in fit if one.isascii() and one.isprintable()))
