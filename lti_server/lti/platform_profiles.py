"""What each vendor's platform does differently, as data that the tool acts on. All pure; nothing here is a secret.

A vendor is told by its issuer or host, else by what its launches say (LTI Core 1.3, 5.4.3), else by what its
configuration said at registration (LTI Dynamic Registration 1.0, 3.4), else by the paths of its addresses, which it
ships; nobody known is plain. A profile changes what is asked and how, never whom the tool believes: the exceptions
for registration hang on the exact issuer alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from lti_server.lti.platform_storage import origin_of

DEEP_LINKING_REQUEST = "LtiDeepLinkingRequest"
AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
LINE_ITEM, LINE_ITEM_READONLY = AGS + "lineitem", AGS + "lineitem.readonly"
SCORE, RESULT = AGS + "score", AGS + "result.readonly"
LONGEST_FAMILY = 64


def _none() -> Mapping[str, Any]:
    return MappingProxyType({})


def _content_area() -> Mapping[str, tuple[str, ...]]:
    return MappingProxyType({DEEP_LINKING_REQUEST: ("ContentArea",)})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformProfile:
    """One vendor's platform; the defaults are the plain one, which does what the specifications say."""

    name: str
    # As the vendor writes it; empty for a platform of no known vendor.
    title: str = ""

    # Hosts that alone speak for an issuer whose configuration is elsewhere (Canvas); None: the issuer's own host.
    configuration_hosts: frozenset[str] | None = None
    # The registration endpoint is on the school's own host, so the registration token goes there too (Canvas).
    registers_elsewhere: bool = False
    # Placements wanted, by message type; custom parameters with the vendor's variables; configuration of its own.
    placements: Mapping[str, tuple[str, ...]] = field(default_factory=_content_area)
    custom: Mapping[str, str] = field(default_factory=_none)
    configuration: Mapping[str, str] = field(default_factory=_none)

    # The audience of assertions for the token endpoint; None: its address (RFC 7523). D2L has one for all tenants.
    token_audience: str | None = None
    # What reading line items takes: Moodle does not count `lineitem` for it.
    line_item_read_scope: str = LINE_ITEM

    # `limit` of a member list (NRPS 2.0, 2.4.2). None: not sent. Canvas takes at most 50, Schoology 100; Moodle and
    # Open edX make pages only where it is sent, and Open edX refuses a large course without.
    members_limit: int | None = None
    # Whether `role` counts beside `rlid`; Canvas forgets it.
    rlid_takes_role: bool = True
    # Whether the course's own id may be the `rlid`, and each member's sections stand in the custom parameters then
    # (Canvas). A link's id would list those alone who may open that link.
    rlid_tells_sections: bool = False
    # A member list that calls non-editing teachers Learner, whom launches call Instructor (Moodle). There the launch
    # decides, or launch and sync would each undo the other.
    lists_assistants_as_learners: bool = False

    # Whether a comment takes the place of the one before; Canvas adds each to a growing list.
    comments_replace: bool = True
    # Beside a score that hands in nothing new: Canvas makes a submission of every score otherwise.
    same_submission: Mapping[str, Any] = field(default_factory=_none)

    # Where messages for platform storage go instead, by the origin of the authorization address (Canvas).
    storage_origins: Mapping[str, str] = field(default_factory=_none)
    # The frame that keeps the storage where the platform does not name it at login (Blackboard).
    storage_frame: str | None = None

    def storage_origin(self, auth_login_url: str) -> str:
        """The one origin that platform storage is spoken to at (LTI Client Side postMessages 0.1)."""
        origin = origin_of(auth_login_url)
        return self.storage_origins.get(origin, origin)


PLAIN = PlatformProfile(name="plain")


def _canvas(environment: str) -> PlatformProfile:
    """Canvas in production (``) and its `beta.` and `test.`: one issuer each for every school."""
    sso, canvas = f"sso.{environment}canvaslms.com", f"canvas.{environment}instructure.com"
    return PlatformProfile(
        name="canvas",
        title="Canvas",
        configuration_hosts=frozenset({sso, canvas}),
        registers_elsewhere=True,
        # No entry in Canvas' course menu: a launch from there names no lesson, and would be refused.
        placements=MappingProxyType({DEEP_LINKING_REQUEST: ("link_selection", "assignment_selection")}),
        custom=MappingProxyType(
            {"section_ids": "$Canvas.course.sectionIds", "section_names": "$com.instructure.User.sectionNames"}
        ),
        # Canvas tells a tool nobody's name unless it is asked to.
        configuration=MappingProxyType({"https://canvas.instructure.com/lti/privacy_level": "name_only"}),
        members_limit=50,
        rlid_takes_role=False,
        comments_replace=False,
        rlid_tells_sections=True,
        same_submission=MappingProxyType({"https://canvas.instructure.com/lti/submission": {"new_submission": False}}),
        storage_origins=MappingProxyType({f"https://{canvas}": f"https://{sso}"}),
    )


