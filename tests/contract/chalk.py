"""A made-up vendor, Chalk: recordings of its API, a roster plugin and a sign-in plugin that keep every promise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from lti_server.providers import (
    Authorization,
    AuthorizeRequest,
    BrokeContract,
    Callback,
    Capability,
    Clock,
    ConfigField,
    ConfigKind,
    ConfigValues,
    Cursor,
    Manifest,
    MembershipRole,
    PersonRole,
    RecordKind,
    RejectedCredentials,
    Response,
    RosterPage,
    SourceIdentity,
    SourceMembership,
    SourcePerson,
    SourceSection,
    SourceToken,
    TokenKind,
    Tombstone,
    Transport,
    next_link,
    standard_fields,
)
from lti_server.testing import ID_TOKEN_CHECKS, Exchange

BASE = "https://chalk.example"
USERS, CLASSES, EVENTS = f"{BASE}/users?limit=2", f"{BASE}/classes", f"{BASE}/events"
CONFIG = {"base_url": BASE, "client_id": "client-of-the-test", "secret": "hush-hush-hush"}

ADA = {"id": "u1", "role": "student", "first": "Adelheid", "last": "Lovelace", "email": "ada@school.example"}
BOB = {"id": "u2", "role": "student", "first": "Robert", "last": "Boole", "email": None}
EVE = {"id": "u3", "role": "teacher", "first": "Evangeline", "last": "Noether", "email": "eve@school.example"}

REVOKE = Exchange(method="POST", url=f"{BASE}/revoke", form={"token": "token-to-revoke"})
ROSTER = [
    Exchange(url=USERS, body={"data": [ADA, BOB]}, headers={"Link": '</users?limit=2&page=2>; rel="next"'}),
    Exchange(url=f"{USERS}&page=2", body={"data": [EVE]}),
    Exchange(
        url=CLASSES,
        body={"data": [{"id": "c1", "name": "Algebra", "members": [{"id": "u1"}, {"id": "u3"}]}], "event": "e9"},
    ),
    REVOKE,
]
ROSTER_EMPTY = [
    Exchange(url=USERS, body={"data": []}),
    Exchange(url=CLASSES, body={"data": [], "event": "e9"}),
    REVOKE,
]
REMOVAL = [Exchange(url=f"{EVENTS}?after=e9", body={"data": [{"id": "u2"}], "event": "e10"})]
SIGN_IN = [
    Exchange(
        method="POST",
        url=f"{BASE}/token",
        form={
            "grant_type": "authorization_code",
            "code": "code-of-the-recording",
            "redirect_uri": "https://lessons.example/auth/provider/callback",
        },
        body={"access_token": "token-of-the-recording", "token_type": "Bearer", "expires_in": 3600},
    ),
    Exchange(url=f"{BASE}/me", body={"data": ADA}),
    REVOKE,
]
OAUTH_ALONE = {
    **dict.fromkeys(ID_TOKEN_CHECKS, "Chalk speaks OAuth 2 alone."),
    "the_verifier_goes_with_the_code": "Chalk knows no PKCE.",
}


def rows_of(response: Response) -> list[dict[str, Any]]:
    read = response.json()
    rows = read.get("data") if isinstance(read, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("id") for row in rows):
        raise BrokeContract("chalk.example answered without its rows.")
    return rows


def text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


class Chalk:
    """What both plugins share: configuration, credentials, revocation."""

    manifest: ClassVar[Manifest]

    def __init__(self, *, config: ConfigValues, transport: Transport, clock: Clock) -> None:
        self.config, self.transport, self.clock = config, transport, clock

    @property
    def basic(self) -> Authorization:
        return Authorization.basic(str(self.config["client_id"]), str(self.config["secret"]), hosts={"chalk.example"})

    def person(self, row: Mapping[str, Any]) -> SourcePerson:
        return SourcePerson(
            source_id=str(row["id"]),
            role=PersonRole.TEACHER if row.get("role") == "teacher" else PersonRole.PUPIL,
            given_name=text(row, "first"),
            family_name=text(row, "last"),
            email=text(row, "email"),
        )

    def revoke(self, token: SourceToken) -> None:
        form = {"token": token.value}
        answer = self.transport.request("POST", f"{BASE}/revoke", form=form, authorization=self.basic)
        if answer.status not in (200, 400):
            raise BrokeContract(f"chalk.example answered a revocation with {answer.status}.")


def chalk_manifest(*capabilities: Capability) -> Manifest:
    return Manifest(
        name="chalk",
        version="1.0",
        spi_version=(1, 0),
        capabilities=frozenset({*capabilities, Capability.REVOKE}),
        config=(
            ConfigField(name="base_url", kind=ConfigKind.URL),
            ConfigField(name="client_id"),
            ConfigField(name="secret", secret=True),
        ),
        hosts=("{base_url}",),
        fields=standard_fields("given_name", "family_name", "email"),
    )


class ChalkRoster(Chalk):
    manifest: ClassVar[Manifest] = chalk_manifest(Capability.ROSTER)

    def pages(self, since: Cursor | None) -> Iterator[RosterPage]:
        if since is not None and since.value.startswith("event:"):
            yield from self.changes(since.value.removeprefix("event:"))
            return
        start = USERS if since is None else since.value
        if start != CLASSES:
            for response in self.user_pages(start):
                people = tuple(self.person(row) for row in self.rows(response))
                yield RosterPage(people=people, cursor=Cursor(value=next_link(response) or CLASSES), complete=False)
        yield self.last(self.transport.request("GET", CLASSES, authorization=self.basic))

    def rows(self, response: Response) -> list[dict[str, Any]]:
        return rows_of(response)

    def user_pages(self, start: str) -> Iterator[Response]:
        return self.transport.pages(start, authorization=self.basic)

    def last(self, response: Response) -> RosterPage:
        rows = self.rows(response)
        read = response.json()
        assert isinstance(read, dict)
        sections = tuple(SourceSection(source_id=str(row["id"]), name=text(row, "name")) for row in rows)
        memberships = tuple(
            SourceMembership(
                section_source_id=str(row["id"]),
                person_source_id=str(member["id"]),
                role=MembershipRole.PUPIL,
            )
            for row in rows
            for member in row["members"]
        )
        checkpoint = Cursor(value=f"event:{read['event']}")
        return RosterPage(sections=sections, memberships=memberships, cursor=None, complete=True, checkpoint=checkpoint)

    def changes(self, after: str) -> Iterator[RosterPage]:
        response = self.transport.request("GET", EVENTS, params={"after": after}, authorization=self.basic)
        graves = tuple(Tombstone(kind=RecordKind.PERSON, source_id=row["id"]) for row in rows_of(response))
        yield RosterPage(tombstones=graves, delta=True, cursor=None, complete=True)


class ChalkLogin(Chalk):
    manifest: ClassVar[Manifest] = chalk_manifest(Capability.LOGIN)

    def authorize(self, request: AuthorizeRequest) -> str:
        return f"{BASE}/authorize?{urlencode(self.query(request))}"

    def query(self, request: AuthorizeRequest) -> dict[str, str]:
        return {
            "response_type": "code",
            "client_id": str(self.config["client_id"]),
            "redirect_uri": request.redirect_uri,
            "state": request.state,
        }

    def exchange(self, callback: Callback) -> SourceIdentity:
        if callback.params.get("error") or not callback.params.get("code"):
            raise RejectedCredentials("Nobody signed in at chalk.example. Sign in again.")
        token = self.token(callback)
        bearer = Authorization.bearer(token, hosts={"chalk.example"})
        row = self.row(self.transport.request("GET", f"{BASE}/me", authorization=bearer))
        return SourceIdentity(
            issuer=BASE,
            client_id=str(self.config["client_id"]),
            subject=str(row["id"]),
            person=self.person(row),
            tokens=(SourceToken(value=token, kind=TokenKind.ACCESS),),
        )

    def handed_in(self, callback: Callback) -> Response:
        form = {
            "grant_type": "authorization_code",
            "code": callback.params["code"],
            "redirect_uri": callback.redirect_uri,
        }
        return self.transport.request("POST", f"{BASE}/token", form=form, authorization=self.basic)

    def token(self, callback: Callback) -> str:
        response = self.handed_in(callback)
        read = response.json()
        if response.status == 400 and isinstance(read, dict) and read.get("error") == "invalid_grant":
            raise self.used()
        token = read.get("access_token") if isinstance(read, dict) else None
        if not isinstance(token, str):
            raise BrokeContract("chalk.example answered without a token.")
        return token

    def used(self) -> Exception:
        return RejectedCredentials("chalk.example does not accept the code. Sign in again.")

    def row(self, response: Response) -> dict[str, Any]:
        read = response.json()
        row = read.get("data") if isinstance(read, dict) else None
        if not isinstance(row, dict) or not row.get("id") or not isinstance(row["id"], str):
            raise BrokeContract("chalk.example answered without a person.")
        return row
