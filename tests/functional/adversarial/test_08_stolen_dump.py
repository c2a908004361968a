"""8. A stolen dump names nobody: likely addresses find nothing without the pepper; a moved ciphertext opens nowhere.

That two evaluators' exports do not join is REPORT's.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator

import psycopg
import pytest
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from flask.testing import FlaskClient

from lti_server.accounts.store import fields_of
from lti_server.app import House
from lti_server.privacy.districts import District
from lti_server.privacy.grants import open_grant
from lti_server.privacy.reading import of_own_data
from tests import world
from tests.functional.adversarial.stolen_dump import stolen
from tests.peers.bare_platform import Platform

LIKELY = 1_000_000
EMAIL = (
    "  student_contact.email: {collect: true, store: true, retain_days: 9, sources: [school], purposes: [instruction]}"
)


def likely() -> Iterator[bytes]:
    """What a class list and a district's pattern give; the pupil's own address is among them."""
    for number in range(LIKELY):
        yield b"amina%d@school.example" % number if number else b"amina@school.example"


@pytest.fixture
def people(client: FlaskClient, platform: Platform, house: House, district: District) -> list[object]:
    world.sign(house, district, world.contract(house, more=EMAIL))
    for sub in ("pupil-1", "pupil-2"):
        world.launch(client, platform, house, sub=sub, name=f"Name of {sub}")
    with house.database.tenant(district.id) as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM person_field WHERE field = 'email'")).scalar_one() == 2
        return list(connection.execute(sa.text("SELECT id FROM person ORDER BY created_at")).scalars())


def hashes(district: District) -> dict[str, Callable[[bytes], bytes]]:
    """What a thief would try: plain hashes, and keyed ones with what the dump itself has."""
    public = [district.slug.encode(), district.id.bytes, str(district.id).encode()]
    keyed = {f"hmac {key!r}": lambda text, key=key: hmac.digest(key, text, "sha256") for key in public}
    return {
        "sha256": lambda text: hashlib.sha256(text).digest(),
        "sha1": lambda text: hashlib.sha1(text, usedforsecurity=False).digest(),
        "md5": lambda text: hashlib.md5(text, usedforsecurity=False).digest(),
        **keyed,
    }


@pytest.mark.usefixtures("people")
def test_a_million_likely_addresses_find_nobody_without_the_pepper(house: House, district: District) -> None:
    dump = stolen(house.database.url)
    assert not dump.holds("amina@school.example")
    assert not dump.holds("Name of pupil-1")
    assert not dump.holds("pupil-1")
    stored = {value[:16] for value in dump.byte_strings} | {value[-16:] for value in dump.byte_strings}
    matches = 0
    for hashed in hashes(district).values():
        matches += sum(hashed(address)[:16] in stored for address in likely())
    assert matches == 0


@pytest.mark.usefixtures("people")
def test_with_the_pepper_the_same_address_is_found_so_that_the_attack_is_a_real_one(
    house: House, district: District
) -> None:
    assert district.keys.lookup("email", "amina@school.example") in stolen(house.database.url).byte_strings


def test_a_ciphertext_that_is_moved_to_another_grant_is_rejected(
    house: House, district: District, people: list[object]
) -> None:
    with house.database.tenant(district.id) as connection:
        other = open_grant(connection, district.id, "lti", house.clock.now())
    _steal(house, f"UPDATE person_field SET grant_id = '{other}' WHERE person_id = '{people[0]}'")
    with house.database.tenant(district.id) as connection, pytest.raises(InvalidTag):
        fields_of(connection, district.keys, [people[0]], of_own_data())  # type: ignore[list-item]  # ids of rows


def test_a_ciphertext_that_is_moved_to_another_person_or_field_is_rejected(
    house: House, district: District, people: list[object]
) -> None:
    first, second = people
    _steal(
        house,
        f"UPDATE person_field t SET ciphertext = f.ciphertext FROM person_field f WHERE t.person_id = '{second}'"
        f" AND f.person_id = '{first}' AND t.field = 'name' AND f.field = 'name'",
    )
    _steal(
        house,
        f"UPDATE person_field t SET ciphertext = f.ciphertext FROM person_field f WHERE t.person_id = '{first}'"
        f" AND f.person_id = '{first}' AND t.field = 'name' AND f.field = 'given_name'",
    )
    for person in people:
        with house.database.tenant(district.id) as connection, pytest.raises(InvalidTag):
            fields_of(connection, district.keys, [person], of_own_data())  # type: ignore[list-item]  # ids of rows


def _steal(house: House, statement: str) -> None:
    with psycopg.connect(house.database.url, autocommit=True) as thief:
        thief.execute(statement.encode())
