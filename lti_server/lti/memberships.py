"""The members of an LTI course as a roster source (Names and Role Provisioning Services 2.0)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from lti_server import __version__
from lti_server.lti.course_sections import division, section_name, section_source_id
from lti_server.lti.members import member
from lti_server.providers.errors import BrokeContract, ProviderFault, RateLimited, Unavailable
from lti_server.providers.manifest import (
    Capability,
    ConfigField,
    ConfigKind,
    ConfigValues,
    Manifest,
    standard_fields,
)
from lti_server.providers.records import (
    Cursor,
    RosterPage,
    SourceMembership,
    SourcePerson,
    SourceSection,
)
from lti_server.providers.spi import SPI_VERSION, Clock, Transport
from lti_server.providers.wire import Authorization, Response, host_of

SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
MEDIA = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
# On the section of a course whose own sections were asked for and not told.
UNDIVIDED = "undivided"

Member = tuple[SourcePerson, SourceMembership]


class LtiMemberships:
    """Reads one course: every page, or nothing. It registers as any stranger's plugin does."""

    manifest: ClassVar[Manifest] = Manifest(
        name="lti",
        version=__version__,
        spi_version=SPI_VERSION,
        title="LTI course members",
        capabilities=frozenset({Capability.ROSTER}),
        config=(
            ConfigField(name="memberships_url", kind=ConfigKind.URL, help="From a launch's signed claim."),
            ConfigField(name="token", secret=True, help="A service token of the LMS."),
            ConfigField(name="section", help="The course's id (context id)."),
            ConfigField(name="title", required=False, help="The course's title."),
            ConfigField(name="limit", kind=ConfigKind.INTEGER, required=False, help="Members a page, as a hint."),
            ConfigField(name="rlid", required=False, help="Ask for each member's custom parameters at this link."),
        ),
        hosts=("{memberships_url}",),
        fields=standard_fields("full_name", "given_name", "middle_name", "family_name", "email", "sis_id"),
    )

    def __init__(self, *, config: ConfigValues, transport: Transport, clock: Clock) -> None:
        self._url = str(config["memberships_url"])
        self._token = str(config["token"])
        self._section = str(config["section"])
        self._title = str(config.get("title") or "")
        self._limit = config.get("limit")
        self._rlid = str(config.get("rlid") or "")
        self._transport = transport

    def pages(self, since: Cursor | None) -> Iterator[RosterPage]:
        """The whole course, or who changed since the `differences` link of a former read (NRPS 2.0, 2.4.3).

        The answer is one page: none of it may count before the last one came.
        """
        rows, checkpoint = self._rows(since)
        seen: dict[str, Member] = {}
        for row in rows:
            found = member(row, self._section)
            if found is not None:
                _add(seen, found)
        sections, memberships = self._divided(rows, seen) if since is None else (self._whole(), _memberships(seen))
        yield RosterPage(
            cursor=None,
            complete=True,
            delta=since is not None,
            checkpoint=checkpoint,
            sections=sections,
            people=tuple(person for person, _ in seen.values()),
            memberships=memberships,
        )

    def _rows(self, since: Cursor | None) -> tuple[list[object], Cursor | None]:
        """Every member of every page, and where changes after this read are told; the last page says it."""
        if since is not None:
            answers = self._get(since.value, {})
        elif self._rlid:
            try:
                return _read(self._get(self._url, {**self._hint(), "rlid": self._rlid}))
            except (Unavailable, RateLimited):
                raise
            except ProviderFault:
                # A platform may refuse `rlid` (NRPS 2.0, 2.4.2 is optional); the plain list is whole, too.
                answers = self._get(self._url, self._hint())
        else:
            answers = self._get(self._url, self._hint())
        return _read(answers)

    def _get(self, url: str, params: Mapping[str, str]) -> Iterator[Response]:
        bearer = Authorization.bearer(self._token, hosts={host_of(self._url)})
        return self._transport.pages(url, params=params, headers={"Accept": MEDIA}, authorization=bearer)

    def _hint(self) -> dict[str, str]:
        return {"limit": str(self._limit)} if self._limit else {}

    def _whole(self, extra: Mapping[str, str] | None = None) -> tuple[SourceSection, ...]:
        return (SourceSection(source_id=self._section, name=self._title, extra=dict(extra or {})),)

    def _divided(
        self, rows: Sequence[object], seen: Mapping[str, Member]
    ) -> tuple[tuple[SourceSection, ...], tuple[SourceMembership, ...]]:
        """The course's sections with their members, or the course as one."""
        if not self._rlid:
            return self._whole(), _memberships(seen)
        live = {user_id for user_id, (_, membership) in seen.items() if membership.active}
        found = division(row for row in rows if isinstance(row, Mapping) and row.get("user_id") in live)
        if not found.divides:
            told = {UNDIVIDED: str(found.unknown)} if found.unknown else {}
            return self._whole(told), _memberships(seen)
        sections = tuple(
            SourceSection(
                source_id=section_source_id(self._section, one), name=section_name(self._title, found.names[one], one)
            )
            for one in sorted(found.names)
        )
        memberships = tuple(
            SourceMembership(
                section_source_id=section_source_id(self._section, one),
                person_source_id=membership.person_source_id,
                role=membership.role,
                active=membership.active,
            )
            for user_id, (_, membership) in seen.items()
            for one in found.members.get(user_id, ())
        )
        return sections, memberships


def _read(answers: Iterator[Response]) -> tuple[list[object], Cursor | None]:
    rows: list[object] = []
    differences: str | None = None
    for answer in answers:
        rows += _members(answer)
        differences = answer.links.get("differences") or differences
    return rows, None if differences is None else Cursor(value=differences)


def _members(answer: Response) -> list[Any]:
    container = answer.json() if answer.status < 300 else None
    if not isinstance(container, dict) or not isinstance(container.get("members"), list):
        raise BrokeContract("The LMS's answer is no member list; nothing of it is used.")
    members: list[Any] = container["members"]
    return members


def _memberships(seen: Mapping[str, Member]) -> tuple[SourceMembership, ...]:
    return tuple(membership for _, membership in seen.values())


def _add(seen: dict[str, Member], found: Member) -> None:
    """Some platforms list a user once for each of their roles: teaching counts, and being there counts."""
    person, membership = found
    before = seen.get(person.source_id)
    if before is None or (membership.active, membership.role == "teacher") > (
        before[1].active,
        before[1].role == "teacher",
    ):
        seen[person.source_id] = found
