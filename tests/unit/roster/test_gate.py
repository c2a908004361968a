"""What is heard of people, and under which schedule it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from lti_server.accounts.model import Kept, Kind, Known
from lti_server.ids import IdentityId, PersonId, SectionId
from lti_server.providers.records import MembershipRole, PersonRole, RosterPage, SourceMembership, SourcePerson
from lti_server.roster.gate import admit, hear

ONE, TWO = SectionId(UUID(int=1)), SectionId(UUID(int=2))
PUPIL, TEACHER = MembershipRole.PUPIL, MembershipRole.TEACHER


def page(*members: tuple[str, MembershipRole], active: bool = True, name: str = "") -> RosterPage:
    return RosterPage(
        cursor=None,
        complete=True,
        people=tuple(SourcePerson(source_id=who, role=PersonRole.PUPIL, full_name=name) for who, _ in members),
        memberships=tuple(
            SourceMembership(section_source_id="c", person_source_id=who, role=role, active=active)
            for who, role in members
        ),
    )


def gate(kind: Kind, said: Mapping[str, object]) -> Kept:
    return Kept(fields=(), keep_subject=True, refused={"email": 1, kind.value: 1}, elements=(), policy_hash="")


def known(kind: Kind, key: bytes | None = b"k") -> Known:
    return Known(
        person_id=PersonId(UUID(int=9)), identity_id=IdentityId(UUID(int=8)), kind=kind, wrapped_key=key,
        fingerprints={},
    )  # fmt: skip


def test_two_sections_tell_of_one_person_once() -> None:
    heard = hear([(ONE, [page(("u", PUPIL), name="A")]), (TWO, [page(("u", PUPIL), name="B")])])
    assert heard["u"].roles == {ONE: "pupil", TWO: "pupil"}
    assert heard["u"].said == {"full_name": "A", "user_id": "u"}


def test_an_inactive_member_is_not_heard_of() -> None:
    assert hear([(ONE, [page(("u", PUPIL), active=False)])]) == {}


def test_two_roles_in_one_section_are_a_conflict_and_in_two_are_not() -> None:
    assert hear([(ONE, [page(("u", PUPIL), ("u", TEACHER))])])["u"].torn == {ONE}
    assert hear([(ONE, [page(("u", PUPIL))]), (TWO, [page(("u", TEACHER))])])["u"].torn == set()


def test_who_learns_anywhere_is_judged_as_a_pupil() -> None:
    heard = hear([(ONE, [page(("u", TEACHER))]), (TWO, [page(("u", PUPIL), ("t", TEACHER))])])
    told, _ = admit([(one, None) for one in heard.values()], gate)
    assert {one.source_id: one.kind for one in told} == {"u": Kind.PUPIL, "t": Kind.STAFF}


def test_a_known_pupil_who_teaches_here_is_judged_as_a_pupil() -> None:
    heard = hear([(ONE, [page(("u", TEACHER))])])
    told, refused = admit([(heard["u"], known(Kind.PUPIL))], gate)
    assert told[0].kind is Kind.PUPIL
    assert refused == {"email": 1, "pupil": 1}


def test_nothing_is_kept_of_somebody_who_was_erased() -> None:
    heard = hear([(ONE, [page(("u", PUPIL))])])
    assert admit([(heard["u"], known(Kind.PUPIL, None))], gate) == ([], {})


def test_nothing_heard_is_shown_when_it_is_printed() -> None:
    heard = hear([(ONE, [page(("secret-id", PUPIL), name="Amina")])])
    shown = repr(heard["secret-id"])
    assert "Amina" not in shown
    assert "secret-id" not in shown
