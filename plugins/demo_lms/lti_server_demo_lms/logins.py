"""What the platform says to a tool's login (Security Framework 1.0, 5.1.1.1; LTI Core 1.3, 4.1)."""

from __future__ import annotations

from lti_server_demo_lms.parts import Parts
from lti_server_demo_lms.world import District, Person


def query(
    parts: Parts, district: District, person: Person, target: str, hint: str, *, framed: bool = False
) -> dict[str, str]:
    """The parameters that this profile sends; `hint` comes back from the tool as `lti_message_hint`.

    A window of its own has no page around it that could keep anything, so storage is offered in frames.
    """
    profile = parts.config.profile
    asked = {
        "iss": parts.issuer(district),
        "login_hint": person.id,
        "target_link_uri": target,
        "lti_message_hint": hint,
        **dict(profile.login_extra),
    }
    if profile.login_client_id:
        asked["client_id"] = district.client_id
    if profile.login_deployment is not None:
        asked[profile.login_deployment] = district.deployment_id
    if framed and profile.storage is not None:
        asked["lti_storage_target"] = profile.storage.frame
    return asked
