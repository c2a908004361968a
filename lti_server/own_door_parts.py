"""Registering oneself and signing in by e-mail, joined once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flask import url_for

from lti_server.accounts import email_views, renewing
from lti_server.accounts.browser_states import BrowserStates
from lti_server.accounts.email_sign_in import EmailSignIn
from lti_server.accounts.live_sessions import Which
from lti_server.accounts.person_sessions import Opened
from lti_server.accounts.provider_connections import Opening, ProviderConnections
from lti_server.accounts.registering import Registering
from lti_server.accounts.renewing import Renew
from lti_server.accounts.sign_up_answers import SignUpAnswers
from lti_server.errors import InvalidInput
from lti_server.house import House
from lti_server.ids import DistrictId, PersonId
from lti_server.mail import MailNow
from lti_server.privacy.districts import District
from lti_server.privacy.grant_states import Use
from lti_server.privacy.signing import Signing
from lti_server.sign_in_parts import SignInHouse
from lti_server.tasks import Round
from lti_server.web.limits import LETTERS_PER_ADDRESS, Limit


@dataclass(frozen=True)
class ByOperatorsApplication:
    """Connects providers to the built-in tenants, which have no application of their own."""

    connections: ProviderConnections

    def check(self, provider: str) -> None:
        if not self.connections.connectable(provider).own_accounts:
            raise InvalidInput(f"{provider} has no accounts that are people's own. Leave it out.")
        if self.connections.application_of(provider) is None:
            raise InvalidInput(
                f"The operator has no application at {provider}. "
                f"Keep one with `lti-server provider connect {provider}`, without a district."
            )

    def connect(self, district_id: DistrictId, provider: str, *, by: str) -> None:
        opening = Opening(uses=frozenset({Use.SIGN_IN}), holds_tenant=False)
        self.connections.connect(district_id, provider, {}, by=by, opening=opening)


@dataclass(frozen=True)
class OwnDoorHouse:
    """Built from what the house has."""

    of: House

    @cached_property
    def registering(self) -> Registering:
        of = self.of
        return Registering(
            database=of.database, ring=of.ring, doors=lambda: of.doors, district=of.entered,
            signing=self._signing, policies=of.policies,
            connect=ByOperatorsApplication(SignInHouse(of).connections), journal=lambda: of.journal, clock=of.clock,
        )  # fmt: skip

    @property
    def rounds(self) -> Sequence[Round]:
        """What a worker does at its times."""
        renew = Renew(registering=self.registering, signing=self._signing, clock=self.of.clock)
        return (Round(task=renewing.TASK, cron=renewing.RENEW_AT, work=renew),)

    @cached_property
    def mail(self) -> MailNow:
        settings = self.of.settings
        return MailNow(self.of.clock, smtp_url=settings.smtp_url, mail_from=settings.mail_from)

    @cached_property
    def sign_in(self) -> EmailSignIn:
        of = self.of
        return EmailSignIn(
            database=of.database, registering=self.registering, district=of.entered, policies=of.policies,
            send=self.mail, end_others=self._end_others, kept_in=of.settings.country, clock=of.clock,
        )  # fmt: skip

    @cached_property
    def answers(self) -> SignUpAnswers:
        of = self.of
        states = BrowserStates(of.ring.signing_keys("sign-up-age"), salt="sign-up-age", clock=of.clock)
        return SignUpAnswers(states, https=of.settings.https)

    def desks(self, new: bool) -> Sequence[str]:
        """Whose people come by e-mail, by country; none without a mail server."""
        return self.registering.countries(new=new) if self.mail.ready else ()

    def blueprint(self) -> Any:
        """The pages of those who come by e-mail."""
        of = self.of
        key = of.ring.signing_keys("limits")[0]
        parts = email_views.EmailParts(
            sign_in=self.sign_in, sessions=SignInHouse(of).sessions, desks=self.desks,
            answers=self.answers, ways=SignInHouse(of).own_accounts.ways,
            hold_back=Limit(key, of.settings.redis_url, LETTERS_PER_ADDRESS, of="letters"),
            home=lambda: url_for("learn.index"), base_url=of.settings.base_url,
        )  # fmt: skip
        return email_views.blueprint(parts)

    def _signing(self) -> Signing:
        of = self.of
        return Signing(of.database, of.retain, of.journal, of.clock)

    def _end_others(self, district: District, person_id: PersonId, opened: Opened) -> None:
        which = Which(person_id=person_id, but=opened.session_id)
        SignInHouse(self.of).live_sessions.end(district.id, which, by=f"person:{person_id}")
