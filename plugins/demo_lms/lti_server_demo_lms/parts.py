"""What every view of the platform has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flask import abort

from lti_server_demo_lms.faults import Faults
from lti_server_demo_lms.keys import PlatformKey
from lti_server_demo_lms.profiles import PROFILES, Profile
from lti_server_demo_lms.roster import Roster
from lti_server_demo_lms.store import Store
from lti_server_demo_lms.tokens import Tokens
from lti_server_demo_lms.world import Course, District, World

# Stands for a district's slug in addresses that all of them share.
EVERY_SCHOOL = "every-school"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoLmsConfig:
    """Where the platform is, where its tool is, what its schools are, and which vendor's platform it does as.

    `page_size` is the longest page of a list, where the profile names none; without `frame`, lessons open in new
    windows alone. `create_app` puts the profile's ids in place of those of `world`.
    """

    base_url: str
    tool_url: str
    data_dir: Path
    world: World
    page_size: int = 10
    frame: bool = True
    profile: Profile = PROFILES["plain"]

    def issuer(self, district: District) -> str:
        """`iss`, which some vendors share among all schools; where the platform answers is `address`."""
        return self.profile.issuer or self.address(district)

    def address(self, district: District) -> str:
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
    roster: Roster

    def district(self, slug: str) -> District:
        """With those who are in its courses now; 404 where there is none."""
        found = self.roster.district(slug)
        if found is None:
            abort(404)
        return found

    def at_endpoint(self, slug: str, wanted: Callable[[District], bool] = lambda _: False) -> District:
        """Whose authorization, token or key set address is called; 404 where there is none.

        Where all districts share it, the one that is wanted: any will do for what they have in common. People of two
        districts may have one id.
        """
        if not self.config.profile.one_endpoint:
            return self.district(slug)
        if slug != EVERY_SCHOOL:
            abort(404)
        all_of_them = [self.district(one.slug) for one in self.config.world.districts]
        return next(filter(wanted, all_of_them), all_of_them[0])

    def place(self, slug: str, course_id: str) -> tuple[District, Course]:
        district = self.district(slug)
        course = district.course(course_id)
        if course is None:
            abort(404)
        return district, course

    def issuer(self, district: District) -> str:
        return self.config.issuer(district)

    def address(self, district: District) -> str:
        """What the addresses of this district's endpoints begin with."""
        return self.config.address(district)

    def endpoint(self, district: District, name: str) -> str:
        """The address of `auth`, `token` or `jwks`."""
        name = self.config.profile.token_path if name == "token" else name
        if self.config.profile.one_endpoint:
            return f"{self.config.base_url.rstrip('/')}/{EVERY_SCHOOL}/{name}"
        return f"{self.address(district)}/{name}"

    def token_audience(self, district: District) -> str:
        """What `aud` of an assertion must be."""
        return self.config.profile.token_audience or self.endpoint(district, "token")

    def memberships_url(self, district: District, course: Course) -> str:
        return f"{self.address(district)}/memberships/{course.id}"

    def notices_url(self, district: District) -> str:
        return f"{self.address(district)}/notice-handlers"

    def line_items_url(self, district: District, course: Course) -> str:
        return f"{self.address(district)}/lineitems/{course.id}{self._query}"

    def line_item_url(self, district: District, course: Course, item: int, service: str = "") -> str:
        """Some LMSs have a query in it: a tool must put `/scores` before it (AGS 2.0, 3.4)."""
        return f"{self.address(district)}/lineitems/{course.id}/{item}{service}{self._query}"

    @property
    def _query(self) -> str:
        query = self.config.profile.line_item_query
        return f"?{query}" if query else ""

    def registration(self, slug: str) -> Mapping[str, str]:
        """What an administrator of the tool registers for a district; the names are those of `platform add`.

        Raises:
            KeyError: there is no such district.
        """
        district = self.config.world.district(slug)
        if district is None:
            raise KeyError(slug)
        audience = self.config.profile.token_audience
        return {
            "issuer": self.issuer(district),
            "client_id": district.client_id,
            "deployment_id": district.deployment_id,
            "auth_login_url": self.endpoint(district, "auth"),
            "auth_token_url": self.endpoint(district, "token"),
            "jwks_url": self.endpoint(district, "jwks"),
            **({"token_audience": audience} if audience else {}),
        }

    def client_id_in_json(self, district: District) -> str | int:
        """As bodies other than JWTs write it."""
        return int(district.client_id) if self.config.profile.client_id_is_number else district.client_id
