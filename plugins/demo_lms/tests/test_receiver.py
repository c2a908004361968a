"""The demo LMS's own plugin for LTI Server keeps the contract of a SignalReceiver."""

from __future__ import annotations

from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey
from lti_server_demo_lms.receiver import DemoLmsSignals
from lti_server_demo_lms.security_events import EVENTS, TOOL_REMOVED, TYPE

from lti_server.providers import SignalRequest
from lti_server.testing import Exchange, SignalReceiverContract
from lti_server.testing.recorded import NOON

ISSUER, CLIENT, JWKS = "https://lms.example/north-valley", "client-of-the-test", "https://lms.example/jwks"
KEY, STOLEN = RSAKey.generate_key(2048), RSAKey.generate_key(2048)
PUBLIC = {**KEY.as_dict(private=False), "kid": "key-1", "alg": "RS256", "use": "sig"}
MADE = int(NOON.timestamp())
SAID: dict[str, Any] = {
    "iss": ISSUER,
    "aud": CLIENT,
    "iat": MADE,
    "jti": "event-1",
    "sub_id": {"format": "iss_sub", "iss": ISSUER, "sub": "pupil-number-one"},
    "events": {"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {}},
}


def event(*, key: RSAKey = KEY, alg: str = "RS256", typ: str = TYPE, kid: str = "key-1", **changes: Any) -> bytes:
    said = {name: value for name, value in {**SAID, **changes}.items() if value is not None}
    header = {"alg": alg, "kid": kid, "typ": typ}
    return jwt.encode(header, said, key, algorithms=[alg]).encode()


def posted(body: bytes) -> SignalRequest:
    return SignalRequest(headers={"content-type": "application/secevent+jwt"}, query={}, body=body)


GOOD = event()
HEAD, CLAIMS, SIGNATURE = GOOD.split(b".")


class TestDemoLmsSignals(SignalReceiverContract):
    provider = DemoLmsSignals
    config = {"issuer": ISSUER, "client_id": CLIENT, "jwks_url": JWKS}  # noqa: RUF012 - as the kit wants it
    recording = (Exchange(url=JWKS, body={"keys": [PUBLIC]}),)
    does_not_apply = {"revoking_twice_is_fine": "A platform gives no token that could be given back."}  # noqa: RUF012 - as above
    message = posted(GOOD)
    forged = (
        posted(event(key=STOLEN)),
        posted(event(key=STOLEN, kid="key-of-nobody")),
        posted(event(alg="RS512")),
        posted(b".".join((HEAD, CLAIMS, b""))),
        posted(b".".join((HEAD, event(jti="event-2").split(b".")[1], SIGNATURE))),
    )
    for_others = (
        posted(event(aud="another-client")),
        posted(event(aud=[CLIENT, "another-client"])),
        posted(event(aud=None)),
        posted(event(iss="https://elsewhere.example")),
        posted(event(typ="JWT")),
        posted(event(iat=None)),
        posted(event(iat=MADE + 3600)),
    )


def parsed(body: bytes) -> list[Any]:
    run = TestDemoLmsSignals().run(use=TestDemoLmsSignals()._parse(posted(body)))
    if run.error is not None:
        raise run.error
    return run.signals


def test_each_kind_of_event_is_understood() -> None:
    for name, kind in EVENTS.items():
        (found,) = parsed(event(events={name: {}}))
        assert (found.kind, found.signal_id, found.subject) == (kind, "event-1", "pupil-number-one")


def test_an_event_about_nobody_is_about_the_whole_tool() -> None:
    (found,) = parsed(event(events={TOOL_REMOVED: {}}, sub_id=None))
    assert (found.kind, found.subject) == ("grant_revoked", "")


def test_an_event_that_nobody_knows_is_none() -> None:
    assert parsed(event(events={"urn:somebody:else": {}})) == []
