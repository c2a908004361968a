"""The Flask application over the house: the one place where endpoints and parts meet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from flask import Flask, Response, after_this_request, request, url_for
from flask_babel import Babel, get_locale
from sqlalchemy.engine import Connection
from werkzeug.middleware.proxy_fix import ProxyFix

from lti_server import age_page, district_home, incident_pages, learn_page, own_rights
from lti_server.accounts import (
    candidate_views,
    connecting_views,
    connection_views,
    disconnect_views,
    disposition_views,
    grant_api,
    linking_views,
    own_session_views,
    own_views,
    people_views,
    sign_in_views,
    trial_views,
)
from lti_server.accounts import views as account_views
from lti_server.accounts.disconnecting import Disconnect
from lti_server.accounts.invitations import StaffSession
from lti_server.accounts.own_door import OwnSession
from lti_server.accounts.permissions import Permission, may
from lti_server.district_log import StaffLog
from lti_server.errors import NotAllowed, NotAuthenticated, NotFound
from lti_server.house import House, build_house
from lti_server.ids import DistrictId
from lti_server.lessons import views as lesson_views
from lti_server.lessons.handoff import HandedOver
from lti_server.lessons.views import LaunchContext
from lti_server.lti import inspector_views, registration_views
from lti_server.lti import views as lti_views
from lti_server.lti.data_privacy_views import PrivacyParts
from lti_server.lti.state import StateSigner
from lti_server.lti.tool_description import Tool
from lti_server.own_door_parts import OwnDoorHouse
from lti_server.own_page import OwnPages
from lti_server.policy_pages import StaffContracts, contract_pages, notice_pages
from lti_server.privacy import guardian_views, log_views
from lti_server.privacy import views as audit_views
from lti_server.privacy.grant_receipt import receipt_file
from lti_server.privacy.grant_view import GrantView
from lti_server.progress import views as progress_views
from lti_server.settings import Settings
from lti_server.sign_in_parts import SignInHouse
from lti_server.signal_parts import SignalHouse
from lti_server.web import home, languages
from lti_server.web.api import init_api
from lti_server.web.cookies import set_token
from lti_server.web.forms import exempt_from_csrf, init_csrf
from lti_server.web.guards import init_guards
from lti_server.web.headers import init_headers
from lti_server.web.health import init_health
from lti_server.web.limits import REQUESTS_PER_ADDRESS, Limit, init_limits
from lti_server.web.logs import init_access_log
from lti_server.web.problems import init_problems
from lti_server.worker import run_worker

COOKIE = "lti_lesson"
LIMITED = (
    "accounts", "home", "notice", "contract", "platforms", "log", "connections", "dispositions", "grants",
    "signals", "requests", "people", "me", "incidents", "sign_in", "learn", "own_sessions",
    "connecting", "deletion", "disconnecting", "own_rights", "linking", "candidates", "by_email", "age",
)  # fmt: skip
LARGEST_REQUEST = 1024 * 1024


class Application(Flask):
    """Flask that does not ask of each view and hook whether it is a coroutine: none here is."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(house: House) -> Flask:
    """The web application. Call it once a process, after any fork."""
    settings = house.settings
    app = Application("lti_server.web")
    app.config.update(
        MAX_CONTENT_LENGTH=LARGEST_REQUEST,
        MAX_FORM_MEMORY_SIZE=LARGEST_REQUEST,
        BABEL_TRANSLATION_DIRECTORIES="../translations",
        API_TITLE="lti-server",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api/v1",
        OPENAPI_JSON_PATH="openapi.json",
    )
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # Flask's own way to wrap an application
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops
        )
    Babel(app, locale_selector=languages.selector(settings.locales), default_locale=settings.locales[0])
    languages.register(app, settings.locales)
    init_access_log(app)
    init_problems(app, settings.base_url)
    init_headers(app, https=settings.https)
    init_guards(app)
    init_csrf(app, house.ring.signing_keys("csrf"), settings.base_url)
    init_health(app, house.database, settings.metrics_token)
    app.register_blueprint(home.blueprint(house.catalogue))
    app.register_blueprint(audit_views.blueprint(house.document_keys.public_jwks))
    app.register_blueprint(registration_views.blueprint(house.registration_invitations, Tool(settings.base_url)))
    for pages in (*_ways_in(house), *SignalHouse(house).views(), *_pages(house)):
        app.register_blueprint(pages)
    api = init_api(app)
    api.register_blueprint(_progress(house))
    api.register_blueprint(grant_api.blueprint(_connections(house)))
    exempt_from_csrf(app, ("lti", "progress", "registration", "signals"), views=("me.enter",))
    init_limits(app, house.ring.signing_keys("limits")[0], settings.redis_url, LIMITED)
    return app


