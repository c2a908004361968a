from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from lti_server.app import House
from lti_server.privacy.signed_documents import Kind, checked, public_keys

NOTE = Kind(name="test-note", version=1, members=frozenset({"count"}))


def sign(house: House) -> bytes:
    with house.database.anyone() as connection:
        return house.document_keys.sign(connection, NOTE, {"count": 1}, district_id=None, at=house.clock.now())


def test_the_first_document_makes_the_key_and_all_processes_sign_with_that_one(house: House) -> None:
    with ThreadPoolExecutor(4) as pool:
        files = set(pool.map(lambda _: sign(house), range(8)))
    assert len(files) == 1


def test_a_document_of_a_former_key_is_still_found_good(house: House) -> None:
    before = sign(house)
    house.document_keys.rotate()
    after = sign(house)
    published = public_keys(house.document_keys.public_jwks())
    assert checked(before, published).kid != checked(after, published).kid
    assert len(published) == 2


def test_a_rotated_key_can_sign_nothing_more(house: House) -> None:
    sign(house)
    house.document_keys.rotate()
    with house.database.anyone() as connection:
        kept = connection.exec_driver_sql("SELECT wrapped_private FROM document_key WHERE retired_at IS NOT NULL")
        assert [bytes(one) for one in kept.scalars()] == [b""]


def test_no_private_half_is_published(house: House) -> None:
    published = house.document_keys.public_jwks()["keys"]
    assert [set(one) for one in published] == [{"crv", "kty", "x", "kid", "alg", "use"}]


def test_two_keys_never_sign_at_once(house: House, database_url: str) -> None:
    sign(house)
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(
            "INSERT INTO document_key SELECT 'other', public_jwk, wrapped_private, created_at FROM document_key"
        )
