"""Linking an account by proof of both: a person who is signed in signs in at the other provider, too (design law 6).

An intent is made in a session that has just begun, for one person and one provider. It is used once, within five
minutes, by the browser that made it. An account that is nobody's becomes a further way in; one that is somebody's leads
to a preview, and both become one where the person says so. Nobody is found by an e-mail or a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.accounts import ages
from lti_server.accounts import store as people
from lti_server.accounts.adult_providers import lets_in
from lti_server.accounts.arrivals import STAFF, Arrival
from lti_server.accounts.intake import Intake
from lti_server.accounts.merging import Merge, Preview, Way, Why
from lti_server.accounts.model import Kind, Known
from lti_server.accounts.own_door import OwnSession
from lti_server.accounts.person_signals import held
from lti_server.accounts.proving import Begun, Proving
from lti_server.accounts.sign_in import SignIn
from lti_server.accounts.sign_in_reasons import not_linked
from lti_server.accounts.sign_in_states import SignInState
from lti_server.db import Database
from lti_server.errors import Conflict, LinkRefused, NotFound
from lti_server.ids import Clock, DistrictId, IdentityId, PersonId, new_id
from lti_server.privacy import log
from lti_server.privacy.crypto import token_hash
from lti_server.privacy.districts import District
from lti_server.privacy.model import Origin
from lti_server.providers.manifest import Manifest
from lti_server.providers.records import PersonRole

FRESH = timedelta(minutes=10)
INTENT_LIFE = timedelta(minutes=5)
CONFIRM_WITHIN = timedelta(minutes=5)
KEPT = timedelta(days=1)
PROVEN = "The person signed in as both."


@dataclass(frozen=True, slots=True, kw_only=True)
class WayIn:
    """One identity of a person. `stands`: it leads here at this moment: not ended, and by a grant for signing in."""

    id: IdentityId
    stands: bool


def may_remove(ways: Iterable[WayIn], identity_id: IdentityId) -> bool:
    """Whether a person keeps a way in when this identity goes: another one must stand. Nobody else's goes at all."""
    found = list(ways)
    return any(one.id == identity_id for one in found) and any(one.stands for one in found if one.id != identity_id)


def may_link(
    kind: Kind, provider: Manifest, *, known: Kind | None, role: PersonRole | None, years: int | None = None
) -> bool:
    """Whether somebody of this kind may have this account: one that is a person's here already (`known`), or none's.

    A pupil's and a teacher's never are one, whichever is to be whose; what a provider does not say speaks for neither.
    `years` is how old somebody is who registered alone.
    """
    if not lets_in(provider, kind, years=years):
        return False
    if known is not None:
        return known is kind
    return role not in STAFF if kind is Kind.PUPIL else role is not PersonRole.PUPIL


class Outcome(StrEnum):
    """What became of an intent."""

    LINKED = "linked"
    ALREADY = "already"
    """It was a way in of this very person before."""
    FOUND = "found"
    """It is somebody's here: to be confirmed, with a preview."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Who else somebody has proven to be, until when they may say that both are to be one."""

    intent_id: UUID
    provider: str
    until: datetime
    preview: Preview


@dataclass(frozen=True, slots=True, kw_only=True)
class _Intent:
    id: UUID
    district_id: DistrictId
    person_id: PersonId
    provider: str


