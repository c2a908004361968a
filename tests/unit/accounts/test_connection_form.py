"""The form of a provider's configuration: what it reads, what it refuses, and that no secret comes out of it again."""

from __future__ import annotations

import pytest

from lti_server.accounts.applications import in_force
from lti_server.accounts.connection_form import Fault, entries, offered, read
from lti_server.privacy.grant_states import Use
from lti_server.providers.manifest import Capability, ConfigField, ConfigKind, Manifest

SECRET = "a secret that nobody sees"
MANIFEST = Manifest(
    name="abacus", version="1", spi_version=(1, 0), capabilities=frozenset({Capability.LOGIN, Capability.ROSTER}),
    config=(
        ConfigField(name="site", kind=ConfigKind.URL, help="Where it is."),
        ConfigField(name="secret", secret=True),
        ConfigField(name="pages", kind=ConfigKind.INTEGER, required=False),
        ConfigField(name="staff", kind=ConfigKind.BOOLEAN, default=False),
        ConfigField(name="region", kind=ConfigKind.CHOICE, choices=("north", "south"), required=False),
        ConfigField(name="school", required=False),
    ),
    hosts=("{site}",), tenant="school",
)  # fmt: skip
GOOD = {"config-site": "https://abacus.example", "config-secret": SECRET}


def test_a_whole_form_is_read_by_kind() -> None:
    more = {"config-pages": "12", "config-staff": "yes", "config-region": "south", "config-school": " north "}
    filled = read(MANIFEST, {**GOOD, **more, "csrf_token": "x"}, {})
    assert filled.good
    assert filled.config == {
        "site": "https://abacus.example", "secret": SECRET, "pages": 12, "staff": True, "region": "south",
        "school": "north",
    }  # fmt: skip
    assert MANIFEST.read_config(filled.config)["pages"] == 12


def test_every_fault_is_told_at_once_beside_its_field() -> None:
    said = {"config-site": "nowhere", "config-pages": "many", "config-staff": "1", "config-region": "east"}
    assert read(MANIFEST, said, {}).faults == {
        "site": Fault.ADDRESS, "secret": Fault.MISSING, "pages": Fault.NUMBER, "staff": Fault.CHOICE,
        "region": Fault.CHOICE,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["x" * 5_000, "a\x00b"])
def test_what_no_configuration_holds_is_refused(text: str) -> None:
    assert read(MANIFEST, {**GOOD, "config-school": text}, {}).faults == {"school": Fault.LONG}


def test_an_unknown_field_is_refused_by_its_name() -> None:
    filled = read(MANIFEST, {**GOOD, "config-colour": "red"}, {})
    assert (filled.good, filled.unknown) == (False, ("colour",))
    assert "red" not in repr(filled)


def test_a_secret_that_is_left_empty_stays() -> None:
    stands = {"site": "https://abacus.example", "secret": SECRET, "school": "north"}
    filled = read(MANIFEST, {"config-site": "https://abacus.example", "config-secret": ""}, stands)
    assert filled.good
    assert filled.config == {"site": "https://abacus.example", "secret": SECRET}


def test_a_secret_does_not_follow_to_another_address() -> None:
    stands = {"site": "https://abacus.example", "secret": SECRET}
    filled = read(MANIFEST, {"config-site": "https://elsewhere.example"}, stands)
    assert filled.faults == {"secret": Fault.AGAIN}
    assert read(MANIFEST, {"config-site": "https://elsewhere.example", "config-secret": "new"}, stands).good


def test_no_secret_is_in_an_entry_after_a_fault_or_of_what_stands() -> None:
    posted = {**GOOD, "config-pages": "many"}
    shown = entries(
        MANIFEST, posted, {"secret": SECRET, "site": "https://abacus.example"}, read(MANIFEST, posted, {}).faults
    )
    assert SECRET not in repr(shown)
    assert SECRET not in repr(read(MANIFEST, posted, {}))
    assert {one.field.name: one.value for one in shown}["pages"] == "many"
    assert [one.field.name for one in shown if one.kept] == ["secret"]


def test_a_connection_is_for_what_its_plugin_can() -> None:
    assert offered(MANIFEST) == (Use.SIGN_IN, Use.ROSTER)


def test_the_operators_secret_goes_to_the_operators_address_alone() -> None:
    application = {"site": "https://abacus.example", "secret": SECRET, "pages": 3}
    assert in_force(MANIFEST, application, {"school": "north"}) == {**application, "school": "north"}
    assert "secret" not in in_force(MANIFEST, application, {"site": "https://elsewhere.example"})


def test_a_whole_application_of_the_districts_own_stands_alone() -> None:
    own = {"site": "https://own.example", "secret": "own"}
    assert in_force(MANIFEST, {"pages": 3, "secret": SECRET}, own) == own
