"""Every call by which something leaves this process is known, with what of people it can carry (law 3).

What a function is given as `Disclosed[…]` the gate let out. Every other way stands here with its reason. Answers to
whoever signed in or shows a token are no ways out in this sense: each route has its case in the tests of reach.
"""

from __future__ import annotations

import ast

import pytest

from tests.guards.repository import ROOT, tree
from tests.guards.ways_out import Way, found, of_templates, ways_out

LTI, PROVIDERS, DEMO = "lti_server/lti/", "lti_server/providers/", "plugins/demo_lms/lti_server_demo_lms/"
KNOWN = {
    "carries what the functions above it were given: a column's address and body, or a score as `Disclosed[bytes]`": [
        LTI + "grade_service.py GradeService._call: self._transport.request",
        LTI + "grade_service.py GradeService.call: self._call",
        LTI + "grade_service.py GradeService.rows.page: self.call",
    ],
    "tells of a column, which is of a lesson and of nobody": [
        LTI + "line_items.py LineItems.change: self._calls.call",
        LTI + "line_items.py LineItems.find: self._calls.rows",
        LTI + "line_items.py LineItems.make: self._calls.call",
        LTI + "line_items.py LineItems.read: self._calls.call",
        LTI + "line_items.py LineItems.remove: self._calls.call",
    ],
    "tells a platform of this tool: its keys, its addresses, its client id": [
        LTI + "key_sets.py read_key_set: HttpTransport(session, clock).request",
        LTI + "notice_handlers.py NoticeHandlers._ask: self._call",
        LTI + "notice_handlers.py NoticeHandlers._call: self._transport(service).request",
        LTI + "notice_handlers.py NoticeHandlers._put: self._call",
        LTI + "registration_invitations.py RegistrationInvitations._ask:"
        " self._transport().limited_to(frozenset({host})).request",
        LTI + "tokens.py ServiceTokens._fetch: self._transport(service).request",
    ],
    "tells a provider at which address here it says things, with a key that names who may set that": [
        "lti_server/cli/signals.py register: stream.register_stream",
        "lti_server/cli/signals.py show: stream.read_stream",
        "lti_server/cli/signals.py verify: stream.verify_stream",
        "plugins/google/lti_server_google/streams.py Stream._call: self.transport.request",
        "plugins/google/lti_server_google/streams.py Stream.register: self._call",
        "plugins/google/lti_server_google/streams.py Stream.state: self._call",
        "plugins/google/lti_server_google/streams.py Stream.verify: self._call",
    ],
    "asks for the people of a section, by an address that the platform or provider gave": [
        LTI + "member_source.py LtiMembers._pages: source.pages",
        LTI + "memberships.py LtiMemberships._get: self._transport.pages",
        PROVIDERS + "preview.py preview: source.pages",
    ],
    "sends a browser to a provider to sign in, with this server's name there and a state that names nobody": [
        "lti_server/accounts/proving.py Proving.begin: login.authorize",
        "lti_server/accounts/trial_sign_ins.py TrialSignIns.begin: login.authorize",
        "lti_server/accounts/connection_checks.py _Asking._where: login.authorize",
        "lti_server/accounts/trial_views.py _away: redirect",
        "lti_server/accounts/email_views.py _Door._in: redirect",
        "lti_server/accounts/sign_in_views.py _to: redirect",
    ],
    "asks a provider who somebody is, by the code with which that one's browser came": [
        "lti_server/accounts/proving.py Proving._exchange: login.exchange",
        "lti_server/accounts/trial_sign_ins.py TrialSignIns.identity: login.exchange",
        "lti_server/accounts/connection_checks.py _Asking._client: login.exchange",
        PROVIDERS + "oauth.py OAuth.__init__: OAuth2Client",
        PROVIDERS + "oauth.py _Session.post: self._transport.request",
        "plugins/clever/lti_server_clever/__init__.py Clever._get: self._transport.request",
        "plugins/facebook/lti_server_facebook/__init__.py Facebook._ask: self._transport.request",
        "plugins/facebook/lti_server_facebook/__init__.py Facebook._owner: self._transport.request",
        "plugins/classlink/lti_server_classlink/__init__.py ClassLink.exchange: self._transport.request",
    ],
    "reads public documents of a provider, its addresses and keys, or checks claims that are here": [
        PROVIDERS + "oidc.py _keys: transport.public_document",
        "plugins/google/lti_server_google/signals.py _published: transport.public_document",
        PROVIDERS + "oidc.py discover: transport.public_document",
        PROVIDERS + "oidc.py verified: CodeIDToken",
        PROVIDERS + "transport.py HttpTransport.public_document: self.request",
    ],
    "asks a provider which school systems have let this server's application in": [
        "lti_server/accounts/connection_checks.py _Asking._tenants: self.connector.tenants",
        "lti_server/accounts/connection_checks.py _Asking._tenants: listing.tenants",
        "plugins/classlink/lti_server_classlink/__init__.py ClassLink._applications: self._transport.request",
        "lti_server/accounts/tenant_lists.py WatchTenants._named: self._connector.tenants",
        "lti_server/accounts/tenant_lists.py WatchTenants._named: listing.tenants",
        "plugins/clever/lti_server_clever/__init__.py Clever.tenants: self._transport.pages",
    ],
    "gives a token back to whoever made it (law 4)": [
        "lti_server/privacy/upstream.py GiveBack.run_job: revoker.revoke",
        "plugins/oidc/lti_server_oidc/__init__.py OpenIdLogin.revoke: self.client.revoke",
    ],
    "takes a score back with `DeliverGrade`, which asks the gate": [
        "lti_server/privacy/erasure.py Erase._clear_grades: self._grades.send",
        "lti_server/rights_parts.py GradesOnTheirWay.send: self.deliver",
    ],
    "writes to a district's own staff, in words and numbers that name nobody": [
        "lti_server/incidents.py Incidents.notify: self._house.mail.send",
        "lti_server/privacy/inference.py SuspendOnEvidence._tell: self._mail().send",
    ],
    "sends what those have queued": [
        "lti_server/mail.py delivered: server.send_message",
        "lti_server/mail.py connected: smtplib.SMTP",
        "lti_server/mail.py connected: smtplib.SMTP_SSL",
    ],
    "is the guarded transport itself, which the others call": [
        PROVIDERS + "addresses.py system_resolver: socket.getaddrinfo",
        PROVIDERS + "connections.py GuardedAdapter.send: super().send",
        PROVIDERS + "connections.py _Checked._new_conn: socket.create_connection",
        PROVIDERS + "connections.py _guarded_pools: HTTPConnectionPool",
        PROVIDERS + "connections.py _guarded_pools: HTTPSConnectionPool",
        PROVIDERS + "connections.py: HTTPAdapter",
        PROVIDERS + "connections.py: HTTPConnection",
        PROVIDERS + "connections.py: HTTPSConnection",
        PROVIDERS + "transport.py HttpTransport._send: self._session.get_adapter('https://').send",
        PROVIDERS + "transport.py HttpTransport.pages.get: self.request",
        PROVIDERS + "transport.py HttpTransport.pages: requests.Request",
        PROVIDERS + "transport.py HttpTransport.request: requests.Request",
        PROVIDERS + "transport.py outbound_session: requests.Session",
    ],
    "leads a browser on: back to the LMS that sent it, with an error's words or the chosen lessons, or to a lesson": [
        LTI + "templates/lti/login.html: another site",
        LTI + "templates/lti/onward.html: another site",
        LTI + "templates/lti/return.html: another site",
        LTI + "views.py _launch: _redirect",
        LTI + "views.py _login: _redirect",
        LTI + "views.py _redirect: Location",
        "lti_server/accounts/people_views.py _looking.open_access: redirect",
    ],
    "hands over to a lesson, with a pseudonym that `LessonSites` has the gate let out": [
        "lti_server/app.py _lessons.open_ticket: house.handoff.exchange",
        "lti_server/progress/views.py _cors.add: Access-Control-Allow-Origin",
        "lti_server/progress/views.py _token_views.LaunchContextView.post: parts.handoff.exchange",
    ],
    "is a file for the district's staff, or the operator at the district's word; an entry of the log says so": [
        "lti_server/accounts/people_views.py _file: Content-Disposition",
        "lti_server/cli/disposition.py _give_back: file.write_text",
        "lti_server/cli/person.py export: out.write_text",
        "lti_server/privacy/log_views.py _download: Content-Disposition",
    ],
    "is a file for the one whom it is about; an entry of the log says so": [
        "lti_server/accounts/own_views.py _shown.export: Content-Disposition",
    ],
    "is a file that names no pupil: a lesson's sheet, a contract, a receipt, a certificate, a checkpoint, a skeleton": [
        "lti_server/accounts/connection_views.py blueprint.receipt: Content-Disposition",
        "lti_server/accounts/disposition_views.py blueprint.certificate: Content-Disposition",
        "lti_server/cli/audit.py checkpoint: out.write_bytes",
        "lti_server/cli/disposition.py certificate: out.write_bytes",
        "lti_server/cli/person.py erase: receipt.write_bytes",
        "lti_server/lessons/views.py blueprint.sheet: Content-Disposition",
        "lti_server/privacy/contract_views.py blueprint.file: Content-Disposition",
        PROVIDERS + "scaffold.py new_provider: (directory / target).write_text",
    ],
    "is the database, its backup for the operator (sealed as it lies there), or this server's own data directory": [
        "lti_server/db.py Database._engine: sa.create_engine",
        "lti_server/db.py connect: psycopg.connect",
        "lti_server/dumps.py _give_rights: wanted.write_text",
        "lti_server/dumps.py _psql: subprocess.Popen",
        "lti_server/dumps.py _run: subprocess.run",
        "lti_server/dumps.py _said: subprocess.run",
        "lti_server/dumps.py create: os.fdopen",
        "lti_server/migrate.py make_role: sa.create_engine",
        "lti_server/migrate.py revisions: sa.create_engine",
        "lti_server/migrate.py upgrade: sa.create_engine",
        "lti_server/postgres.py BundledPostgres._locked: written.write_text",
        "lti_server/postgres.py _create_database: psycopg.connect",
        "lti_server/postgres.py _listens: socket.socket",
        "lti_server/settings.py Settings.with_made_secret_key: os.fdopen",
    ],
    "asks whether something on this computer answers, or starts a program of ours": [
        "lti_server/cli/__init__.py Commands.get_command: importlib.import_module",
        "lti_server/cli/demo.py _check_free: socket.socket",
        "lti_server/cli/demo.py _start: subprocess.Popen",
        "lti_server/cli/demo.py _wait_for: ProxyHandler",
        "lti_server/cli/demo.py _wait_for: build_opener",
        "lti_server/cli/doctor.py _address: socket.create_connection",
        "lti_server/cli/doctor.py _is_ours: ProxyHandler",
        "lti_server/cli/doctor.py _is_ours: build_opener",
    ],
    "puts a disposition in hand, which only has the name of a call": [
        "lti_server/cli/disposition.py request: house.rights.dispose.request",
    ],
    "is the demonstration's LMS, another system, or its key set": [
        DEMO + "keys.py _fetch: requests.Session",
        DEMO + "launches.py _add_data_privacy.data_privacy: redirect",
        DEMO + "launches.py blueprint.launch: redirect",
        DEMO + "notices.py send: requests.Session",
        DEMO + "receiver.py DemoLmsSignals._key: self._transport.request",
        DEMO + "security_events.py send: requests.Session",
        DEMO + "serving.py listen: socket.socket",
    ],
}
TAKE_DISCLOSURES = {
    LTI + "grade_service.py GradeService.send_score: self._call",
    LTI + "results.py Results.of: self._calls.rows",
}
PLANTED = {
    "a client": "import requests\ndef tell(name):\n    requests.post('https://x.example', data=name)",
    "a client under another name": "from urllib.request import urlopen as look\nlook('https://x.example?' + name)",
    "a client in a part": "import http.client as h\nh.HTTPSConnection('x.example').request('GET', name)",
    "a session of its own": "from requests import Session\nwith Session() as s:\n    s.post(URL, name)",
    "the transport": "def tell(self, name):\n    self._transport.request('POST', URL, json={'name': name})",
    "the transport under another name": "def tell(way, name):\n    way.request('POST', URL, json={'name': name})",
    "a page of the transport": "def tell(way, name):\n    return list(way.pages(URL, params={'q': name}))",
    "the grade service": "def tell(calls, name):\n    calls.rows(URL + name, RESULT, media=ALL)",
    "the grade service from within": "def tell(self, name):\n    self._call('POST', URL, SCORE, body=name)",
    "a letter": "def tell(self, name):\n    self._mail().send(connection, district, Message(to=name))",
    "a mail server": "import smtplib\nsmtplib.SMTP(host).send_message(mail)",
    "a socket": "async def tell(name):\n    _, out = await asyncio.open_connection(HOST, 1)\n    out.write(name)",
    "a program": "from subprocess import run\nrun(['curl', URL + name])",
    "a program of the shell": "import os\nos.system('curl ' + name)",
    "a library that is looked up": "__import__('requests').post(URL, name)",
    "a provider's sink": "def tell(sink, score):\n    sink.deliver(score)",
    "a file": "def tell(path, name):\n    path.write_text(name)",
    "an opened file": "with open(path, 'w') as out:\n    out.write(name)",
    "a redirection": "def led(name):\n    return redirect(f'https://x.example/{name}')",
    "a header that leads on": "def led(name):\n    return Response(headers={'Location': name})",
    "a download": "def led(answer):\n    answer.headers['Content-Disposition'] = 'attachment'",
    "another database": "def tell(url):\n    return sa.create_engine(url)",
}  # fmt: skip


