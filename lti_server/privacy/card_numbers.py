"""Payment card numbers in free text: none is ever taken (A-70). Pure."""

from __future__ import annotations

import re
import unicodedata

# 13 to 19 digits, in groups or not, that begin as the cards of the large schemes do (ISO/IEC 7812).
_LIKELY = re.compile(r"(?<![0-9])[2-6](?:[ -]?[0-9]){12,18}(?![0-9])")


def has_card_number(text: str) -> bool:
    """Whether a payment card number stands somewhere in a text, by its form and its check digit (Luhn)."""
    plain = text if text.isascii() else "".join(map(_plain, text))
    return any(_checks(re.sub(r"[ -]", "", found[0])) for found in _LIKELY.finditer(plain))


def _plain(character: str) -> str:
    """A digit of any script as its own of ASCII; what is not seen, as nothing."""
    digit = unicodedata.decimal(character, None)
    return "" if unicodedata.category(character) == "Cf" else character if digit is None else str(digit)


def _checks(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
