"""What every view of the platform has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flask import abort

from lti_server_demo_lms.faults import Faults
from lti_server_demo_lms.keys import PlatformKey
from lti_server_demo_lms.store import Store
from lti_server_demo_lms.tokens import Tokens
from lti_server_demo_lms.world import Course, District, World


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoLmsConfig:
    """Where the platform is, where its tool is, and what its schools are.

    `page_size` is the longest page of any list; without `frame`, lessons open in new windows alone.
    """

    base_url: str
    tool_url: str
    data_dir: Path
    world: World
    page_size: int = 10
    frame: bool = True

    def issuer(self, district: District) -> str:
        return f"{self.base_url.rstrip('/')}/{district.slug}"

    @property
    def login_url(self) -> str:
        return f"{self.tool_url.rstrip('/')}/lti/login"

    @property
    def launch_url(self) -> str:
        """The one redirect URI that is registered."""
        return f"{self.tool_url.rstrip('/')}/lti/launch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The platform's parts: `app.extensions["demo_lms"]` is one."""

    config: DemoLmsConfig
    store: Store
    key: PlatformKey
    tokens: Tokens
    faults: Faults

    def district(self, slug: str) -> District:
        found = self.config.world.district(slug)
        if found is None:
            abort(404)
        return found

    def place(self, slug: str, course_id: str) -> tuple[District, Course]:
        district = self.district(slug)
        course = district.course(course_id)
        if course is None:
            abort(404)
        return district, course

    def issuer(self, district: District) -> str:
        return self.config.issuer(district)

    def line_items_url(self, district: District, course: Course) -> str:
        return f"{self.issuer(district)}/lineitems/{course.id}?type_id=2"

    def line_item_url(self, district: District, course: Course, item: int, service: str = "") -> str:
        """With a query, as some LMSs have it: a tool must put `/scores` before it (AGS 2.0, 3.4)."""
        return f"{self.issuer(district)}/lineitems/{course.id}/{item}{service}?type_id=2"

    def registration(self, slug: str) -> Mapping[str, str]:
        """What an administrator of the tool registers for a district; the names are those of `platform add`.

        Raises:
            KeyError: there is no such district.
        """
        district = self.config.world.district(slug)
        if district is None:
            raise KeyError(slug)
        issuer = self.issuer(district)
        return {
            "issuer": issuer,
            "client_id": district.client_id,
            "deployment_id": district.deployment_id,
            "auth_login_url": f"{issuer}/auth",
            "auth_token_url": f"{issuer}/token",
            "jwks_url": f"{issuer}/jwks",
        }
