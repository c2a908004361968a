"""The members of LTI courses, for the roster: the plugin `lti` with a service token in hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlalchemy.engine import Connection

from lti_server.db import Database
from lti_server.errors import GrantRevoked, LtiServerError, ProviderRejectedUs
from lti_server.ids import Clock, GrantId
from lti_server.lti.memberships import SCOPE
from lti_server.lti.platform_profiles import PlatformProfile
from lti_server.lti.tokens import Service, ServiceTokens, service_of
from lti_server.privacy.districts import District
from lti_server.privacy.fence import Fence
from lti_server.privacy.grant_states import Use
from lti_server.providers.completeness import to_the_end
from lti_server.providers.connector import Connector
from lti_server.providers.faults import server_errors
from lti_server.providers.records import Cursor, RosterPage
from lti_server.providers.transport import patiently
from lti_server.roster.model import ReadableSection
from lti_server.roster.service import Platform

# A change that the LMS forgot to tell, or told while it was not asked, is mended by the next whole read.
WHOLE_READ_EVERY = timedelta(days=1)


class LtiMembers:
    """Reads through the same door as any stranger's plugin; a refused token is renewed once.

    A read that an outage cuts short starts anew, a few times. Where the LMS tells changes alone (`differences`), they
    are read between whole reads; whatever is wrong with them, the whole class is read instead.
    """

    def __init__(
        self,
        *,
        database: Database,
        connector: Connector,
        fence: Fence,
        tokens: ServiceTokens,
        district: Callable[[Connection], District],
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._database = database
        self._connector = connector
        self._fence = fence
        self._tokens = tokens
        self._district = district

    def platform(self, connection: Connection, grant_id: GrantId) -> Platform:
        service = service_of(connection, self._district(connection), grant_id)
        return Platform(
            grant_id=grant_id, epoch=service.epoch, issuer=service.issuer, client_id=service.client_id,
            launched_teachers_stay=service.profile.lists_assistants_as_learners,
        )  # fmt: skip

    def read(self, district: District, section: ReadableSection) -> list[RosterPage]:
        with self._database.tenant(district.id) as connection:
            service = service_of(connection, district, section.grant_id)
        changes = self._changes_since(section)
        if changes is not None:
            try:
                return self._renewing(service, section, changes)
            except GrantRevoked:
                raise
            except LtiServerError:
                pass  # a link that is too old or wrong says nothing of the class
        return self._renewing(service, section, None)

    def _changes_since(self, section: ReadableSection) -> Cursor | None:
        fresh = section.read_whole_at is not None and self._clock.now() - section.read_whole_at < WHOLE_READ_EVERY
        return Cursor(value=section.differences_url) if fresh and section.differences_url else None

    def _renewing(self, service: Service, section: ReadableSection, since: Cursor | None) -> list[RosterPage]:
        try:
            return self._pages(service, section, since)
        except ProviderRejectedUs:
            self._tokens.forget(service, [SCOPE])
            return self._pages(service, section, since)

    def _pages(self, service: Service, section: ReadableSection, since: Cursor | None) -> list[RosterPage]:
        with server_errors("lti"):
            token = self._tokens.bearer(service, [SCOPE])
        config = {
            "memberships_url": section.memberships_url,
            "token": token,
            "section": section.source_id,
            "title": section.name or section.source_id,
            **_asked(service.profile, section),
        }
        around = partial(self._fence.holding, service.district_id, service.grant_id, service.epoch, Use.ROSTER)
        source = self._connector.within(around).roster("lti", config)
        with server_errors("lti"):
            return patiently(lambda: list(to_the_end(source.pages(since))))


def _asked(profile: PlatformProfile, section: ReadableSection) -> dict[str, object]:
    """What this vendor is asked beside the list itself."""
    asked: dict[str, object] = {}
    if profile.members_limit is not None:
        asked["limit"] = profile.members_limit
    if profile.rlid_tells_sections:
        asked["rlid"] = section.source_id
    return asked
