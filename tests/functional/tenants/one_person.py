"""Two of a district who were found to be one, and what somebody wanted to link."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import sqlalchemy as sa

from lti_server.accounts import ages
from lti_server.accounts import store as people
from lti_server.accounts.merging import Way, Why
from lti_server.accounts.model import Kind, Subject
from lti_server.accounts.tables import age_statement
from lti_server.app import House
from lti_server.ids import DistrictId, GrantId, PersonId, new_id
from lti_server.privacy.ages import Age, AgeSource, Said
from tests.functional.tenants.ways_in import ways_in


def aged(house: House, district_id: DistrictId, grant_id: GrantId, slug: str, person_id: PersonId) -> None:
    """How old one of them is, by their provider, and what the district states of a school."""
    stated = {"school": f"School of {slug}", "years": 12, "stated_by": f"staff of {slug}"}
    with house.database.tenant(district_id) as connection:
        day = house.clock.now().date()
        connection.execute(age_statement.insert().values(district_id=district_id, stated_on=day, **stated))
        keys = house.entered(connection).keys
        wrapped = connection.execute(sa.text("SELECT wrapped_key FROM person WHERE id = :id"), {"id": person_id})
        key = keys.person_key(person_id, bytes(wrapped.scalar_one()))
        whose = ages.Whose(keys=keys, person_id=person_id, key=key)
        said = Said(AgeSource.PROVIDER, Age(12, house.clock.now().date()))
        ages.learn(connection, whose, said, grant_id=grant_id, by=f"grant:{grant_id}", at=house.clock.now())


def merged(house: House, district_id: DistrictId, grant_id: GrantId, slug: str) -> None:
    """Their every word names the district."""
    now = house.clock.now()
    with house.database.tenant(district_id) as connection:
        keys = house.entered(connection).keys
        source = people.Source(grant_id=grant_id, epoch=1, run_id=None, at=now)
        both = []
        for sub in (f"one of {slug}", f"two of {slug}"):
            subject = Subject(provider="oidc", issuer="https://id.invalid", client_id=slug, subject=sub)
            made = people.create(connection, keys, subject, kind=Kind.PUPIL, source=source, keep_subject=True)
            both.append(made.person_id)
        why = Why(by=f"staff of {slug}", way=Way.ADMINISTRATOR, reason=f"One child of {slug}")
        house.rights.merge.merge(connection, both[0], both[1], why)
        connection.execute(
            sa.text(
                "INSERT INTO link_intent (id, district_id, intent_hash, person_id, session_id, provider, created_at,"
                " expires_at) VALUES (:id, :district, :hash, :person, :session, 'oidc', :now, :until)"
            ),
            {
                "id": new_id(), "district": district_id, "hash": hashlib.sha256(slug.encode()).digest(),
                "person": both[0], "session": new_id(), "now": now, "until": now + timedelta(minutes=5),
            },
        )  # fmt: skip
    aged(house, district_id, grant_id, slug, both[0])
    with house.database.tenant(district_id) as connection:
        ways_in(connection, district_id, slug, now)
