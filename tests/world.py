"""Districts, contracts and platforms for tests, made through the use cases that an operator has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import parse_qs, urlsplit

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lti_server.app import House
from lti_server.db import Door
from lti_server.lti.registrations import Platform as Described
from lti_server.lti.registrations import Registered
from lti_server.privacy import contracts, districts
from lti_server.privacy.districts import District
from tests.peers.bare_platform import Platform

TERMS = "{{collect: true, store: true, retain_days: 400, sources: [{source}], purposes: [instruction]}}"
SCHOOL, STUDENT = TERMS.format(source="school"), TERMS.format(source="student")
ELEMENTS = {
    "student_name.first_and_or_last": SCHOOL,
    "student_identifiers.app_assigned_id": SCHOOL,
    "student_identifiers.local_district_id": SCHOOL,
    "in_app_performance.program_performance": STUDENT,
    "student_work.student_generated_content": STUDENT,
}


def contract(house: House, *, without: tuple[str, ...] = (), more: str = "", begins: date | None = None) -> str:
    """A contract file in force today; `without` leaves elements out, `more` adds lines."""
    today = begins or house.clock.now().date()
    first = begins or today - timedelta(days=1)
    lines = [f"  {name}: {terms}" for name, terms in ELEMENTS.items() if name not in without]
    return "\n".join(
        [
            "contract: 1",
            "family: local",
            f"signed_at: {today - timedelta(days=1)}",
            f"valid: {{from: {first}, to: {today + timedelta(days=365)}}}",
            "purposes: [instruction]",
            "elements:",
            *lines,
            more,
        ]
    )


def district(house: House, slug: str = "north", terms: str | None = "") -> District:
    """A district that has signed `terms` (the usual ones unless given, none at None)."""
    with house.database.anyone() as connection:
        made = districts.create(
            connection, house.ring, slug=slug, name=slug.title(), timezone="UTC", country="US", locale="en",
            slug_key=house.doors.of(Door.DISTRICT, slug), now=house.clock.now(),
        )  # fmt: skip
    if terms is not None:
        sign(house, made, terms or contract(house))
    return made


def sign(house: House, owner: District, terms: str) -> None:
    with house.database.tenant(owner.id) as connection:
        contracts.sign(connection, owner.id, terms, signed_by="test", now=house.clock.now())


def register(house: House, owner: District, platform: Platform) -> Registered:
    """The platform as its administrator would register it."""
    return house.registrations.add(
        owner.id,
        Described(
            issuer=platform.issuer,
            client_id=platform.client_id,
            auth_login_url="https://lms.example/auth?tenant=7",
            auth_token_url=f"{platform.address}/token",
            jwks_url=platform.jwks_url,
            token_audience=None,
            shared_id=True,
            deployment_ids=(platform.deployment_id,),
        ),
    )


@dataclass(frozen=True)
class Begun:
    """A login that began in a browser."""

    state: str
    nonce: str


def begin(client: FlaskClient, platform: Platform, **more: str) -> Begun:
    """Begin a login as the platform's page does."""
    query = {
        "iss": platform.issuer,
        "login_hint": "hint",
        "target_link_uri": "http://127.0.0.1:8000/lti/launch",
        "client_id": platform.client_id,
        **more,
    }
    answer = client.get("/lti/login", query_string=query)
    assert answer.status_code == 302, answer.text
    given = parse_qs(urlsplit(answer.location).query)
    return Begun(given["state"][0], given["nonce"][0])


def launch(client: FlaskClient, platform: Platform, house: House, **changes: object) -> TestResponse:
    """A whole launch in one browser; `changes` replace claims."""
    begun = begin(client, platform)
    claims = platform.claims(begun.nonce, house.clock.now(), **changes)
    return client.post("/lti/launch", data={"id_token": platform.sign(claims), "state": begun.state})
