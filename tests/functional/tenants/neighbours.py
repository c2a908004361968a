"""Two districts on one issuer that tell of the same people, courses and links, each with all that a district has."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import requests
import sqlalchemy as sa
from flask import Flask, request
from joserfc import jwt
from lti_server_demo_lms.app import create_app as create_lms
from lti_server_demo_lms.app import registration
from lti_server_demo_lms.parts import DemoLmsConfig, Parts
from lti_server_demo_lms.profiles import Profile
from lti_server_demo_lms.serving import listen, running
from lti_server_demo_lms.world import Person, World, sample_world

from lti_server.accounts.permissions import StaffRole
from lti_server.app import House, build_house, create_app
from lti_server.ids import PersonId, SessionId, SystemClock, new_id
from lti_server.incidents import Asked, Incidents
from lti_server.lti.registrations import Platform, Registered
from lti_server.mail import Message
from lti_server.privacy.districts import District
from lti_server.privacy.grants import open_grant
from lti_server.privacy.log_sealer import SealLog
from lti_server.privacy.model import Recipients
from lti_server.privacy.participants import Done
from lti_server.privacy.rights import Asked as RightsAsked
from lti_server.providers.records import SourceToken, TokenKind
from lti_server.settings import Settings
from tests import world
from tests.conftest import SECRET
from tests.functional.inviting import form_of
from tests.functional.notifying import COPY
from tests.functional.own_page import ticket_of
from tests.functional.street import HIDDEN
from tests.functional.tenants.providers import connected
from tests.peers.bare_platform import LTI

LESSON = "message-in-bits"
DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
CONTEXT = re.compile(r'id="launch-context">(.*?)</script>', re.DOTALL)
# The same in both districts, as an idempotency key may be by chance or by malice.
ATTEMPT = str(UUID(int=7))


@dataclass(frozen=True)
class Call:
    """One request that the LMS got."""

    path: str
    bearer: str
    assertion: str


@dataclass
class Tenant:
    """One district, and what its people hold."""

    slug: str
    district: District
    registered: Registered
    client_id: str
    deployment_id: str
    token: str = field(default="", repr=False)
    item: str = ""
    staff: requests.Session = field(default_factory=requests.Session, repr=False)
    reader: requests.Session = field(default_factory=requests.Session, repr=False)

    @property
    def marks(self) -> list[str]:
        """What no answer to the other may have in it."""
        return [
            self.district.name, str(self.district.id), str(self.registered.id), str(self.registered.grant_id),
            self.token, self.item, f"/{self.slug}/",
        ]  # fmt: skip


@dataclass
class Launching:
    """A browser in an LMS, just before the LMS's answer goes to the tool."""

    browser: requests.Session
    action: str
    state: str
    claims: dict[str, Any]
    key: Any

    def send(self, claims: dict[str, Any] | None = None, *, state: str = "") -> requests.Response:
        head = {"alg": "RS256", "kid": self.key.kid}
        token = jwt.encode(head, self.claims if claims is None else claims, self.key.current, algorithms=["RS256"])
        form = {"id_token": token, "state": state or self.state}
        return self.browser.post(self.action, data=form, timeout=10, allow_redirects=False)


