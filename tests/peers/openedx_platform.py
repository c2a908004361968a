"""Open edX's own LTI 1.3 platform classes behind a few lines of HTTP: a platform that nobody here wrote.

Runs in an environment of its own (`make test` prepares .venv-openedx): `python openedx_platform.py TOOL_URL`, which
prints its address. It signs the launch, checks the tool's client assertion, issues the token and checks the scopes;
the two endpoints under /lineitems only keep what a checked request brought.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit

import django
from django.conf import settings

settings.configure(
    PLATFORM_NAME="Peer",
    LMS_ROOT_URL="http://127.0.0.1",
    LTI_NRPS_DISALLOW_PII=False,
    SECRET_KEY="of a peer in a test",
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    INSTALLED_APPS=[],
    DATABASES={},
)
django.setup()

from cryptography.hazmat.primitives import serialization  # noqa: E402 - Django must be set up first
from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: E402 - Django must be set up first
from lti_consumer.data import Lti1p3LaunchData  # noqa: E402 - Django must be set up first
from lti_consumer.lti_1p3.consumer import LtiAdvantageConsumer  # noqa: E402 - Django must be set up first

CLIENT, DEPLOYMENT, SUBJECT = "openedx-client", "1", "openedx-pupil-1"
SCORE_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
LINEITEM_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem"


def consumer(address: str, tool: str) -> LtiAdvantageConsumer:
    """The platform's side of one block in a course."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    found = LtiAdvantageConsumer(
        iss=address,
        lti_oidc_url=f"{tool}/lti/login",
        lti_launch_url=f"{tool}/lti/launch",
        client_id=CLIENT,
        deployment_id=DEPLOYMENT,
        rsa_key=pem.decode(),
        rsa_key_id="openedx-key",
        redirect_uris=[f"{tool}/lti/launch"],
        tool_keyset_url=f"{tool}/lti/jwks",
    )
    found.enable_ags(f"{address}/lineitems", allow_programmatic_grade_interaction=True)
    found.set_resource_link_claim("block-1", title="A lesson")
    found.set_context_claim("course-v1:Peer+1+2026", context_title="Peer course")
    found.set_user_data(SUBJECT, "student", full_name="Peer Pupil", email_address="peer@school.example")
    return found


class Handler(BaseHTTPRequestHandler):
    """One request; the platform and what it was told hang on the server."""

    server: Peer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        given = dict(parse_qsl(parts.query))
        if parts.path == "/preflight":
            self.server.platform.set_custom_parameters({"lesson_id": given["lesson"]})
            data = Lti1p3LaunchData(user_id=SUBJECT, user_role="student", config_id="c", resource_link_id="block-1")
            self.answer({"url": self.server.platform.prepare_preflight_url(data)})
        elif parts.path == "/auth":
            self.answer(self.server.platform.generate_launch_request(given))
        elif parts.path == "/jwks":
            self.answer(self.server.platform.get_public_keyset())
        elif parts.path == "/told":
            self.answer({"lineitems": self.server.lineitems, "scores": self.server.scores})
        elif parts.path == "/lineitems" and self.allowed(LINEITEM_SCOPE):
            wanted = given.get("resource_id")
            rows = [row for row in self.server.lineitems if wanted in (None, row.get("resourceId"))]
            self.answer(rows, "application/vnd.ims.lis.v2.lineitemcontainer+json")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        path = urlsplit(self.path).path
        if path == "/token":
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self.answer(self.server.platform.access_token(form))
        elif path == "/lineitems" and self.allowed(LINEITEM_SCOPE):
            row = {**json.loads(body), "id": f"{self.server.address}/lineitems/{len(self.server.lineitems) + 1}"}
            self.server.lineitems.append(row)
            self.answer(row, "application/vnd.ims.lis.v2.lineitem+json", 201)
        elif path.endswith("/scores") and self.allowed(SCORE_SCOPE):
            self.server.scores.append({"path": path, **json.loads(body)})
            self.answer({}, status=200)

    def allowed(self, scope: str) -> bool:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.server.platform.check_token(token, [scope]):
            return True
        self.answer({"error": "scope"}, status=403)
        return False

    def answer(self, body: object, media_type: str = "application/json", status: int = 200) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class Peer(ThreadingHTTPServer):
    """The platform on a loopback port."""

    def __init__(self, tool: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.platform = consumer(self.address, tool)
        self.lineitems: list[dict[str, object]] = []
        self.scores: list[dict[str, object]] = []


if __name__ == "__main__":
    peer = Peer(sys.argv[1])
    print(peer.address, flush=True)
    peer.serve_forever()
