"""The form of an invitation: whoever comes in sends its token and the promise that stood there."""

from __future__ import annotations

import re

_HIDDEN = re.compile(r'name="(csrf_token|promise)" value="([^"]+)"')


def form_of(page: str) -> dict[str, str]:
    """What a browser sends when its button is pressed."""
    found = dict(_HIDDEN.findall(page))
    assert "csrf_token" in found
    return found
