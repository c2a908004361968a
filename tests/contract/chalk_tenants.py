"""The same made-up vendor's list of the school systems that have let an application in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from lti_server.providers import BrokeContract, Capability, Manifest, Response
from lti_server.testing import Exchange
from tests.contract.chalk import BASE, REVOKE, Chalk, chalk_manifest

SCHOOLS = f"{BASE}/schools?limit=2"
TENANTS = [
    Exchange(url=SCHOOLS, body={"schools": [{"id": "s1"}, {"id": "s2"}], "next": "/schools?limit=2&page=2"}),
    Exchange(url=f"{SCHOOLS}&page=2", body={"schools": [{"id": "s3"}], "next": None}),
    REVOKE,
]


class ChalkTenants(Chalk):
    manifest: ClassVar[Manifest] = chalk_manifest(Capability.TENANTS)

    def tenants(self) -> Sequence[str]:
        pages = self.transport.pages(SCHOOLS, authorization=self.basic, next_url=self.next_url)
        return [one for page in pages for one in self.ids(page)]

    def next_url(self, response: Response) -> str | None:
        following = self.said(response).get("next")
        return f"{BASE}{following}" if isinstance(following, str) and following.startswith("/") else following

    def ids(self, response: Response) -> list[str]:
        rows = self.said(response).get("schools")
        if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get("id") for row in rows):
            raise BrokeContract("chalk.example answered without its schools.")
        return [str(row["id"]) for row in rows]

    def said(self, response: Response) -> dict[str, Any]:
        read = response.json()
        if response.status != 200 or not isinstance(read, dict):
            raise BrokeContract("chalk.example answered without its schools.")
        return read