def _ways_in(house: House) -> list[Any]:
    """Invitations, providers, and where somebody is who is in."""
    signing_in, base_url, trial = SignInHouse(house), house.settings.base_url, _trials(house)
    own_door = OwnDoorHouse(house)
    parts = sign_in_views.SignInParts(
        proving=signing_in.proving, sign_in=signing_in.sign_in, link=linking_views.finished(signing_in.linking),
        trial=partial(trial_views.arrived, trial), describe=house.registry.manifest,
        sessions=signing_in.sessions, ways=signing_in.ways,
        by_email=lambda: bool(own_door.desks(False)), own_ways=signing_in.own_accounts.ways,
        answers=own_door.answers, home=lambda: url_for("learn.index"), base_url=base_url,
    )  # fmt: skip
    return [
        account_views.blueprint(house.invitations, house.district_name, people=signing_in.sessions, base_url=base_url),
        sign_in_views.blueprint(parts),
        learn_page.blueprint(house, signing_in.sessions, signing_in.age_words),
        age_page.blueprint(signing_in.age_words, signing_in.sessions, base_url),
        trial_views.blueprint(trial),
        own_door.blueprint(),
    ]


def _contract(house: House) -> Any:
    """The contract, for those of a district's staff who may see it."""

    def opened() -> StaffContracts:
        staff = _staff(house, Permission.SEE_CONTRACT)
        if staff.district_id is None:
            raise NotFound("Sign in as an administrator of the district.")
        return StaffContracts(house, staff.district_id, staff.id)

    return contract_pages(opened)


def _pages(house: House) -> list[Any]:
    """What each feature shows."""
    makers = (
        _district, _log, _lti, _platforms, _connection_pages, _connecting, _dispositions,
        _lessons, notice_pages, _contract, _requests, _people, _candidates, _incidents,
    )  # fmt: skip
    return [*(make(house) for make in makers), *_own_pages(house)]


def _lti(house: House) -> Any:
    return lti_views.blueprint(
        lti_views.LtiParts(
            registrations=house.registrations,
            states=StateSigner(house.ring, house.clock),
            take_message=house.take_message(),
            take_notices=house.take_notices(),
            privacy=PrivacyParts(tokens=house.privacy_tokens, kept=house.kept_data()),
            picker=house.picker(),
            tool_keys=house.tool_keys,
            base_url=house.settings.base_url,
        )
    )


def _staff(house: House, permission: Permission) -> StaffSession:
    """Who is signed in with a permission."""
    found = house.invitations.session(request.cookies.get(account_views.COOKIE, ""))
    if found is None:
        raise NotAuthenticated("Open the invitation that you were sent, or ask for another.")
    if not may(found.role, permission):
        raise NotAllowed("Your role does not allow this. Ask an administrator of your district.")
    return found


def _platforms(house: House) -> Any:
    """The launch inspector, for the staff of a district."""
    return inspector_views.blueprint(
        inspector_views.InspectorParts(
            inspector=house.inspector, staff=partial(_staff, house), platforms=house.registrations.every
        )
    )


def _connection_pages(house: House) -> Any:
    return connection_views.blueprint(_connections(house))


def _connecting(house: House) -> Any:
    """Connecting a provider, for a district's administrators."""
    here = SignInHouse(house)
    parts = connecting_views.ConnectingParts(
        staff=partial(_staff, house), connecting=here.connecting, checks=here.checks, base_url=house.settings.base_url
    )
    return connecting_views.blueprint(parts)


def _trials(house: House) -> trial_views.TrialParts:
    """Sign-ins of administrators that let nobody in."""
    here = SignInHouse(house)
    return trial_views.TrialParts(
        staff=partial(_staff, house), connecting=here.connecting, claims=here.claims, trials=here.trials,
        checks=here.checks, waiting=here.waiting, title=here.title, base_url=house.settings.base_url,
    )  # fmt: skip


def _dispositions(house: House) -> Any:
    """What went, with its certificates."""

    def today(connection: Connection) -> date:
        return house.clock.now().astimezone(house.entered(connection).zone).date()

    parts = disposition_views.DispositionParts(
        database=house.database, staff=partial(_staff, house), dispose=lambda: house.rights.dispose, today=today
    )
    return disposition_views.blueprint(parts)


def _connections(house: House) -> connection_views.ConnectionParts:
    """What a district lets in, and taking it back."""

    def receipt(connection: Connection, district_id: DistrictId, grant: GrantView, revocation_id: UUID) -> bytes:
        return receipt_file(connection, house.document_keys, district_id, grant, revocation_id)

    return connection_views.ConnectionParts(
        database=house.database,
        staff=partial(_staff, house),
        withdraw=house.grants.withdraw,
        population=house.grants.population,
        clock=house.clock,
        receipt=receipt,
        sessions=SignInHouse(house).live_sessions,
    )


def _district(house: House) -> Any:
    return district_home.blueprint(house, partial(_staff, house))


def _incidents(house: House) -> Any:
    return incident_pages.blueprint(house, partial(_staff, house))


def _requests(house: House) -> Any:
    """The guardian's door, and what a district has to answer."""

    def staff() -> tuple[DistrictId, str]:
        found = _staff(house, Permission.ANSWER_REQUESTS)
        if found.district_id is None:
            raise NotFound("Sign in as an administrator of the district.")
        return found.district_id, f"session:{found.id}"

    key, rights = house.ring.signing_keys("limits")[0], house.rights
    hold_back = Limit(key, house.settings.redis_url, REQUESTS_PER_ADDRESS, of="requests")
    parts = guardian_views.GuardianParts(
        requests=rights.requests, own=rights.own_requests, staff=staff, hold_back=hold_back
    )
    return guardian_views.blueprint(parts)


