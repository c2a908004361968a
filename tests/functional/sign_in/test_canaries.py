"""What a provider or a form tells beyond the contract stands nowhere afterwards: not in clear, not sealed, not logged.

Every canary is told in every claim by every provider, and typed into every form; then everything is searched in every
form that a text can take. What was sealed is looked at before it was sealed.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from lti_server.app import House, build_house, create_app
from lti_server.migrate import upgrade
from lti_server.own_door_parts import OwnDoorHouse
from lti_server.postgres import BundledPostgres
from lti_server.privacy.crypto import KeyRing, Sealer
from lti_server.privacy.log_sealer import SealLog
from lti_server.providers.transport import HttpTransport, outbound_session
from lti_server.settings import Settings
from lti_server.sign_in_parts import SignInHouse
from tests import world
from tests.clock import FakeClock
from tests.conftest import SECRET
from tests.functional.own_page import FORM, enter, ticket_of
from tests.functional.sign_in.canaries import CANARIES, backup, dump, forms, hits, hits_in
from tests.functional.sign_in.conftest import begin, local
from tests.functional.sign_in.own_door import code_in, post, registered
from tests.functional.sign_in.two_doors import begun
from tests.peers import classlink, clever, facebook, microsoft, openid, smtp
from tests.peers.smtp import MailServer

CLAIMS = (
    "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
    "website", "email", "gender", "birthdate", "zoneinfo", "locale", "phone_number", "address", "updated_at", "sid",
    "surname", "dob", "photo", "avatar", "upn", "unique_name", "https://vendor.example/claims/of-tomorrow",
)  # fmt: skip
# Which fields each form of signing in has. A form that is not named here fails the test: say where its canary goes.
FORMS: dict[str, tuple[str, ...]] = {
    "accounts.accept": ("name", "email", "promise"),
    "accounts.promise": ("promise",),
    "accounts.sign_out": ("next",),
    "age.say": ("years",),
    "by_email.abroad": ("agree",),
    "by_email.age": ("years", "country"),
    "by_email.code": ("code", "others"),
    "by_email.recover": ("address", "name"),
    "by_email.register": ("address", "name"),
    "by_email.register_with": ("name", "address"),
    "by_email.sign_in": ("address", "name"),
    "disconnecting.disconnect": ("account",),
    "learn.open_lesson": ("lesson_id",),
    "linking.confirmed": ("intent",),
    "linking.connect": ("provider",),
    "linking.decline": ("intent",),
    "me.close": ("ticket",),
    "me.enter": ("ticket",),
    "me.export": ("format",),
    "own_rights.delete": ("sure",),
    "own_rights.name": ("name",),
    "own_sessions.end": ("session",),
    "own_sessions.end_others": ("session",),
    "signals.take": ("logout_token", "signed_request", "email", "birthday"),
    "trials.claim": ("tenant", "email"),
    "trials.take": ("tenant", "email"),
}
ELSEWHERE = {
    "candidates": "an administrator's choice between two people, by their ids",
    "connecting": "an administrator's configuration, which is sealed as it is typed",
    "connections": "what an administrator does with a connection",
    "grants": "a district's systems",
    "lti": "launches: test_canary_erasure.py",
    "me.ask": "own words to the district, kept sealed until they are answered: test_canary_erasure.py",
    "people": "what a district does about a person: test_canary_erasure.py",
    "progress": "work in lessons: test_canary_erasure.py",
    "registration": "registering an LMS",
    "requests": "a guardian's words, kept sealed until they are answered",
}


@dataclass
class Site:
    """A server whose files nobody else writes to, all its providers, and what was sealed there."""

    house: House
    app: Flask
    folder: Path
    url: str
    oidc: openid.OpenIdPeer
    google: openid.OpenIdPeer
    clever: clever.Clever
    microsoft: microsoft.MicrosoftPeer
    classlink: classlink.ClassLink
    facebook: facebook.Facebook
    mail: MailServer
    sealed: list[bytes] = field(default_factory=list)

    def comes(self, provider: str, number: int, claims: dict[str, str], *, then: int = 303) -> FlaskClient:
        """The whole way there and back of somebody of whom these claims are told."""
        browser = self.app.test_client()
        address = begin(browser, "north", provider)
        answer = browser.get(local(getattr(self, f"_by_{provider}")(address, number, claims)))
        assert answer.status_code == then, answer.text
        return browser

    def links_facebook(self, number: int, claims: dict[str, str]) -> None:
        """A teacher of the district's own provider connects an account at Facebook, and comes by it."""
        browser = self.comes("oidc", STAFF + number, {**claims, "roles": "teacher"})
        assert enter(browser, ticket_of(browser.get("/learn").text)).status_code == 303
        answer = browser.get(local(self._by_facebook(begun(browser, "facebook"), number, claims)))
        assert answer.headers["Location"] == "/me?connected=linked#accounts", answer.text
        assert browser.get("/me").status_code == 200
        self.comes("facebook", number, claims)

    def _by_oidc(self, address: str, number: int, claims: dict[str, Any]) -> str:
        self.oidc.knows(f"pupil-{number}", **claims)
        return self.oidc.back(address, f"pupil-{number}")

    def _by_google(self, address: str, number: int, claims: dict[str, Any]) -> str:
        self.google.knows(f"pupil-{number}", **{**claims, "hd": "north.example"})
        return self.google.back(address, f"pupil-{number}")

    def _by_microsoft(self, address: str, number: int, claims: dict[str, Any]) -> str:
        account = f"00000000-0000-0000-66f3-{number:012d}"
        self.microsoft.knows(account, **claims)
        return self.microsoft.back(address, account)

    def _by_facebook(self, address: str, number: int, claims: dict[str, Any]) -> str:
        (text,) = {*claims.values()}
        account = str(10_226_400_000_000_000 + number)
        vendor = ("birthday", "first_name", "last_name", "short_name", "hometown", "link", "about")
        self.facebook.knows(account, **{**claims, **dict.fromkeys(vendor, text)})
        self.facebook.talkative, self.facebook.token_says = True, {"user_name": text, "picture": text}
        return self.facebook.back(address, account)

    def _by_clever(self, address: str, number: int, claims: dict[str, Any]) -> str:
        (text,) = {*claims.values()}
        user = f"user-{number}"
        self.clever.knows(user, student={**claims, "sis_id": text, "state_id": text, "dob": text, "grade": text})
        self.clever.users[user] |= {
            "email": text,
            "picture": text,
            "name": {"first": text, "middle": text, "last": text},
        }
        return self.clever.back(address, user)

    def _by_classlink(self, address: str, number: int, claims: dict[str, Any]) -> str:
        (text,) = {*claims.values()}
        vendor = ("FirstName", "LastName", "DisplayName", "ImagePath", "Email", "LoginId", "Birthday")
        self.classlink.knows(480_000 + number, **{**claims, **dict.fromkeys(vendor, text)})
        return self.classlink.back(address, 480_000 + number)


