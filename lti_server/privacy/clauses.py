"""Which clause of the agreement each key of a contract file stands for, by the National Data Privacy Agreement."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lti_server.privacy.located_yaml import Path

CLAUSES: Mapping[Path, str] = MappingProxyType(
    {
        (): "NDPA",
        ("family",): "NDPA",
        ("signed_at",): "NDPA, signature page",
        ("valid",): "NDPA Art. VII 1",
        ("purposes",): "NDPA Exhibit A",
        ("providers",): "NDPA Exhibit A",
        ("elements",): "NDPA Exhibit B",
        ("educator_elements",): "schedule of educators’ data",
        ("limits",): "NDPA Exhibit H",
        ("limits", "breach_notice_hours"): "NDPA Art. V 4",
        ("limits", "disposition_days"): "NDPA Art. IV 6",
        ("limits", "portion_days"): "NDPA Exhibit D",
        ("limits", "access_days"): "NDPA Art. II 2",
        ("limits", "backup_days"): "NDPA Art. IV 6",
        ("limits", "offer_years"): "NDPA Exhibit E",
        ("reports",): "NDPA Art. IV 4",
        ("evaluators",): "NDPA Art. IV 5",
        ("subprocessors",): "NDPA Art. II 5",
        ("statutes",): "NDPA Exhibit G",
        ("offer",): "NDPA Exhibit E",
    }
)


def clause_of(document: Any, place: Path) -> str:
    """The clause that the file itself names nearest to a place, else the one that its key stands for."""
    for depth in range(len(place), 0, -1):
        own = _at(document, (*place[:depth], "clause"))
        if isinstance(own, str) and own.strip():
            return own.strip()[:200]
    for depth in range(len(place), -1, -1):
        if place[:depth] in CLAUSES:
            return CLAUSES[place[:depth]]
    return CLAUSES[()]


def _at(document: Any, place: Path) -> Any:
    for part in place:
        if isinstance(document, list) and part.isdigit() and int(part) < len(document):
            document = document[int(part)]
        elif isinstance(document, dict):
            document = document.get(part)
        else:
            return None
    return document