@dataclass
class Neighbours:
    """Both districts, their LMS and this server."""

    house: House
    app: Flask
    lms: Parts
    lms_url: str
    tool_url: str
    calls: list[Call]
    tenants: tuple[Tenant, ...] = ()

    def pupil(self, number: int = 0) -> Person:
        return self.lms.config.world.districts[0].courses[0].pupils[number]

    @property
    def teacher(self) -> Person:
        return self.lms.config.world.districts[0].courses[0].teachers[0]

    def begin(self, tenant: Tenant, person: Person, browser: requests.Session | None = None) -> Launching:
        """Up to the form that the LMS's page posts to the tool."""
        browser = browser or requests.Session()
        home = f"{self.lms_url}/{tenant.slug}"
        browser.post(f"{home}/sign-in", data={"person": person.id}, timeout=10).raise_for_status()
        links = self.lms.config.world.districts[0].courses[0].links
        link = next(one for one in links if one.lesson_id == LESSON)
        form = browser.get(f"{home}/launch/{link.id}", timeout=10)
        action = re.search(r'action="([^"]*/lti/launch)"', form.text)
        assert action, form.text
        fields = {name: unescape(value) for name, value in HIDDEN.findall(form.text)}
        claims = jwt.decode(fields["id_token"], self.lms.key.current, algorithms=["RS256"]).claims
        return Launching(browser, action[1], fields["state"], dict(claims), self.lms.key)

    def ticket(self, tenant: Tenant, person: Person, **claims: Any) -> str:
        """The address that a launch leads to."""
        launching = self.begin(tenant, person)
        answer = launching.send({**launching.claims, **claims})
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def picker(self, tenant: Tenant) -> str:
        """The token of a picker that the teacher opened."""
        launching = self.begin(tenant, self.teacher)
        gone = (LTI + "resource_link", LTI + "target_link_uri", LTI + "custom")
        said = {name: value for name, value in launching.claims.items() if name not in gone}
        asked = {
            "deep_link_return_url": f"{self.lms_url}/{tenant.slug}/return",
            "accept_types": ["ltiResourceLink"],
            "accept_presentation_document_targets": ["iframe"],
        }
        more = {LTI + "message_type": "LtiDeepLinkingRequest", DL + "deep_linking_settings": asked}
        answer = launching.send({**said, **more})
        assert answer.status_code == 303, answer.text
        return parse_qs(urlsplit(answer.headers["Location"]).query)["request"][0]

    def choose(self, token: str) -> requests.Response:
        form = {"request": token, "do": "choose", "kind": "ltiResourceLink", "pick": [LESSON]}
        return requests.post(f"{self.tool_url}/lti/choose", data=form, timeout=10)

    def save(self, token: str, attempt: str, activity: int = 0) -> requests.Response:
        body = {
            "attempt_id": attempt,
            "activity_id": self.house.catalogue.get(LESSON).activities[activity].id,
            "score": 1,
            "completed": True,
            "occurred_at": self.house.clock.now().isoformat(),
        }
        head = {"Authorization": f"Bearer {token}"}
        return requests.post(f"{self.tool_url}/api/v1/progress", json=body, headers=head, timeout=10)

    def state(self, token: str) -> requests.Response:
        head = {"Authorization": f"Bearer {token}"}
        return requests.get(f"{self.tool_url}/api/v1/progress", headers=head, timeout=10)

    def notify(self, tenant: Tenant, context: str, **changes: str) -> requests.Response:
        """A course copy, told by the LMS under an id that is the same for both."""
        now = int(self.house.clock.now().timestamp())
        told = {"id": f"notice-of-{context}", "timestamp": self.house.clock.now().isoformat(), "type": COPY}
        claims = {
            "iss": tenant.registered.platform.issuer, "aud": tenant.client_id, "iat": now, "exp": now + 300,
            LTI + "version": "1.3.0", LTI + "deployment_id": changes.get("deployment_id", tenant.deployment_id),
            LTI + "notice": told, LTI + "context": {"id": context}, LTI + "origin_contexts": ["last-year"],
        }  # fmt: skip
        token = jwt.encode(
            {"alg": "RS256", "kid": self.lms.key.kid}, claims, self.lms.key.current, algorithms=["RS256"]
        )
        answer = requests.post(f"{self.tool_url}/lti/notices", json={"notices": [{"jwt": token}]}, timeout=10)
        answer.raise_for_status()
        return answer

    def invited(self, tenant: Tenant, browser: requests.Session) -> requests.Response:
        """An administrator of a district comes in by an invitation."""
        token, _ = self.house.invitations.invite(StaffRole.DISTRICT_ADMIN, tenant.district.id)
        page = f"{self.tool_url}/signin/invitation/{token}"
        return browser.post(page, data=form_of(browser.get(page, timeout=10).text), timeout=10)


def context_of(page: requests.Response) -> dict[str, Any]:
    """The launch context of a lesson's page."""
    found = CONTEXT.search(page.text)
    assert found, page.text
    context = json.loads(found[1])
    assert isinstance(context, dict)
    return context


def twins() -> World:
    """Two districts in which everybody and everything has the same ids."""
    north = sample_world().districts[0]
    south = dataclasses.replace(
        north, slug="south-bank", name="South Bank Schools", client_id="south-bank-tool",
        deployment_id="south-bank-deployment",
    )  # fmt: skip
    return World(districts=(north, south))


