"""What OpenID providers and Google say by themselves about one person: believed, done at once and once, or refused."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from joserfc.jwk import RSAKey
from werkzeug.test import TestResponse

from lti_server.accounts.store import lock_subject
from lti_server.app import House
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.functional.sign_in.vendors import FORM, World, at, house, is_in, peers
from tests.peers.openid import LOGOUT

__all__ = ["at", "house", "peers"]
STOLEN = RSAKey.generate_key(2048)
SESSIONS, TOKENS = "risc/event-type/sessions-revoked", "oauth/event-type/tokens-revoked"
DISABLED, ENABLED = "risc/event-type/account-disabled", "risc/event-type/account-enabled"
PURGED, CHANGE = "risc/event-type/account-purged", "risc/event-type/account-credential-change-required"
VERIFICATION = "risc/event-type/verification"


def timed(at: World, send: Any) -> tuple[TestResponse, float]:
    """An answer, and how long its sessions went on, by the clock of the database."""
    engine = sa.create_engine(at.house.database.url.replace("postgresql://", "postgresql+psycopg://"))
    clock = sa.text("SELECT clock_timestamp()")
    with engine.connect() as owner:
        began = owner.execute(clock).scalar_one()
        answer = send()
        live = owner.execute(sa.text("SELECT count(*) FROM session WHERE ended_at IS NULL")).scalar_one()
        took = (owner.execute(clock).scalar_one() - began).total_seconds()
    engine.dispose()
    assert live == 0
    return answer, took


# Genuine


def test_a_logout_there_ends_the_person_s_sessions_here_within_a_second(at: World) -> None:
    browsers = [at.comes_in("oidc"), at.comes_in("oidc")]
    answer, took = timed(at, lambda: at.logout(sub="ada"))
    print(f"back-channel logout: sessions gone after {took * 1000:.0f} ms")
    assert took < 1
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert [is_in(one) for one in browsers] == [False, False]
    assert at.receipts() == [("sessions_revoked", "sessions_ended", 2)]
    ((decision, said),) = at.logged()
    assert (decision, said["about"], said["sessions"]) == ("allowed", "a person", 2)
    assert is_in(at.comes_in("oidc"))


def test_a_logout_of_one_sign_in_ends_that_one_and_its_lessons_alone(at: World) -> None:
    one, two = at.comes_in("oidc", sid="s-1"), at.comes_in("oidc", sid="s-2")
    for named in ({"sid": "s-1"}, {"sid": "s-2", "sub": "ada"}):
        before = is_in(one), is_in(two)
        answer = at.logout(**named)
        assert answer.status_code == 200
        assert before == ((True, True) if named == {"sid": "s-1"} else (False, True))
    assert (is_in(one), is_in(two)) == (False, False)
    assert "s-1" not in str(at.rows("SELECT * FROM session"))


def test_a_logout_of_a_sign_in_that_was_not_named_when_it_began_ends_all_of_the_person(at: World) -> None:
    browser, other = at.comes_in("oidc"), at.comes_in("oidc", "grace")
    assert at.logout(sub="ada", sid="s-9").status_code == 200
    assert (is_in(browser), is_in(other)) == (False, True)


def test_nobody_s_logout_is_answered_alike_and_ends_nothing(at: World) -> None:
    browser = at.comes_in("oidc")
    assert [at.logout(**named).status_code for named in ({"sub": "nobody"}, {"sid": "of nobody"})] == [200, 200]
    assert is_in(browser)
    assert [outcome for _, outcome, _ in at.receipts()] == ["nobody", "nobody"]


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        (SESSIONS, "sessions_ended"), (TOKENS, "sessions_ended"), (CHANGE, "sessions_ended"),
        (DISABLED, "held"), (PURGED, "way_ended"),
    ],
)  # fmt: skip
def test_what_google_says_ends_sessions_within_a_second_with_a_receipt(at: World, event: str, outcome: str) -> None:
    browser = at.comes_in("google")
    answer, took = timed(at, lambda: at.risc(event))
    print(f"{event}: sessions gone after {took * 1000:.0f} ms")
    assert took < 1
    assert (answer.status_code, answer.text) == (202, "")
    assert not is_in(browser)
    ((_, done, sessions),) = at.receipts()
    assert (done, sessions) == (outcome, 1)
    ((decision, said),) = at.logged()
    assert (decision, said["outcome"]) == ("allowed", outcome)


def test_others_stay_signed_in(at: World) -> None:
    others = [at.comes_in("google", "grace"), at.comes_in("oidc", "ada")]
    at.comes_in("google")
    assert at.risc(SESSIONS).status_code == 202
    assert [is_in(one) for one in others] == [True, True]


def test_a_hijacked_account_lets_nobody_in_until_google_says_that_it_is_back(at: World) -> None:
    at.comes_in("google")
    assert at.risc(DISABLED, event={"reason": "hijacking"}).status_code == 202
    refused = at.tries(at.app.test_client(), "google")
    assert (refused.status_code, "has locked this account" in refused.text) == (403, True)
    assert is_in(at.comes_in("google", "grace"))
    at.clock.pass_s(1)
    assert at.risc(ENABLED).status_code == 202
    assert is_in(at.comes_in("google"))
    assert [outcome for _, outcome, _ in at.receipts()] == ["held", "lifted"]
    assert [said.get("note") for _, said in at.logged()] == ["hijacking", None]
    assert len(at.rows("SELECT 1 FROM identity WHERE ended_at IS NULL")) == 2  # it is the same person as before


def test_what_google_said_before_frees_nothing_however_late_it_comes(at: World) -> None:
    """It sends again what this server could not take: an older word than that of the hijacking."""
    at.comes_in("google")
    earlier, later = (int(at.clock.now().timestamp()) + seconds for seconds in (-60, -30))
    assert at.risc(DISABLED, event={"reason": "hijacking"}, iat=later).status_code == 202
    assert at.risc(ENABLED, iat=earlier).status_code == 202
    assert at.tries(at.app.test_client(), "google").status_code == 403
    assert at.risc(ENABLED, iat=later + 10).status_code == 202
    assert is_in(at.comes_in("google"))
    assert sorted(outcome for _, outcome, _ in at.receipts()) == ["held", "lifted", "noted"]


def test_an_account_that_google_only_doubts_stays_in_and_somebody_is_told_to_look(at: World) -> None:
    browser = at.comes_in("google")
    assert at.risc(DISABLED, event={"reason": "bulk-account"}).status_code == 202
    assert is_in(browser)
    ((_, said),) = at.logged()
    assert (said["kind"], said["outcome"], said["note"]) == ("account_suspect", "noted", "bulk-account")


def test_a_purged_account_is_a_way_in_no_more_and_what_is_kept_is_the_district_s(at: World) -> None:
    at.comes_in("google")
    at.risc(PURGED)
    (row,) = at.rows("SELECT ended_at IS NOT NULL AS over FROM identity")
    assert row.over
    assert len(at.rows("SELECT 1 FROM person_field")) > 0


def test_a_verification_is_logged_with_its_state(at: World) -> None:
    browser = at.comes_in("google")
    assert at.risc(VERIFICATION, None, event={"state": "are you there"}).status_code == 202
    assert is_in(browser)
    ((_, said),) = at.logged()
    assert (said["kind"], said["outcome"], said["note"]) == ("verification", "noted", "are you there")


def test_the_operator_s_application_has_one_address_and_ends_the_session_in_whatever_district_it_is(
    at: World, house: House
) -> None:
    google = at.peers["google"]
    google.client_id = "everybody.apps.example"
    connections, south = SignInHouse(house).connections, world.district(house, slug="south")
    connections.application("google", {"client_id": google.client_id, "client_secret": google.client_secret}, by="test")
    connections.connect(south.id, "google", {"domain": "south.example"}, by="test")
    google.knows("lin", given_name="Lin", hd="south.example")
    browser = at.comes_in("google", "lin", slug="south")
    answer, took = timed(at, lambda: at.risc(SESSIONS, "lin", address="/signals/google"))
    print(f"operator's application, two districts: sessions gone after {took * 1000:.0f} ms")
    assert took < 1
    assert answer.status_code == 202
    assert not is_in(browser)
    assert len(at.rows("SELECT 1 FROM signal_receipt", south)) == 1
    assert at.receipts() == []
    assert at.risc(VERIFICATION, None, address="/signals/google").status_code == 202
    assert at.risc(SESSIONS, "lin", address="/signals/google", aud="another.apps.example").status_code == 400
    assert at.risc(SESSIONS, "lin", address="/signals/oidc").status_code == 404


def test_a_signal_waits_for_whoever_is_being_let_in_at_that_moment(at: World) -> None:
    """So that no session of a held account begins beside the signal that holds it."""
    at.comes_in("google")
    (row,) = at.rows("SELECT subject_hash FROM identity")
    answers: list[TestResponse] = []
    sending = threading.Thread(target=lambda: answers.append(at.risc(DISABLED)))
    with at.house.database.tenant(at.district.id) as letting_in:
        lock_subject(letting_in, bytes(row.subject_hash))
        sending.start()
        sending.join(timeout=0.5)
        assert (answers, at.receipts()) == ([], [])
    sending.join(timeout=10)
    assert [one.status_code for one in answers] == [202]
    assert at.receipts() == [("account_disabled", "held", 1)]


# Refused


def test_a_forged_logout_is_refused(at: World) -> None:
    browser, token = at.comes_in("oidc"), at.peers["oidc"].logout_token(sub="ada")
    head, claims, _ = token.split(".")
    forged = (
        at.peers["oidc"].logout_token(sub="ada", key=STOLEN), f"{head}.{claims}.", "nonsense", "",
        ".".join((head, at.peers["oidc"].logout_token(sub="ada").split(".")[1], token.split(".")[2])),
    )  # fmt: skip
    for one in forged:
        answer = at.posts_logout(one)
        assert (answer.status_code, answer.json, answer.headers["Cache-Control"]) == (
            400, {"error": "invalid_request"}, "no-store",
        )  # fmt: skip
    assert is_in(browser)
    assert at.logged() == [("refused", {"reason": "signal-refused"})] * len(forged)
    assert at.receipts() == []


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "another-client"}, {"aud": ["another-client"]}, {"aud": None}, {"iss": "https://elsewhere.example"},
        {"nonce": "n"}, {"events": None}, {"events": {"https://other.example/event": {}}},
        {"events": {LOGOUT: "yes"}}, {"typ": "at+jwt"}, {"jti": None}, {"sub": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_logout_for_another_client_or_purpose_is_refused(at: World, changed: dict[str, Any]) -> None:
    browser = at.comes_in("oidc")
    assert at.logout(**{"sub": "ada", **changed}).status_code == 400
    assert is_in(browser)


def test_an_id_token_is_no_logout(at: World) -> None:
    browser, now = at.comes_in("oidc"), int(at.clock.now().timestamp())
    claims = {"iss": at.peers["oidc"].issuer, "aud": "lti-server", "sub": "ada", "iat": now, "exp": now + 60}
    assert at.posts_logout(at.peers["oidc"].signed(claims)).status_code == 400
    assert is_in(browser)


@pytest.mark.parametrize("changed", [{"iat": -700}, {"iat": +700}, {"iat": None}, {"exp": -1}], ids=str)
def test_a_late_logout_is_refused(at: World, changed: dict[str, int | None]) -> None:
    browser, now = at.comes_in("oidc"), int(at.clock.now().timestamp())
    moved = {name: None if by is None else now + by for name, by in changed.items()}
    assert at.logout(sub="ada", **moved).status_code == 400
    assert is_in(browser)


def test_a_replayed_logout_ends_no_session_a_second_time(at: World) -> None:
    at.comes_in("oidc")
    token = at.peers["oidc"].logout_token(sub="ada")
    assert at.posts_logout(token).status_code == 200
    again = at.comes_in("oidc")
    answer = at.posts_logout(token)
    assert (answer.status_code, answer.json) == (
        200, {"signals": [{"kind": "sessions_revoked", "outcome": "repeated"}]},
    )  # fmt: skip
    assert is_in(again)
    assert len(at.receipts()) == 1


def test_a_forged_security_event_is_refused(at: World) -> None:
    browser, google = at.comes_in("google"), at.peers["google"]
    good = google.security_event(SESSIONS, "ada")
    head, claims, signature = good.split(".")
    forged = (
        google.security_event(SESSIONS, "ada", key=STOLEN),
        google.security_event(SESSIONS, "ada", key=STOLEN, header={"kid": "of nobody"}),
        google.security_event(SESSIONS, "ada", header={"alg": "RS512"}),
        google.security_event(SESSIONS, "ada", header={"kid": None}),
        f"{head}.{claims}.", "nonsense", "",
        ".".join((head, google.security_event(SESSIONS, "ada").split(".")[1], signature)),
    )  # fmt: skip
    for one in forged:
        answer = at.posts_risc(one)
        assert answer.status_code == 400, one
        assert answer.json == {"err": "invalid_request", "description": "The message was not believed."}
    assert is_in(browser)
    assert at.receipts() == []


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "another.apps.example"}, {"aud": None}, {"iss": "https://accounts.google.com"},
        {"iss": "https://elsewhere.example/"}, {"events": {}}, {"jti": None},
        {"event": {"subject": {"subject_type": "iss-sub", "iss": "https://elsewhere.example/", "sub": "ada"}}},
        {"event": {"subject": {"subject_type": "email", "email": "ada@north.example"}}},
    ],
    ids=str,
)  # fmt: skip
def test_a_security_event_for_another_client_or_of_somebody_else_is_refused(at: World, changed: dict[str, Any]) -> None:
    browser = at.comes_in("google")
    assert at.risc(SESSIONS, **changed).status_code == 400
    assert is_in(browser)
    assert at.receipts() == []


@pytest.mark.parametrize("by", [-timedelta(days=8), timedelta(minutes=10)], ids=["late", "from tomorrow"])
def test_a_late_security_event_is_refused(at: World, by: timedelta) -> None:
    browser = at.comes_in("google")
    assert at.risc(SESSIONS, iat=int((at.clock.now() + by).timestamp())).status_code == 400
    assert is_in(browser)


def test_a_replayed_security_event_ends_no_session_a_second_time_also_after_days(at: World) -> None:
    at.comes_in("google")
    event = at.peers["google"].security_event(SESSIONS, "ada")
    assert at.posts_risc(event).status_code == 202
    at.clock.pass_s(6 * 86_400)
    again = at.comes_in("google")
    assert at.posts_risc(event).status_code == 202
    assert is_in(again)
    assert len(at.receipts()) == 1


def test_an_event_at_the_address_of_another_s_connection_ends_nothing_of_theirs(at: World, house: House) -> None:
    south = world.district(house, slug="south")
    google, own = at.peers["google"], at.peers["oidc"]
    google.knows("lin", given_name="Lin", hd="south.example")
    config = {"client_id": google.client_id, "client_secret": google.client_secret, "domain": "south.example"}
    SignInHouse(house).connections.connect(south.id, "google", config, by="test")
    there = at.comes_in("google", "lin", slug="south")
    assert at.risc(SESSIONS, "lin").status_code == 202
    assert is_in(there)
    assert at.receipts() == [("sessions_revoked", "nobody", 0)]
    wrong = at.address("google").replace("/google", "/oidc")
    answer = at.app.test_client().post(wrong, data={"logout_token": own.logout_token(sub="lin")}, content_type=FORM)
    assert answer.status_code == 404
    assert is_in(there)


def test_while_the_provider_s_keys_cannot_be_had_it_is_asked_to_send_again(at: World) -> None:
    at.peers["oidc"].out = True
    token = at.peers["oidc"].logout_token(sub="ada")
    assert at.posts_logout(token).status_code == 502
    at.peers["oidc"].out = False
    assert at.posts_logout(token).status_code == 200
    assert at.receipts() == [("sessions_revoked", "nobody", 0)]


def test_a_withdrawn_connection_listens_to_nobody(at: World) -> None:
    at.comes_in("oidc")
    address = at.address("oidc")
    grant_id = UUID(address.partition("grant=")[2])
    at.house.grants.withdraw.begin(at.district.id, grant_id, by="test", reason="over")  # type: ignore[arg-type]  # an id of a grant
    at.house.grants.withdraw.finish(at.district.id, grant_id)  # type: ignore[arg-type]  # as before
    data = {"logout_token": at.peers["oidc"].logout_token(sub="ada")}
    answer = at.app.test_client().post(address, data=data, content_type=FORM)
    assert (answer.status_code, answer.json) == (200, {"signals": []})
    assert at.logged()[-1] == ("refused", {"reason": "withdrawn"})


def test_ten_signals_at_once_are_each_done_once(at: World) -> None:
    """As a provider sends that lost its answers."""
    browsers = [at.comes_in("google") for _ in range(3)]
    event = at.peers["google"].security_event(SESSIONS, "ada")
    began = time.monotonic()
    answers = [at.posts_risc(event).status_code for _ in range(10)]
    assert time.monotonic() - began < 10
    assert answers == [202] * 10
    assert [is_in(one) for one in browsers] == [False] * 3
    assert at.receipts() == [("sessions_revoked", "sessions_ended", 3)]
