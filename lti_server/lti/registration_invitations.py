"""Dynamic registration by invitation: an LMS registers itself through a link, once (LTI Dynamic Registration 1.0)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lti_server.db import Database, Door, close_door, enter_by, open_door
from lti_server.errors import Conflict, InvalidInput, NotFound, ProviderFailed, ProviderRejectedUs
from lti_server.ids import Clock, DistrictId, new_id
from lti_server.lti import dynamic_registration as rules
from lti_server.lti.dynamic_registration import PlatformConfiguration, UrlCheck
from lti_server.lti.registrations import Platform, Registered
from lti_server.lti.tool_description import Tool
from lti_server.privacy import log
from lti_server.privacy.crypto import KeyRing, new_token, token_hash
from lti_server.privacy.districts import District, current
from lti_server.providers.errors import BrokeContract, ProviderFault, RejectedCredentials
from lti_server.providers.spi import Transport
from lti_server.providers.wire import Authorization, Response, host_of

INVITATION_LIFE = timedelta(days=7)
CLAIM_LIFE = timedelta(seconds=120)
"""Longer than the two requests to the LMS can take, so that a claim outlives its attempt only where that died."""
PURPOSE = "operation"


class LimitedTransport(Transport, Protocol):
    """A transport that can be kept to some hosts."""

    def limited_to(self, hosts: frozenset[str]) -> Transport: ...


class TakesPlatforms(Protocol):
    """Where a platform that registered itself is kept."""

    def take(self, connection: Connection, district_id: DistrictId, platform: Platform) -> Registered: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A registration that an LMS made, and what the LMS said it can do."""

    registered: Registered
    configuration: PlatformConfiguration


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """One attempt's hold on an invitation."""

    id: UUID
    invitation_id: UUID
    district_id: DistrictId


_LOOK = sa.text("SELECT 1 FROM platform_invitation WHERE token_hash = :token AND used_at IS NULL AND expires_at > :now")
_CLAIM = sa.text(
    "UPDATE platform_invitation SET claim = :claim, claimed_until = :until"
    " WHERE token_hash = :token AND used_at IS NULL AND expires_at > :now"
    " AND (claimed_until IS NULL OR claimed_until <= :now) RETURNING id, district_id"
)
_RELEASE = sa.text(
    "UPDATE platform_invitation SET claim = NULL, claimed_until = NULL WHERE claim = :claim AND used_at IS NULL"
)
_SPEND = sa.text(
    "UPDATE platform_invitation SET used_at = :now, claim = NULL, claimed_until = NULL, registration_id = :registration"
    " WHERE id = :id AND claim = :claim AND used_at IS NULL RETURNING 1"
)
_MAKE = sa.text(
    "INSERT INTO platform_invitation (id, district_id, token_hash, created_at, expires_at)"
    " VALUES (:id, :district, :token, :now, :until)"
)


