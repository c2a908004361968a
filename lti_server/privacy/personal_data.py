"""What privacy itself keeps: districts, contracts, grants, and the log, which outlives an erasure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.ids import PersonId
from lti_server.privacy.holdings import Column, DataSubject, Form, Table, about, nobody, passing, rows_about
from lti_server.privacy.log_reading import MOST, Stay, entries_about

_DROP_CONSENTS = sa.text("DELETE FROM consent WHERE person_id = :person")
_DROP_REQUESTS = sa.text("DELETE FROM own_request WHERE person_id = :person")
# Whoever asked their provider for it still reads on the page of that deletion that it is done.
_FORGET_RECEIPTS = sa.text(
    "UPDATE signal_receipt SET person_id = NULL, case_id = NULL, erased_at = :at WHERE person_id = :person"
)
_GRANT = "the leave of a connection, and its end; of a system, not of a person"

LOG = Table(
    name="log_entry",
    mine="(t.object_id = :person OR t.actor = 'person:' || CAST(CAST(:person AS uuid) AS text))",
    columns=MappingProxyType(
        {
            **about("id at actor act decision", "who asked for what, and what was decided; by ids alone"),
            **about("object_id population elements purpose interest", "whose data, which, and why"),
            **nobody(
                "payload",
                "what the district reads of it, sealed; words about a person are under that person's key, and in the"
                " export of that person",
            ),
            **nobody("leaf_hash", "of the chain"),
            **nobody("district_id", "the tenant"),
        }
    ),
)
OWN_REQUESTS = Table(
    name="own_request",
    mine="t.person_id = :person",
    columns=MappingProxyType(
        {
            **about(
                "id person_id wish received_at due_on answered_at", "what somebody asked of the district, and when"
            ),
            "sealed": Column(why="in their own words; gone once answered, or in 90 days", about=True, form=Form.SEALED),
            **about("expires_at answered_by", "until when the words are kept, and who answered"),
            **nobody("district_id", "the tenant"),
        }
    ),
)
SIGNAL_RECEIPTS = Table(
    name="signal_receipt",
    mine="t.person_id = :person",
    columns=MappingProxyType(
        {
            **about(
                "id person_id provider kind outcome sessions", "what a provider said about somebody, and the effect"
            ),
            **about("occurred_at received_at acted_at expires_at", "when, and until when this is kept"),
            **about("case_id", "what the district was asked for by it"),
            **nobody("grant_id", "by which connection"),
            **nobody("erased_at", "that the person of a deletion is erased; the id is gone then"),
            **nobody("district_id", "the tenant"),
        }
    ),
)
OTHERS = (
    Table(
        name="district",
        columns=nobody(
            "id slug name timezone country locale data_key pepper created_at", "the tenant and its keys, wrapped"
        ),
    ),
    Table(
        name="contract",
        columns=MappingProxyType(
            {
                **nobody(
                    "id district_id version family policy_hash valid_from valid_to signed_at signed_by kind amends"
                    " parent_contract_id parent_policy_hash",
                    "the agreement; who signed is named as in the log",
                ),
                **passing("document", "the agreement as it was signed, with the offices it names; kept with it"),
            }
        ),
    ),
    Table(
        name="policy_version",
        columns=nobody(
            "id version acts_on material purposes summary_en summary_fr announced_at", "what the notice says, for all"
        ),
    ),
    Table(
        name="consent",
        mine="t.person_id = :person",
        columns=MappingProxyType(
            {
                **about("id person_id purpose given_as policy_hash notice_version", "to which new use somebody agreed"),
                **about("given_at withdrawn_at", "since when, and until when"),
                **nobody("district_id", "the tenant"),
            }
        ),
    ),
    Table(
        name="grants",
        columns=nobody("id district_id provider state epoch created_at ended_at uses narrowed suspended_on", _GRANT),
    ),
    Table(
        name="disposition",
        columns=nobody(
            "id district_id grant_id asked_by requested_at due_on days clause returned state done_at did"
            " backups_until",
            "a district's directive, and what became of it: counts alone",
        ),
    ),
    Table(
        name="contract_population",
        columns=nobody("district_id provider population", "the schools and classes that a contract names"),
    ),
    Table(name="grant_section", columns=nobody("district_id grant_id section_id", "the classes that it reaches")),
    Table(
        name="revocation",
        columns=nobody(
            "id district_id grant_id epoch uses asked_by reason requested_at acknowledged_at dispose_by"
            " adopted_by_grant_id",
            _GRANT,
        ),
    ),
    Table(
        name="revocation_receipt",
        columns=nobody(
            "id revocation_id district_id participant at did last_read_at last_send_at", "counts and times alone"
        ),
    ),
    Table(
        name="upstream_revocation",
        columns=MappingProxyType(
            {
                **nobody(
                    "id district_id revocation_id grant_id provider state attempts queued_at until settled_at", _GRANT
                ),
                **passing("sealed", "a token that is given back, sealed; gone at once on success, within a day else"),
            }
        ),
    ),
    Table(
        name="provider_signal",
        columns=nobody("district_id provider signal_hash received_at expires_at", "that a signal was heeded"),
    ),
    SIGNAL_RECEIPTS,
    Table(
        name="erasure",
        mine="t.person_id = :person",
        columns=MappingProxyType(
            {
                **about("person_id asked_by requested_at erased_at keeps_grades", "that somebody is erased, and when"),
                **nobody("district_id", "the tenant"),
            }
        ),
    ),
    Table(
        name="erasure_receipt",
        mine="t.person_id = :person",
        columns=MappingProxyType(
            {
                **about("id person_id participant at did", "what was taken away: counts alone"),
                **nobody("district_id", "the tenant"),
            }
        ),
    ),
    Table(
        name="guardian_request",
        columns=MappingProxyType(
            {
                **passing("sealed", "what a guardian wrote, for the district alone; gone once answered, or in 90 days"),
                **nobody("id district_id received_at due_on expires_at answered_at answered_by", "that somebody asked"),
            }
        ),
    ),
    OWN_REQUESTS,
    Table(name="log_link", columns=nobody("district_id position entry_id sealed_at hash", "of the chain")),
    Table(name="log_pending", columns=nobody("district_id entry_id", "what is not sealed yet")),
    Table(
        name="document_key", columns=nobody("kid public_jwk wrapped_private created_at retired_at", "keys that sign")
    ),
    Table(name="instance_key", columns=nobody("purpose wrapped created_at", "keys of the installation, wrapped")),
)  # fmt: skip


class LogData:
    """The log as its subject reads it. An erasure leaves the entries (law 12); what they said in words is gone."""

    name = "log"
    tables: Sequence[Table] = (LOG, *OTHERS)

    def __init__(self, stays: Callable[[Connection, PersonId], Sequence[Stay]]) -> None:
        self._stays = stays

    def export(self, connection: Connection, subject: DataSubject) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Every request for, and disclosure of, data about somebody, newest first."""
        rows: list[Mapping[str, Any]] = []
        stays, after = self._stays(connection, subject.person_id), None
        while True:
            page = entries_about(
                connection, subject.keys, subject.person_id, person_key=subject.key, stays=stays, after=after,
                limit=MOST,
            )  # fmt: skip
            rows += [{**one.plain(), "words": one.words} for one in page.items]
            after = page.next
            if after is None:
                return {**self.beside_the_log(connection, subject), LOG.name: rows}

    def beside_the_log(self, connection: Connection, subject: DataSubject) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """What else is kept of somebody here, such as consents: without the log, which is long."""
        return rows_about(connection, OTHERS, subject)

    def erase(self, connection: Connection, subject: DataSubject) -> Mapping[str, int]:
        """Consents and requests: whoever destroys the key has made every word of the log about them unreadable."""
        mine = {"person": subject.person_id}
        connection.execute(_FORGET_RECEIPTS, {**mine, "at": subject.at})
        gone = {
            "consents": connection.execute(_DROP_CONSENTS, mine).rowcount,
            "requests": connection.execute(_DROP_REQUESTS, mine).rowcount,
        }
        return {name: count for name, count in gone.items() if count}
