"""What a test of a connection says to an administrator: what was asked, what came, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import gettext as _

from lti_server.accounts.connection_checks import Asked, Checked, Outcome
from lti_server.providers.preview import Preview


def told(found: Checked) -> dict[str, object]:
    """For `accounts/_checked.html`. What a provider or plugin says itself is English."""
    return {
        "good": found.good,
        "steps": [
            {"asked": _asked()[one.asked], "text": _answers(one.asked)[one.outcome], "said": one.said}
            for one in found.steps
        ],
        "roster": None if found.roster is None else {
            "people": found.roster.people, "sections": found.roster.sections, **fields(found.roster),
        },
    }  # fmt: skip


def fields(found: Preview) -> dict[str, object]:
    """The fields that came, by whether they would be kept; names of fields and elements, and no value."""
    came = [one for one in found.fields if one.values]
    return {"kept": [one for one in came if one.kept], "refused": [one for one in came if not one.kept]}


def _asked() -> Mapping[str, str]:
    return {
        Asked.WHERE: _("Where do people sign in?"),
        Asked.CLIENT: _("Does it know this server’s id and secret? (Asked with a code that is made up.)"),
        Asked.TENANTS: _("Which school systems have let this server in?"),
        Asked.ROSTER: _("What is on the first page of the class lists?"),
    }


def _answers(asked: Asked) -> Mapping[str, str]:
    good = {
        Asked.WHERE: _("It said where."),
        Asked.CLIENT: _("It refused the code, as it must, and not the id and secret."),
        Asked.TENANTS: _("It gave its list."),
        Asked.ROSTER: _("It gave the page."),
    }
    not_asked = {
        Asked.WHERE: _("The address is a fixed one; there was nothing to ask."),
        Asked.CLIENT: _("That cannot be asked without a sign-in. Connect it, and try one."),
        Asked.TENANTS: _("This application has no way to the list."),
        Asked.ROSTER: _("Nothing was asked."),
    }
    return {
        Outcome.GOOD: good[asked],
        Outcome.NOT_ASKED: not_asked[asked],
        Outcome.NOT_LISTED: _("Your school system is not on its list. Let this server in there first."),
        Outcome.BAD: _("That went wrong. Correct what it says, and test again."),
    }
