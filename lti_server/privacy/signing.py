"""Signing, amending and joining: each one transaction, logged, and what is narrower than before acts with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone

from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import ContractForbids, NoContract
from lti_server.ids import Clock, GrantId
from lti_server.privacy import contract_file, contracts, log
from lti_server.privacy.comparison import ForAdults, nobody, widened
from lti_server.privacy.compile import compile_policy
from lti_server.privacy.contract_text import joined, written
from lti_server.privacy.contracts import SIGNED, Points, Signed
from lti_server.privacy.districts import District
from lti_server.privacy.journal import Journal, JournalKind
from lti_server.privacy.limits import limit_of, strictest
from lti_server.privacy.model import Contract
from lti_server.privacy.retention import Retain

# A signature narrows at once: no row is left for later.
WHOLE = 2**31 - 1
# The day of an offer has begun where it is the first to begin.
FIRST_ZONE = timezone(timedelta(hours=14))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A new version; what it purged at once, and where it is wider or narrower than the version before.

    `narrowed` are connections that reach fewer by it: refused already; `Withdraw.finish` ends what is left.
    """

    signed: Signed
    purged: Mapping[str, int]
    narrowed: tuple[GrantId, ...] = ()
    wider: tuple[str, ...] = ()
    narrower: tuple[str, ...] = ()


class Signing:
    """The ways in which a district comes by a contract. `for_adults`: which providers are for adults alone."""

    def __init__(
        self, database: Database, retain: Retain, journal: Journal, clock: Clock, for_adults: ForAdults = nobody
    ) -> None:
        self._for_adults = for_adults
        self._database = database
        self._retain = retain
        self._journal = journal
        self._clock = clock

    def sign(self, district: District, text: str, *, by: str, anew: bool = False) -> Outcome:
        """Take a file as the next version. It is in force from its first day on, which may lie ahead.

        Where a restore has lost a version, that one's file is its text again, and no other is taken but `anew`: an
        older file, which is at hand, may allow more than the district has agreed to since.

        Raises:
            InvalidInput: every fault of the file; nothing is signed. ContractForbids: it is not the one that was lost.
        """
        policy_hash = compile_policy(contract_file.parse(text)).policy_hash
        with self._database.tenant(district.id) as connection:
            contracts.lock(connection)
            lost = contracts.awaited(contracts.versions(connection, district.zone, self._clock.now()))
            mine = next((one for one in lost if one.policy_hash == policy_hash), None)
            if mine is not None:
                return self._bring_back(connection, district, mine, text, by=by)
            if lost and not anew:
                raise ContractForbids(
                    f"Version {lost[0].version} was lost by a restore, and this is another file: the hash of its "
                    f"policy is not {lost[0].policy_hash}. Load that file, or say --anew where the district signs "
                    "another."
                )
            return self._take(connection, district, text, by=by, act="contract sign", points=SIGNED)

    def amend(self, district: District, text: str, *, by: str) -> Outcome:
        """Narrow the contract in force, without another signature; it acts at once, whatever first day the file has.

        Raises:
            InvalidInput: every fault of the file. NoContract: there is none in force.
            ContractForbids: the file is wider somewhere (`public["wider"]`), and that needs a signature.
        """
        terms = contract_file.parse(text)
        now = self._clock.now()
        with self._database.tenant(district.id) as connection:
            contracts.lock(connection)
            before = _in_force(connection, district, now)
            wider = _wider(before.terms, terms, self._for_adults)
            if wider:
                raise ContractForbids(
                    f"This is wider than the contract in force, and needs a signature: {', '.join(wider)}. "
                    "Sign it with `lti-server contract sign`.",
                    public={"wider": wider},
                )
            points = Points(kind="amended", amends=before.id, begins=_today(district, now))
            return self._take(connection, district, text, by=by, act="contract amend", points=points)

    def join(self, district: District, offering: District, *, by: str) -> Outcome:
        """Take up the offer of another district's contract in force (NDPA Exhibit E): a contract of one's own.

        Raises:
            NoContract: the other district has none in force. ContractForbids: it carries no offer, or not yet, or the
            offer ended at midnight in the joining district's time zone, after the last day that `offer_years` allows.
        """
        now = self._clock.now()
        with self._database.tenant(offering.id) as connection:
            parent = _in_force(connection, offering, now)
        terms = parent.terms
        today = _today(district, now)
        if terms.offer is None:
            raise ContractForbids(f"The contract of {offering.slug} is not offered to other districts (Exhibit E).")
        if now.astimezone(FIRST_ZONE).date() < terms.offer.signed_at:
            raise ContractForbids(f"The offer of {offering.slug} begins on {terms.offer.signed_at} (Exhibit E).")
        ended = last_day(terms)
        if today > ended:
            raise ContractForbids(
                f"The offer of {offering.slug} ended with {ended} (Exhibit E). Sign a contract of your own."
            )
        points = Points(kind="joined", parent=parent.id, parent_policy_hash=parent.policy_hash)
        text = written(joined(terms, signed=today))
        with self._database.tenant(district.id) as connection:
            return self._take(connection, district, text, by=by, act="contract join", points=points)

    def _take(
        self, connection: Connection, district: District, text: str, *, by: str, act: str, points: Points
    ) -> Outcome:
        now = self._clock.now()
        former = next(iter(contracts.versions(connection, district.zone, now)), None)
        contracts.sign(connection, district.id, text, signed_by=by, now=now, points=points)
        signed = contracts.versions(connection, district.zone, now)[0]
        wider, narrower = _differences(former, signed, self._for_adults)
        log.record(connection, _entry(district, signed, act, by, now, wider, narrower))
        purged = self._retain(connection, district, actor=by, most=WHOLE)
        self._journal.append(
            JournalKind.CONTRACT, district_id=district.id, at=now, contract=str(signed.id), version=signed.version,
            policy=signed.policy_hash, begins=signed.valid_from.isoformat(),
        )  # fmt: skip
        return Outcome(
            signed=signed, purged=purged.counts, narrowed=purged.narrowed, wider=tuple(wider), narrower=tuple(narrower)
        )  # fmt: skip

    def _bring_back(self, connection: Connection, district: District, lost: Signed, text: str, *, by: str) -> Outcome:
        """The district has signed this before the restore: it is no new version, and what it narrowed acts again."""
        now = self._clock.now()
        contracts.bring_back(connection, lost, text, signed_by=by)
        found = contracts.versions(connection, district.zone, now)
        signed = next(one for one in found if one.id == lost.id)
        log.record(connection, _entry(district, signed, "contract sign", by, now, [], []))
        purged = self._retain(connection, district, actor=by, most=WHOLE)
        return Outcome(signed=signed, purged=purged.counts, narrowed=purged.narrowed)