class RegistrationInvitations:
    """Makes, shows and spends the links. Nothing about a person is read or written."""

    def __init__(
        self,
        *,
        database: Database,
        ring: KeyRing,
        registrations: TakesPlatforms,
        transport: Callable[[], LimitedTransport],
        tool: Tool,
        check_url: UrlCheck,
        clock: Clock,
    ) -> None:
        self._database = database
        self._ring = ring
        self._registrations = registrations
        self._transport = transport
        self._tool = tool
        self._check_url = check_url
        self._clock = clock

    def invite(self, district_id: DistrictId) -> tuple[str, datetime]:
        """The token of a new invitation, and until when it holds."""
        token, now = new_token(), self._clock.now()
        until, invitation_id = now + INVITATION_LIFE, new_id()
        with self._database.tenant(district_id) as connection:
            open_door(connection, Door.PLATFORM_INVITATION, token_hash(token), invitation_id, until)
            values = {"id": invitation_id, "district": district_id, "token": token_hash(token)}
            connection.execute(_MAKE, {**values, "now": now, "until": until})
        return token, until

    def look(self, token: str, configuration_url: str, registration_token: str | None) -> District:
        """Whose invitation it is, if the platform's link can be used; spends and calls nothing.

        Raises:
            NotFound: the invitation was used, is too old, or never was.
            InvalidInput: what the platform put into the link is not usable.
        """
        with self._database.anyone() as connection:
            enter_by(connection, Door.PLATFORM_INVITATION, token_hash(token))
            found = connection.execute(_LOOK, {"token": token_hash(token), "now": self._clock.now()})
            if found.one_or_none() is None:
                raise _spent()
            district = current(connection, self._ring)
        rules.check_asked(configuration_url, registration_token, self._check_url)
        return district

    def register(self, token: str, configuration_url: str, registration_token: str | None) -> Made:
        """Register this tool at the platform, and keep the platform as `pending`. Only success spends the invitation.

        Raises:
            NotFound, InvalidInput: as `look`. Conflict: the invitation is being used right now, or the platform
            gave what is in use. ProviderFailed, NotAllowed: the platform failed, or may not be believed.
        """
        self.look(token, configuration_url, registration_token)
        with self._claimed(token) as claim:
            configuration = self._configuration(configuration_url, registration_token)
            answer = rules.read_answer(self._registration(configuration, configuration_url, registration_token))
            platform = Platform(
                issuer=configuration.issuer, client_id=answer.client_id,
                auth_login_url=configuration.auth_login_url, auth_token_url=configuration.auth_token_url,
                jwks_url=configuration.jwks_url, token_audience=configuration.token_audience, shared_id=True,
                deployment_ids=() if answer.deployment_id is None else (answer.deployment_id,),
                product_family=configuration.product,
            )  # fmt: skip
            return Made(registered=self._keep(claim, token, platform), configuration=configuration)

    @contextmanager
    def _claimed(self, token: str) -> Iterator[_Claim]:
        """Hold the invitation while the platform is asked; what fails gives it back."""
        now, claim_id = self._clock.now(), new_id()
        values = {"token": token_hash(token), "claim": claim_id, "now": now, "until": now + CLAIM_LIFE}
        with self._database.anyone() as connection:
            enter_by(connection, Door.PLATFORM_INVITATION, token_hash(token))
            row = connection.execute(_CLAIM, values).one_or_none()
        if row is None:
            raise Conflict("This link is being used at this moment. Wait two minutes, then try again.")
        claim = _Claim(id=claim_id, invitation_id=row.id, district_id=DistrictId(row.district_id))
        try:
            yield claim
        except BaseException:
            with self._database.tenant(claim.district_id) as connection:
                connection.execute(_RELEASE, {"claim": claim.id})
            raise

    def _keep(self, claim: _Claim, token: str, platform: Platform) -> Registered:
        now = self._clock.now()
        try:
            with self._database.anyone() as connection:
                made = self._registrations.take(connection, claim.district_id, platform)
                spent = {"id": claim.invitation_id, "claim": claim.id, "registration": made.id, "now": now}
                if connection.execute(_SPEND, spent).one_or_none() is None:
                    raise _spent()
                close_door(connection, Door.PLATFORM_INVITATION, claim.invitation_id)
                log.record(connection, self._entry(current(connection, self._ring), claim, made, now))
        except (Conflict, InvalidInput, NotFound) as error:
            raise Conflict(
                "The LMS made an entry for this tool that cannot be kept here: its ids are in use already, or are not "
                "as they must be. Delete the entry in the LMS. This link still works.",
                internal=error.detail,
            ) from error
        return made

    def _entry(self, district: District, claim: _Claim, made: Registered, now: datetime) -> Mapping[str, object]:
        return log.entry(
            district.keys, at=now, actor=f"invitation:{claim.invitation_id}", act="platform register",
            decision="allowed", purpose=PURPOSE, payload={"registration": str(made.id), "state": made.state},
        )  # fmt: skip

    def _configuration(self, url: str, token: str | None) -> PlatformConfiguration:
        """Canvas wants the token here already; others do not mind it."""
        with _in_words():
            answer = self._ask("GET", url, token)
            if answer.status != 200:
                raise _unexpected("configuration", answer)
            document = answer.json()
        return rules.read_configuration(document, url, self._check_url, with_token=token is not None)

    def _registration(self, configuration: PlatformConfiguration, url: str, token: str | None) -> Any:
        body = rules.registration_body(self._tool, configuration)
        with _in_words():
            answer = self._ask("POST", configuration.registration_url, token, body)
            if answer.status not in (200, 201):
                raise _unexpected("registration", answer)
            return answer.json()

    def _ask(self, method: str, url: str, token: str | None, body: object = None) -> Response:
        """One request to one host: no redirect leads elsewhere, and the token goes nowhere else."""
        host = host_of(url)
        return (
            self._transport()
            .limited_to(frozenset({host}))
            .request(
                method,
                url,
                headers={"Accept": "application/json"},
                json=body,
                authorization=None if token is None else Authorization.bearer(token, hosts={host}),
            )
        )


@contextmanager
def _in_words() -> Iterator[None]:
    """What the transport raises, for the administrator who stands before the LMS. Only hosts are named, in the log."""
    try:
        yield
    except RejectedCredentials as fault:
        raise ProviderRejectedUs(
            "The LMS did not accept its own registration token; it may be too old or used. This link still works: "
            "begin again in the LMS.",
            internal=fault.detail,
        ) from None
    except BrokeContract as fault:
        raise ProviderFailed(
            "The LMS answered with something that this server does not take: no JSON, too much, or a redirect to "
            "another host. Nothing was kept. This link still works: tell the operator of the LMS, or register it by "
            "hand.",
            internal=fault.detail,
        ) from None
    except ProviderFault as fault:
        raise ProviderFailed(
            "The LMS did not answer in time, or with a failure of its own. Nothing was kept. This link still works: "
            "try again in a few minutes.",
            internal=fault.detail,
        ) from None


def _unexpected(what: str, answer: Response) -> ProviderFailed:
    return ProviderFailed(
        "The LMS refused to let this tool register. Nothing was kept. This link still works: begin again in the LMS, "
        "and ask its operator if it stays so.",
        internal=f"{host_of(answer.url)} answered {answer.status} to the {what}",
    )


def _spent() -> NotFound:
    return NotFound("This link was used or is too old. Ask whoever sent it for another (lti-server platform invite).")
