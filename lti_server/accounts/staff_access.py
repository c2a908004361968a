"""Staff looks at people's data with a reason, for half an hour, and each look is in the log that the person may read.

An access is one session's and one district's. Without a live one nobody is found and nothing is shown (A-46). Of a
pupil's e-mail nothing is shown, found or logged, whether there is one or not (A-10).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts.tables import staff_access
from lti_server.db import Database
from lti_server.errors import InvalidInput, NotAllowed
from lti_server.ids import Clock, DistrictId, PersonId, SessionId, new_id
from lti_server.privacy import log, schedule
from lti_server.privacy.crypto import DistrictKeys, PersonKey
from lti_server.privacy.districts import District
from lti_server.privacy.rights import Asked, check_reason

LIFE = timedelta(minutes=30)
MOST_FOUND = 10
SHORTEST = 2
LONGEST = 200
HIDDEN = frozenset({schedule.EMAIL})
NAMES = ("name", "given_name", "family_name", "middle_name", "nickname")


class Why(StrEnum):
    """The kinds of reason that there are."""

    REQUEST = "request"
    """The person, or a guardian, asked for it."""
    SUPPORT = "support"
    """A pupil or a teacher cannot get on with a lesson."""
    SAFETY = "safety"
    """A danger to health or safety: 34 CFR 99.31(a)(10)."""
    REVIEW = "review"
    """The district sees to it that its contract is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A live access. `words` is what its opener wrote; whoever is looked at may read it. Times are the district's."""

    id: UUID
    session_id: SessionId
    why: Why
    words: str = field(repr=False)
    expires_at: datetime

    def asked(self, act: str) -> Asked:
        """For the services that look at, or change, what is kept of one person."""
        return Asked(
            by=f"session:{self.session_id}", act=act, reason=f"{self.why.value}: {self.words}",
            interest=self.interest, details={"access": str(self.id), "reason": self.why.value}, hidden=HIDDEN,
        )  # fmt: skip

    @property
    def interest(self) -> log.Interest:
        return log.Interest.SAFETY if self.why is Why.SAFETY else log.Interest.SCHOOL_OFFICIAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Somebody whom a search found."""

    id: PersonId
    kind: str
    name: str = field(repr=False)


class StaffAccess:
    """Opens accesses, says whether one is live, and searches under it."""

    def __init__(self, *, database: Database, district: Callable[[Connection], District], clock: Clock) -> None:
        self._database = database
        self._district = district
        self._clock = clock

    def open(self, district_id: DistrictId, session_id: SessionId, why: str, words: str) -> None:
        """Let one session look for half an hour; an access that it had ends.

        Raises:
            InvalidInput: the kind of reason is none of ours, or the words are missing or too long.
        """
        said = words.replace("\x00", "").strip()
        if why not in {one.value for one in Why}:
            raise InvalidInput("Choose why you look.")
        check_reason(said)
        if len(said) > LONGEST:
            raise InvalidInput(f"Say it in at most {LONGEST} characters.")
        now, access_id = self._clock.now(), new_id()
        with self._database.tenant(district_id) as connection:
            district = self._district(connection)
            self._drop(connection, session_id)
            connection.execute(
                staff_access.insert().values(
                    id=access_id, district_id=district_id, session_id=session_id, reason=why, opened_at=now,
                    expires_at=now + LIFE, sealed=district.keys.seal("staff_access", "sealed", access_id, said),
                )
            )  # fmt: skip
            access = Access(id=access_id, session_id=session_id, why=Why(why), words=said, expires_at=now + LIFE)
            self._note(connection, district.keys, access, "people open")

    def end(self, district_id: DistrictId, session_id: SessionId) -> None:
        """End it before its time."""
        with self._database.tenant(district_id) as connection:
            self._drop(connection, session_id)

    def live(self, district_id: DistrictId, session_id: SessionId) -> Access | None:
        """The access of a session at this moment; None where it has none, or its half hour is over."""
        with self._database.tenant(district_id) as connection:
            return self._live(connection, self._district(connection), session_id)

    def must(self, district_id: DistrictId, session_id: SessionId) -> Access:
        """The access of a session at this moment, for what cannot be without.

        Raises:
            NotAllowed: there is none, or its half hour is over.
        """
        with self._database.tenant(district_id) as connection:
            return self._must(connection, self._district(connection), session_id)

    def search(self, district_id: DistrictId, session_id: SessionId, text: str) -> list[Found] | None:
        """People by parts of their names, or by their whole student number; None where there are more than ten.

        The search is an entry of the log, without what was searched for, and so is each person whom it found.

        Raises:
            NotAllowed: there is no live access, whatever is searched for.
            InvalidInput: too little or too much is searched for.
        """
        wanted = text.replace("\x00", "").strip()
        with self._database.tenant(district_id) as connection:
            district = self._district(connection)
            access = self._must(connection, district, session_id)
            if not SHORTEST <= len(wanted) <= LONGEST:
                raise InvalidInput(f"Write {SHORTEST} to {LONGEST} characters of a name, or a whole student number.")
            found = names_like(connection, district.keys, wanted)
            shown = found if len(found) <= MOST_FOUND else {}
            self._note(connection, district.keys, access, "people search", {"found": len(shown)})
            for person_id, (_, _, key) in shown.items():
                self._note(connection, district.keys, access, "person found", person=(person_id, key))
        if len(found) > MOST_FOUND:
            return None
        people = (Found(id=one, kind=kind, name=name) for one, (kind, name, _) in shown.items())
        return sorted(people, key=lambda one: (one.name.casefold(), str(one.id)))

    def _drop(self, connection: Connection, session_id: SessionId) -> None:
        connection.execute(staff_access.delete().where(staff_access.c.session_id == session_id))

    def _must(self, connection: Connection, district: District, session_id: SessionId) -> Access:
        found = self._live(connection, district, session_id)
        if found is None:
            raise NotAllowed("Say first why you look. What you said before holds for half an hour.")
        return found

    def _live(self, connection: Connection, district: District, session_id: SessionId) -> Access | None:
        a = staff_access.c
        wanted = sa.select(staff_access).where(a.session_id == session_id, a.expires_at > self._clock.now())
        row = connection.execute(wanted.order_by(a.opened_at.desc()).limit(1)).one_or_none()
        if row is None:
            return None
        words = district.keys.open("staff_access", "sealed", row.id, bytes(row.sealed))
        return Access(
            id=row.id, session_id=session_id, why=Why(row.reason), words=words,
            expires_at=row.expires_at.astimezone(district.zone),
        )  # fmt: skip

    def _note(
        self,
        connection: Connection,
        keys: DistrictKeys,
        access: Access,
        act: str,
        said: Mapping[str, object] | None = None,
        *,
        person: tuple[PersonId, PersonKey] | None = None,
    ) -> None:
        asked = access.asked(act)
        entry = log.entry(
            keys, at=self._clock.now(), actor=asked.by, act=act, decision="allowed", purpose="operation",
            interest=asked.interest, payload={**asked.details, **(said or {})},
            object_id=None if person is None else person[0],
            elements=() if person is None else (schedule.NAME,),
            population="" if person is None else "person",
            words=None if person is None else log.Words(person_id=person[0], text=asked.reason, key=person[1]),
        )  # fmt: skip
        log.record(connection, entry)


_People = dict[PersonId, tuple[str, str, PersonKey]]


def names_like(connection: Connection, keys: DistrictKeys, wanted: str) -> _People:
    """Names are encrypted each under their person's key, so each is opened; what a district put right counts first."""
    parts, number = wanted.casefold().split(), keys.lookup("local_id", wanted)
    found: _People = {}
    # A district has as many names as it has people: they come in portions, and no more than are needed.
    rows = connection.execute(_NAMED, {"names": list(NAMES), "number": number}, execution_options={"yield_per": 500})
    for row in rows:
        person_id = PersonId(row.id)
        key = keys.person_key(person_id, bytes(row.wrapped_key))
        names = _names(person_id, key, row.fields, row.corrections)
        if row.has_number or (parts and all(part in " ".join(names.values()).casefold() for part in parts)):
            found[person_id] = (row.kind, _shown(names), key)
            if len(found) > MOST_FOUND:
                break
    rows.close()
    return found


