"""`/district/connections/new`: connecting a provider by a form made from what its plugin says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _

from lti_server.accounts import connection_form
from lti_server.accounts.check_words import told
from lti_server.accounts.connected import Connected
from lti_server.accounts.connecting import Connecting, WhyNot
from lti_server.accounts.connection_checks import Checked, ConnectionChecks
from lti_server.accounts.connection_form import Fault, Filled
from lti_server.accounts.invitations import StaffSession
from lti_server.accounts.permissions import Permission
from lti_server.errors import InvalidInput, NotFound
from lti_server.ids import DistrictId, GrantId, new_id
from lti_server.privacy.grant_states import Use
from lti_server.providers.manifest import Manifest
from lti_server.web.guards import signed_in


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectingParts:
    """`staff` is who is signed in with a permission."""

    staff: Callable[[Permission], StaffSession]
    connecting: Connecting
    checks: ConnectionChecks
    base_url: str


def blueprint(parts: ConnectingParts) -> Blueprint:
    """The list, the form, and the form of a connection that stands. Each works without a script."""
    pages = Blueprint("connecting", __name__, url_prefix="/district/connections", template_folder="templates")

    @pages.get("/new")
    @signed_in(Permission.CONNECT_PROVIDERS)
    def index() -> str:
        district_id, _by = who(parts)
        offers = parts.connecting.offers(district_id)
        return render_template("accounts/connect.html", offers=offers, why=_why_not(), uses=use_names())

    @pages.get("/new/<provider>")
    @signed_in(Permission.CONNECT_PROVIDERS)
    def form(provider: str) -> Response:
        district_id, _by = who(parts)
        return _form(parts, district_id, provider, {}, form_id=new_id())

    @pages.post("/new/<provider>")
    @signed_in(Permission.CONNECT_PROVIDERS)
    def connect(provider: str) -> Response:
        district_id, by = who(parts)
        return _connect(parts, district_id, provider, by)

    _standing(pages, parts)
    return pages


def _connect(parts: ConnectingParts, district_id: DistrictId, provider: str, by: str) -> Response:
    """Connect, or with the other button of the form test what was filled in, and keep nothing."""
    _offer, manifest = parts.connecting.offer(district_id, provider)
    form_id = UUID(hex=_hex(request.form.get("form_id", "")))
    filled = connection_form.read(manifest, request.form, {})
    uses = _chosen(connection_form.offered(manifest))
    shown = partial(_form, parts, district_id, provider, request.form, form_id=form_id, filled=filled, uses=uses)
    if not filled.good or not uses:
        return shown()
    if "test" in request.form:
        return shown(answer=_tested(parts, district_id, manifest, filled.config, by))
    made = parts.connecting.connect(district_id, provider, filled.config, by=by, uses=uses, form_id=form_id)
    return _to(made.grant_id)


def _tested(
    parts: ConnectingParts, district_id: DistrictId, manifest: Manifest, config: Mapping[str, object], by: str
) -> Checked:
    tenant = str(config.get(manifest.tenant) or "")
    return parts.checks.check(district_id, manifest.name, config, tenant=tenant, by=by)


def _standing(pages: Blueprint, parts: ConnectingParts) -> None:
    @pages.get("/<grant_id>/configuration")
    @signed_in(Permission.CONNECT_PROVIDERS)
    def configuration(grant_id: str) -> Response:
        district_id, _by = who(parts)
        found, manifest = parts.connecting.standing(district_id, grant_of(grant_id))
        return _standing_form(parts, found, manifest, {})

    @pages.post("/<grant_id>/configuration")
    @signed_in(Permission.CONNECT_PROVIDERS)
    def configure(grant_id: str) -> Response:
        district_id, by = who(parts)
        found, manifest = parts.connecting.standing(district_id, grant_of(grant_id))
        if not found.own_application:
            raise NotFound("There is nothing to configure here: the operator of this server does it.")
        filled = connection_form.read(manifest, request.form, found.config)
        shown = partial(_standing_form, parts, found, manifest, request.form, filled=filled)
        if not filled.good:
            return shown()
        if "test" in request.form:
            return shown(answer=_tested(parts, district_id, manifest, filled.config, by))
        parts.connecting.reconfigure(district_id, found.grant_id, filled.config, by=by)
        return _to(found.grant_id)

    @pages.post("/<grant_id>/test")
    @signed_in(Permission.CONNECT_PROVIDERS)
    def test(grant_id: str) -> str:
        district_id, by = who(parts)
        found, manifest = parts.connecting.standing(district_id, grant_of(grant_id))
        answer = _tested(parts, district_id, manifest, parts.connecting.whole(found), by)
        values = {"found": found, "title": manifest.title or manifest.name, "answer": told(answer)}
        return render_template("accounts/tested.html", **values)


def _form(
    parts: ConnectingParts,
    district_id: DistrictId,
    provider: str,
    posted: Mapping[str, str],
    *,
    form_id: UUID,
    filled: Filled | None = None,
    uses: frozenset[Use] = frozenset(),
    answer: Checked | None = None,
) -> Response:
    """The form of a new connection: empty, with what is to be mended in it, or with what a test answered."""
    offer, manifest = parts.connecting.offer(district_id, provider)
    values = {
        "offer": offer, "form_id": form_id, "chosen": uses or ({*offer.uses} if filled is None else set()),
        "uses": use_names(), "no_use": filled is not None and not uses,
        **_entries(parts, manifest, provider, posted, {}, filled), "answer": answer and told(answer),
    }  # fmt: skip
    return make_response(render_template("accounts/connect_form.html", **values), _status(filled, answer))


def _standing_form(
    parts: ConnectingParts,
    found: Connected,
    manifest: Manifest,
    posted: Mapping[str, str],
    *,
    filled: Filled | None = None,
    answer: Checked | None = None,
) -> Response:
    values = {
        "found": found, "title": manifest.title or manifest.name,
        **_entries(parts, manifest, found.provider, posted, found.config, filled), "answer": answer and told(answer),
    }  # fmt: skip
    return make_response(render_template("accounts/configure.html", **values), _status(filled, answer))


def _status(filled: Filled | None, answer: Checked | None) -> int:
    return 200 if filled is None or answer is not None else 422


def _entries(
    parts: ConnectingParts,
    manifest: Manifest,
    provider: str,
    posted: Mapping[str, str],
    stands: Mapping[str, object],
    filled: Filled | None,
) -> dict[str, object]:
    faults = {} if filled is None else filled.faults
    return {
        "entries": connection_form.entries(manifest, posted, stands, faults),
        "fault_texts": _faults(), "unknown": () if filled is None else filled.unknown, "fault_count": len(faults),
        "redirect_uri": f"{parts.base_url}/auth/{provider}/callback" if Use.SIGN_IN in connection_form.offered(manifest)
        else "",
    }  # fmt: skip


def who(parts: ConnectingParts) -> tuple[DistrictId, str]:
    """The district of whoever is signed in, and how the log names them."""
    staff = parts.staff(Permission.CONNECT_PROVIDERS)
    if staff.district_id is None:
        raise NotFound("Sign in as an administrator of the district.")
    return staff.district_id, f"staff:{staff.id}"


def grant_of(text: str) -> GrantId:
    """A grant's id in an address."""
    try:
        return GrantId(UUID(text))
    except ValueError as error:
        raise NotFound("Check the address.") from error


