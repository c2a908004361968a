"""What a connection reaches, and what stays outside: by the contract itself, and by what the district narrowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import GrantId
from lti_server.privacy import population
from lti_server.privacy.contract_population import standing
from lti_server.privacy.population import School


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Counts of classes and names of schools; nobody in them.

    `narrowed`: by the district, for ever. `by_contract`: the contract names schools, or classes (so many, by id).
    `left_out`: classes that are known here, and that the contract leaves outside.
    """

    narrowed: bool
    by_contract: bool
    schools_named: Sequence[str]
    sections_named: int
    left_out: Sequence[School]
    schools: Sequence[School]


def reach(connection: Connection, grant_id: GrantId, provider: str) -> Reach:
    """Of a grant of the entered district."""
    named = standing(connection).get(provider)
    narrowed = connection.execute(_NARROWED, {"grant": grant_id}).scalar_one()
    left_out = [] if named is None else connection.execute(_LEFT_OUT, {"grant": grant_id}).all()
    return Reach(
        narrowed=narrowed,
        by_contract=named is not None,
        schools_named=sorted(named.schools or ()) if named else (),
        sections_named=len(named.sections or ()) if named else 0,
        left_out=[School(name=row.school, inside=0, outside=row.outside) for row in left_out],
        schools=population.schools(connection, grant_id) if narrowed else (),
    )


_NARROWED = sa.text("SELECT narrowed FROM grants WHERE id = :grant")
_LEFT_OUT = sa.text(
    "SELECT coalesce(school, '') AS school, count(*) AS outside FROM section"
    " WHERE grant_id = :grant AND NOT contract_reaches(:grant, id) GROUP BY 1 ORDER BY 1"
)
