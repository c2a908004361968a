"""What this tool is, in the words that platforms ask for: one description for every way to be registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from lti_server.lti.claims import RESOURCE_LINK_REQUEST

NAME = "Lessons"
DESCRIPTION = "Lessons that open from a course and send their scores to its gradebook."
DEEP_LINKING_REQUEST = "LtiDeepLinkingRequest"
AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
LINE_ITEM, SCORE, RESULT = AGS + "lineitem", AGS + "score", AGS + "result.readonly"
MEMBERS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
NOTICES = "https://purl.imsglobal.org/spec/lti/scope/noticehandlers"
SCOPES = (LINE_ITEM, RESULT, SCORE, MEMBERS, NOTICES)
# No e-mail address and no picture: nothing here needs them from an LMS. The contract decides about the rest.
CLAIMS = ("iss", "sub", "name", "given_name", "family_name", "locale")
MESSAGES = (RESOURCE_LINK_REQUEST, DEEP_LINKING_REQUEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """What one product wants beyond the specification; names and values are the vendor's own.

    `placements` by message type; `custom` parameters with the vendor's variables; `configuration` members of its own.
    """

    placements: Mapping[str, tuple[str, ...]]
    custom: Mapping[str, str]
    configuration: Mapping[str, str]


# No entry in Canvas' course menu: a launch from there names no lesson, and would be refused.
VENDORS: Mapping[str, Vendor] = MappingProxyType(
    {
        "canvas": Vendor(
            placements={DEEP_LINKING_REQUEST: ("link_selection", "assignment_selection")},
            custom={
                "section_ids": "$Canvas.course.sectionIds",
                "section_names": "$com.instructure.User.sectionNames",
            },
            # Canvas tells a tool nobody's name unless it is asked to.
            configuration={"https://canvas.instructure.com/lti/privacy_level": "name_only"},
        ),
    }
)
ANY_VENDOR = Vendor(placements={DEEP_LINKING_REQUEST: ("ContentArea",)}, custom={}, configuration={})


@dataclass(frozen=True, slots=True)
class Tool:
    """The addresses of this server as a tool. `base_url` has no slash at its end."""

    base_url: str

    @property
    def domain(self) -> str:
        return urlsplit(self.base_url).netloc

    @property
    def login_url(self) -> str:
        return f"{self.base_url}/lti/login"

    @property
    def launch_url(self) -> str:
        return f"{self.base_url}/lti/launch"

    @property
    def jwks_url(self) -> str:
        return f"{self.base_url}/lti/jwks"

    @property
    def icon_url(self) -> str:
        return f"{self.base_url}/static/icon.svg"


def canvas_configuration(tool: Tool) -> dict[str, Any]:
    """The JSON that Canvas takes for an LTI key, by address or pasted (Canvas, "Configuring LTI 1.3 keys")."""
    canvas = VENDORS["canvas"]
    placements = [
        {
            "placement": placement,
            "message_type": message,
            "target_link_uri": tool.launch_url,
            "text": NAME,
            "enabled": True,
        }
        for message, names in canvas.placements.items()
        for placement in names
    ]
    return {
        "title": NAME,
        "description": DESCRIPTION,
        "oidc_initiation_url": tool.login_url,
        "target_link_uri": tool.launch_url,
        "public_jwk_url": tool.jwks_url,
        "scopes": list(SCOPES),
        "custom_fields": dict(canvas.custom),
        "extensions": [
            {
                "platform": "canvas.instructure.com",
                "domain": tool.domain,
                "privacy_level": canvas.configuration["https://canvas.instructure.com/lti/privacy_level"],
                "settings": {
                    "platform": "canvas.instructure.com",
                    "text": NAME,
                    "icon_url": tool.icon_url,
                    "placements": placements,
                },
            }
        ],
    }
