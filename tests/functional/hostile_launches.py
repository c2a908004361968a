"""The hostile-launch table: each row is a launch by name, and what must come of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.peers.bare_platform import LTI, MEMBERSHIP, Platform, part, rsa_key

OPENS = "opens"


@dataclass(frozen=True)
class Sent:
    """A form to post to the launch endpoint, and whether the browser's cookies go along."""

    form: dict[str, str]
    cookies: bool = True


@dataclass(frozen=True)
class Scene:
    """A login just begun: the platform, the state and nonce that it was given, and the time."""

    platform: Platform
    state: str
    nonce: str
    now: datetime
    begin_again: Callable[[], tuple[str, str]]

    def claims(self, **changes: Any) -> dict[str, Any]:
        return self.platform.claims(self.nonce, self.now, **changes)

    def sends(self, claims: Any, **how: Any) -> Sent:
        return Sent({"id_token": self.platform.sign(claims, **how), "state": self.state})

    def says(self, **changes: Any) -> Sent:
        return self.sends(self.claims(**changes))


Act = Callable[[Scene], Sent]


@dataclass(frozen=True)
class Case:
    """`outcome`: a refusal's reason, or OPENS. `role`: what the session may be, where it opens."""

    name: str
    act: Act
    outcome: str
    role: str | None = None


# A link that opened before is known by what it opened then, whatever it has lost of that since.
OPENS_WHERE_KNOWN = frozenset({"custom parameter unexpanded", "custom climbs the path", "no custom at all"})


def says(case_name: str, outcome: str, role: str | None = None, /, **changes: Any) -> Case:
    return Case(case_name, lambda scene: scene.says(**changes), outcome, role)


def _times(**seconds: float | None) -> Act:
    def act(scene: Scene) -> Sent:
        now = int(scene.now.timestamp())
        return scene.says(**{name: None if at is None else now + at for name, at in seconds.items()})

    return act


def _raw(text: Callable[[Scene], str]) -> Act:
    return lambda scene: Sent({"id_token": text(scene), "state": scene.state})


def _unsigned(scene: Scene) -> str:
    return f"{part({'alg': 'none', 'kid': 'key-1'})}.{part(scene.claims())}."


def _hs256_with_public_key(scene: Scene) -> str:
    """The classic confusion: the published RSA key used as an HMAC secret."""
    private = scene.platform.keys["key-1"].private_key
    assert private is not None
    public = private.public_key()
    secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{part({'alg': 'HS256', 'kid': 'key-1'})}.{part(scene.claims())}"
    mac = base64.urlsafe_b64encode(hmac.digest(secret, signed.encode(), hashlib.sha256)).rstrip(b"=").decode()
    return f"{signed}.{mac}"


def _changed_after_signing(scene: Scene) -> str:
    head, _, signature = scene.platform.sign(scene.claims()).split(".")
    return f"{head}.{part(scene.claims(lti_roles=[MEMBERSHIP + 'Instructor']))}.{signature}"


def _signed_by_another(scene: Scene) -> Sent:
    stranger = replace(scene.platform, keys={})
    token = stranger.sign(scene.claims(), kid="key-2", header={"kid": "key-1"})
    return Sent({"id_token": token, "state": scene.state})


def _twice(name: str) -> Act:
    def act(scene: Scene) -> Sent:
        body = json.dumps(scene.claims())
        doubled = body[:-1] + f', "{name}": "{"x" if name != "aud" else scene.platform.client_id}"}}'
        return scene.sends(doubled.encode())

    return act


def _old_nonce_under_new_state(scene: Scene) -> Sent:
    state, _ = scene.begin_again()
    return Sent({"id_token": scene.platform.sign(scene.claims()), "state": state})


def _new_nonce_under_old_state(scene: Scene) -> Sent:
    _, nonce = scene.begin_again()
    return Sent({"id_token": scene.platform.sign(scene.claims() | {"nonce": nonce}), "state": scene.state})


