"""How old people are: each word about it where it is kept, what counts at the moment of use, what follows at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.engine import Connection

from lti_server.accounts.model import Kind, Known
from lti_server.accounts.store import Source
from lti_server.accounts.tables import correction, person_age
from lti_server.ids import GrantId, PersonId, new_id
from lti_server.privacy.ages import Age, AgePack, AgeSource, Said, pack_of, years_of
from lti_server.privacy.crypto import DistrictKeys, PersonKey

FIELD = "age"
"""Under which name a district puts an age right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whose:
    """The pupil whose age it is, of the entered district."""

    keys: DistrictKeys = field(repr=False)
    person_id: PersonId
    key: PersonKey = field(repr=False)


IsChild = Callable[[Age | None], bool]
"""Whether somebody is a child, given what is said of their age right now besides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """How old somebody is, and whether a child, given what one provider says of their age right now besides.

    `replaced` is the grant of which what is said now takes the place of what was said before; None where somebody has
    several accounts there.
    """

    pack: AgePack
    told: Sequence[tuple[UUID | None, Said]]
    others: Sequence[Said]
    replaced: GrantId | None
    today: date

    def __call__(self, now: Age | None) -> bool:
        return self.pack.is_child(self.years(now))

    def years(self, now: Age | None) -> int | None:
        """Whole years at the least; None is unknown."""
        kept = [said for grant, said in self.told if now is None or self.replaced is None or grant != self.replaced]
        new = [] if now is None else [Said(AgeSource.PROVIDER, now)]
        return years_of([*kept, *self.others, *new], self.today)


def said_of(connection: Connection, whose: Whose) -> list[Said]:
    """Every word about somebody's age that counts: none of a withdrawn grant, none of a school they have left."""
    told = [said for _, said in _told(connection, whose)]
    return [*told, *_stated(connection, whose), *_put_right(connection, whose)]


def years(connection: Connection, whose: Whose, today: date) -> int | None:
    """How old somebody is at the least, as of now; None is unknown."""
    return years_of(said_of(connection, whose), today)


def pack(connection: Connection) -> AgePack:
    """Of the entered district's country."""
    return pack_of(connection.execute(_COUNTRY).scalar_one())


def judge(
    connection: Connection, whose: Whose | None, grant_id: GrantId, today: date, *, own: Age | None = None
) -> Judge:
    """A judge of somebody, or of who is not known yet (None), of whom a provider may say an age anew.

    `own`: what somebody says of themself who registers now.
    """
    said = [] if own is None else [Said(AgeSource.SELF, own)]
    told = [] if whose is None else _told(connection, whose)
    others = [] if whose is None else [*_stated(connection, whose), *_put_right(connection, whose)]
    several = whose is not None and _has_several(connection, whose, grant_id)
    replaced = None if several else grant_id
    return Judge(pack=pack(connection), told=told, others=[*others, *said], replaced=replaced, today=today)


def learn(connection: Connection, whose: Whose, said: Said, *, grant_id: GrantId | None, by: str, at: datetime) -> None:
    """Keep a word about somebody's age in the place of the former one of the same source, unless both say the same.

    Of two accounts at one provider the lower word stays: nobody makes themself older by a second account there.
    """
    assert said.age is not None
    row_id, a = new_id(), person_age.c
    mine = (a.person_id == whose.person_id, a.source == said.source.value, a.grant_id.is_not_distinct_from(grant_id))
    before = connection.execute(sa.select(a.id, a.sealed).where(*mine)).one_or_none()
    if before is not None:
        known = Age.read(whose.key.open("person_age", "sealed", str(before.id), bytes(before.sealed)))
        if known.on <= said.age.on and known.at(said.age.on) == said.age.years:
            return
        if (
            grant_id is not None
            and known.at(said.age.on) < said.age.years
            and _has_several(connection, whose, grant_id)
        ):
            return
    values = {
        "id": row_id, "sealed": whose.key.seal("person_age", "sealed", str(row_id), said.age.text()),
        "recorded_by": by, "recorded_at": at,
    }  # fmt: skip
    row = {"district_id": whose.keys.district_id, "person_id": whose.person_id, "source": said.source.value}
    insert = pg.insert(person_age).values(**row, grant_id=grant_id, **values)
    # Two launches of one person at once may both find no word yet.
    connection.execute(insert.on_conflict_do_update(index_elements=["person_id", "source", "grant_id"], set_=values))


def settle(
    connection: Connection, whose: Whose, told: Age | None, source: Source, today: date, *, child: bool | None = None
) -> None:
    """Keep what a provider has said of a pupil's age, if it did, and let go of what may not be kept of them.

    `child`: what a judge has found already, with `told`.
    """
    if told is not None:
        said, grant_id = Said(AgeSource.PROVIDER, told), source.grant_id
        learn(connection, whose, said, grant_id=grant_id, by=f"grant:{grant_id}", at=source.at)
    if child is None:
        hold(connection, whose, today)
    elif child:
        connection.execute(_HASH_ALONE, {"person": whose.person_id})


