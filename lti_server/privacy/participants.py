"""What a feature that keeps data about people takes part in: withdrawn grants, exports and erasures (design 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.engine import Connection

from lti_server.ids import DistrictId, GrantId
from lti_server.privacy.crypto import DistrictKeys
from lti_server.privacy.grant_states import Use
from lti_server.privacy.holdings import DataSubject, Table
from lti_server.providers.records import SourceToken


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """A grant, or some of its uses, is withdrawn: `epoch` began with it, `left` is what it is still for."""

    district_id: DistrictId
    grant_id: GrantId
    epoch: int
    uses: frozenset[Use]
    left: frozenset[Use]
    at: datetime
    keys: DistrictKeys = field(repr=False)

    @property
    def narrowing(self) -> bool:
        """Whether no use is withdrawn, but sections: whoever is outside them (privacy/population.py)."""
        return not self.uses

    @property
    def whole(self) -> bool:
        """Whether nothing of the grant is left."""
        return not self.left


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a participant did: counts for the receipt, and tokens that the provider is to be told of.

    `last_read_at`, `last_send_at`: when by this grant something last came from the provider, or went to it.
    """

    counts: Mapping[str, int]
    upstream: tuple[SourceToken, ...] = field(default=(), repr=False)
    last_read_at: datetime | None = None
    last_send_at: datetime | None = None


class Participant(Protocol):
    """A feature's part in a withdrawal. Running it again changes nothing more (law 10)."""

    name: str

    def carry_on(self, connection: Connection, withdrawal: Withdrawal) -> None:
        """In phase 1, where a use is left: bring what belongs to it to the new epoch, so that it goes on."""
        ...

    def on_revoked(self, connection: Connection, withdrawal: Withdrawal) -> Done:
        """After phase 1, and once more inside the exclusive fence: end, cancel, wipe what came by it.

        What another live grant supports stays, and so does a pupil's progress.
        """
        ...


class Holder(Protocol):
    """A feature's part in what people may ask for: to see what is kept of them, and that it goes.

    `tables` declares every column of every table that the feature owns. A column that nobody declares fails a test.
    """

    @property
    def name(self) -> str: ...

    @property
    def tables(self) -> Sequence[Table]: ...

    def export(self, connection: Connection, subject: DataSubject) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Every declared value about a person, opened; rows by table."""
        ...

    def erase(self, connection: Connection, subject: DataSubject) -> Mapping[str, int]:
        """Take away what is kept of a person; counts for the receipt. Run again, it changes nothing more (law 10)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A holder of tables that have no row of a person: it declares them, and there is nothing to give or to erase."""

    name: str
    tables: Sequence[Table]

    def export(self, connection: Connection, subject: DataSubject) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        return {}

    def erase(self, connection: Connection, subject: DataSubject) -> Mapping[str, int]:
        return {}