SIGNATURES = [
    Case("Correct KID Required in Header", lambda s: s.sends(s.claims(), header={"kid": None}), "kid-missing"),
    Case("kid is empty", lambda s: s.sends(s.claims(), header={"kid": ""}), "kid-missing"),
    Case(
        "Incorrect KID passed in JWT Header",
        lambda s: s.sends(s.claims(), header={"kid": "imstester_66067"}),
        "kid-unknown",
    ),
    Case(
        "JWT Passed is Not LTI 1.3 JWT", _raw(lambda s: f"{part({})}.{part({'name': 'badltilaunch'})}.x"), "algorithm"
    ),
    Case("signed, but no launch", lambda s: s.sends({"name": "badltilaunch"}), "claims-missing"),
    Case("not a JWT", _raw(lambda s: "hello"), "not-a-jwt"),
    Case("no id_token", lambda s: Sent({"state": s.state}), "not-a-jwt"),
    Case("two parts", _raw(lambda s: s.platform.sign(s.claims()).rpartition(".")[0]), "not-a-jwt"),
    Case("four parts", _raw(lambda s: s.platform.sign(s.claims()) + ".x"), "not-a-jwt"),
    Case("empty parts", _raw(lambda s: ".."), "not-a-jwt"),
    Case("not base64", _raw(lambda s: "a*b.c*d.e*f"), "not-a-jwt"),
    Case("header is not JSON", _raw(lambda s: f"{part(b'nope')}.{part(s.claims())}.x"), "not-a-jwt"),
    Case("header is a list", _raw(lambda s: f"{part([])}.{part(s.claims())}.x"), "not-a-jwt"),
    Case("body is a list", lambda s: s.sends(b"[1, 2]"), "not-a-jwt"),
    Case("body is text", lambda s: s.sends(b'"launch"'), "not-a-jwt"),
    Case("body is not JSON", lambda s: s.sends(b"launch"), "not-a-jwt"),
    Case("body is not UTF-8", lambda s: s.sends(b"\xff\xfe"), "not-a-jwt"),
    Case("body nests 20,000 deep", lambda s: s.sends(b"[" * 20_000), "not-a-jwt"),
    Case("body holds NaN", lambda s: s.sends(json.dumps(s.claims(exp=float("nan"))).encode()), "not-a-jwt"),
    Case("duplicate aud key", _twice("aud"), "not-a-jwt"),
    Case("duplicate sub key", _twice("sub"), "not-a-jwt"),
    Case("alg none", _raw(_unsigned), "not-a-jwt"),
    Case("alg none with a signature", _raw(lambda s: _unsigned(s) + "x"), "algorithm"),
    Case("alg HS256 with the public key", _raw(_hs256_with_public_key), "algorithm"),
    Case(
        "alg RS512 in the header",
        _raw(lambda s: f"{part({'alg': 'RS512', 'kid': 'key-1'})}.{part(s.claims())}.eA"),
        "algorithm",
    ),
    Case(
        "alg is a list",
        _raw(lambda s: f"{part({'alg': ['RS256'], 'kid': 'key-1'})}.{part(s.claims())}.eA"),
        "algorithm",
    ),
    Case("crit in the header", lambda s: s.sends(s.claims(), header={"crit": ["exp"]}), "algorithm"),
    Case("wrong key", _signed_by_another, "signature"),
    Case("changed after signing", _raw(_changed_after_signing), "signature"),
    Case("signature cut", _raw(lambda s: s.platform.sign(s.claims())[:-20]), "signature"),
    Case("100 kB claim", lambda s: s.says(name="x" * 100_000), "token-too-large"),
    Case("1 MB claim", lambda s: s.says(name="x" * 1_000_000), "too-large"),
]

TIMES = [
    Case("Exp and Iat Fields invalid", lambda s: s.says(exp=22222, iat=11111), "expired"),
    Case("no exp", _times(exp=None), "times-missing"),
    Case("no iat", _times(iat=None), "times-missing"),
    says("exp is text", "times-missing", exp="tomorrow"),
    says("exp is true", "times-missing", exp=True),
    Case("exp an hour ago", _times(exp=-3600, iat=-3700), "expired"),
    Case("exp within leeway", _times(exp=-30, iat=-100), OPENS),
    Case("iat a day old, exp in ten years", _times(iat=-86_400, exp=315_360_000), "too-old"),
    Case("iat an hour ahead", _times(iat=3600, exp=7200), "not-yet-valid"),
    Case("iat an hour ahead, nbf now", _times(iat=3600, exp=7200, nbf=0), "not-yet-valid"),
    Case("nbf an hour ahead", _times(nbf=3600), "not-yet-valid"),
    Case("nbf as D2L sends it", _times(nbf=-5), OPENS),
    says("nbf is text", "not-yet-valid", nbf="soon"),
]

