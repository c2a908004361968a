"""Every way into the server, tried by one district with what is the other's (law 13).

Each case acts as one district. Whatever it does, no answer may hold a mark of the other, and no row of the other may
change. A route without a case fails the test.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
import requests
import sqlalchemy as sa
from lti_server_demo_lms.security_events import TOOL_REMOVED, claims, signed_event

from tests.functional.tenants.incident_cases import INCIDENTS
from tests.functional.tenants.invitation_cases import INVITATIONS
from tests.functional.tenants.neighbours import DL, LESSON, Neighbours, Tenant, context_of, deliver, unused
from tests.functional.tenants.people_cases import OWN_PAGE, PEOPLE
from tests.functional.tenants.sign_in_cases import SIGN_IN
from tests.functional.tenants.test_tables import owner, rows_of, tables
from tests.peers.bare_platform import LTI

__all__ = ["owner"]
Case = Callable[[Neighbours, Tenant, Tenant], list[requests.Response]]
JSON = {"Accept": "application/problem+json"}
# No id, token or cookie of a district is taken there.
SAME_FOR_ALL = {
    "requests.form", "requests.send", "home.index", "home.problem", "lessons.index", "lessons.sheet", "lti.jwks",
    "registration.configuration", "notice.index", "healthz", "audit.keys", "readyz", "metrics", "api-docs.openapi_json",
}  # fmt: skip


def counted(here: Neighbours, tenant: Tenant, table: str) -> int:
    with here.house.database.tenant(tenant.district.id) as connection:
        found = connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()
    assert isinstance(found, int)
    return found


def login(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """My client with the other's deployment: nobody's where clients differ, else the other's, and not mine."""
    query = {
        "iss": mine.registered.platform.issuer, "client_id": mine.client_id, "login_hint": "somebody",
        "target_link_uri": f"{here.tool_url}/lti/launch", "lti_deployment_id": other.deployment_id,
    }  # fmt: skip
    answer = requests.get(f"{here.tool_url}/lti/login", params=query, timeout=10, allow_redirects=False)
    assert answer.status_code == (302 if mine.client_id == other.client_id else 403)
    return [answer]


