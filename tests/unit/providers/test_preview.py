"""What one page would leave here: counts by field, never a value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import pytest

from lti_server.errors import ProviderFailed, ProviderRejectedUs
from lti_server.providers import (
    Capability,
    Cursor,
    Manifest,
    PersonRole,
    RejectedCredentials,
    RosterPage,
    SourcePerson,
    SourceSchool,
    SourceSection,
    standard_fields,
)
from lti_server.providers.preview import FieldVerdict, Preview, preview

MANIFEST = Manifest(
    name="chalk",
    version="1",
    spi_version=(1, 0),
    capabilities=frozenset({Capability.ROSTER}),
    fields=standard_fields("given_name", "email", "school"),
)
ADA = SourcePerson(
    source_id="u1", role=PersonRole.PUPIL, given_name="Ada", email="ada@school.example", extra={"shoe_size": "38"}
)
EVE = SourcePerson(source_id="u2", role=PersonRole.TEACHER, given_name="Eve")
ALGEBRA = SourceSection(source_id="c1", name="Algebra", school=SourceSchool(source_id="s1", name="North"))


class OnePage:
    """Fails if a second page is asked for."""

    def pages(self, since: Cursor | None) -> Iterator[RosterPage]:
        yield RosterPage(people=(ADA, EVE), sections=(ALGEBRA,), cursor=Cursor(value="2"), complete=False)
        raise AssertionError("a second page was read")


def verdict(seen: Preview, field: str, about: str) -> FieldVerdict:
    (found,) = [one for one in seen.fields if (one.field, one.about) == (field, about)]
    return found


def test_each_field_is_kept_or_refused_by_its_element() -> None:
    allowed = {"student_name.first_and_or_last", "enrollment.school_enrollment", "educator.name"}
    seen = preview("chalk", MANIFEST, OnePage(), allowed.__contains__)
    assert (seen.people, seen.sections, seen.complete) == (2, 1, False)
    assert verdict(seen, "given_name", "pupil").kept is True
    assert verdict(seen, "given_name", "educator").kept is True
    assert verdict(seen, "school", "pupil").values == 1
    email = verdict(seen, "email", "pupil")
    assert (email.kept, email.values, email.element) == (False, 1, "student_contact.email")
    assert "contract" in email.reason
    shoe = verdict(seen, "shoe_size", "pupil")
    assert (shoe.kept, shoe.element) == (False, None)
    assert "manifest" in shoe.reason
    assert verdict(seen, "email", "guardian").values == 0


def test_no_value_is_shown() -> None:
    shown = str(asdict(preview("chalk", MANIFEST, OnePage(), lambda _element: True)))
    for value in ("Ada", "Eve", "school.example", "38", "u1", "Algebra", "North"):
        assert value not in shown


def test_without_a_district_nothing_is_decided_but_what_is_always_refused() -> None:
    seen = preview("chalk", MANIFEST, OnePage(), None)
    assert verdict(seen, "email", "pupil").kept is None
    assert verdict(seen, "shoe_size", "pupil").kept is False


def test_a_plugin_without_roster_is_judged_by_what_it_declares() -> None:
    seen = preview("chalk", MANIFEST, None, lambda _element: False)
    assert {one.kept for one in seen.fields} == {False}
    assert {one.values for one in seen.fields} == {0}


def test_a_fault_of_the_provider_is_told_in_our_words() -> None:
    class Refusing:
        def pages(self, since: Cursor | None) -> Iterator[RosterPage]:
            raise RejectedCredentials("chalk.example refused the credentials (401).")

    class Broken:
        def pages(self, since: Cursor | None) -> Iterator[RosterPage]:
            raise KeyError("Ada Lovelace")

    with pytest.raises(ProviderRejectedUs, match="401"):
        preview("chalk", MANIFEST, Refusing(), None)
    with pytest.raises(ProviderFailed) as failed:
        preview("chalk", MANIFEST, Broken(), None)
    assert "Ada" not in str(failed.value) + str(failed.value.public) + failed.value.internal
