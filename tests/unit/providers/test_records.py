"""Records show their shape alone; errors survive a process boundary; a read counts only as a whole."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import date

import pytest

from lti_server.errors import InvalidInput, LtiServerError, ProviderFailed, ProviderLimitsUs, ProviderRejectedUs
from lti_server.privacy import schedule
from lti_server.providers import (
    BrokeContract,
    Cursor,
    MembershipRole,
    Misconfigured,
    PersonRole,
    ProviderFault,
    RateLimited,
    RecordKind,
    RejectedCredentials,
    RosterPage,
    SourceIdentity,
    SourceMembership,
    SourcePerson,
    SourceToken,
    TokenKind,
    Tombstone,
    Unavailable,
)
from lti_server.providers.completeness import to_the_end
from lti_server.providers.elements import EDUCATOR_ELEMENTS, STUDENT_ELEMENTS
from lti_server.providers.faults import as_server_error, server_errors

ADA = SourcePerson(
    source_id="u1",
    role=PersonRole.PUPIL,
    given_name="Ada",
    birth_date=date(2015, 12, 10),
    extra={"shoe_size": "38"},
)


def test_no_record_prints_what_it_holds() -> None:
    token = SourceToken(value="t0ken", kind=TokenKind.ACCESS)
    identity = SourceIdentity(issuer="https://i", client_id="c", subject="u1", person=ADA, tokens=(token,))
    page = RosterPage(people=(ADA,), cursor=None, complete=True)
    for record in (ADA, token, identity, page):
        for value in ("Ada", "2015", "38", "t0ken", "u1"):
            assert value not in f"{record!r} {record}"
    assert "given_name" in repr(ADA)


def test_a_record_tells_its_filled_fields_and_can_lose_some() -> None:
    assert ADA.present() == {"given_name": "Ada", "birth_date": date(2015, 12, 10), "shoe_size": "38"}
    kept = ADA.without({"birth_date", "shoe_size"})
    assert kept.present() == {"given_name": "Ada"}
    assert kept.source_id == "u1"


def test_a_tombstone_must_say_which_one() -> None:
    Tombstone(kind=RecordKind.PERSON, source_id="u1")
    Tombstone(kind=RecordKind.MEMBERSHIP, section_source_id="c1", person_source_id="u1")
    for kind, section in [(RecordKind.PERSON, ""), (RecordKind.PERSON, "c1"), (RecordKind.MEMBERSHIP, "")]:
        with pytest.raises(ValueError, match="which one"):
            Tombstone(kind=kind, section_source_id=section, person_source_id="u1")


def more(value: str = "2", **also: object) -> RosterPage:
    return RosterPage(cursor=Cursor(value=value), complete=False, **also)  # type: ignore[arg-type]  # by name


def last(**also: object) -> RosterPage:
    return RosterPage(cursor=None, complete=True, **also)  # type: ignore[arg-type]  # by name


MEMBER = SourceMembership(section_source_id="c1", person_source_id="u1", role=MembershipRole.PUPIL)


@pytest.mark.parametrize(
    "pages",
    [[], [more()], [more(), more("3")], [last(), last()], [last(), more()], [more(delta=True), last()],
     [RosterPage(cursor=None, complete=False)], [RosterPage(cursor=Cursor(value="2"), complete=True)],
     [more(people=(ADA,)), last(announced={RecordKind.PERSON: 2})],
     [last(memberships=(MEMBER,), announced={RecordKind.MEMBERSHIP: 0})]],
)  # fmt: skip
def test_a_read_that_is_not_whole_counts_for_nothing(pages: list[RosterPage]) -> None:
    with pytest.raises(BrokeContract, match=r"."):
        list(to_the_end(pages))


@pytest.mark.parametrize(
    "pages",
    [
        [last()],
        [more(), more("3"), last()],
        [more(delta=True), last(delta=True)],
        [more(people=(ADA,)), last(announced={RecordKind.PERSON: 1})],
    ],
)
def test_a_whole_read_passes_unchanged(pages: list[RosterPage]) -> None:
    assert list(to_the_end(pages)) == pages


FAULTS: list[tuple[ProviderFault, type[LtiServerError]]] = [
    (Misconfigured(["base_url is missing.", "more is unknown."]), InvalidInput),
    (RejectedCredentials("refused"), ProviderRejectedUs),
    (RateLimited("slow down", retry_after_s=17), ProviderLimitsUs),
    (Unavailable("down"), ProviderFailed),
    (BrokeContract("nonsense"), ProviderFailed),
]


@pytest.mark.parametrize(("fault", "error"), FAULTS)
def test_a_fault_becomes_the_error_that_says_what_to_do(fault: ProviderFault, error: type[LtiServerError]) -> None:
    with pytest.raises(error) as raised, server_errors("chalk"):
        raise fault
    assert type(raised.value) is error
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("fault", [fault for fault, _error in FAULTS])
def test_a_fault_survives_a_process_boundary(fault: ProviderFault) -> None:
    copy = pickle.loads(pickle.dumps(fault))
    assert (type(copy), str(copy), vars(copy)) == (type(fault), str(fault), vars(fault))


def test_a_limit_keeps_its_seconds() -> None:
    error = as_server_error(RateLimited("slow down", retry_after_s=17), "chalk")
    assert error.public == {"provider": "chalk", "retry_after_s": 17}


def test_the_text_of_a_strangers_exception_is_not_told() -> None:
    def raising() -> None:
        raise KeyError("Ada Lovelace")

    breaking: Callable[[], None] = raising
    with pytest.raises(ProviderFailed) as failed, server_errors("chalk"):
        breaking()
    assert "Ada" not in str(failed.value) + failed.value.internal
    assert "KeyError" in failed.value.internal


def test_the_schedule_has_24_groups_and_61_elements() -> None:
    assert len({element.split(".")[0] for element in STUDENT_ELEMENTS}) == 24
    assert len(STUDENT_ELEMENTS) == 61


def test_plugins_and_contracts_speak_of_the_same_elements() -> None:
    assert schedule.ELEMENTS == STUDENT_ELEMENTS
    assert {f"educator.{name}" for name in schedule.EDUCATOR_ELEMENTS} == EDUCATOR_ELEMENTS