def _hex(text: str) -> str:
    try:
        return UUID(text).hex
    except ValueError as error:
        raise InvalidInput("Open the form again, and send it once more.") from error


def _chosen(can: tuple[Use, ...]) -> frozenset[Use]:
    """What of that which a provider offers was chosen; of one that offers one thing, that one."""
    said = set(request.form.getlist("uses"))
    return frozenset(can) if len(can) == 1 else frozenset(use for use in can if use.value in said)


def _to(grant_id: GrantId) -> Response:
    return make_response(redirect(url_for("connections.show", grant_id=grant_id), 303))


def use_names() -> dict[str, str]:
    """What a connection is for, in the reader's words."""
    return {Use.SIGN_IN.value: _("sign-in"), Use.ROSTER.value: _("class lists")}


def _why_not() -> dict[str, str]:
    return {
        WhyNot.NO_CONTRACT: _("Your district has no contract in force. Sign one first."),
        WhyNot.NOT_NAMED: _("Your contract names its providers, and this one is not among them."),
        WhyNot.FOR_ADULTS: _("It is for adults alone, so it is connected only where your contract names it."),
        WhyNot.OFF: _("The operator of this server has not switched it on."),
        WhyNot.BROKEN: _("Its plugin does not run on this server. The operator sees why."),
    }


def _faults() -> dict[str, str]:
    return {
        Fault.MISSING: _("This is missing."),
        Fault.ADDRESS: _("This must be an address such as https://school.example/api."),
        Fault.NUMBER: _("This must be a whole number."),
        Fault.CHOICE: _("Choose one of those that are offered."),
        Fault.LONG: _("This is too long, or holds a character that it cannot hold."),
        Fault.AGAIN: _("You changed an address. Type the secret again: it goes there from now on."),
    }
