"""What this tool is, in the words that platforms ask for: one description for every way to be registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from lti_server.lti.claims import DATA_PRIVACY_REQUESTS, RESOURCE_LINK_REQUEST
from lti_server.lti.history import HISTORY_VARIABLES
from lti_server.lti.platform_profiles import CANVAS, DEEP_LINKING_REQUEST, LINE_ITEM, RESULT, SCORE, PlatformProfile

NAME = "Lessons"
PRIVACY = "Data and privacy"
DESCRIPTION = "Lessons that open from a course and send their scores to its gradebook."
MEMBERS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
NOTICES = "https://purl.imsglobal.org/spec/lti/scope/noticehandlers"
SCOPES = (LINE_ITEM, RESULT, SCORE, MEMBERS, NOTICES)
# No e-mail address and no picture: nothing here needs them from an LMS. The contract decides about the rest.
CLAIMS = ("iss", "sub", "name", "given_name", "family_name", "locale")
# What each message is called in the LMS, where it shows that as a link.
MESSAGES: Mapping[str, str] = MappingProxyType(
    {RESOURCE_LINK_REQUEST: NAME, DEEP_LINKING_REQUEST: NAME, **dict.fromkeys(DATA_PRIVACY_REQUESTS, PRIVACY)}
)


def scopes_of(profile: PlatformProfile) -> tuple[str, ...]:
    """Every scope that this tool can use at such a platform."""
    return SCOPES if profile.line_item_read_scope in SCOPES else (*SCOPES, profile.line_item_read_scope)


def custom_of(profile: PlatformProfile) -> dict[str, str]:
    """The custom parameters that this tool reads from such a platform: histories of copies, and the vendor's own."""
    return {**profile.custom, **HISTORY_VARIABLES}


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
    placements = [
        {
            "placement": placement,
            "message_type": message,
            "target_link_uri": tool.launch_url,
            "text": NAME,
            "enabled": True,
        }
        for message, names in CANVAS.placements.items()
        for placement in names
    ]
    return {
        "title": NAME,
        "description": DESCRIPTION,
        "oidc_initiation_url": tool.login_url,
        "target_link_uri": tool.launch_url,
        "public_jwk_url": tool.jwks_url,
        "scopes": list(SCOPES),
        "custom_fields": custom_of(CANVAS),
        "extensions": [
            {
                "platform": "canvas.instructure.com",
                "domain": tool.domain,
                "privacy_level": CANVAS.configuration["https://canvas.instructure.com/lti/privacy_level"],
                "settings": {
                    "platform": "canvas.instructure.com",
                    "text": NAME,
                    "icon_url": tool.icon_url,
                    "placements": placements,
                },
            }
        ],
    }
