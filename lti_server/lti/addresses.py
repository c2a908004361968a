"""Addresses of a platform's services: what is added to them, and where."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from werkzeug.urls import iri_to_uri


def score_url(line_item: str, service: str) -> str:
    """`/lineitem?type_id=2` becomes `/lineitem/scores?type_id=2`: on the path, before any query (AGS 2.0, 3.4)."""
    parts = urlsplit(line_item)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{service}", fragment=""))


def with_parameters(url: str, added: Mapping[str, str]) -> str:
    """An address with more parameters, also where it has some already."""
    before, between = _before_parameters(url)
    if not added:
        return before
    return f"{before}{between}{urlencode(added)}"


@functools.lru_cache(maxsize=1_024)
def _before_parameters(url: str) -> tuple[str, str]:
    """An address without its fragment, and what comes between it and one more parameter."""
    parts = urlsplit(url)
    query = urlencode(parse_qsl(parts.query, keep_blank_values=True))
    return iri_to_uri(urlunsplit(parts._replace(query=query, fragment=""))), "&" if query else "?"
