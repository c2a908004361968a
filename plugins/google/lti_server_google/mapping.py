"""What Google's claims are here. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lti_server_oidc.mapping import text

from lti_server.providers import PersonRole, SourcePerson

FIELDS = ("given_name", "family_name", "full_name", "email", "language")
"""What of a person the claims can say; a picture is not among it."""


def person(claims: Mapping[str, Any]) -> SourcePerson:
    """Google does not say who teaches: an unknown role is under the stricter schedule."""
    return SourcePerson(
        source_id=str(claims["sub"]),
        role=PersonRole.OTHER,
        given_name=text(claims.get("given_name")),
        family_name=text(claims.get("family_name")),
        full_name=text(claims.get("name")),
        email=text(claims.get("email")),
        language=text(claims.get("locale")),
    )


def tenant(claims: Mapping[str, Any]) -> str:
    """The Workspace domain that vouches for the account, in lower case; empty for a consumer's."""
    return text(claims.get("hd")).strip().lower()
