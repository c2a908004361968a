"""Why nobody was signed in: a word for the log and the documents, and the sentence that a pupil or teacher reads."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lti_server.errors import LinkRefused, SignInRefused
from lti_server.web.languages import N_

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "not-connected": N_("Your school does not sign in this way here. Ask your administrator to connect it."),
        "tenant-not-connected": N_("Your school is not connected here. Ask your administrator to connect it."),
        "no-tenant": N_("This account is not one of a school that is connected here. Use your school account."),
        "withdrawn": N_("Signing in this way is switched off for your school. Ask your administrator."),
        "paused": N_("Signing in this way is paused for your school. Try again later, or ask your teacher."),
        "no-contract": N_("Your district has no contract in force for these lessons. Ask your administrator."),
        "provider-not-allowed": N_("Your district's contract does not name this way in. Ask your administrator."),
        "outside-population": N_("Your district's contract does not name your class. Ask your administrator."),
        "adults-only": N_("This way in is for staff who have linked it to their account. Use your school account."),
        "state-forged": N_("This sign-in did not begin here. Begin it again."),
        "state-expired": N_("Signing in took too long. Begin it again."),
        "state-of-another-provider": N_("This answer belongs to another sign-in. Begin it again."),
        "other-browser": N_(
            "This sign-in began in another browser, is over, or the browser keeps no cookies. Begin it again."
        ),
        "in-a-circle": N_("The other side sends you here again and again without an answer. Begin the sign-in here."),
        "declined": N_("You were not signed in there, or the sign-in was used already. Begin it again."),
        "busy": N_("Too many people sign in there now. Try again in a minute."),
        "provider-failed": N_("The other side did not sign you in. Try again later, or tell your teacher."),
        "held": N_("The other side has locked this account. Once you have it back there, sign in again."),
        "not-adult": N_("This way in is for adults. Sign in with your e-mail address."),
        "not-registered": N_(
            "This account is of no school that is connected here, and nobody has registered with it. "
            "Use your school account, or register first."
        ),
        "address-known": N_(
            "You have an account already. Sign in with your e-mail address, and connect this one on your own page."
        ),
        "not-open": N_("Nobody registers here by themself. Sign in with your school."),
        "not-alone": N_("You cannot register by yourself. Ask your teacher."),
        "not-agreed": N_("You have not agreed that your data are kept in another country. Register anew."),
        "code-wrong": N_("This is not the code. Look at the newest letter."),
        "code-over": N_("This code is over: it was used, is older than ten minutes, or was tried too often."),
        "erased": N_("This account was erased. Ask your teacher or your district."),
        "link-not-fresh": N_("Sign in again, and connect the account within ten minutes after that."),
        "link-stale": N_("Connecting took too long, is over, or began elsewhere. Begin it again on your own page."),
        "link-other-district": N_("This account belongs to another school district. It was not connected."),
        "link-not-possible": N_("These two accounts cannot be one person's. Nothing was connected. Ask your teacher."),
    }
)  # fmt: skip


def not_linked(reason: str) -> LinkRefused:
    """The refusal of a link."""
    return LinkRefused(reason, REASONS[reason])


def refused(reason: str, *, internal: str = "") -> SignInRefused:
    """The refusal of one of the reasons."""
    return SignInRefused(reason, REASONS[reason], internal=internal)
