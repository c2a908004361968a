"""The members of an LTI course as a roster source (Names and Role Provisioning Services 2.0)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from lti_server import __version__
from lti_server.lti.course_sections import Division, division, section_name, section_source_id
from lti_server.lti.members import legacy_id, member
from lti_server.lti.merging import Member, merged
from lti_server.lti.roles import CONTEXT
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
    PersonRole,
    RosterPage,
    SourceMembership,
    SourceSection,
)
from lti_server.providers.spi import SPI_VERSION, Clock, Transport
from lti_server.providers.wire import Authorization, Response, host_of

SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
MEDIA = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
# By what a list may be filtered (NRPS 2.0, 2.4.1), and who that is here.
ROLES = {"Instructor": PersonRole.TEACHER, "Learner": PersonRole.PUPIL}
# On the section of a course whose own sections were asked for and not told.
UNDIVIDED = "undivided"


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
            ConfigField(
                name="role", required=False, choices=tuple(ROLES), help="Ask for these alone; nobody else is removed."
            ),
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
        self._role = str(config.get("role") or "")
        self._transport = transport

    def pages(self, since: Cursor | None) -> Iterator[RosterPage]:
        """The whole course, or who changed since the `differences` link of a former read (NRPS 2.0, 2.4.3).

        The answer is one page: none of it may count before the last one came. Where one role alone is asked for, it is
        filtered once more (a platform may not know the filter, and Moodle's next page has lost it), and says nothing of
        who is absent.
        """
        rows, checkpoint = self._rows(since)
        found = _people(rows, self._section)
        if self._role:
            found, checkpoint = [one for one in found if one.person.role is ROLES[self._role]], None
        whole = since is not None or not self._rlid
        sections, memberships = (self._whole(), _memberships(found)) if whole else self._divided(rows, found)
        yield RosterPage(
            cursor=None,
            complete=True,
            delta=since is not None or bool(self._role),
            checkpoint=checkpoint,
            sections=sections,
            people=tuple(one.person for one in found),
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
        limit = {"limit": str(self._limit)} if self._limit else {}
        return {**limit, "role": f"{CONTEXT}#{self._role}"} if self._role else limit

    def _whole(self, extra: Mapping[str, str] | None = None) -> tuple[SourceSection, ...]:
        return (SourceSection(source_id=self._section, name=self._title, extra=dict(extra or {})),)

    def _divided(
        self, rows: Sequence[object], members: Sequence[Member]
    ) -> tuple[tuple[SourceSection, ...], tuple[SourceMembership, ...]]:
        """The course's sections with their members, or the course as one."""
        person_of = {name: one.person.source_id for one in members if one.membership.active for name in one.ids}
        found = division(row for row in rows if isinstance(row, Mapping) and row.get("user_id") in person_of)
        told = {person_of[name]: ids for name, ids in found.members.items()}
        unknown = len(set(person_of.values()) - told.keys())
        if unknown or not found.divides:
            return self._whole({UNDIVIDED: str(unknown)} if unknown else {}), _memberships(members)
        sections = tuple(
            SourceSection(
                source_id=section_source_id(self._section, one), name=section_name(self._title, found.names[one], one)
            )
            for one in sorted(found.names)
        )
        memberships = tuple(
            replace(one.membership, section_source_id=section_source_id(self._section, section_id))
            for one in members
            for section_id in _sections_of(one, found)
        )
        return sections, memberships


def _people(rows: Sequence[object], section: str) -> list[Member]:
    """One a person, however often and under whichever ids the list has them."""
    read = [(member(row, section), legacy_id(row)) for row in rows]
    return merged([Member(person=one[0], membership=one[1], legacy_id=old) for one, old in read if one is not None])


def _sections_of(one: Member, found: Division) -> list[str]:
    return sorted({section_id for name in one.ids for section_id in found.members.get(name, ())})


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


def _memberships(members: Sequence[Member]) -> tuple[SourceMembership, ...]:
    return tuple(one.membership for one in members)