class Linking:
    """The use cases of `/me/accounts/…`. A provider is called outside any transaction."""

    def __init__(
        self,
        *,
        database: Database,
        district: Callable[[Connection], District],
        proving: Proving,
        sign_in: SignIn,
        merge: Merge,
        intake: Callable[[str, Origin], Intake],
        manifest: Callable[[str], Manifest],
        clock: Clock,
    ) -> None:
        self._database = database
        self._district = district
        self._proving = proving
        self._sign_in = sign_in
        self._merge = merge
        self._intake = intake
        self._manifest = manifest
        self._clock = clock

    def begin(self, who: OwnSession, provider: str, *, locale: str = "") -> Begun:
        """Keep an intent of whoever is here, and say where the browser goes to prove the other account.

        Raises:
            LinkRefused: `link-not-fresh`; the session is too old to stand for the person.
            NotFound, SignInRefused, ProviderFailed: as `Proving.begin`.
        """
        now = self._clock.now()
        with self._database.tenant(who.district_id) as connection:
            slug = self._district(connection).slug
            began = connection.execute(_BEGAN, {"session": who.id, "person": who.person_id}).scalar_one_or_none()
        if began is None or now - began > FRESH:
            raise not_linked("link-not-fresh")
        begun = self._proving.begin(provider, slug=slug, locale=locale, link=who.district_id)
        values = {
            "id": new_id(), "district": who.district_id, "hash": token_hash(begun.issued.state.intent),
            "person": who.person_id, "session": who.id, "provider": provider, "now": now, "until": now + INTENT_LIFE,
        }  # fmt: skip
        with self._database.tenant(who.district_id) as connection:
            connection.execute(_PUT, values)
        return begun

    def finish(self, state: SignInState, params: Mapping[str, str]) -> Outcome:
        """Use an intent: whoever comes back has proven the other account, or nothing is linked.

        Keeps of what the provider says what the contract allows of the person, encrypted.

        Raises:
            LinkRefused, SignInRefused: with a reason of docs/reference/sign-in-refusals.md; it is in the person's log.
        """
        intent = self._spend(state)
        try:
            connected, identity = self._proving.proven(state, params)
            if connected.district_id != intent.district_id:
                raise not_linked("link-other-district")
            with self._database.tenant(intent.district_id) as connection:
                arrival = Arrival(
                    connected=connected, identity=identity, district=self._district(connection), now=self._clock.now()
                )
                return self._link(connection, intent, arrival)
        except LinkRefused as refusal:
            self._note_refused(intent, refusal.reason)
            raise

    def offer(self, who: OwnSession) -> Offer | None:
        """What is to be confirmed in this session; None where there is nothing (any more). Nothing is changed.

        Raises:
            NotFound, Conflict: as `Merge.merge`; one of both changed meanwhile.
        """
        values = {"session": who.id, "person": who.person_id, "now": self._clock.now()}
        with self._database.tenant(who.district_id) as connection:
            row = connection.execute(_OFFER, values).one_or_none()
            if row is None:
                return None
            preview = self._merge.preview(connection, who.person_id, PersonId(row.found_person_id))
        return Offer(intent_id=row.id, provider=row.provider, until=row.confirm_until, preview=preview)

    def confirm(self, who: OwnSession) -> None:
        """Let both be one, as the preview said.

        Raises:
            LinkRefused: `link-stale`; there is nothing to confirm (any more).
            NotFound, Conflict: as `Merge.merge`; then nothing is changed.
        """
        with self._database.tenant(who.district_id) as connection:
            found = self._settle(connection, who)
            if found is None:
                raise not_linked("link-stale")
            why = Why(by=f"person:{who.person_id}", way=Way.PROOF, reason=PROVEN, interest=log.Interest.OWN_DATA)
            self._merge.merge(connection, who.person_id, found, why)

    def decline(self, who: OwnSession) -> None:
        """Leave both as they are."""
        with self._database.tenant(who.district_id) as connection:
            self._settle(connection, who)

    def _settle(self, connection: Connection, who: OwnSession) -> PersonId | None:
        values = {"session": who.id, "person": who.person_id, "now": self._clock.now()}
        return connection.execute(_SETTLE, values).scalar_one_or_none()

    def _spend(self, state: SignInState) -> _Intent:
        """Once, in a transaction of its own: whatever comes of it, it is used."""
        assert state.link is not None
        values = {
            "hash": token_hash(state.intent), "provider": state.provider, "now": self._clock.now()
        }  # fmt: skip
        with self._database.tenant(state.link) as connection:
            row = connection.execute(_SPEND, values).one_or_none()
        if row is None:
            raise not_linked("link-stale")
        return _Intent(id=row.id, district_id=state.link, person_id=PersonId(row.person_id), provider=state.provider)

    def _link(self, connection: Connection, intent: _Intent, arrival: Arrival) -> Outcome:
        epoch, contract_id = self._sign_in.stands(connection, arrival)
        known, _former = self._sign_in.known(connection, arrival)
        target = _target(connection, intent.person_id)
        self._sign_in.reached(connection, arrival.connected, contract_id, target)
        intake, keys = self._intake(intent.provider, arrival.origin), arrival.district.keys
        if _is_blocked(connection, intent) or intake.blocked(connection, keys, arrival.told()):
            raise not_linked("link-not-possible")
        if known is not None and held(connection, known.identity_id):
            raise not_linked("link-not-possible")
        if known is not None and known.person_id == target.person_id:
            return Outcome.ALREADY
        role, kind = arrival.identity.person.role, None if known is None else known.kind
        years = _years(connection, arrival, target)
        if not may_link(target.kind, self._manifest(intent.provider), known=kind, role=role, years=years):
            raise not_linked("link-not-possible")
        if known is not None:
            return self._found(connection, intent, known)
        kept = intake(connection, contract_id, intent.district_id, target.kind, arrival.said)
        source = people.Source(grant_id=arrival.connected.grant_id, epoch=epoch, run_id=None, at=arrival.now)
        told = people.fingerprints_of(connection, target.person_id, source.grant_id)
        mine = people.add_identity(
            connection, keys, replace(target, fingerprints=told), arrival.subject, source=source,
            keep_subject=kept.keep_subject,
        )  # fmt: skip
        # Of what another account at this provider has told of them, nothing is overwritten.
        people.write_fields(connection, keys, mine, source, [one for one in kept.fields if one.name not in told], ())
        if (whose := ages.whose_of(keys, mine)) is not None:
            ages.settle(connection, whose, kept.age, source, arrival.today)
        said = {"policy": kept.policy_hash, "refused": dict(kept.refused)}
        self._note(connection, intent, "allowed", said, elements=kept.elements)
        return Outcome.LINKED

    def _found(self, connection: Connection, intent: _Intent, known: Known) -> Outcome:
        """Somebody else's here, by the same proof: nothing is changed before it is confirmed."""
        try:
            self._merge.preview(connection, intent.person_id, known.person_id)
        except (Conflict, NotFound) as error:
            raise not_linked("link-not-possible") from error
        values = {"id": intent.id, "found": known.person_id, "until": self._clock.now() + CONFIRM_WITHIN}
        connection.execute(_FOUND, values)
        return Outcome.FOUND

    def _note_refused(self, intent: _Intent, reason: str) -> None:
        """Refusals commit in a transaction of their own."""
        with self._database.tenant(intent.district_id) as connection:
            self._note(connection, intent, "refused", {"reason": reason})

    def _note(
        self, connection: Connection, intent: _Intent, decision: log.Decision, said: Mapping[str, object],
        elements: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        entry = log.entry(
            self._district(connection).keys, at=self._clock.now(), actor=f"person:{intent.person_id}",
            act="account link", decision=decision, purpose="operation", object_id=intent.person_id, elements=elements,
            population="person", interest=log.Interest.OWN_DATA, payload={"provider": intent.provider, **said},
        )  # fmt: skip
        log.record(connection, entry)


def expire_intents(connection: Connection, now: datetime) -> int:
    """Take intents of the entered district away after a day; how many."""
    return connection.execute(_EXPIRE, {"before": now - KEPT}).rowcount


def _target(connection: Connection, person_id: PersonId) -> Known:
    """Who links, locked: whoever erases or merges them waits, or has been here before. No identity is meant yet."""
    row = connection.execute(_TARGET, {"person": person_id}).one_or_none()
    if row is None:
        raise not_linked("link-stale")
    return Known(
        person_id=person_id, identity_id=IdentityId(person_id), kind=Kind(row.kind),
        wrapped_key=bytes(row.wrapped_key), fingerprints={},
    )  # fmt: skip


def _years(connection: Connection, arrival: Arrival, target: Known) -> int | None:
    """How old somebody is who registered alone; None of whoever has a school."""
    whose = ages.whose_of(arrival.district.keys, target) if arrival.own else None
    return None if whose is None else ages.years(connection, whose, arrival.today)


def _is_blocked(connection: Connection, intent: _Intent) -> bool:
    """A guardian's no to a provider is to every account there, by whatever id (A-65)."""
    values = {"person": intent.person_id, "provider": intent.provider}
    return connection.execute(_BLOCKED, values).first() is not None


# Of a lesson that was opened from a sign-in, when that one began; it ends with it (lessons/handoff.py).
_BEGAN = sa.text(
    "SELECT CASE WHEN s.identity_id IS NULL OR s.lesson_id IS NULL THEN s.created_at ELSE (SELECT min(o.created_at)"
    " FROM session o WHERE o.identity_id = s.identity_id AND o.lesson_id IS NULL AND o.expires_at = s.expires_at) END"
    " FROM session s WHERE s.id = :session AND s.person_id = :person AND s.ended_at IS NULL"
)
_PUT = sa.text(
    "INSERT INTO link_intent (id, district_id, intent_hash, person_id, session_id, provider, created_at, expires_at)"
    " VALUES (:id, :district, :hash, :person, :session, :provider, :now, :until)"
)
_SPEND = sa.text(
    "UPDATE link_intent i SET used_at = :now WHERE i.intent_hash = :hash AND i.provider = :provider"
    " AND i.used_at IS NULL AND i.expires_at > :now AND EXISTS ("
    "SELECT FROM session s JOIN grants g ON g.id = s.grant_id"
    " WHERE s.id = i.session_id AND s.person_id = i.person_id AND s.ended_at IS NULL AND s.expires_at > :now"
    " AND g.state = 'active' AND g.epoch = s.grant_epoch) RETURNING i.id, i.person_id"
)
_FOUND = sa.text("UPDATE link_intent SET found_person_id = :found, confirm_until = :until WHERE id = :id")
_OPEN = (
    "session_id = :session AND person_id = :person AND found_person_id IS NOT NULL AND confirm_until > :now"
    " AND settled_at IS NULL"
)
_OFFER = sa.text(
    f"SELECT id, provider, found_person_id, confirm_until FROM link_intent WHERE {_OPEN}"  # noqa: S608 (words of ours)
    " ORDER BY created_at DESC LIMIT 1"
)
# The newest is meant; older ones of the session are over with it. What was proven is worth nothing once the provider
# has the account disabled: whoever signed in there may have taken it.
_SETTLE = sa.text(
    f"WITH open AS (UPDATE link_intent SET settled_at = :now WHERE {_OPEN}"  # noqa: S608 (words of ours)
    " RETURNING found_person_id, provider, created_at), newest AS (SELECT * FROM open ORDER BY created_at DESC LIMIT 1)"
    " SELECT found_person_id FROM newest n WHERE NOT EXISTS (SELECT FROM identity i"
    " WHERE i.person_id = n.found_person_id AND i.provider = n.provider AND i.held_at IS NOT NULL)"
)
_EXPIRE = sa.text("DELETE FROM link_intent WHERE created_at < :before")
_TARGET = sa.text(
    "SELECT kind, wrapped_key FROM person WHERE id = :person AND wrapped_key IS NOT NULL AND merged_into IS NULL"
    " FOR UPDATE"
)
_BLOCKED = sa.text(
    "SELECT 1 FROM block WHERE person_id = :person AND lifted_at IS NULL AND provider IN ('', :provider)"
)