def hold(connection: Connection, whose: Whose, today: date) -> int:
    """Take away what may not be kept of a child: an e-mail address stays as a keyed hash alone (A-08, A-62)."""
    if not pack(connection).is_child(years(connection, whose, today)):
        return 0
    return connection.execute(_HASH_ALONE, {"person": whose.person_id}).rowcount


def whose_of(keys: DistrictKeys, known: Known | None) -> Whose | None:
    """A pupil who is known; nobody's age counts who is staff, and an erased person has none."""
    if known is None or known.wrapped_key is None or known.kind is not Kind.PUPIL:
        return None
    key = keys.person_key(known.person_id, known.wrapped_key)
    return Whose(keys=keys, person_id=known.person_id, key=key)


def _has_several(connection: Connection, whose: Whose, grant_id: GrantId) -> bool:
    """Whether somebody has, or has had, more than one account at a provider."""
    found = connection.execute(_ACCOUNTS, {"person": whose.person_id, "grant": grant_id})
    return int(found.scalar_one()) > 1


def _told(connection: Connection, whose: Whose) -> list[tuple[UUID | None, Said]]:
    """What is said of the person, with the grant by which it came; of two who are one, what is said of both."""
    found: list[tuple[UUID | None, Said]] = []
    for row in connection.execute(_TOLD, {"person": whose.person_id}):
        key = whose.keys.person_key(PersonId(row.person_id), bytes(row.wrapped_key))
        text = key.open("person_age", "sealed", str(row.id), bytes(row.sealed))
        found.append((row.grant_id, Said(AgeSource(row.source), Age.read(text))))
    return found


def _stated(connection: Connection, whose: Whose) -> list[Said]:
    rows = connection.execute(_STATED, {"person": whose.person_id})
    return [Said(AgeSource.SCHOOL, Age(row.years, row.stated_on)) for row in rows]


def _put_right(connection: Connection, whose: Whose) -> list[Said]:
    c = correction.c
    found = sa.select(c.ciphertext).where(c.person_id == whose.person_id, c.field == FIELD)
    sealed = connection.execute(found).scalar_one_or_none()
    if sealed is None:
        return []
    text = whose.key.open("correction", "ciphertext", f"{whose.person_id}|{FIELD}", bytes(sealed))
    return [Said(AgeSource.DISTRICT, Age.read(text) if text else None)]  # empty: a restore holds it back


def has_word(connection: Connection, person_id: UUID) -> bool:
    """Whether anybody has said how old somebody is."""
    return connection.execute(_ANY, {"person": person_id, "field": FIELD}).scalar_one() is True


_TOLD = sa.text(
    """
WITH RECURSIVE one AS (
  SELECT id, wrapped_key FROM person WHERE id = :person
  UNION ALL SELECT p.id, p.wrapped_key FROM person p JOIN one ON p.merged_into = one.id)
SELECT a.id, a.person_id, a.source, a.grant_id, a.sealed, one.wrapped_key
FROM person_age a JOIN one ON one.id = a.person_id
LEFT JOIN grants g ON g.id = a.grant_id
WHERE one.wrapped_key IS NOT NULL
  AND (a.grant_id IS NULL OR g.state IN ('active', 'suspended', 'pending'))
"""
)
_ACCOUNTS = sa.text("SELECT count(*) FROM identity WHERE person_id = :person AND grant_id = :grant")
_COUNTRY = sa.text("SELECT country FROM district")
_STATED = sa.text(
    "SELECT DISTINCT t.years, t.stated_on FROM membership m JOIN section s ON s.id = m.section_id"
    " LEFT JOIN section c ON c.id = s.course_section_id JOIN age_statement t ON t.school = coalesce(s.school, c.school)"
    " JOIN grants g ON g.id = m.grant_id"
    " WHERE m.person_id = :person AND m.ended_at IS NULL AND g.state IN ('active', 'suspended')"
)
_ANY = sa.text(
    "WITH RECURSIVE one AS (SELECT id FROM person WHERE id = :person"
    " UNION ALL SELECT p.id FROM person p JOIN one ON p.merged_into = one.id)"
    " SELECT EXISTS (SELECT FROM person_age a JOIN one ON one.id = a.person_id)"
    " OR EXISTS (SELECT FROM correction WHERE person_id = :person AND field = :field)"
    " OR EXISTS (SELECT FROM membership m JOIN section s ON s.id = m.section_id"
    " LEFT JOIN section c ON c.id = s.course_section_id JOIN age_statement t ON t.school = coalesce(s.school, c.school)"
    " WHERE m.person_id = :person AND m.ended_at IS NULL)"
)
_HASH_ALONE = sa.text(
    "UPDATE person_field f SET ciphertext = NULL FROM person p WHERE p.id = f.person_id AND p.kind = 'pupil'"
    " AND f.person_id = :person AND f.field = 'email' AND f.ciphertext IS NOT NULL"
)
