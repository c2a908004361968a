"""An administrator's way from the LMS to the page of what may be kept: as vendors' LMSs go it, to the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Literal

import pytest
import requests
from lti_server_demo_lms import PROFILES, Profile

from lti_server.settings import Settings
from tests.clock import FakeClock
from tests.functional.street import HIDDEN, SLUG, Street, street


@pytest.fixture
def lived(settings: Settings, database_url: str, clock: FakeClock, data_dir: Path) -> Iterator[Callable[..., Street]]:
    with ExitStack() as stack:

        def live(profile: Profile) -> Street:
            return stack.enter_context(street(settings, database_url, clock, data_dir, profile))

        yield live


def asks(street: Street, about: str) -> requests.Response:
    """Where the administrator arrives who asks about somebody, or about nobody in particular."""
    (administrator,) = street.lms.config.world.districts[0].administrators
    with requests.Session() as browser:
        browser.post(f"{street.lms_url}/{SLUG}/sign-in", data={"person": administrator.id}, timeout=10)
        form = browser.get(f"{street.lms_url}/{SLUG}/data-privacy", params={"about": about}, timeout=10)
        fields = {name: unescape(value) for name, value in HIDDEN.findall(form.text)}
        return browser.post(f"{street.tool_url}/lti/launch", data=fields, timeout=10)


@pytest.mark.parametrize("vendor", ["plain", "blackboard", "d2l"])
@pytest.mark.parametrize("name", ["DataPrivacyLaunchRequest", "LtiDataPrivacyLaunchRequest"])
def test_an_administrator_comes_from_the_lms_to_what_may_be_kept(
    vendor: str, name: Literal["DataPrivacyLaunchRequest", "LtiDataPrivacyLaunchRequest"],
    lived: Callable[..., Street],
) -> None:  # fmt: skip
    street = lived(replace(PROFILES[vendor], privacy_message=name))
    pupil = street.pupils[0]
    for about in ("", pupil.id):
        page = asks(street, about)
        assert page.status_code == 200, page.text
        assert page.url.startswith(f"{street.tool_url}/lti/data-privacy?reader=")
        assert "About pupils" in page.text
        assert pupil.id not in page.text + page.url
        assert pupil.name not in page.text
