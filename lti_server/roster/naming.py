"""What a teacher sees of a name: the display name, or a neutral one where the contract keeps none. Pure."""

from __future__ import annotations

from collections.abc import Mapping


def display_name(fields: Mapping[str, str], role: str, ordinal: int) -> str:
    """ "Learner 7" counts on the order in which people came to the section, so it stays who it is."""
    given = " ".join(part for part in (fields.get("given_name"), fields.get("family_name")) if part)
    found = fields.get("nickname") or fields.get("name") or given
    return found or f"{'Teacher' if role == 'teacher' else 'Learner'} {ordinal}"
