"""What may be kept of a person: the collect gate's answer, as fields that accounts can write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.engine import Connection

from lti_server.accounts.model import FieldValue, Kind
from lti_server.ids import ContractId, DistrictId


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The allowed part of what a source said.

    `keep_subject`: the subject may be kept itself, not only its keyed hash. `whole`: the source was asked for
    everything, so that a field it no longer brings is dropped.
    """

    fields: tuple[FieldValue, ...]
    keep_subject: bool
    refused: Mapping[str, int]
    elements: tuple[str, ...]
    policy_hash: str
    whole: bool = True


class Intake(Protocol):
    """The collect gate with a district's contract in hand."""

    def __call__(
        self,
        connection: Connection,
        contract_id: ContractId,
        district_id: DistrictId,
        kind: Kind,
        said: Mapping[str, object],
    ) -> Kept:
        """Decide what may be kept, before anything is written (law 2)."""
        ...
