"""The data privacy launch of a district's administrator: no course, no link, and perhaps somebody it is about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from lti_server_demo_lms import PROFILES
from lti_server_demo_lms.messages import AGS_CLAIM, LTI, NRPS_CLAIM
from lti_server_demo_lms.world import INSTITUTION, Person


def ask(lms: Any, about: Person | None = None) -> dict[str, Any]:
    """The claims of the administrator's launch."""
    lms.sign_in(lms.district.administrators[0])
    return lms.claims(lms.begun(f"{lms.path}/data-privacy?about={about.id if about else ''}"))


@pytest.mark.parametrize("name", ["DataPrivacyLaunchRequest", "LtiDataPrivacyLaunchRequest"])
def test_it_names_neither_course_nor_link_and_is_called_as_the_profile_says(
    name: Any, launched: Callable[..., Any]
) -> None:
    lms = launched(replace(PROFILES["plain"], privacy_message=name))
    said = ask(lms)
    assert said[LTI + "message_type"] == name
    assert said[LTI + "roles"] == [INSTITUTION + "Administrator"]
    for absent in ("context", "resource_link", "custom", "for_user", "lis"):
        assert LTI + absent not in said
    assert not {AGS_CLAIM, NRPS_CLAIM} & set(said)


def test_whom_it_is_about_is_said_by_id_alone(launched: Callable[..., Any]) -> None:
    lms = launched(PROFILES["plain"])
    pupil = lms.course.pupils[0]
    said = ask(lms, pupil)
    assert said[LTI + "for_user"] == {"user_id": pupil.id}
    assert said["sub"] == lms.district.administrators[0].id


def test_the_administrator_s_page_offers_it_and_nobody_else_s(launched: Callable[..., Any]) -> None:
    lms = launched(PROFILES["plain"])
    for person, offered in ((lms.district.administrators[0], True), (lms.course.teachers[0], False)):
        lms.sign_in(person)
        assert ("What the tool keeps about" in lms.client.get(f"{lms.path}/").text) is offered
        assert lms.client.get(f"{lms.path}/data-privacy").status_code == (302 if offered else 404)


def test_a_stranger_cannot_be_asked_about(launched: Callable[..., Any]) -> None:
    lms = launched(PROFILES["plain"])
    lms.sign_in(lms.district.administrators[0])
    assert lms.client.get(f"{lms.path}/data-privacy?about=nobody").status_code == 404


def test_a_teacher_s_answer_to_the_hint_of_an_administrator_is_an_error(launched: Callable[..., Any]) -> None:
    lms = launched(PROFILES["plain"])
    lms.sign_in(lms.course.teachers[0])
    answer = lms.answer({**lms.login(), "lti_message_hint": "privacy:"})
    assert 'name="error" value="invalid_request"' in answer.text


def test_a_platform_without_the_message_offers_nothing(launched: Callable[..., Any]) -> None:
    lms = launched(replace(PROFILES["plain"], privacy_message=None))
    lms.sign_in(lms.district.administrators[0])
    assert "What the tool keeps about" not in lms.client.get(f"{lms.path}/").text
    assert lms.client.get(f"{lms.path}/data-privacy").status_code == 404


def test_the_page_speaks_french(launched: Callable[..., Any]) -> None:
    lms = launched(PROFILES["plain"])
    lms.sign_in(lms.district.administrators[0])
    text = lms.client.get(f"{lms.path}/", headers={"Accept-Language": "fr"}).text
    assert "Ce que l’outil conserve sur" in text
    assert "tout le monde" in text