PARTIES = [
    says("wrong issuer", "issuer", iss="https://evil.example"),
    says("issuer with a slash more", "issuer", iss="https://lms.example/"),
    says("no issuer", "issuer", iss=None),
    says("wrong audience", "audience", aud="client-2"),
    says("no audience", "audience", aud=None),
    says("audience is a number", "audience", aud=7),
    says("audience list with ours", OPENS, aud=["client-1"]),
    says("audience list, ours first, azp ours", OPENS, aud=["client-1", "other"], azp="client-1"),
    says("audience list, ours last, azp ours", OPENS, aud=["other", "client-1"], azp="client-1"),
    says("several audiences, no azp", "authorized-party", aud=["client-1", "other"]),
    says("several audiences, azp another", "authorized-party", aud=["client-1", "other"], azp="other"),
    says("one audience, azp another", "authorized-party", azp="other"),
    says("one audience, azp ours", OPENS, azp="client-1"),
    says("audience list without ours", "audience", aud=["other"]),
    says("wrong deployment", "unknown-deployment", lti_deployment_id="deployment-9"),
    says("deployment_id Claim Missing", "claims-missing", lti_deployment_id=None),
    says("deployment is empty", "claims-missing", lti_deployment_id=""),
    says("deployment is a list", "claims-missing", lti_deployment_id=["deployment-1"]),
]

STATES = [
    Case("no state", lambda s: Sent({"id_token": s.platform.sign(s.claims())}), "state-missing"),
    Case("state of nobody", lambda s: Sent({**s.says().form, "state": "state-1"}), "state-forged"),
    Case("state changed", lambda s: Sent({**s.says().form, "state": s.state[:-3] + "AAA"}), "state-forged"),
    Case("state of 10,000 characters", lambda s: Sent({**s.says().form, "state": "x" * 10_000}), "state-forged"),
    Case("another browser", lambda s: Sent(s.says().form, cookies=False), "other-browser"),
    says("no nonce", "nonce", nonce=None),
    says("nonce of nobody", "nonce", nonce="n-1"),
    says("nonce is a list", "nonce", nonce=["n-1"]),
    Case("old nonce under a new state", _old_nonce_under_new_state, "nonce"),
    Case("new nonce under an old state", _new_nonce_under_old_state, "nonce"),
    Case(
        "the platform answers with an error",
        lambda s: Sent({"error": "login_required", "state": s.state}),
        "platform-error",
    ),
]

MESSAGES = [
    says("LTI version passed is not 1.3", "version", lti_version="11.3"),
    says("No LTI Version Passed in JWT", "claims-missing", lti_version=None),
    says("version is a number", "version", lti_version=1.3),
    says("One or more JWT fields missing", "claims-missing", lti_message_type=None, lti_version=None, lti_roles=None),
    says("message_type Claim Missing", "claims-missing", lti_message_type=None),
    says("message type unknown", "message-type", lti_message_type="LtiCoffeeRequest"),
    says("role Claim Missing", "claims-missing", lti_roles=None),
    says("roles is text", "malformed-claim", lti_roles=MEMBERSHIP + "Learner"),
    says("roles holds a number", "malformed-claim", lti_roles=[7]),
    says("101 roles", "malformed-claim", lti_roles=[MEMBERSHIP + "Learner"] * 101),
    says("Launch With Missing resource_link_id", "claims-missing", lti_resource_link=None),
    says("resource link without id", "claims-missing", lti_resource_link={"title": "x"}),
    says("resource link is text", "malformed-claim", lti_resource_link="link-1"),
    says("5,000-character resource link id", "malformed-claim", lti_resource_link={"id": "x" * 5000}),
    says("resource link id is a number", "malformed-claim", lti_resource_link={"id": 7}),
    says("resource link id is not ASCII", "malformed-claim", lti_resource_link={"id": "lién"}),
    says("user Claim Missing", "malformed-claim", sub=""),
    says("anonymous launch", "anonymous", sub=None),
    says("sub of 256 characters", "malformed-claim", sub="x" * 256),
    says("sub is a number", "malformed-claim", sub=7),
    says("sub holds a line break", "malformed-claim", sub="a\nb"),
    says("no target_link_uri", "claims-missing", lti_target_link_uri=None),
    says(
        "target_link_uri on a foreign host",
        "target-link-uri",
        lti_target_link_uri="https://evil.example/lessons/message-in-bits",
    ),
    says(
        "target_link_uri that begins like ours",
        "target-link-uri",
        lti_target_link_uri="http://127.0.0.1:8000.evil.example/",
    ),
    says(
        "target_link_uri with user part", "target-link-uri", lti_target_link_uri="http://127.0.0.1:8000@evil.example/"
    ),
    says("target_link_uri is a list", "malformed-claim", lti_target_link_uri=["x"]),
    says("context is text", "malformed-claim", lti_context="course-1"),
    says("context without id", "malformed-claim", lti_context={"title": "x"}),
    says("context id of 256 characters", "malformed-claim", lti_context={"id": "x" * 256}),
    says("custom is a list", "malformed-claim", lti_custom=["lesson_id"]),
    says("custom parameter unexpanded", "no-lesson", lti_custom={"lesson_id": "$ResourceLink.lesson"}),
    says("custom names no lesson of ours", "no-lesson", lti_custom={"lesson_id": "nothing-here"}),
    says("custom climbs the path", "no-lesson", lti_custom={"lesson_id": "../../etc/passwd"}),
    says("no custom at all", "no-lesson", lti_custom=None),
    says(
        "target_link_uri names the lesson",
        OPENS,
        lti_custom=None,
        lti_target_link_uri="http://127.0.0.1:8000/lessons/message-in-bits",
    ),
    says("ags endpoint is text", "malformed-claim", **{"https://purl.imsglobal.org/spec/lti-ags/claim/endpoint": "x"}),
    says(
        "ags scope is text",
        "malformed-claim",
        **{"https://purl.imsglobal.org/spec/lti-ags/claim/endpoint": {"scope": "x"}},
    ),
    says(
        "nrps claim is a list",
        "malformed-claim",
        **{"https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice": []},
    ),
]