NOT_ALLOWED = ("student_name.first_and_or_last", "student_identifiers.local_district_id")
PROVIDERS = ("oidc", "google", "microsoft", "clever", "classlink")
BY_ADULTS = ("facebook",)
STAFF = 1_000


@pytest.fixture
def site(data_dir: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    def now() -> float:
        return clock.now().timestamp()

    with ExitStack() as stack:
        postgres = BundledPostgres(data_dir)
        url = postgres.hold()
        stack.callback(postgres.release)
        upgrade(url, url)
        own = stack.enter_context(openid.running(openid.OpenIdPeer(now=now)))
        google = stack.enter_context(openid.running(openid.OpenIdPeer(now=now, client_id="a.apps", google=True)))
        entra = microsoft.MicrosoftPeer(now=now, client_id="of-entra")
        stack.enter_context(openid.running(entra))
        portal = stack.enter_context(clever.running(clever.Clever()))
        launchpad = stack.enter_context(classlink.running(classlink.ClassLink()))
        adults = stack.enter_context(facebook.running(facebook.Facebook()))
        hosts = frozenset({f"localhost:{own.port}"}) | portal.hosts | launchpad.hosts | adults.hosts
        mail = stack.enter_context(smtp.serving())
        settings = Settings(
            database_url=url, data_dir=data_dir, secret_keys=(SECRET,), insecure_hosts=hosts, smtp_url=mail.url,
            mail_from="lessons@here.example", providers=(*PROVIDERS, *BY_ADULTS),
        )  # fmt: skip
        house = build_house(settings, url, clock)
        stack.callback(house.database.dispose)
        session = outbound_session(insecure_hosts=hosts)
        for peer, vendor in ((google, openid.GOOGLE_HOSTS), (entra, (microsoft.HOST,))):
            session.mount("https://", openid.ToPeer(peer, session.get_adapter("https://"), vendor))
        house.__dict__["transport"] = HttpTransport(session, clock)
        portal.redirect_uris = [f"{settings.base_url}/auth/clever/callback"]
        launchpad.redirect_uris = [f"{settings.base_url}/auth/classlink/callback"]
        adults.redirect_uris = [f"{settings.base_url}/auth/facebook/callback"]
        made = Site(house, create_app(house), data_dir, url, own, google, portal, entra, launchpad, adults, mail)
        _connect(made)
        _watch(made, monkeypatch)
        stack.enter_context(_logged(data_dir / "everything.log"))
        yield made


@contextmanager
def _logged(file: Path) -> Iterator[None]:
    """Everything that anybody logs, at any level, until the block ends."""
    root, log = logging.getLogger(), logging.FileHandler(file)
    level = root.level
    root.addHandler(log)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.setLevel(level)
        root.removeHandler(log)
        log.close()


def _connect(site: Site) -> None:
    """A district whose contract allows of pupils and staff the provider's id alone, and every provider."""
    signing_in = SignInHouse(site.house)
    named = ", ".join(f"{name}: {{}}" for name in (*PROVIDERS, *BY_ADULTS))
    more = f"educator_elements: [identifier]\nproviders: {{{named}}}"
    terms = world.contract(site.house, without=NOT_ALLOWED, more=more)
    made = world.district(site.house, terms=terms)
    site.clever.has_district(clever.NORTH, "North")
    signing_in.connections.application("clever", site.clever.application(), by="test")
    signing_in.connections.application("classlink", site.classlink.application(), by="test")
    own, google, entra = site.oidc, site.google, site.microsoft
    configs: dict[str, dict[str, object]] = {
        "oidc": {
            "issuer": own.issuer, "client_id": own.client_id, "client_secret": own.client_secret,
            "role_claim": "roles", "teacher_words": "teacher",
        },
        "google": {"client_id": google.client_id, "client_secret": google.client_secret, "domain": "north.example"},
        "microsoft": {
            "client_id": entra.client_id, "client_secret": entra.client_secret, "tenant_id": entra.tenant,
        },
        "clever": {"district_id": clever.NORTH},
        "classlink": {"tenant_id": str(classlink.NORTH)},
        "facebook": site.facebook.application(),
    }  # fmt: skip
    for provider, config in configs.items():
        signing_in.connections.connect(made.id, provider, config, by="test")


def _watch(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is sealed from now on, as it was before."""
    seal, wrap = Sealer.seal_bytes, KeyRing.wrap

    def seal_bytes(self: Sealer, table: str, column: str, row: object, data: bytes) -> bytes:
        site.sealed.append(f"{table}.{column} ".encode() + data)
        return seal(self, table, column, row, data)

    def wrapped(self: KeyRing, purpose: str, aad: bytes, plaintext: bytes) -> bytes:
        site.sealed.append(plaintext)
        return wrap(self, purpose, aad, plaintext)

    monkeypatch.setattr(Sealer, "seal_bytes", seal_bytes)
    monkeypatch.setattr(KeyRing, "wrap", wrapped)


def the_forms(app: Flask) -> dict[str, str]:
    """Every form that signing in has, by its endpoint: its address."""
    found = {rule.endpoint: rule.rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())}
    return {
        endpoint: address
        for endpoint, address in found.items()
        if endpoint not in ELSEWHERE and endpoint.partition(".")[0] not in ELSEWHERE
    }


def typed(site: Site, browser: FlaskClient, text: str) -> None:
    """The text, into every field of every form and into its address, with a token that is good."""
    page = FORM.search(browser.get("/me").text)
    assert page
    for endpoint, address in the_forms(site.app).items():
        names = FORMS[endpoint]
        if endpoint in ("accounts.sign_out", "me.close"):  # they end what the others need
            continue
        where = "/".join(quote(text, safe="") if "<" in part else part for part in address.split("/"))
        for provider in (*PROVIDERS, *BY_ADULTS) if "<provider>" in address else ("",):
            to = address.replace("<provider>", provider) if provider else where
            answer = browser.post(to, data={"csrf_token": page[1], **dict.fromkeys(names, text)})
            assert answer.status_code < 500, f"{endpoint}: {answer.status_code}"


def asked(site: Site, browser: FlaskClient, text: str) -> None:
    """The text in every parameter of the addresses of signing in, in a callback of a good state, too."""
    told = {name: text for name in ("code", "state", "error", "error_description", "id_token", "user", "email", "hint")}
    for path in ("/signin", "/learn", "/me", f"/signin/invitation/{quote(text, safe='')}"):
        assert browser.get(f"{path}?{urlencode({**told, 'district': text})}").status_code < 500
    for provider in (*PROVIDERS, *BY_ADULTS):
        for way in ("login", "callback"):
            assert browser.get(f"/auth/{provider}/{way}?{urlencode({**told, 'district': text})}").status_code < 500
        state = parse_qs(urlsplit(begin(browser, "north", provider)).query)["state"][0]
        for more in ({"code": text}, {"error": text}):
            answer = browser.get(
                f"/auth/{provider}/callback?{urlencode({**told, 'error': '', **more, 'state': state})}"
            )
            assert answer.status_code == 403, answer.text


def registers(site: Site, address: str) -> None:
    """A child registers alone by this address, and comes back by it, however it is written."""
    OwnDoorHouse(site.house).registering.enable("US", by="test")
    registered(site.app.test_client(), site.mail, years=11, address=address)
    for page, written in (("/signin/email", address.upper()), ("/recover", f" {address} ")):
        browser = site.app.test_client()
        assert post(browser, page, address=written).headers["Location"] == "/signin/code"
        assert post(browser, "/signin/code", code=code_in(site.mail)).headers["Location"] == "/learn"


def test_the_search_finds_each_canary_in_each_form(tmp_path: Path) -> None:
    for name, text in CANARIES.items():
        for number, form in enumerate(forms(text)):
            (tmp_path / f"{number}").write_bytes(b"before " + form + b" after")
        found = hits_in(tmp_path)
        assert all(name in here for here in found.values())
        assert len(found) == len(forms(text))
        for path in tmp_path.iterdir():
            path.unlink()


def test_the_backup_is_searched_in_text_in_documents_and_in_bytes(database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE scratch (text text, document jsonb, bytes bytea)")
    for name, text in CANARIES.items():
        encoded = base64.b64encode(json.dumps({"of": text}).encode())
        rows = [
            (text, None, None),
            (None, json.dumps([text]), None),
            (None, None, text.encode()),
            (None, None, encoded),
        ]
        for number, row in enumerate(rows):
            with psycopg.connect(database_url, autocommit=True) as connection:
                connection.execute("DELETE FROM scratch")
                connection.execute("INSERT INTO scratch VALUES (%s, %s, %s)", row)
            (folder := tmp_path / f"{name} {number}").mkdir()
            assert name in hits(backup(database_url, folder)), (name, number)


def test_every_form_of_signing_in_has_its_canary(app: Flask) -> None:
    assert set(the_forms(app)) == set(FORMS), "name the fields of a new form in FORMS, so that it is searched for, too"


def test_what_the_contract_does_not_allow_stands_nowhere_after_signing_in(
    site: Site, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for number, text in enumerate(CANARIES.values()):
        told = dict.fromkeys(CLAIMS, text)
        for provider in PROVIDERS:
            browser = site.comes(provider, number, told)
        site.comes("facebook", STAFF + number, told, then=403)  # nobody here: it is for staff who have linked it
        site.links_facebook(number, told)
        browser.set_cookie("lti_age", "1")  # would rather not say now
        assert enter(browser, ticket_of(browser.get("/learn").text)).status_code == 303
        typed(site, browser, text)
        asked(site, browser, text)
    registers(site, CANARIES["e-mail of a child"])
    SealLog(site.house.database, site.house.clock)()
    with psycopg.connect(site.url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        (people,) = connection.execute("SELECT count(*) FROM person").fetchone() or (0,)
    assert people == len(CANARIES) * (len(PROVIDERS) + len(BY_ADULTS)) + 1

    rows, said = dump(site.url), capfd.readouterr()
    assert b"pupil" in rows, "the dump is empty"
    kept = backup(site.url, tmp_path)
    for table in (b"person", b"identity", b"session", b"log_entry", b"procrastinate_jobs"):
        assert b"COPY public." + table in kept, "the backup is not of everything"
    assert hits(kept) == set()
    assert (site.folder / "everything.log").stat().st_size > 0
    assert hits(rows) == set()
    assert hits((said.out + said.err).encode()) == set()
    sealed = {one.partition(b" ")[0].decode() for one in site.sealed if hits(one)}
    assert sealed == set(), "what the contract does not allow is kept, sealed"
    assert hits_in(site.folder) == {}
