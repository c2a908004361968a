"""A district's contracts: signing, reading, and the policy in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import InvalidInput, NoContract
from lti_server.ids import ContractId, DistrictId, new_id
from lti_server.privacy import contract_file
from lti_server.privacy.compile import compile_policy, features_left_off
from lti_server.privacy.model import Contract, Policy
from lti_server.privacy.tables import contract as table


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """One version of a district's contract. `state`: waiting, in_force, expired or replaced.

    `kind`: signed; amended (`amends` is the version before); joined, on the terms of `parent` in another district; or
    lost: a restored backup does not have it, `document` is that of the version before, and nothing is in force by it.
    """

    id: ContractId
    version: int
    family: str
    policy_hash: str
    valid_from: date
    valid_to: date
    signed_at: datetime
    signed_by: str
    document: str
    state: str
    kind: str = "signed"
    amends: ContractId | None = None
    parent: ContractId | None = None

    @property
    def terms(self) -> Contract:
        """The contract itself."""
        return contract_file.parse(self.document)

    @property
    def left_off(self) -> list[str]:
        """The features that this contract leaves off, in sentences."""
        return features_left_off(self.terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """What a version refers to. `begins`: its first day, where that is not the file's own."""

    kind: str = "signed"
    amends: ContractId | None = None
    parent: ContractId | None = None
    parent_policy_hash: str | None = None
    begins: date | None = None


SIGNED = Points()
LOST = "lost"


def lock(connection: Connection) -> None:
    """Let nobody else sign for the entered district until this transaction ends."""
    connection.execute(sa.text("SELECT 1 FROM district FOR UPDATE"))


def sign(
    connection: Connection,
    district_id: DistrictId,
    text: str,
    *,
    signed_by: str,
    now: datetime,
    points: Points = SIGNED,
) -> ContractId:
    """Take a contract file as the district's next version; in force from its first day on, or from its signature.

    The connection is in the district's tenant. Two who sign at once get two versions.

    Raises:
        InvalidInput: every fault of the file; nothing is signed.
    """
    contract = contract_file.parse(text)
    lock(connection)
    version = connection.execute(sa.select(sa.func.coalesce(sa.func.max(table.c.version), 0))).scalar_one() + 1
    contract_id = ContractId(new_id())
    connection.execute(
        table.insert().values(
            id=contract_id, district_id=district_id, version=version, family=contract.family.value, document=text,
            policy_hash=compile_policy(contract).policy_hash, valid_from=points.begins or contract.begins,
            valid_to=contract.valid_to, signed_at=now, signed_by=signed_by, kind=points.kind, amends=points.amends,
            parent_contract_id=points.parent, parent_policy_hash=points.parent_policy_hash,
        )
    )  # fmt: skip
    return contract_id


def versions(connection: Connection, zone: ZoneInfo, now: datetime) -> list[Signed]:
    """All versions of the entered district, newest first, each with its state on this day there."""
    today = now.astimezone(zone).date()
    rows = connection.execute(sa.select(table).order_by(table.c.version.desc())).all()
    begun = [row.version for row in rows if row.valid_from <= today]
    newest = max(begun, default=None)
    return [
        Signed(
            id=ContractId(row.id), version=row.version, family=row.family, policy_hash=row.policy_hash,
            valid_from=row.valid_from, valid_to=row.valid_to, signed_at=row.signed_at, signed_by=row.signed_by,
            document=row.document, state=_state(row.version, row.valid_from, row.valid_to, newest, today),
            kind=row.kind, amends=row.amends, parent=row.parent_contract_id,
        )
        for row in rows
    ]  # fmt: skip


def _state(version: int, begins: date, ends: date, newest: int | None, today: date) -> str:
    if begins > today:
        return "waiting"
    if version != newest:
        return "replaced"
    return "in_force" if today <= ends else "expired"


def in_force(connection: Connection, zone: ZoneInfo, now: datetime) -> ContractId | None:
    """The newest version that has begun, until its last day in the district's time zone is over.

    An expired version does not bring a former one back.
    """
    today = now.astimezone(zone).date()
    row = connection.execute(
        sa.select(table.c.id, table.c.valid_to)
        .where(table.c.valid_from <= today)
        .order_by(table.c.version.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None or row.valid_to < today else ContractId(row.id)


def lose(
    connection: Connection,
    district_id: DistrictId,
    contract_id: ContractId,
    *,
    version: int,
    policy_hash: str,
    begins: date,
    at: datetime,
) -> bool:
    """Keep the place of a version that a restored backup does not have: from its first day on nothing is in force.

    False where the version, or a decision after it, is here; or none at all, so that nothing is allowed anyway.
    """
    lock(connection)
    rows = connection.execute(sa.select(table).order_by(table.c.version.desc())).all()
    if not rows or any(row.id == contract_id or row.signed_at >= at for row in rows):
        return False
    connection.execute(
        table.insert().values(
            id=contract_id, district_id=district_id, version=max(version, rows[0].version + 1), family=rows[0].family,
            document=rows[0].document, policy_hash=policy_hash, valid_from=begins, valid_to=begins - timedelta(days=1),
            signed_at=at, signed_by="restore", kind=LOST,
        )
    )  # fmt: skip
    return True


def awaited(found: Sequence[Signed]) -> list[Signed]:
    """Of all versions, newest first: those that are lost, and that none which has begun replaces. Pure."""
    acts = max((one.version for one in found if one.kind != LOST and one.state != "waiting"), default=0)
    return [one for one in found if one.kind == LOST and one.version > acts]


def bring_back(connection: Connection, lost: Signed, text: str, *, signed_by: str) -> None:
    """Give a lost version its text again; the caller has seen that its policy's hash is that of the version."""
    contract = contract_file.parse(text)
    connection.execute(
        table.update()
        .where(table.c.id == lost.id)
        .values(
            document=text, family=contract.family.value, valid_to=contract.valid_to, signed_by=signed_by, kind="signed"
        )
    )


class Policies:
    """Compiled policies by contract: a version never changes, so each is compiled once a process."""

    def __init__(self) -> None:
        self._known: dict[ContractId, Policy] = {}

    def read(self, database: Database, district_id: DistrictId, contract_id: ContractId) -> Policy:
        """As `of`, without a transaction at hand."""
        found = self._known.get(contract_id)
        if found is None:
            with database.tenant(district_id) as connection:
                found = self.of(connection, contract_id)
        return found

    def of(self, connection: Connection, contract_id: ContractId) -> Policy:
        """The policy of one version.

        Raises:
            NoContract: the entered district has no such contract.
        """
        found = self._known.get(contract_id)
        if found is None:
            select = sa.select(table.c.document, table.c.kind).where(table.c.id == contract_id)
            row = connection.execute(select).one_or_none()
            if row is None:
                raise NoContract("The district has no contract in force. Sign one with `lti-server contract sign`.")
            found = _compiled(row.document)
            if row.kind != LOST:  # its own text may come back
                self._known[contract_id] = found
        return found


def _compiled(document: str) -> Policy:
    """What cannot be read is no contract: there is no part of it that still holds."""
    try:
        return compile_policy(contract_file.parse(document))
    except InvalidInput as fault:
        raise NoContract(
            "The district's contract cannot be read any more, so nothing is allowed. Sign it again.",
            internal="; ".join(str(one) for one in _problems(fault.public)),
        ) from fault


def _problems(public: Mapping[str, object]) -> list[object]:
    found = public.get("problems")
    return found if isinstance(found, list) else []
