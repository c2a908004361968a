"""Which frame and which origin keep a platform's storage (LTI postMessage Storage 0.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

# The platform's page itself, or the name of a frame in it.
PARENT = "_parent"
_FRAME = re.compile(r"[\x21-\x7e]{1,255}")


def storage_target(given: Mapping[str, str]) -> str | None:
    """`lti_storage_target` of a login, or None where the platform offers no storage or names no frame."""
    named = given.get("lti_storage_target", "")
    return named if _FRAME.fullmatch(named) else None


def origin_of(url: str) -> str:
    """The origin of an address, as a browser writes it: the host in small letters, without the scheme's own port."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    own = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{host}" if parts.port in (None, own) else f"{parts.scheme}://{host}:{parts.port}"
