"""The page of a data privacy launch: what may be kept of whom, and where to ask about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, Response, make_response, render_template, request
from flask_babel import force_locale

from lti_server.ids import DistrictId
from lti_server.lti.data_privacy import Kept, ReaderTokens
from lti_server.privacy.element_names import educator_names, element_names
from lti_server.web.guards import public


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyParts:
    """The reader's token, and what their district's contract says."""

    tokens: ReaderTokens
    kept: Callable[[DistrictId], Kept]


def add_data_privacy(pages: Blueprint, parts: PrivacyParts) -> None:
    """`GET /lti/data-privacy` on the LTI blueprint."""

    @pages.get("/data-privacy")
    @public("the token in the address is the credential, and the page holds no record of anybody")
    def data_privacy() -> Response:
        reader = parts.tokens.read(request.args.get("reader", ""))
        kept = parts.kept(reader.district_id)
        if request.args.get("lang"):
            return _page(kept, administrator=reader.administrator)
        with force_locale(reader.locale.replace("-", "_")):
            return _page(kept, administrator=reader.administrator)


def _page(kept: Kept, *, administrator: bool) -> Response:
    names = element_names()
    rows = sorted((str(names.get(one, one)), days) for one, days in kept.elements.items())
    teachers = educator_names()
    return make_response(
        render_template(
            "lti/data_privacy.html", kept=kept, administrator=administrator, rows=rows,
            educators=sorted(str(teachers.get(one, one)) for one in kept.educator_elements),
        )
    )  # fmt: skip
