"""The pages on which an LMS registers itself, and the tool's description for Canvas (design 6.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from flask import Blueprint, Response, jsonify, render_template, request
from flask_babel import gettext as _

from lti_server.lti.dynamic_registration import PlatformConfiguration
from lti_server.lti.platform_profiles import DEEP_LINKING_REQUEST, LINE_ITEM, SCORE
from lti_server.lti.registration_invitations import RegistrationInvitations
from lti_server.lti.tool_description import MEMBERS, Tool, canvas_configuration
from lti_server.providers.wire import host_of
from lti_server.web.guards import public

CONFIGURATION_AGE_S = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the platform's link carries."""

    invitation: str = field(repr=False)
    configuration_url: str = field(repr=False)
    token: str | None = field(repr=False)


def blueprint(invitations: RegistrationInvitations, tool: Tool) -> Blueprint:
    """`/lti/register` and `/lti/config.json`. They work in a frame without any cookie: the invitation is the guard."""
    pages = Blueprint(
        "registration", __name__, url_prefix="/lti", template_folder="templates", static_folder="static/lti",
        static_url_path="/static",
    )  # fmt: skip

    @pages.get("/register")
    @public("the invitation is the credential")
    def register() -> str:
        asked = _asked(request.args)
        district = invitations.look(asked.invitation, asked.configuration_url, asked.token)
        host = host_of(asked.configuration_url)
        return render_template("lti/register.html", district=district.name, host=host, asked=asked)

    @pages.post("/register")
    @public("the invitation is the credential")
    def registered() -> str:
        asked = _asked(request.form)
        made = invitations.register(asked.invitation, asked.configuration_url, asked.token)
        return render_template(
            "lti/registered.html", made=made.registered, host=host_of(made.configuration.issuer),
            missing=_missing(made.configuration),
        )  # fmt: skip

    @pages.get("/config.json")
    @public("what this tool is")
    def configuration() -> Response:
        response = jsonify(canvas_configuration(tool))
        response.headers["Cache-Control"] = f"public, max-age={CONFIGURATION_AGE_S}"
        return response

    @pages.after_request
    def stay_with_the_opener(response: Response) -> Response:
        """Some platforms open a window of their own, and wait in theirs for the message that ends it."""
        response.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"
        return response

    return pages


def _asked(given: Mapping[str, str]) -> _Asked:
    """The parameters; also where a platform put `?` before its own though the link had one already."""
    invitation, mark, rest = given.get("invitation", "").partition("?")
    more = dict(parse_qsl(rest)) if mark else {}
    values = {**more, **given}
    return _Asked(
        invitation=invitation,
        configuration_url=values.get("openid_configuration", ""),
        token=values.get("registration_token") or None,
    )


def _missing(configuration: PlatformConfiguration) -> list[str]:
    """What will not work, because the platform does not say that it can do it."""
    lacks = [
        (not {LINE_ITEM, SCORE} <= set(configuration.scopes), _("Scores do not go back to the gradebook.")),
        (MEMBERS not in configuration.scopes, _("Class lists are not read; classes fill as pupils open lessons.")),
        (DEEP_LINKING_REQUEST not in configuration.placements, _("Lessons are linked by their address.")),
    ]
    return [words for lacking, words in lacks if lacking]
