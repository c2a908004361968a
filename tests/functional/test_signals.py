"""What the demo LMS says by itself: heeded once and at once; refused where it is forged, late or for others."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from joserfc import jwt
from joserfc.jwk import RSAKey
from lti_server_demo_lms import Answer, security_events
from lti_server_demo_lms.security_events import CAEP, RISC, SSF, TOOL_REMOVED, claims, signed_event

from lti_server.app import create_app
from lti_server.ids import SystemClock
from lti_server.privacy import log
from lti_server.settings import Settings
from tests.functional.street import SLUG, Street, street

SESSION_REVOKED = CAEP + "session-revoked"


@pytest.fixture
def lived(settings: Settings, database_url: str, data_dir: Path) -> Iterator[Street]:
    with street(settings, database_url, SystemClock(), data_dir) as found:
        yield found


def grant(lived: Street) -> str:
    with lived.house.database.tenant(lived.district.id) as connection:
        return str(connection.execute(sa.text("SELECT id FROM grants")).scalar_one())


def address(lived: Street) -> str:
    return f"{lived.tool_url}/signals/demo_lms?grant={grant(lived)}"


def said(lived: Street, event: str, pupil: int | None = None, **changes: Any) -> dict[str, Any]:
    district = lived.lms.district(SLUG)
    found = claims(lived.lms, district, event, None if pupil is None else lived.pupils[pupil])
    return {name: value for name, value in {**found, **changes}.items() if value is not None}


def send(lived: Street, told: dict[str, Any], **changes: Any) -> requests.Response:
    return security_events.send(address(lived), signed_event(lived.lms, told, **changes))


def state(lived: Street) -> tuple[str, int]:
    with lived.house.database.tenant(lived.district.id) as connection:
        row = connection.execute(sa.text("SELECT state, epoch FROM grants")).one()
    return str(row.state), int(row.epoch)


def logged(lived: Street) -> list[tuple[str, dict[str, Any]]]:
    """Decisions on signals with what they say, oldest first."""
    with lived.house.database.tenant(lived.district.id) as connection:
        rows = connection.execute(
            sa.text("SELECT decision, payload FROM log_entry WHERE act = 'signal' ORDER BY id")
        ).all()
    return [(row.decision, log.payload_of(lived.district.keys, bytes(row.payload))) for row in rows]


def live_sessions(lived: Street) -> int:
    with lived.house.database.tenant(lived.district.id) as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM session WHERE ended_at IS NULL")).scalar_one())


def test_an_lms_that_removed_the_tool_revokes_within_a_second_with_a_receipt(lived: Street) -> None:
    token = lived.token()
    began = time.monotonic()
    answer = send(lived, said(lived, TOOL_REMOVED))
    took = time.monotonic() - began
    assert answer.status_code == 202
    assert took < 1
    (one,) = answer.json()["signals"]
    assert (one["kind"], one["outcome"]) == ("grant_revoked", "revoked")
    assert state(lived) == ("revoked", 2)
    assert live_sessions(lived) == 0
    refused = requests.get(
        f"{lived.tool_url}/api/v1/progress", headers={"Authorization": f"Bearer {token}"}, timeout=10
    )
    assert refused.status_code in (401, 403)
    with lived.house.database.tenant(lived.district.id) as connection:
        row = connection.execute(sa.text("SELECT id, asked_by, acknowledged_at FROM revocation")).one()
        parts = connection.execute(sa.text("SELECT count(*) FROM revocation_receipt")).scalar_one()
    assert (str(row.id), row.asked_by) == (one["revocation"], "signal:demo_lms")
    assert row.acknowledged_at is not None
    assert parts >= 4


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("another audience", {"aud": "another-client"}),
        ("two audiences", {"aud": ["client", "another-client"]}),
        ("no audience", {"aud": None}),
        ("another issuer", {"iss": "https://elsewhere.example"}),
        ("late", {"iat": int(time.time()) - 3600}),
        ("ahead of time", {"iat": int(time.time()) + 3600}),
        ("no time", {"iat": None}),
        ("happened long ago", {"toe": int(time.time()) - 30 * 86_400}),
    ],
)
def test_an_event_that_is_not_for_us_or_not_of_now_changes_nothing(
    lived: Street, name: str, changes: dict[str, Any]
) -> None:
    answer = send(lived, said(lived, TOOL_REMOVED, **changes))
    assert answer.status_code == 403, name
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"].endswith("/problems/signal-refused")
    assert state(lived) == ("active", 1)
    assert logged(lived) == [("refused", {"reason": "signal-refused"})]


def test_a_forged_event_changes_nothing(lived: Street) -> None:
    told = said(lived, TOOL_REMOVED)
    good = signed_event(lived.lms, told)
    head, body, _ = good.split(".")
    other = signed_event(lived.lms, {**told, "jti": "another"}).split(".")
    stolen = jwt.encode(
        {"alg": "RS256", "kid": lived.lms.key.kid, "typ": "secevent+jwt"}, told, RSAKey.generate_key(2048)
    )
    for forged in (f"{head}.{body}.{other[2]}", f"{head}.{other[1]}.{good.split('.')[2]}", stolen, "", "nonsense"):
        assert security_events.send(address(lived), forged).status_code == 403
    assert state(lived) == ("active", 1)


def test_a_launch_is_not_taken_for_an_event(lived: Street) -> None:
    assert send(lived, said(lived, TOOL_REMOVED), typ="JWT").status_code == 403
    assert state(lived) == ("active", 1)


def test_a_replayed_event_is_heeded_once(lived: Street) -> None:
    lived.token()
    told = said(lived, SESSION_REVOKED, pupil=0)
    assert send(lived, told).json()["signals"][0]["outcome"] == "sessions_ended"
    lived.token()
    assert send(lived, told).json()["signals"] == [{"kind": "sessions_revoked", "outcome": "repeated"}]
    assert live_sessions(lived) == 1


def test_a_replay_is_known_by_every_process(lived: Street) -> None:
    told = said(lived, SSF + "verification")
    assert send(lived, told).json()["signals"][0]["outcome"] == "noted"
    client = create_app(lived.house).test_client()
    path = address(lived).removeprefix(lived.tool_url)
    again = client.post(path, data=signed_event(lived.lms, told), content_type="application/secevent+jwt")
    assert again.json is not None
    assert again.json["signals"][0]["outcome"] == "repeated"


def test_an_event_about_one_person_ends_their_sessions_alone(lived: Street) -> None:
    lived.token(0)
    lived.token(1)
    assert send(lived, said(lived, SESSION_REVOKED, pupil=0)).status_code == 202
    assert live_sessions(lived) == 1
    assert state(lived) == ("active", 1)
    ((decision, told),) = logged(lived)
    assert (decision, told["sessions"], told["about"]) == ("allowed", 1, "a person")
    assert lived.pupils[0].id not in json.dumps(told)


def test_a_purged_account_erases_nothing_by_itself(lived: Street) -> None:
    lived.token(0)
    assert send(lived, said(lived, RISC + "account-purged", pupil=0)).json()["signals"][0]["outcome"] == (
        "sessions_ended"
    )
    with lived.house.database.tenant(lived.district.id) as connection:
        live = "SELECT count(*) FROM identity WHERE ended_at IS NULL"
        assert connection.execute(sa.text(live)).scalar_one() == 1


def test_an_lms_that_disables_the_tool_suspends_it_and_enabling_it_needs_somebody_here(lived: Street) -> None:
    assert send(lived, said(lived, RISC + "account-disabled")).json()["signals"][0]["outcome"] == "suspended"
    assert state(lived) == ("suspended", 1)
    assert send(lived, said(lived, RISC + "account-enabled")).json()["signals"][0]["outcome"] == "noted"
    assert state(lived) == ("suspended", 1)


def test_a_suspended_connection_still_heeds_its_revocation(lived: Street) -> None:
    (found,) = lived.house.registrations.every(lived.district.id)
    lived.house.grants.withdraw.suspend(lived.district.id, found.grant_id, by="test")
    assert send(lived, said(lived, TOOL_REMOVED)).json()["signals"][0]["outcome"] == "revoked"
    assert state(lived) == ("revoked", 2)


def test_after_the_revocation_the_body_is_not_read(lived: Street) -> None:
    assert send(lived, said(lived, TOOL_REMOVED)).status_code == 202

    class Unread:
        def read(self, *_: object) -> bytes:
            raise AssertionError("the body was read")

        readline = readinto = read

    client = create_app(lived.house).test_client()
    path = address(lived).removeprefix(lived.tool_url)
    answer = client.post(path, data=b"the body", environ_overrides={"wsgi.input": Unread()})
    assert answer.status_code == 202
    assert answer.json == {"signals": []}
    assert logged(lived)[-1] == ("refused", {"reason": "withdrawn"})
    assert state(lived) == ("revoked", 2)


def test_keys_that_cannot_be_had_are_worth_another_try(lived: Street) -> None:
    lived.lms.faults.jwks.append(Answer(503))
    assert send(lived, said(lived, TOOL_REMOVED)).status_code == 502
    assert state(lived) == ("active", 1)
    assert send(lived, said(lived, TOOL_REMOVED)).status_code == 202


@pytest.mark.parametrize("path", ["/signals/demo_lms", "/signals/demo_lms?grant=nonsense", "/signals/lti?grant={}"])
def test_an_address_of_nobody_is_not_there(lived: Street, path: str) -> None:
    answer = requests.post(lived.tool_url + path.format(grant(lived)), data=b"x", timeout=10)
    assert answer.status_code == 404


def test_a_message_that_is_too_large_is_not_read_to_its_end(lived: Street) -> None:
    assert requests.post(address(lived), data=b"x" * 70_000, timeout=10).status_code == 413


def test_the_access_log_has_no_query(lived: Street, capsys: pytest.CaptureFixture[str]) -> None:
    client = create_app(lived.house).test_client()
    client.post(f"/signals/demo_lms?grant={grant(lived)}&challenge=secret-of-somebody", data=b"x")
    heard = capsys.readouterr().err
    assert "secret-of-somebody" not in heard
    assert grant(lived) not in heard
