"""A change of the privacy policy is told to every district's offices in the transaction that announces it (A-56)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.engine import Connection

from lti_server.db import Database, enter
from lti_server.ids import Clock, DistrictId
from lti_server.mail import Message
from lti_server.privacy import contracts, log, notices
from lti_server.privacy.districts import District
from lti_server.privacy.journal import Journal, JournalEntry, JournalKind
from lti_server.privacy.model import Contract, Purpose
from lti_server.privacy.notices import Version
from lti_server.web.languages import N_, spoken

OFFICES = frozenset({"data_steward", "district_admin"})
SUBJECT = N_("A change of the privacy notice")
TEXT = N_(
    "From {day} on, version {version} of the privacy notice acts. Until then nothing changes.\n\n{summary}\n\n"
    "The notice: {address}\n\nA new use of data that are here already wants the consent of each person."
)
LOST = N_(
    "The words of this version were lost with the server's database. What data are used for stands as it was said."
)

Send = Callable[[Connection, DistrictId | None, Message], UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A version, and how many offices were written to. `silent`: slugs of districts that name no office."""

    version: Version
    mails: int
    silent: tuple[str, ...]


class Announce:
    """Announces a version, once, to everybody whom a contract in force names as an office of its district."""

    def __init__(self, database: Database, send: Send, journal: Journal, clock: Clock, base_url: str) -> None:
        self._database = database
        self._send = send
        self._journal = journal
        self._clock = clock
        self._base_url = base_url

    def __call__(
        self, told: Sequence[District], make: Callable[[Connection, datetime], Version], *, by: str
    ) -> Announced:
        """Version, mails and entries of the log commit together. Raises what `notices.announce` raises."""
        now = self._clock.now()
        mails, silent = 0, []
        with self._database.anyone() as connection:
            version = make(connection, now)
            for district in told:
                enter(connection, district.id)
                found = contracts.versions(connection, district.zone, now)
                current = next((one for one in found if one.state == "in_force"), None)
                addresses = sorted(set(_offices(current.terms))) if current is not None else []
                for address in addresses:
                    self._send(connection, district.id, self._message(district, version, address))
                mails += len(addresses)
                if not addresses:
                    silent.append(district.slug)
                log.record(connection, _entry(district, version, len(addresses), by, now))
            self._journal.append(
                JournalKind.NOTICE, district_id=None, at=now, acts_on=version.acts_on.isoformat(),
                material=version.material, purposes=sorted(one.value for one in version.purposes),
            )  # fmt: skip
        return Announced(version=version, mails=mails, silent=tuple(silent))

    def replay(self, entry: JournalEntry) -> bool:
        """Let a version act again that a restored backup does not know; its words are lost, and the notice says so."""
        with self._database.anyone() as connection:
            return notices.announced_again(
                connection, acts_on=date.fromisoformat(entry.said["acts_on"]), material=entry.said["material"],
                purposes=frozenset(map(Purpose, entry.said["purposes"])), summary_en=spoken("en")(LOST),
                summary_fr=spoken("fr")(LOST), at=entry.at,
            )  # fmt: skip

    def _message(self, district: District, version: Version, address: str) -> Message:
        said = spoken(district.locale)
        summary = version.summary_fr if district.locale.startswith("fr") else version.summary_en
        text = said(TEXT).format(
            day=version.acts_on, version=version.version, summary=summary, address=f"{self._base_url}/privacy"
        )
        return Message(to=address, subject=said(SUBJECT), text=text)


def announcement(
    *, acts_on: date, material: bool, purposes: frozenset[Purpose], summary_en: str, summary_fr: str
) -> Callable[[Connection, datetime], Version]:
    """What `Announce` makes within its transaction."""

    def make(connection: Connection, now: datetime) -> Version:
        return notices.announce(
            connection, acts_on=acts_on, material=material, purposes=purposes, summary_en=summary_en,
            summary_fr=summary_fr, now=now,
        )  # fmt: skip

    return make


def _offices(contract: Contract) -> Iterator[str]:
    for report in contract.reports:
        recipients = report.get("recipients")
        for one in recipients if isinstance(recipients, list) else ():
            if isinstance(one, Mapping) and one.get("role") in OFFICES:
                yield str(one["email"])


def _entry(district: District, version: Version, mails: int, by: str, now: datetime) -> dict[str, object]:
    said = {"version": version.version, "acts_on": str(version.acts_on), "mails": mails}
    return log.entry(
        district.keys, at=now, actor=by, act="policy announce", decision="allowed", purpose="operation",
        interest=log.Interest.OPERATION, payload=said,
    )  # fmt: skip
