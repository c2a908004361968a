"""What `/me` says, in the words of a pupil: what was done with somebody's data, by whom and why."""

from __future__ import annotations

from flask_babel import gettext as _

from lti_server.privacy import schedule
from lti_server.privacy.element_names import educator_names
from lti_server.privacy.element_names import element_names as names_of_elements
from lti_server.privacy.log_reading import Logged
from lti_server.privacy.own_requests import Wish

FIRST = (schedule.NAME, "name")
"""What a page begins with."""
STAFF, OPERATOR, GRADEBOOK, LESSON, OTHER = "session:", "cli:", "grant:", "lesson:", ""


def element_names(kind: str) -> dict[str, str]:
    """The elements of a schedule, as a pupil or an educator calls them."""
    if kind == "staff":
        return educator_names()
    return {
        **names_of_elements(),
        schedule.APP_ID: _("My number in my school’s learning platform"),
        schedule.LOCAL_ID: _("My student number in the district"),
        schedule.STATE_ID: _("My student number in the state"),
    }


def who_did(actor: str) -> str:
    """Whoever stands in an entry of the log: by what they are, for the log knows nobody's name."""
    names = {
        STAFF: _("The staff of your school district"),
        OPERATOR: _("The people who run this server"),
        GRADEBOOK: _("Your school’s learning platform"),
        LESSON: _("A lesson on another site"),
        OTHER: _("This server"),
    }
    return str(next(text for start, text in names.items() if actor.startswith(start)))


def what_was_done(entry: Logged) -> str:
    """An act of the log in a sentence. One that has no words yet stands by its own name."""
    told = {
        "grade": _("Your results were sent to your school’s gradebook."),
        "grade read": _("Your school’s gradebook was asked which grade you have there."),
        "lesson site": _("You opened a lesson on another site. It knows you by a made-up name."),
        "person found": _("Somebody searched for people, and found you."),
        "person show": _("Somebody looked at what is kept about you."),
        "person preview": _("Somebody looked at what is kept about you, before they changed it."),
        "person export": _("Somebody took a copy of everything that is kept about you."),
        "person correct": _("Something about you was put right."),
        "person restrict": _("It was changed who may be told about you."),
        "signal": _("The system that you sign in with has told us something about your account there."),
        "session end": _("Somebody ended your sessions: you had to sign in again."),
        "account link": _("You connected another account of yours."),
        "person merge": _("Two accounts here were found to be yours, and became one."),
        "person unmerge": _("Two accounts here that had become one are two again."),
        "section show": _("Somebody looked at the list of your class."),
        "own request see": _("Somebody read what you had asked for."),
        "own request answer": _("Somebody has answered what you had asked for."),
    }
    return str(told.get(entry.act) or _("Something was done with what is kept about you: %(act)s", act=entry.act))


def why(entry: Logged) -> str:
    """The interest of an entry: why whoever asked may have it."""
    told = {
        "service": _("It belongs to the lessons that your school has chosen."),
        "operation": _("It belongs to running this server for your school."),
        "school_official": _("They work for your school, and need it for that."),
        "evaluation": _("To find out how well the lessons work."),
        "own_data": _("You, or somebody who speaks for you, asked for it."),
        "safety": _("Somebody’s health or safety was in danger."),
    }
    return str(told.get(entry.interest, ""))


def kind_of_reason(words: str) -> tuple[str, str]:
    """A reason as staff gives it: its kind in words, and what was written. Others wrote words alone."""
    kinds = {
        "request": _("You, or a guardian, had asked"),
        "support": _("Somebody could not get on with a lesson"),
        "safety": _("A danger to somebody’s health or safety"),
        "review": _("To check that the contract is kept"),
    }
    kind, _colon, written = words.partition(": ")
    return (str(kinds[kind]), written) if kind in kinds else ("", words)


def wish_names() -> dict[str, str]:
    """What somebody can ask of their district."""
    return {
        Wish.QUESTION.value: _("I have a question"),
        Wish.CORRECT.value: _("Something about me is wrong"),
        Wish.RESTRICT.value: _("Somebody should not be told about me"),
        Wish.LEAVE.value: _("I want to leave a class"),
        Wish.ERASE.value: _("Please delete what is kept about me"),
    }


def ways_out() -> dict[str, str]:
    """To whom a contract lets something go (privacy/notice.py), to a pupil."""
    return {
        "gradebook": _("Your school’s gradebook gets your results."),
        "school": _("Your school gets reports."),
        "district": _("Your school district gets reports."),
        "evaluator": _("People who find out how well the lessons work get results, without your name."),
    }


def agreed_as() -> dict[str, str]:
    """As whom somebody agreed to a new use."""
    return {"guardian": _("a guardian"), "school": _("your school"), "self": _("you")}
