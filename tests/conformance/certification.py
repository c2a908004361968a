"""The certification cases of LTI Advantage by their names: what the platform sends, and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.peers.bare_platform import LTI, MEMBERSHIP

INSTITUTION = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#"
UNKNOWN = "http://purl.imsglobal.org/vocab/lis/v2/unknown/unknown#Helper"
NAMES = ("name", "given_name", "family_name")


@dataclass(frozen=True, slots=True)
class Case:
    """`changes` replace claims (None takes one away), `header` members of the JWT's header.

    `role` is what the session may be where the launch opens; None where it must be refused, without a session.
    """

    name: str
    role: str | None
    changes: Mapping[str, Any] = field(default_factory=dict)
    header: Mapping[str, Any] = field(default_factory=dict)
    body: bytes | None = None


def without(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names)


def roles(*found: str) -> dict[str, Any]:
    return {LTI + "roles": list(found)}


REFUSED = (
    Case("Correct KID Required in Header", None, header={"badtestonly": "12345", "kid": None}),
    Case("Incorrect KID passed in JWT Header", None, header={"kid": "imstester_66067"}),
    Case("JWT Passed is Not LTI 1.3 JWT", None, body=b'{"name":"badltilaunch"}'),
    Case("JWT body is a list", None, body=b"[1]"),
    Case("LTI version passed is not 1.3", None, {LTI + "version": "11.3"}),
    Case("No LTI Version Passed in JWT", None, without(LTI + "version")),
    Case("Exp and Iat Fields invalid", None, {"exp": 22222, "iat": 11111}),
    Case("One or more JWT fields missing", None, without(LTI + "message_type", LTI + "version", LTI + "roles")),
    Case("message_type Claim Missing", None, without(LTI + "message_type")),
    Case("role Claim Missing", None, without(LTI + "roles")),
    Case("deployment_id Claim Missing", None, without(LTI + "deployment_id")),
    Case("Launch With Missing resource_link_id", None, without(LTI + "resource_link")),
    Case("user Claim Missing", None, {"sub": ""}),
)

TEACHER, PUPIL = MEMBERSHIP + "Instructor", MEMBERSHIP + "Learner"

OPENED = (
    Case("Launch LTI 1.3 Message as Instructor", "teacher", roles(TEACHER)),
    Case("Launch Instructor with Multiple Role Values", "teacher", roles(TEACHER, INSTITUTION + "Instructor")),
    Case("Launch Instructor with Short Role Value", "teacher", roles("Instructor")),
    Case("Launch Instructor with Unknown Role", "none", roles(UNKNOWN)),
    Case("Launch Instructor With No Role", "none", roles("")),
    Case("Launch Instructor No PII", "teacher", roles(TEACHER) | without(*NAMES, "email")),
    Case("Launch Instructor Only Email", "teacher", roles(TEACHER) | without(*NAMES)),
    Case("Launch Instructor Only Names", "teacher", roles(TEACHER) | without("email")),
    Case("Launch Instructor With Email No Context", "teacher", roles(TEACHER) | without(LTI + "context")),
    Case("Launch LTI 1.3 Message as Student", "pupil", roles(PUPIL)),
    Case("Launch Student with Multiple Role Values", "pupil", roles(PUPIL, INSTITUTION + "Instructor")),
    Case("Launch Student with Short Role Value", "pupil", roles("Learner")),
    Case("Launch Student with Unknown Role", "pupil", roles(UNKNOWN, PUPIL)),
    Case("Launch Student With No Role", "none", roles("")),
    Case("Launch Student No PII", "pupil", roles(PUPIL) | without(*NAMES, "email")),
    Case("Launch Student Only Email", "pupil", roles(PUPIL) | without(*NAMES)),
    Case("Launch Student Only Names", "pupil", roles(PUPIL) | without("email")),
    Case(
        "Launch Student Only Resource Link", "pupil",
        roles(PUPIL) | without(*NAMES, "email", LTI + "context", LTI + "lis", LTI + "launch_presentation"),
    ),
)  # fmt: skip