def names_of(connection: Connection, keys: DistrictKeys, people: Sequence[PersonId]) -> _People:
    """The same of these people, whoever of them there still is; one who became one with another is nobody any more."""
    found: _People = {}
    for row in connection.execute(_NAMED_OF, {"names": list(NAMES), "ids": list(people)}):
        person_id = PersonId(row.id)
        key = keys.person_key(person_id, bytes(row.wrapped_key))
        found[person_id] = (row.kind, _shown(_names(person_id, key, row.fields, row.corrections)), key)
    return found


def _shown(names: Mapping[str, str]) -> str:
    return names.get("name") or " ".join(names[one] for one in NAMES[1:3] if one in names)


def _names(person_id: PersonId, key: PersonKey, fields: Any, corrections: Any) -> dict[str, str]:
    who = str(person_id)  # an id is written out once a person, not once a name
    names = {
        name: key.open("person_field", "ciphertext", f"{who}|{name}|{grant_id}", bytes.fromhex(sealed))
        for name, grant_id, sealed in fields or ()
    }
    for name, sealed in corrections or ():
        names[name] = key.open("correction", "ciphertext", f"{who}|{name}", bytes.fromhex(sealed))
    return {name: text for name, text in names.items() if text}  # one that a restore holds back says nothing


# An e-mail is found by its lookup, too: a search asks for none but the student number's. Each table is read once and
# joined: looked up person by person, twenty thousand names take most of a minute while the database has not yet counted
# the rows of a roster that has just come in.
_NAMED = sa.text(
    "SELECT p.id, p.kind, p.wrapped_key, f.fields, c.corrections, n.person_id IS NOT NULL AS has_number"
    " FROM person p LEFT JOIN ("
    "  SELECT person_id,"
    "   jsonb_agg(jsonb_build_array(field, grant_id, encode(ciphertext, 'hex')) ORDER BY collected_at) AS fields"
    "  FROM person_field WHERE field = ANY(:names) AND ciphertext IS NOT NULL GROUP BY person_id"
    " ) f ON f.person_id = p.id LEFT JOIN ("
    "  SELECT person_id, jsonb_agg(jsonb_build_array(field, encode(ciphertext, 'hex'))) AS corrections"
    "  FROM correction WHERE field = ANY(:names) GROUP BY person_id"
    " ) c ON c.person_id = p.id LEFT JOIN ("
    "  SELECT DISTINCT person_id FROM person_field WHERE field = 'local_id' AND lookup = :number"
    " ) n ON n.person_id = p.id"
    " WHERE p.wrapped_key IS NOT NULL ORDER BY p.id"
)
_NAMED_OF = sa.text(
    "SELECT p.id, p.kind, p.wrapped_key,"
    " (SELECT jsonb_agg(jsonb_build_array(field, grant_id, encode(ciphertext, 'hex')) ORDER BY collected_at)"
    "  FROM person_field f WHERE f.person_id = p.id AND field = ANY(:names) AND ciphertext IS NOT NULL) AS fields,"
    " (SELECT jsonb_agg(jsonb_build_array(field, encode(ciphertext, 'hex')))"
    "  FROM correction c WHERE c.person_id = p.id AND field = ANY(:names)) AS corrections"
    " FROM person p WHERE p.id = ANY(:ids) AND p.wrapped_key IS NOT NULL AND p.merged_into IS NULL ORDER BY p.id"
)
