"""Contract files for tests, one line a key, so that a fault's line can be told."""

from __future__ import annotations

from collections.abc import Mapping

TERMS = "{collect: true, store: true, retain_days: 400, sources: [school], purposes: [instruction]}"
REPORTED = "{collect: true, store: true, retain_days: 400, sources: [school], purposes: [progress_reporting]}"
HEAD: Mapping[str, str] = {
    "contract": "1",
    "family": "ndpa1",
    "signed_at": "2026-08-01",
    "valid": "{from: 2026-08-01, to: 2029-08-01}",
    "purposes": "[instruction, progress_reporting, evaluation]",
}
ELEMENTS: Mapping[str, str] = {"student_name.first_and_or_last": TERMS, "enrollment.school_enrollment": REPORTED}


def written(
    head: Mapping[str, str | None] | None = None,
    elements: Mapping[str, str] | None = None,
    **more: str,
) -> str:
    """A good contract with changes: `head` replaces or (None) takes away a key, `more` adds keys after the elements.

    The elements begin in the line after `elements:`, which follows the keys of the head.
    """
    keys = {name: text for name, text in {**HEAD, **(head or {})}.items() if text is not None}
    lines = [f"{name}: {text}" for name, text in keys.items()]
    lines.append("elements:")
    lines += [f"  {name}: {text}" for name, text in (ELEMENTS if elements is None else elements).items()]
    return "\n".join([*lines, ""]) + added(more)


def added(keys: Mapping[str, str]) -> str:
    """Further keys, to put below a contract."""
    return "".join(f"{name}: {text}\n" for name, text in keys.items())