def shown(way: Way) -> str:
    return f"{way.where}: {way.call}"


def test_nothing_leaves_but_as_a_disclosure_or_by_a_way_that_is_known() -> None:
    known = [one for ways in KNOWN.values() for one in ways]
    ways = {shown(way) for way in found() if not way.disclosed}
    assert len(known) == len(set(known))
    assert ways - set(known) == set(), (
        "a new way out: let it take what leaves as `Disclosed[…]`, or say why it need not"
    )
    assert set(known) - ways == set(), "these are ways out no more"


def test_what_tells_of_a_person_is_given_as_a_disclosure() -> None:
    assert {shown(way) for way in found() if way.disclosed} == TAKE_DISCLOSURES


@pytest.mark.parametrize("text", PLANTED.values(), ids=PLANTED)
def test_a_new_way_out_is_found(text: str) -> None:
    assert [way for way in ways_out(ast.parse(text), "lti_server/new.py") if not way.disclosed]


def test_a_page_that_posts_to_another_site_is_found() -> None:
    assert list(of_templates({"new.html": '<form method="post" action="{{ address }}">'}))
    assert list(of_templates({"new.html": '<meta http-equiv="refresh" content="0; url={{ address }}">'}))
    assert not list(of_templates({"own.html": '<form method="post" action="{{ url_for(\'lti.chosen\') }}">'}))


def test_a_way_that_is_given_a_disclosure_is_not_held_up() -> None:
    text = "def tell(way, score: Disclosed[bytes]):\n    way.request('POST', URL, body=score.value)"
    assert all(way.disclosed for way in ways_out(ast.parse(text), "lti_server/new.py"))


def test_a_call_of_a_gradebook_that_is_no_disclosure_carries_a_column_alone() -> None:
    public = {
        node.name: {arg.arg for arg in (*node.args.args, *node.args.kwonlyargs)}
        for node in ast.walk(tree(ROOT / "lti_server/lti/grade_service.py"))
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }
    assert "body" not in {name for arguments in public.values() for name in arguments}
    assert {name for name, arguments in public.items() if "line_item" in arguments} == {"call"}
