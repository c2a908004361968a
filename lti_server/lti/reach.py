"""Whether a course is among those that the contract names for an LMS: asked before anything of a launch is kept."""

from __future__ import annotations

import json

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.errors import LaunchRejected
from lti_server.lti.claims import Context
from lti_server.lti.store import Standing
from lti_server.privacy.model import Policy

# The contract at the moment of use, whatever the database was last held to.
_WITHIN = sa.text(
    "SELECT population_has(CAST(:named AS jsonb), ARRAY[CAST(:context AS text)], (SELECT school FROM section"
    " WHERE grant_id = :grant AND source_scope = :scope AND source_id = :context))"
)


def must_be_within(connection: Connection, policy: Policy, standing: Standing, context: Context | None) -> None:
    """Refuse a message from a course that the contract does not name; one from no course is outside, too.

    Raises:
        LaunchRejected: `outside-population`.
    """
    named = policy.population("lti")
    if named is None:
        return
    values = {
        "named": json.dumps(named.plain()), "context": "" if context is None else context.id,
        "grant": standing.grant_id, "scope": str(standing.deployment_row_id),
    }  # fmt: skip
    if connection.execute(_WITHIN, values).scalar_one() is not True:
        raise LaunchRejected(
            "outside-population",
            "This class is not among those that your district's contract names. Ask your administrator.",
        )