@contextmanager
def neighbours(
    database_url: str, folder: Path, profile: Profile, secrets: tuple[str, ...] = (SECRET,)
) -> Iterator[Neighbours]:
    """The LMS of one vendor with both districts, and this server with both, lived in."""
    lms_socket, tool_socket = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
    lms_host, tool_host = (f"127.0.0.1:{one.getsockname()[1]}" for one in (lms_socket, tool_socket))
    lms_url, tool_url = f"http://{lms_host}", f"http://{tool_host}"
    lms = create_lms(
        DemoLmsConfig(base_url=lms_url, tool_url=tool_url, data_dir=folder / "lms", world=twins(), profile=profile)
    )
    calls = _logged(lms)
    settings = Settings(
        database_url=database_url, data_dir=folder, secret_keys=secrets, base_url=tool_url,
        insecure_hosts=frozenset({lms_host}),
    )  # fmt: skip
    house = build_house(settings, database_url, SystemClock())
    app = create_app(house)
    found = Neighbours(house, app, lms.extensions["demo_lms"], lms_url, tool_url, calls)
    try:
        with running(lms, lms_socket), running(app, tool_socket):
            found.tenants = tuple(_tenant(house, lms, one.slug) for one in twins().districts)
            for number, tenant in enumerate(found.tenants):
                _live_in(found, tenant, number)
            yield found
    finally:
        house.database.dispose()


def _logged(lms: Flask) -> list[Call]:
    """The LMS logs who asked."""
    calls: list[Call] = []

    @lms.before_request
    def note() -> None:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        calls.append(Call(request.path, bearer, request.form.get("client_assertion", "")))

    return calls


def _tenant(house: House, lms: Flask, slug: str) -> Tenant:
    made, described = world.district(house, slug), registration(lms, slug)
    names = ("issuer", "client_id", "auth_login_url", "auth_token_url", "jwks_url")
    platform = Platform(
        **{name: described[name] for name in names},
        token_audience=None, shared_id=True, deployment_ids=(described["deployment_id"],),
    )  # fmt: skip
    registered = house.registrations.add(made.id, platform)
    return Tenant(slug, made, registered, described["client_id"], described["deployment_id"])


def _live_in(here: Neighbours, tenant: Tenant, number: int) -> None:
    """Everything that a district can have: people, work, grades, choices, invitations, copies, mail."""
    house, district_id = here.house, tenant.district.id
    here.ticket(tenant, here.teacher)
    copied = {"origin_contexts": ["last-year"]}
    for person in (here.pupil(0), here.pupil(1)):
        address = here.ticket(tenant, person)
    link = {LTI + "resource_link": {"id": "copied"}, LTI + "context": {"id": "copy", "title": "Copy", **copied}}
    told = {
        "platform_notification_service_url": f"{here.lms_url}/{tenant.slug}/notice-handlers",
        "scope": ["https://purl.imsglobal.org/spec/lti/scope/noticehandlers"],
        "notice_types_supported": [COPY], "service_versions": ["1.0"],
    }  # fmt: skip
    here.ticket(tenant, here.pupil(0), **link, **{LTI + "platformnotificationservice": told})
    assert here.notify(tenant, "told").json()["handled"] == 1
    tenant.token = context_of(page := tenant.reader.get(address, timeout=10))["token"]
    tenant.reader.post(f"{here.tool_url}/me/open", data={"ticket": ticket_of(page.text)}, timeout=10).raise_for_status()
    # One solves what the other does not, so that their progress can be told apart.
    here.save(tenant.token, ATTEMPT, number).raise_for_status()
    assert house.sync_roster()(tenant.district).state == "applied"
    deliver(here, tenant)
    SealLog(house.database, house.clock).district(district_id)  # what comes after it waits to be sealed
    tenant.item = _chosen(here, tenant)
    here.picker(tenant)
    launching = here.begin(tenant, here.pupil(0))
    assert launching.send({**launching.claims, LTI + "version": "1.1"}).status_code == 403
    here.invited(tenant, tenant.staff).raise_for_status()
    house.invitations.invite(StaffRole.TEACHER, district_id)
    house.registration_invitations.invite(district_id)
    connected(house, district_id, tenant.slug)
    with house.database.tenant(district_id) as connection:
        house.mail.send(connection, district_id, Message(to="data@school.example", subject="Report", text="Ready."))
    lost = Asked(description=f"A laptop of {tenant.slug} was lost.", discovered_at=house.clock.now())
    Incidents(house, f"staff of {tenant.slug}").open(lost, [tenant.slug])
    _withdraw(here, tenant)
    _erase(here, tenant)


