"""`/district/contract`: what may come, stay and leave, by which clause, who signed when, and the file itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from flask import Blueprint, Response, make_response, render_template

from lti_server.errors import NotFound
from lti_server.privacy.contracts import LOST, Signed
from lti_server.privacy.notice_views import shown
from lti_server.web.guards import signed_in

PERMISSION = "contract:see"


class DistrictContracts(Protocol):
    """The contracts of one district, for one member of its staff; each look is an entry of the log."""

    @property
    def slug(self) -> str: ...

    def versions(self) -> Sequence[Signed]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractParts:
    """`opened` are the contracts of whoever is signed in; it raises where nobody is, or may not."""

    opened: Callable[[], DistrictContracts]


def blueprint(parts: ContractParts) -> Blueprint:
    """`/district/contract` and `/district/contract/<version>/file`."""
    pages = Blueprint(
        "contract", __name__, url_prefix="/district/contract", template_folder="templates", static_folder="static"
    )

    @pages.get("")
    @signed_in(PERMISSION)
    def index() -> str:
        opened = parts.opened()
        versions = opened.versions()
        current = next((one for one in versions if one.state == "in_force"), None)
        return render_template(
            "privacy/contract.html", versions=versions, current=current, slug=opened.slug, **shown(current)
        )

    @pages.get("/<int:version>/file")
    @signed_in(PERMISSION)
    def file(version: int) -> Response:
        found = next((one for one in parts.opened().versions() if one.version == version), None)
        if found is None or found.kind == LOST:
            raise NotFound("There is no such version of the contract.")
        answer = make_response(found.document)
        answer.headers["Content-Type"] = "application/yaml; charset=utf-8"
        answer.headers["Content-Disposition"] = f'attachment; filename="contract-{version}.yaml"'
        return answer

    return pages
