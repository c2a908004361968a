"""Why a launch was refused, in one sentence for an administrator: what happened, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lti_server.web.languages import N_

UNKNOWN = N_("This launch was refused for a reason that this version does not know; ask the operator.")

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "not-a-jwt": N_("The LMS sent no readable token; look into the LMS's own log."),
        "token-too-large": N_("The LMS sent more than a launch may hold; take custom parameters away."),
        "algorithm": N_("The LMS signed with another method than RS256; set it to RS256."),
        "kid-missing": N_("The LMS did not name its key; look for an update of the LMS."),
        "kid-unknown": N_("The LMS signed with a key that it does not publish; check the key set URL of the platform."),
        "keys-unreachable": N_("The key set of the LMS could not be read; check its URL and the network."),
        "signature": N_("The signature does not fit the published key; check the key set URL of the platform."),
        "issuer": N_("The launch names another issuer than the platform has; spell the issuer as the LMS does."),
        "audience": N_("The launch was made for another client id; check the client id of the platform."),
        "authorized-party": N_("The launch was meant for another of several tools; check the client id in the LMS."),
        "nonce": N_("The launch belonged to another login; the reader should open the lesson again."),
        "times-missing": N_("The launch has no times; look for an update of the LMS."),
        "expired": N_("The launch had expired; if it stays so, set the clocks of the LMS and of this server."),
        "too-old": N_("The launch was too old; if it stays so, set the clocks of the LMS and of this server."),
        "not-yet-valid": N_("The clock of the LMS is ahead of this server's; set the clocks."),
        "version": N_("The LMS sent another version than LTI 1.3; register the tool as LTI 1.3."),
        "message-type": N_("The LMS asked for something that this tool does not offer; check the link's type."),
        "claims-missing": N_("The launch lacked what every launch must say; look for an update of the LMS."),
        "malformed-claim": N_("The launch said something in a wrong form; look for an update of the LMS."),
        "anonymous": N_("The LMS did not say who opened the lesson; let it send the user's id (no name is needed)."),
        "target-link-uri": N_("The link led to another site; make the link in the course again."),
        "no-lesson": N_("The link named no lesson that is here; choose the lesson again in the course."),
        "no-contract": N_("No contract is in force; sign one for the district."),
        "provider-not-allowed": N_("The contract does not allow launches from an LMS; sign one that does."),
        "outside-population": N_("The class is not among those that the contract names; sign one that names it."),
        "host-not-allowed": N_("The lesson is on a site that is none of the contract's subprocessors; add it there."),
        "grant-not-active": N_("The connection is switched off; the district's administrator decides."),
        "not-approved": N_("The LMS has registered itself and waits; approve it with `lti-server platform approve`."),
        "erased": N_("The account was erased and is not made again; the district decides."),
        "used-before": N_("The launch was sent a second time; a launch opens once, so nothing needs to be done."),
        "not-a-teacher": N_("Somebody who does not teach there opened the list of lessons; check their role."),
        "about-another": N_("Somebody asked what is kept of another person; only an administrator of the LMS may."),
        "return-url": N_("The LMS wanted the choice sent to an unsafe address; its address must begin with https."),
        "other-deployment": N_("The login and the launch named different deployments; look for an update of the LMS."),
        "unknown-deployment": N_("A deployment that is not known here tried to launch; add its deployment id."),
    }
)  # fmt: skip
# What is refused before any district is known stands in the operator's log alone.
BEFORE_THE_DISTRICT = frozenset(
    {
        "login-incomplete", "unknown-platform", "client-id-needed", "platform-error", "state-missing", "state-forged",
        "state-expired", "other-browser",
    }
)  # fmt: skip


def sentence(reason: str) -> str:
    """One English sentence; pages translate it."""
    return REASONS.get(reason, UNKNOWN)
