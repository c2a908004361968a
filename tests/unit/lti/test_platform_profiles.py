"""Which vendor's platform stands before us, by its issuer, its host, what it says, or its addresses."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_server.lti import platform_profiles
from lti_server.lti.platform_profiles import PLAIN, PROFILES, RULES, by_issuer, for_registration, profile_of
from lti_server.lti.tool_description import SCOPES, scopes_of

SITE = "https://lms.school.example"
TOKEN = f"{SITE}/oauth/token"
CANVAS_TOKEN = "https://sso.canvaslms.com/login/oauth2/token"
D2L_TOKEN = "https://auth.brightspace.com/core/connect/token"

TABLE: dict[str, tuple[str, str, str | None, str]] = {
    "canvas by its issuer": ("https://canvas.instructure.com", CANVAS_TOKEN, None, "canvas"),
    "canvas beta": ("https://canvas.beta.instructure.com", TOKEN, None, "canvas"),
    "canvas test": ("https://canvas.test.instructure.com", TOKEN, None, "canvas"),
    "canvas under a name of its own": (SITE, TOKEN, "canvas", "canvas"),
    "blackboard": ("https://blackboard.com", TOKEN, None, "blackboard"),
    "blackboard by what it says": (SITE, TOKEN, "BlackboardLearn", "blackboard"),
    "schoology": ("https://schoology.schoology.com", TOKEN, None, "schoology"),
    "schoology by what it says": (SITE, TOKEN, "schoology", "schoology"),
    "a tenant of d2l": ("https://school.brightspace.com", TOKEN, None, "d2l"),
    "a tenant of d2l under its own name": (SITE, D2L_TOKEN, None, "d2l"),
    "d2l by what it says": (SITE, TOKEN, "desire2learn", "d2l"),
    "moodle by what it says": (SITE, TOKEN, "Moodle", "moodle"),
    "moodle by its addresses": (SITE, f"{SITE}/moodle/mod/lti/token.php", None, "moodle"),
    "moodle in the cloud": ("https://school.moodlecloud.com", TOKEN, None, "moodle"),
    "sakai by what it says": (SITE, TOKEN, "sakai", "sakai"),
    "sakai by its addresses": (SITE, f"{SITE}/imsblis/lti13/token/7", "", "sakai"),
    "open edx by its addresses": (SITE, f"{SITE}/api/lti_consumer/v1/token/9d1b", None, "openedx"),
    "the issuer over what it says": ("https://blackboard.com", TOKEN, "canvas", "blackboard"),
    "what it says over its addresses": (SITE, f"{SITE}/mod/lti/token.php", "sakai", "sakai"),
    "an issuer with a slash": ("https://canvas.instructure.com/", TOKEN, None, "plain"),
    "a likeness of a domain": ("https://evilbrightspace.com", TOKEN, None, "plain"),
    "a domain below a stranger's": ("https://brightspace.com.evil.example", TOKEN, None, "plain"),
    "nobody known": (SITE, TOKEN, None, "plain"),
    "an unknown product": (SITE, TOKEN, "chalkboard", "plain"),
    "no product": (SITE, TOKEN, "", "plain"),
    "an issuer that is no address": ("urn:school", "https://[", "…", "plain"),
    "a product too long to be one": (SITE, TOKEN, "moodle" + " " * 100, "plain"),
}


@pytest.mark.parametrize(("issuer", "token_url", "family", "name"), list(TABLE.values()), ids=list(TABLE))
def test_a_platform_has_its_vendor_s_profile(issuer: str, token_url: str, family: str | None, name: str) -> None:
    assert profile_of(issuer, token_url, family).name == name


@given(issuer=st.text(), token_url=st.text(), family=st.none() | st.text())
def test_whatever_a_platform_says_it_has_a_profile(issuer: str, token_url: str, family: str | None) -> None:
    assert profile_of(issuer, token_url, family).name in PROFILES


def test_every_rule_leads_to_a_profile_that_is_listed() -> None:
    led_to = {one.name for rule in RULES.values() for one in rule.values()}
    assert led_to | {"plain"} == set(PROFILES)


def test_codes_in_the_table_are_in_the_form_that_they_are_compared_in() -> None:
    assert [code for code in RULES["family"] if platform_profiles.family_code(code.upper()) != code] == []


def test_every_profile_but_the_plain_and_the_one_without_quirks_differs_in_something() -> None:
    differing = {
        one.name
        for one in PROFILES.values()
        if any(getattr(one, f.name) != getattr(PLAIN, f.name) for f in fields(one) if f.name not in ("name", "title"))
    }
    assert differing == set(PROFILES) - {"plain", "sakai"}


def test_no_product_that_a_platform_claims_lets_another_host_speak_for_it() -> None:
    for family in (*RULES["family"], "", "chalkboard"):
        believed = by_issuer(SITE)
        assert believed is None
        assert for_registration("https://blackboard.com", family).configuration_hosts is None


def test_of_all_vendors_moodle_alone_wants_a_scope_for_reading_line_items() -> None:
    asking = {name for name, one in PROFILES.items() if scopes_of(one) != SCOPES}
    assert asking == {"moodle"}


@pytest.mark.parametrize(
    ("issuer", "auth_login_url", "origin"),
    [
        ("https://canvas.instructure.com", "https://sso.canvaslms.com/api/lti/authorize_redirect", "sso.canvaslms.com"),
        ("https://canvas.instructure.com", "https://canvas.instructure.com/api/lti/authorize", "sso.canvaslms.com"),
        (
            "https://canvas.beta.instructure.com",
            "https://canvas.beta.instructure.com/api/lti/authorize",
            "sso.beta.canvaslms.com",
        ),
        (SITE, f"{SITE}:8443/mod/lti/auth.php", "lms.school.example:8443"),
    ],
)
def test_storage_is_spoken_to_where_the_vendor_keeps_it(issuer: str, auth_login_url: str, origin: str) -> None:
    assert profile_of(issuer, TOKEN, None).storage_origin(auth_login_url) == f"https://{origin}"
