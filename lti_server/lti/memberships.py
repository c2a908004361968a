"""The members of an LTI course as a roster source (Names and Role Provisioning Services 2.0)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from lti_server import __version__
from lti_server.lti.members import member
from lti_server.providers.errors import BrokeContract
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
        ),
        hosts=("{memberships_url}",),
        fields=standard_fields("full_name", "given_name", "middle_name", "family_name", "email", "sis_id"),
    )

    def __init__(self, *, config: ConfigValues, transport: Transport, clock: Clock) -> None:
        self._url = str(config["memberships_url"])
        self._token = str(config["token"])
        self._section = str(config["section"])
        self._title = str(config.get("title", ""))
        self._transport = transport

    def pages(self, since: Cursor | None) -> Iterator[RosterPage]:
        """The whole course, whatever `since` says: a page cannot be resumed without the ones before it."""
        bearer = Authorization.bearer(self._token, hosts={host_of(self._url)})
        answers = self._transport.pages(self._url, headers={"Accept": MEDIA}, authorization=bearer)
        seen: dict[str, tuple[SourcePerson, SourceMembership]] = {}
        for answer in answers:
            for row in _members(answer):
                found = member(row, self._section)
                if found is not None:
                    _add(seen, found)
        section = SourceSection(source_id=self._section, name=self._title)
        yield RosterPage(
            cursor=None,
            complete=True,
            sections=(section,),
            people=tuple(person for person, _ in seen.values()),
            memberships=tuple(membership for _, membership in seen.values()),
        )


def _members(answer: Response) -> list[object]:
    container = answer.json() if answer.status < 300 else None
    if not isinstance(container, dict) or not isinstance(container.get("members"), list):
        raise BrokeContract("The LMS's answer is no member list; nothing of it is used.")
    members: list[object] = container["members"]
    return members


def _add(seen: dict[str, tuple[SourcePerson, SourceMembership]], found: tuple[SourcePerson, SourceMembership]) -> None:
    """Some platforms list a user once for each of their roles: teaching counts, and being there counts."""
    person, membership = found
    before = seen.get(person.source_id)
    if before is None or (membership.active, membership.role == "teacher") > (
        before[1].active,
        before[1].role == "teacher",
    ):
        seen[person.source_id] = found
