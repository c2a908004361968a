"""Whom the district's own id links: a pupil whom the LMS made, to the pupil of the one class list, and nobody else."""

from __future__ import annotations

import pytest

from lti_server.accounts.model import Kind
from lti_server.accounts.shared_id import Told, same_pupil
from lti_server.ids import PersonId, new_id

LISTED, OTHER, BY_LMS, TWICE = (PersonId(new_id()) for _ in range(4))


def told(person: PersonId, provider: str, *, kind: Kind = Kind.PUPIL, trusted: bool = False) -> Told:
    return Told(person_id=person, kind=kind, provider=provider, trusted=trusted)


CLEVER, LMS = told(LISTED, "clever"), told(BY_LMS, "lti", trusted=True)


def test_whoever_the_lms_made_is_the_pupil_of_the_class_list() -> None:
    assert same_pupil([CLEVER, LMS]) == same_pupil([LMS, CLEVER]) == (LISTED, (BY_LMS,))
    assert same_pupil([CLEVER, told(LISTED, "classlink"), LMS]) == (LISTED, (BY_LMS,))
    found = same_pupil([CLEVER, LMS, told(TWICE, "lti", trusted=True)])
    assert found is not None
    assert set(found[1]) == {BY_LMS, TWICE}


@pytest.mark.parametrize(
    "found",
    [
        [],
        [CLEVER],
        [LMS],
        [CLEVER, told(OTHER, "clever"), LMS],
        [CLEVER, told(BY_LMS, "lti")],
        [CLEVER, told(BY_LMS, "lti", trusted=True, kind=Kind.STAFF)],
        [told(LISTED, "clever", kind=Kind.STAFF), LMS],
        [CLEVER, told(LISTED, "lti", trusted=True)],
        [CLEVER, told(OTHER, "oidc")],
        [CLEVER, LMS, told(OTHER, "oidc")],
        [LMS, told(OTHER, "lti", trusted=True)],
    ],
    ids=[
        "nobody", "a list alone", "an LMS alone", "two pupils have it", "an LMS that shares no ids",
        "a teacher by the LMS", "a teacher in the list", "one person already", "a provider whose id is anybody's",
        "somebody else says it too", "no class list",
    ],
)  # fmt: skip
def test_in_doubt_nobody_is_linked(found: list[Told]) -> None:
    assert same_pupil(found) is None