def launch(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """My login, answered with the other's launch; and the other's item in a link of mine."""
    people = here.pupil(0)
    theirs, answers = here.begin(other, people), []
    for changes in (
        {LTI + "deployment_id": other.deployment_id},
        {LTI + "deployment_id": other.deployment_id, "aud": other.client_id},
        {LTI + "deployment_id": [mine.deployment_id, other.deployment_id]},
    ):
        launching = here.begin(mine, people)
        answers.append(launching.send({**launching.claims, **changes}))
        assert answers[-1].status_code == 403, changes
    launching = here.begin(mine, people)
    answers.append(launching.send({**theirs.claims, "nonce": launching.claims["nonce"]}))
    answers.append(theirs.send(theirs.claims, state=launching.state))
    answers.append(launching.send(launching.claims, state=theirs.state))
    assert [one.status_code for one in answers[-3:]] == [403, 403, 403]
    launching = here.begin(mine, people)
    said = {LTI + "custom": {"item": other.item}, LTI + "resource_link": {"id": unused()}}
    refused = launching.send({**launching.claims, **said})
    assert refused.status_code == 303
    assert "no-lesson" in refused.headers["Location"]
    assert f"/{mine.slug}/" in refused.headers["Location"]
    return answers


def play(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """The other's cookie is in the browser: my ticket opens mine, and the ticket is spent."""
    browser = requests.Session()
    browser.cookies.update(other.reader.cookies)
    address = here.ticket(mine, here.pupil(1))
    page = browser.get(address, timeout=10)
    token = context_of(page)["token"]
    assert here.state(token).json() == here.state(mine.token).json() != here.state(other.token).json()
    again = requests.get(address, timeout=10)
    assert again.status_code == 410
    return [page, again]


def progress(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """An attempt with the id that the other's had is one of mine."""
    before = counted(here, mine, "progress_event")
    with here.house.database.tenant(other.district.id) as connection:
        theirs = connection.execute(sa.text("SELECT attempt_id FROM progress_event")).scalars().all()
    own, new = theirs[0], uuid4()
    answers = [here.save(mine.token, str(one), activity=2) for one in (own, new)]
    # Both have an attempt of this id, for different activities: mine is told that mine is another.
    assert [one.status_code for one in answers] == [422, 200]
    assert counted(here, mine, "progress_event") > before
    deliver(here, mine)
    state = here.state(mine.token)
    assert state.json() != here.state(other.token).json()
    return [*answers, state, here.state(str(other.registered.id)), here.state(unused())]


def renew(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    head = {"Authorization": f"Bearer {mine.token}"}
    answer = requests.post(f"{here.tool_url}/api/v1/token/renew", headers=head, timeout=10)
    assert here.state(answer.json()["token"]).json() == here.state(mine.token).json()
    return [answer]


def launch_context(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    ticket = here.ticket(mine, here.pupil(1)).partition("ticket=")[2]
    address = f"{here.tool_url}/api/v1/launch-context"
    head = {"Authorization": f"Bearer {other.token}"}
    answer = requests.post(address, json={"ticket": ticket}, headers=head, timeout=10)
    assert here.state(answer.json()["token"]).json() == here.state(mine.token).json()
    return [answer, requests.post(address, json={"ticket": other.token}, timeout=10)]


def picker(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """My picker answers to my deployment, once."""
    token = here.picker(mine)
    shown = requests.get(f"{here.tool_url}/lti/choose", params={"request": token}, timeout=10)
    made, items = here.choose(token), counted(here, mine, "deep_link_item")
    assert f"{here.lms_url}/{mine.slug}/return" in made.text
    again = here.choose(token)
    assert DL not in again.text
    assert counted(here, mine, "deep_link_item") == items
    stolen = requests.get(f"{here.tool_url}/lti/choose", params={"request": other.token}, timeout=10)
    assert (shown.status_code, stolen.status_code) == (200, 404)
    return [shown, made, again]


def inspector(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """The other's platform is to me as one that never was."""
    pages = f"{here.tool_url}/platforms"
    own = mine.staff.get(f"{pages}/{mine.registered.id}", timeout=10)
    theirs, nobodys = (
        mine.staff.get(f"{pages}/{one}", headers=JSON, timeout=10) for one in (other.registered.id, unused())
    )
    assert (own.status_code, theirs.status_code, nobodys.status_code) == (200, 404, 404)
    assert {**theirs.json(), "instance": ""} == {**nobodys.json(), "instance": ""}
    listed = mine.staff.get(pages, timeout=10)
    assert re.findall(r"/platforms/([0-9a-f-]{36})", listed.text) == [str(mine.registered.id)]
    by_id = [mine.staff.get(f"{pages}/{one}", timeout=10) for one in (other.registered.grant_id, other.district.id)]
    assert [one.status_code for one in by_id] == [404, 404]
    return [own, theirs, nobodys, listed]


def connections(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """The other's connection is to me as one that never was: not shown, not suspended, not revoked."""
    pages = f"{here.tool_url}/district/connections"
    own = mine.staff.get(f"{pages}/{mine.registered.grant_id}", timeout=10)
    token = re.search('name="csrf_token" value="([^"]+)"', own.text)
    assert token
    form = {"csrf_token": token[1], "uses": "all", "reason": "Not mine."}
    theirs, nobodys = (
        mine.staff.get(f"{pages}/{one}", headers=JSON, timeout=10) for one in (other.registered.grant_id, unused())
    )
    assert (own.status_code, theirs.status_code, nobodys.status_code) == (200, 404, 404)
    assert {**theirs.json(), "instance": ""} == {**nobodys.json(), "instance": ""}
    refused = [
        mine.staff.post(f"{pages}/{other.registered.grant_id}/{act}", data=form, headers=JSON, timeout=10)
        for act in ("suspend", "resume", "revoke", "end-sessions")
    ]
    receipt = f"{pages}/{other.registered.grant_id}/receipts/{unused()}"
    refused.append(mine.staff.get(receipt, headers=JSON, timeout=10))
    assert {one.status_code for one in refused} == {404}
    return [own, theirs, nobodys, *refused, mine.staff.get(pages, timeout=10)]


def registration(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """My invitation names me; and takes over no client of the other's."""
    token, _ = here.house.registration_invitations.invite(mine.district.id)
    asked = {"invitation": token, "openid_configuration": f"{here.lms_url}/{mine.slug}/openid"}
    shown = requests.get(f"{here.tool_url}/lti/register", params=asked, timeout=10)
    assert mine.district.name in shown.text
    refused = requests.post(f"{here.tool_url}/lti/register", data=asked, timeout=10)
    assert 400 <= refused.status_code < 600
    return [shown, refused]


def notices(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """A notice with the id of one that the other had is mine; one for the other's deployment is not from my client."""
    answer = here.notify(mine, f"copy-{uuid4()}")
    assert answer.json()["handled"] == 1
    if mine.client_id == other.client_id:
        return [answer]
    mixed = here.notify(mine, "stolen", deployment_id=other.deployment_id)
    assert mixed.json()["handled"] == 0
    return [answer, mixed]


def data_privacy(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """The page tells of my district; a token of the other's people opens none."""
    launching = here.begin(mine, here.pupil(0))
    said = {LTI + "message_type": "DataPrivacyLaunchRequest", LTI + "for_user": {"user_id": here.pupil(0).id}}
    led = launching.send({**launching.claims, **said})
    assert led.status_code == 303
    page = requests.get(led.headers["Location"], timeout=10)
    assert mine.district.name in page.text
    stolen = requests.get(f"{here.tool_url}/lti/data-privacy", params={"reader": str(other.registered.id)}, timeout=10)
    assert stolen.status_code == 404
    return [page]


def log_pages(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """My log and my checkpoint; an entry of the other's is no place to go on from."""
    with here.house.database.tenant(other.district.id) as connection:
        entry = connection.execute(sa.text("SELECT id FROM log_entry LIMIT 1")).scalar_one()
    pages = f"{here.tool_url}/district/log"
    shown = mine.staff.get(pages, timeout=10)
    assert "/district/log/checkpoint" in shown.text
    after = mine.staff.get(pages, params={"after": str(entry)}, timeout=10)
    extract = mine.staff.get(f"{pages}/extract", timeout=10)
    assert extract.json()["document"]["district"] == str(mine.district.id)
    return [shown, after, mine.staff.get(f"{pages}/checkpoint", timeout=10), extract]


def district_home(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    page = mine.staff.get(f"{here.tool_url}/district", timeout=10)
    assert mine.district.name in page.text
    return [page]


def guardian_requests(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """What was asked of mine; a case of the other's is none that I can answer."""
    with here.house.database.tenant(other.district.id) as connection:
        case = connection.execute(sa.text("SELECT id FROM guardian_request LIMIT 1")).scalar_one()
    pages = f"{here.tool_url}/district/requests"
    shown = mine.staff.get(pages, timeout=10)
    token = re.search('name="csrf_token" value="([^"]+)"', shown.text)
    assert token
    refused = mine.staff.post(f"{pages}/{case}", data={"csrf_token": token[1]}, timeout=10)
    assert refused.status_code == 404
    return [shown, refused]


def contract_pages(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """Mine, though both have a version of the same number; and what everybody may read of mine."""
    pages = f"{here.tool_url}/district/contract"
    shown, file = mine.staff.get(pages, timeout=10), mine.staff.get(f"{pages}/1/file", timeout=10)
    assert (shown.status_code, file.status_code) == (200, 200)
    assert f"/privacy/districts/{mine.district.slug}" in shown.text
    published = requests.get(f"{here.tool_url}/privacy/districts/{mine.district.slug}", timeout=10)
    assert mine.district.name in published.text
    return [shown, file, published]


def grants_api(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """The list is mine, also from a place in the other's; the other's connection is to me as one that never was."""
    pages = f"{here.tool_url}/api/v1/grants"
    listed = mine.staff.get(pages, timeout=10)
    assert str(mine.registered.grant_id) in listed.text
    theirs_first = other.staff.get(pages, params={"limit": 1}, timeout=10).json()["next"]
    after = mine.staff.get(pages, params={"cursor": theirs_first}, timeout=10)
    own = mine.staff.get(f"{here.tool_url}/district/connections/{mine.registered.grant_id}", timeout=10)
    token = re.search('name="csrf_token" value="([^"]+)"', own.text)
    assert token
    refused = [
        mine.staff.post(
            f"{pages}/{one}/revoke", json={"reason": "Not mine."}, headers={"X-CSRFToken": token[1]}, timeout=10
        )
        for one in (other.registered.grant_id, unused())
    ]
    assert [one.status_code for one in refused] == [404, 404]
    return [listed, after, *refused]


def signals(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """At my address, an event of the other's client is not believed; a district's id is no address."""
    address = f"{here.tool_url}/signals/demo_lms"
    theirs = here.lms.district(other.slug)
    event = signed_event(here.lms, {**claims(here.lms, theirs, TOOL_REMOVED), "iss": "https://elsewhere.example"})
    refused, nobodys = (
        requests.post(address, params={"grant": str(one)}, data=event, headers=JSON, timeout=10)
        for one in (mine.registered.grant_id, other.district.id)
    )
    assert (refused.status_code, nobodys.status_code) == (403, 404)
    return [refused, nobodys]


def dispositions(here: Neighbours, mine: Tenant, other: Tenant) -> list[requests.Response]:
    """The other's directive is to me as one that never was."""
    with here.house.database.tenant(other.district.id) as connection:
        theirs = connection.execute(sa.text("SELECT id FROM disposition LIMIT 1")).scalar_one()
    pages = f"{here.tool_url}/district/dispositions"
    shown = mine.staff.get(pages, timeout=10)
    assert shown.status_code == 200
    refused = [mine.staff.get(f"{pages}/{one}/certificate", headers=JSON, timeout=10) for one in (theirs, unused())]
    assert [one.status_code for one in refused] == [404, 404]
    return [shown, *refused]


CASES: dict[str, Case] = {
    "grants.grants": grants_api,
    "grants.revoke": grants_api,
    "signals.take": signals,
    "dispositions.index": dispositions,
    "dispositions.certificate": dispositions,
    "contract.index": contract_pages,
    "contract.file": contract_pages,
    "notice.of_district": contract_pages,
    "lti.login": login,
    "lti.launch": launch,
    "lti.choose": picker,
    "lti.chosen": picker,
    "lti.notices": notices,
    "lti.data_privacy": data_privacy,
    "lessons.play": play,
    "progress.progress": progress,
    "progress.renew": renew,
    "progress.launch_context": launch_context,
    "requests.index": guardian_requests,
    "requests.answered": guardian_requests,
    **PEOPLE,
    **OWN_PAGE,
    **INCIDENTS,
    **INVITATIONS,
    **SIGN_IN,
    "log.index": log_pages,
    "log.checkpoint": log_pages,
    "log.extract": log_pages,
    "district.index": district_home,
    "platforms.index": inspector,
    "platforms.inspect": inspector,
    **dict.fromkeys(
        [f"connections.{one}" for one in ("index", "show", "receipt", "suspend", "resume", "revoke", "end_sessions")],
        connections,
    ),
    "registration.register": registration,
    "registration.registered": registration,
}


def test_every_route_has_a_case(here: Neighbours) -> None:
    routes = {rule.endpoint for rule in here.app.url_map.iter_rules()}
    pages = {one for one in routes if one != "static" and not one.endswith(".static")}
    assert pages == CASES.keys() | SAME_FOR_ALL


@pytest.mark.parametrize("case", list(dict.fromkeys(CASES.values())), ids=lambda case: case.__name__)
@pytest.mark.parametrize("turned", [False, True], ids=["one", "the other"])
def test_what_one_district_does_reaches_nothing_of_the_other(
    case: Case, turned: bool, here: Neighbours, owner: sa.Connection
) -> None:
    mine, other = here.tenants[::-1] if turned else here.tenants
    owner.rollback()
    kept = {name: [row for row in rows_of(owner, name, other)] for name in tables(owner)}
    owner.rollback()
    answers = case(here, mine, other)
    for answer in answers:
        said = f"{answer.status_code} {answer.headers.get('Location', '')} {answer.text}"
        assert [mark for mark in other.marks if mark in said] == []
    changed = {name for name, rows in kept.items() if rows_of(owner, name, other) != rows}
    assert changed == set()


def test_a_service_token_of_one_is_never_sent_for_the_other(here: Neighbours) -> None:
    """The LMS's own log: whose addresses each token was sent to, and how often each asked for one."""
    north, south = ({call.bearer for call in here.calls if call.bearer and call.path.startswith(f"/{one.slug}/")}
                    for one in here.tenants)  # fmt: skip
    assert north
    assert south
    assert north.isdisjoint(south)
    asked = [call.assertion for call in here.calls if call.assertion]
    assert len(asked) == len(set(asked)) >= 4


def test_both_districts_have_the_same_people_courses_and_links(here: Neighbours) -> None:
    """Else nothing here would be shown."""
    for table, column in (("section", "source_id"), ("resource_link", "resource_link_id"), ("identity", "issuer")):
        found = []
        for tenant in here.tenants:
            with here.house.database.tenant(tenant.district.id) as connection:
                rows = connection.execute(sa.text(f"SELECT DISTINCT {column} FROM {table} ORDER BY 1")).scalars()
                found.append({one for one in rows if LESSON in one or table != "resource_link"})
        assert found[0] == found[1] != set()