def last_day(terms: Contract) -> date:
    """The last day on which an offer can be taken up. A contract may set fewer years than Exhibit E, and not more."""
    assert terms.offer is not None
    years = limit_of(strictest(terms.limits, terms.statutes), "offer_years").value
    signed = terms.offer.signed_at
    try:
        return signed.replace(year=signed.year + years)
    except ValueError:  # signed on 29 February
        return signed.replace(year=signed.year + years, day=28)


def _in_force(connection: Connection, district: District, now: datetime) -> Signed:
    found = contracts.versions(connection, district.zone, now)
    current = next((one for one in found if one.state == "in_force"), None)
    if current is None:
        raise NoContract(f"The district {district.slug} has no contract in force.")
    return current


def _differences(former: Signed | None, signed: Signed, for_adults: ForAdults) -> tuple[list[str], list[str]]:
    if former is None:
        return [], []
    return _wider(former.terms, signed.terms, for_adults), _wider(signed.terms, former.terms, for_adults)


def _wider(before: Contract, after: Contract, for_adults: ForAdults) -> list[str]:
    """Apart from the first day: what lies behind cannot be allowed any more."""
    return widened(before, replace(after, valid_from=max(after.valid_from, before.begins)), for_adults)


def _today(district: District, now: datetime) -> date:
    return now.astimezone(district.zone).date()


def _entry(
    district: District, signed: Signed, act: str, by: str, now: datetime, wider: list[str], narrower: list[str]
) -> dict[str, object]:
    said: dict[str, object] = {"contract": str(signed.id), "policy": signed.policy_hash}
    if signed.amends is not None:
        said["amends"] = str(signed.amends)
    if signed.parent is not None:
        said["parent"] = str(signed.parent)
    if wider:
        said["wider"] = wider
    if narrower:
        said["narrower"] = narrower
    return log.entry(
        district.keys, at=now, actor=by, act=act, decision="allowed", purpose="operation",
        interest=log.Interest.OPERATION, payload=said,
    )  # fmt: skip