ROLES = [
    says("Launch LTI 1.3 Message as Instructor", OPENS, "teacher", lti_roles=[MEMBERSHIP + "Instructor"]),
    says("Launch LTI 1.3 Message as Student", OPENS, "pupil", lti_roles=[MEMBERSHIP + "Learner"]),
    says(
        "Launch with Multiple Role Values", OPENS, "teacher",
        lti_roles=[MEMBERSHIP + "Instructor", "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Faculty"],
    ),
    says("Launch with Short Role Value", OPENS, "teacher", lti_roles=["Instructor"]),
    says("Launch with Short Role Value, student", OPENS, "pupil", lti_roles=["Learner"]),
    says(
        "Instructor with Unknown Role", OPENS, "none",
        lti_roles=["http://purl.imsglobal.org/vocab/lis/v2/unknown/unknown#Helper"],
    ),
    says(
        "Student with Unknown Role", OPENS, "pupil",
        lti_roles=["http://purl.imsglobal.org/vocab/lis/v2/unknown/unknown#Helper", MEMBERSHIP + "Learner"],
    ),
    says("Launch With No Role", OPENS, "none", lti_roles=[""]),
    says("roles is an empty list", OPENS, "none", lti_roles=[]),
    says(
        "institution Instructor who is a course Learner", OPENS, "pupil",
        lti_roles=["http://purl.imsglobal.org/vocab/lis/v2/institution/person#Instructor", MEMBERSHIP + "Learner"],
    ),
]  # fmt: skip

PEOPLE = [
    says("Launch with No PII", OPENS, "pupil", name=None, given_name=None, family_name=None, email=None),
    says("Launch with Only Email", OPENS, "pupil", name=None, given_name=None, family_name=None),
    says("Launch with Only Names", OPENS, "pupil", email=None),
    says("name is a number", OPENS, "pupil", name=7),
    says("name is a list", OPENS, "pupil", name=["Amina"]),
    says("name is 10,000 characters", OPENS, "pupil", name="x" * 10_000),
    says("name runs right to left", OPENS, "pupil", name="أمينة \u202e مثال"),
    says("name with markup", OPENS, "pupil", name="<script>alert(1)</script>"),
    says("name holds NUL", OPENS, "pupil", name="Ami\x00na"),
    says("Instructor With Email No Context", OPENS, "teacher", lti_context=None, lti_roles=[MEMBERSHIP + "Instructor"]),
    says(
        "Student Only Resource Link",
        OPENS,
        "pupil",
        name=None,
        given_name=None,
        family_name=None,
        email=None,
        lti_context=None,
    ),
    says("context title is 10,000 characters", OPENS, "pupil", lti_context={"id": "course-2", "title": "x" * 10_000}),
    says("unknown claims", OPENS, "pupil", **{"https://vendor.example/x": {"y": [1]}, LTI + "tool_platform": "x"}),
    says("launch_presentation is text", OPENS, "pupil", lti_launch_presentation="iframe"),
]

CASES = [*SIGNATURES, *TIMES, *PARTIES, *STATES, *MESSAGES, *ROLES, *PEOPLE]
__all__ = ["CASES", "OPENS", "Case", "Scene", "Sent", "rsa_key"]
