"""What the claims of Microsoft Entra are here. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lti_server_oidc.mapping import text

from lti_server.providers import PersonRole, SourcePerson

FIELDS = ("given_name", "family_name", "full_name", "username", "email")
"""What of a person the claims can say."""


def person(claims: Mapping[str, Any], oid: str) -> SourcePerson:
    """Entra does not say who teaches: an unknown role is under the stricter schedule."""
    return SourcePerson(
        source_id=oid,
        role=PersonRole.OTHER,
        given_name=text(claims.get("given_name")),
        family_name=text(claims.get("family_name")),
        full_name=text(claims.get("name")),
        username=text(claims.get("preferred_username")),
        email=text(claims.get("email")),
    )
