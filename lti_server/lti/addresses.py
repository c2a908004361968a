"""Addresses of a platform's services: what is added to them, and where."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit


def score_url(line_item: str, service: str) -> str:
    """`/lineitem?type_id=2` becomes `/lineitem/scores?type_id=2`: on the path, before any query (AGS 2.0, 3.4)."""
    parts = urlsplit(line_item)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{service}", fragment=""))


def with_parameters(url: str, added: Mapping[str, str]) -> str:
    """An address with more parameters, also where it has some already."""
    parts = urlsplit(url)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *added.items()]
    return urlunsplit(parts._replace(query=urlencode(query), fragment=""))