def _people(house: House) -> Any:
    """Looking at people with a reason, and what may be done for them."""
    rights = house.rights
    parts = people_views.PeopleParts(
        staff=partial(_staff, house), access=rights.access, rights=rights.rights, correct=rights.correct,
        blocks=lambda: rights.blocks, erase=lambda: rights.erase,
    )  # fmt: skip
    return people_views.blueprint(parts)


def _candidates(house: House) -> Any:
    """Who may be one, and who was found to be."""
    rights = house.rights
    parts = candidate_views.CandidateParts(
        staff=partial(_staff, house), access=rights.access, candidates=rights.candidates, now=house.clock.now
    )
    return candidate_views.blueprint(parts)


def _own_pages(house: House) -> list[Any]:
    """What is known about whoever reads it, by which accounts they come, and where they are signed in."""
    signing_in = SignInHouse(house)

    def who() -> OwnSession:
        # Whoever signed in comes by a ticket, too (`/learn`): a cookie for the whole site opens no page of this kind.
        return house.rights.own_door.who(request.cookies.get(own_views.COOKIE, ""))

    leaving = Disconnect(
        database=house.database, district=house.entered, states=house.rights.way_states,
        give_back=house.grants.give_back, clock=house.clock,
    )  # fmt: skip
    parts = own_views.OwnParts(
        door=house.rights.own_door, who=who, page=OwnPages(house, signing_in, leaving),
        locale=lambda: str(get_locale()), base_url=house.settings.base_url,
    )  # fmt: skip
    of_sessions = own_session_views.OwnSessionParts(sessions=signing_in.live_sessions, who=who)
    of_accounts = linking_views.LinkingParts(
        linking=signing_in.linking, who=who, title=signing_in.title, locale=lambda: str(get_locale()),
        base_url=house.settings.base_url,
    )  # fmt: skip
    return [
        own_views.blueprint(parts), own_session_views.blueprint(of_sessions), linking_views.blueprint(of_accounts),
        disconnect_views.blueprint(disconnect_views.DisconnectParts(disconnect=leaving, who=who)),
        own_rights.blueprint(house, who),
    ]  # fmt: skip


def _log(house: House) -> Any:
    """The log, for those of a district's staff who may see it."""

    def opened() -> StaffLog:
        staff = _staff(house, Permission.SEE_LOG)
        if staff.district_id is None:
            raise NotFound("Sign in as an administrator of the district.")
        return StaffLog(house, staff.district_id, staff.id)

    return log_views.blueprint(log_views.LogParts(opened=opened))


def _lessons(house: House) -> Any:
    """The lesson pages; the browser's cookie is for one lesson's address alone, so that two launches do not mix."""

    def open_ticket(ticket: str, lesson_id: str) -> LaunchContext | None:
        handed = house.handoff.exchange(ticket, lesson_id)
        if handed is not None:
            _keep_cookie(house.settings, handed)
        return None if handed is None else _context(house, handed)

    def resume(lesson_id: str) -> LaunchContext | None:
        for name in (COOKIE + "_s", COOKIE):
            cookie = request.cookies.get(name)
            handed = house.handoff.resume(cookie, lesson_id) if cookie else None
            if handed is not None:
                return _context(house, handed)
        return None

    pages = lesson_views.blueprint(catalogue=house.catalogue, open_ticket=open_ticket, resume=resume)
    return pages


def _progress(house: House) -> Any:
    def origins() -> frozenset[str]:
        return frozenset(lesson.origin for lesson in house.catalogue.lessons() if lesson.origin is not None)

    return progress_views.blueprint(
        progress_views.ProgressParts(
            progress=house.progress(),
            handoff=house.handoff,
            origins=origins,
            api_url=f"{house.settings.base_url}/api/v1",
        )
    )


def _context(house: House, handed: HandedOver) -> LaunchContext:
    session = handed.session
    return LaunchContext(
        token=handed.token,
        lesson_id=session.lesson_id,
        api=f"{house.settings.base_url}/api/v1",
        locale=session.locale,
        activity_id=session.activity_id,
        own_ticket=house.rights.own_door.ticket(session.district_id, session.id, session.expires_at),
    )


def _keep_cookie(settings: Settings, handed: HandedOver) -> None:
    """For a reload alone. As at login, a plain twin goes along over plain http (loopback)."""
    cookie, path = handed.cookie or "", f"{urlsplit(settings.base_url).path}/lessons/{handed.session.lesson_id}"

    @after_this_request
    def keep(response: Response) -> Response:
        set_token(
            response, COOKIE + "_s", cookie, path=path, secure=True, httponly=True, samesite="None", partitioned=True
        )
        if not settings.https:
            set_token(response, COOKIE, cookie, path=path, httponly=True, samesite="Lax")
        return response


__all__ = ["House", "build_house", "create_app", "run_worker"]
