"""The words of a contract in the reader's language: elements, purposes, sources and numbers."""

from __future__ import annotations

from flask_babel import gettext as _

from lti_server.privacy import schedule


def element_names() -> dict[str, str]:
    """The elements of the schedule that this server has a use for, in plain words; others stand by their id."""
    return {
        schedule.NAME: _("Name"),
        schedule.LOCAL_ID: _("Student number of the district"),
        schedule.STATE_ID: _("Student number of the state"),
        schedule.APP_ID: _("Identifier in the LMS"),
        schedule.USERNAME: _("User name"),
        schedule.EMAIL: _("E-mail address"),
        schedule.PHONE: _("Telephone number"),
        schedule.SCHOOL: _("School"),
        schedule.GRADE: _("Grade"),
        schedule.BIRTH_DATE: _("Age in whole years (never the birth date)"),
        schedule.GENDER: _("Gender"),
        schedule.LANGUAGE: _("Language"),
        schedule.ETHNICITY: _("Ethnicity or race"),
        schedule.PERFORMANCE: _("Attempts and scores in lessons"),
        schedule.WORK: _("Answers and work in lessons"),
        schedule.COURSES: _("Courses"),
        schedule.ADDRESS: _("Network address"),
    }


def educator_names() -> dict[str, str]:
    return {"name": _("Name"), "identifier": _("Identifier in the LMS"), "email": _("E-mail address")}


def purpose_names() -> dict[str, str]:
    return {
        "instruction": _("lessons"),
        "progress_reporting": _("reports to school and district"),
        "evaluation": _("evaluation of the lessons"),
    }


def origin_names() -> dict[str, str]:
    return {
        "school": _("the school"),
        "student": _("the pupil"),
        "parent": _("a guardian"),
        "derived": _("what was worked out here"),
    }


def limit_names() -> dict[str, str]:
    return {
        "breach_notice_hours": _("Hours until the district is told of an incident"),
        "disposition_days": _("Days until data are disposed of, when the district asks or the contract ends"),
        "portion_days": _("Days until a part is returned, when the district asks"),
        "access_days": _("Days until a request to see or correct data is answered"),
        "backup_days": _("Days that backups are kept"),
        "offer_years": _("Years in which other districts may join"),
    }


def form_names() -> dict[str, str]:
    """How an element is kept, whatever a contract says (privacy/notice.py)."""
    return {
        "kept": _("encrypted, under a key of the person"),
        "hash": _("as a keyed hash alone, that cannot be turned back"),
        "years": _("never: a birth date becomes whole years, and is forgotten"),
        "never": _("never"),
    }


def way_out_names() -> dict[str, str]:
    return {
        "gradebook": _("to the gradebook of the LMS"),
        "district": _("in reports to the district"),
        "school": _("in reports to the school"),
        "evaluator": _("to an evaluator, under a pseudonym"),
    }
