"""The plugin keeps the contract of a login provider."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from lti_server_facebook import Facebook

from lti_server.testing import ID_TOKEN_CHECKS, LoginProviderContract

RECORDING = Path(__file__).parent / "recordings" / "sign-in.json"
CONFIG: dict[str, object] = {"client_id": "1234567890", "client_secret": "a secret of facebook"}


class TestContract(LoginProviderContract):
    provider = Facebook
    config: ClassVar[dict[str, object]] = CONFIG
    recording = RECORDING
    does_not_apply: ClassVar[dict[str, str]] = {
        **dict.fromkeys(ID_TOKEN_CHECKS, "The flow of web pages is OAuth 2 alone: Facebook gives no ID token in it."),
        "the_verifier_goes_with_the_code": "Facebook documents PKCE with OpenID Connect alone.",
    }