CANVAS = _canvas("")
MOODLE = PlatformProfile(
    name="moodle",
    title="Moodle",
    line_item_read_scope=LINE_ITEM_READONLY,
    members_limit=200,
    lists_assistants_as_learners=True,
)
BLACKBOARD = PlatformProfile(name="blackboard", title="Blackboard Learn", storage_frame="lti_storage_frame")
D2L = PlatformProfile(
    name="d2l",
    title="D2L Brightspace",
    token_audience="https://api.brightspace.com/auth/token",  # noqa: S106  an address
)
SCHOOLOGY = PlatformProfile(name="schoology", title="Schoology", members_limit=100)
SAKAI = PlatformProfile(name="sakai", title="Sakai")
OPENEDX = PlatformProfile(name="openedx", title="Open edX", members_limit=200)

PROFILES: Mapping[str, PlatformProfile] = MappingProxyType(
    {one.name: one for one in (PLAIN, CANVAS, MOODLE, BLACKBOARD, D2L, SCHOOLOGY, SAKAI, OPENEDX)}
)

# Vendors that have one issuer for every school.
_ISSUERS: Mapping[str, PlatformProfile] = MappingProxyType(
    {
        "https://canvas.instructure.com": CANVAS,
        "https://canvas.beta.instructure.com": _canvas("beta."),
        "https://canvas.test.instructure.com": _canvas("test."),
        "https://blackboard.com": BLACKBOARD,
        "https://schoology.schoology.com": SCHOOLOGY,
    }
)
# Domains that a vendor hosts its schools under: the issuer's host, or the token endpoint's, is in one of them.
_DOMAINS: Mapping[str, PlatformProfile] = MappingProxyType(
    {
        "brightspace.com": D2L,
        "desire2learn.com": D2L,
        "moodlecloud.com": MOODLE,
        "edx.org": OPENEDX,
    }
)
# Product family codes, in lower case, as the vendors' own platforms send them.
_FAMILIES: Mapping[str, PlatformProfile] = MappingProxyType(
    {
        "canvas": CANVAS,
        "moodle": MOODLE,
        "blackboardlearn": BLACKBOARD,
        "desire2learn": D2L,
        "schoology": SCHOOLOGY,
        "sakai": SAKAI,
        "openedx": OPENEDX,
    }
)
# Paths of token endpoints, for schools that run the vendor's software under a name of their own.
_PATHS: Mapping[str, PlatformProfile] = MappingProxyType(
    {
        "/mod/lti/": MOODLE,
        "/imsblis/lti13/": SAKAI,
        "/api/lti_consumer/": OPENEDX,
        "/d2l/": D2L,
    }
)


def by_issuer(issuer: str) -> PlatformProfile | None:
    """The vendor that this very issuer belongs to: the only way to an exception in whom to believe."""
    return _ISSUERS.get(issuer)


def profile_of(issuer: str, auth_token_url: str, family: str | None) -> PlatformProfile:
    """The profile of a platform. `family` is its product family code, of a signed launch or of its registration."""
    return (
        by_issuer(issuer)
        or _by_domain(issuer)
        or _by_domain(auth_token_url)
        or _FAMILIES.get(family_code(family))
        or _by_path(auth_token_url)
        or PLAIN
    )


def for_registration(issuer: str, family: str) -> PlatformProfile:
    """The profile of a platform that registers itself: what its configuration says, whichever issuer it has."""
    return by_issuer(issuer) or _FAMILIES.get(family_code(family)) or PLAIN


def family_code(said: object) -> str:
    """A product family code as it is kept and compared: lower case, short, printable; else nothing."""
    fits = isinstance(said, str) and len(said) <= LONGEST_FAMILY and said.isascii() and said.isprintable()
    return said.strip().lower() if fits and isinstance(said, str) else ""


def _by_domain(address: str) -> PlatformProfile | None:
    host = _parts(address)[0]
    return next((one for domain, one in _DOMAINS.items() if host == domain or host.endswith("." + domain)), None)


def _by_path(address: str) -> PlatformProfile | None:
    path = _parts(address)[1]
    return next((one for part, one in _PATHS.items() if part in path), None)


def _parts(address: str) -> tuple[str, str]:
    """Host and path; nothing for an issuer that is no address."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return "", ""
    return host, parts.path


# Read by the tests: every rule leads to a profile that is listed.
RULES = MappingProxyType({"issuer": _ISSUERS, "domain": _DOMAINS, "family": _FAMILIES, "path": _PATHS})