def _erase(here: Neighbours, tenant: Tenant) -> None:
    """Somebody whom the class list alone has told of."""
    told = sa.text(
        "SELECT p.id FROM person p WHERE p.kind = 'pupil'"
        " AND NOT EXISTS (SELECT FROM session s WHERE s.person_id = p.id)"
    )
    with here.house.database.tenant(tenant.district.id) as connection:
        person_id = PersonId(connection.execute(told).scalars().all()[0])
    assert here.house.rights.erase(tenant.district.id, person_id, by=f"staff of {tenant.slug}").erased_at
    with here.house.database.tenant(tenant.district.id) as connection:
        pupil = PersonId(connection.execute(sa.text("SELECT person_id FROM progress_event LIMIT 1")).scalar_one())
        connection.execute(
            sa.text(
                "INSERT INTO consent SELECT gen_random_uuid(), district_id, id, 'evaluation', 'school', 'policy', 1,"
                " created_at FROM person WHERE id = :person"
            ),
            {"person": pupil},
        )
    by = f"staff of {tenant.slug}"
    here.house.rights.access.open(tenant.district.id, SessionId(new_id()), "review", f"Our {tenant.slug} year.")
    here.house.rights.requests.open(tenant.slug, f"A guardian of {tenant.slug} asks.")
    here.house.rights.own_requests.ask(tenant.district.id, pupil, "question", f"Why {tenant.slug}?")
    asked = RightsAsked(by=by, act="person correct", reason="The family asked.")
    here.house.rights.correct.put(tenant.district.id, pupil, "nickname", f"Noor of {tenant.slug}", asked)
    here.house.rights.correct.restrict(tenant.district.id, pupil, Recipients.EVALUATOR, asked)
    here.house.rights.blocks.of_id(tenant.district.id, "never-came", provider="", by=f"staff of {tenant.slug}")


def _withdraw(here: Neighbours, tenant: Tenant) -> None:
    """Another connection of the district, revoked: its receipt, a token to give back, and the signal that asked."""
    house, district, now = here.house, tenant.district, here.house.clock.now()
    with house.database.tenant(district.id) as connection:
        grant_id = open_grant(connection, district.id, "google", now)
        named = {"district": district.id, "hash": tenant.slug.encode(), "now": now, "school": f"of {tenant.slug}"}
        signal = "INSERT INTO provider_signal VALUES (:district, 'google', :hash, :now, :now)"
        schools = "jsonb_build_object('schools', jsonb_build_array(CAST(:school AS text)))"
        for one in (signal, f"INSERT INTO contract_population VALUES (:district, 'google', {schools})"):
            connection.execute(sa.text(one), named)
        # The sections that it is to reach are named before it is narrowed to them, and never afterwards.
        reached = "INSERT INTO grant_section SELECT district_id, :grant, id FROM section ORDER BY id LIMIT 1"
        connection.execute(sa.text(reached), {"grant": grant_id})
    begun = house.grants.withdraw.begin(district.id, grant_id, by=f"staff of {tenant.slug}", reason="Over.")
    assert house.grants.withdraw.finish(district.id, grant_id)
    # Asked for and not due: nothing goes before.
    with house.database.tenant(district.id) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO disposition VALUES (:id, :district, :grant, :by, :now, current_date + 60, 60, :clause,"
                " false, 'waiting')"
            ),
            {
                "id": new_id(), "district": district.id, "grant": grant_id, "by": f"staff of {tenant.slug}",
                "now": now, "clause": f"Art. IV 6 of {tenant.slug}",
            },
        )  # fmt: skip
    token = SourceToken(value=f"token of {tenant.slug}", kind=TokenKind.REFRESH)
    with house.database.tenant(district.id) as connection:
        house.grants.give_back.keep(connection, district, begun, Done(counts={}, upstream=(token,)))


def deliver(here: Neighbours, tenant: Tenant) -> None:
    """Every queued grade of a district, as its worker sends them."""
    with here.house.database.tenant(tenant.district.id) as connection:
        ids = connection.execute(sa.text("SELECT id FROM grade_delivery WHERE state = 'queued'")).scalars().all()
    for delivery_id in ids:
        here.house.handlers()["grades.deliver"](str(tenant.district.id), str(delivery_id))


def _chosen(here: Neighbours, tenant: Tenant) -> str:
    found = re.search(r'name="JWT" value="([^"]+)"', here.choose(here.picker(tenant)).text)
    assert found
    said = json.loads(_part(unescape(found[1]).split(".")[1]))
    item = said[DL + "content_items"][0]["custom"]["item"]
    assert isinstance(item, str)
    return item


def _part(text: str) -> bytes:
    from base64 import urlsafe_b64decode

    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def unused() -> str:
    """An id that nobody has."""
    return str(uuid4())
