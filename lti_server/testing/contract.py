"""What every provider plugin promises, whatever it does; the contracts of each capability build on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

import pytest

from lti_server.providers.errors import (
    BrokeContract,
    ProviderFault,
    RateLimited,
    RejectedCredentials,
    Unavailable,
)
from lti_server.providers.manifest import CAPABILITY_METHODS, Capability, Manifest
from lti_server.providers.records import (
    RosterPage,
    Signal,
    SourceIdentity,
    SourcePerson,
    SourceToken,
    TokenKind,
)
from lti_server.providers.spi import SPI_VERSION, Clock
from lti_server.providers.wire import Response, host_of
from lti_server.testing.alterations import (
    FOREIGN_HOST,
    LIMITS,
    body_at,
    from_then_on,
    nonsense,
    silence_from,
)
from lti_server.testing.applying import checks_of, is_the_kits, may_not_apply, only_where
from lti_server.testing.conformance import faults_of
from lti_server.testing.leaks import overheard, texts_of
from lti_server.testing.recorded import NOON, Alter, FakeClock, RecordedTransport, Recording, exchanges
from lti_server.testing.summary import summary_of

NAME_FIELDS = ("given_name", "middle_name", "family_name", "full_name", "preferred_name")
SHORTEST_TELLING = 3
"""A shorter value turns up in any text by chance."""


@dataclass(slots=True, kw_only=True)
class Run:
    """One use of a fresh plugin over a recording: what came out, what it raised, what it said."""

    transport: RecordedTransport
    pages: list[RosterPage] = field(default_factory=list)
    identity: SourceIdentity | None = None
    signals: list[Signal] = field(default_factory=list)
    tenants: Sequence[str] = ()
    error: Exception | None = None
    said: str = ""

    @property
    def people(self) -> list[SourcePerson]:
        signed_in = [self.identity.person] if self.identity else []
        return [person for page in self.pages for person in page.people] + signed_in


class ProviderContract:
    """Subclasses say `provider`, `config` and `recording`; `now` is the time at which the recording was made.

    `does_not_apply` names each check that asks nothing of this provider, with the reason.
    """

    provider: ClassVar[type]
    config: ClassVar[Mapping[str, object]] = {}
    recording: ClassVar[Recording]
    now: ClassVar[datetime] = NOON
    revoked_token: ClassVar[SourceToken] = SourceToken(value="token-to-revoke", kind=TokenKind.ACCESS)
    does_not_apply: ClassVar[Mapping[str, str]] = {}

    def exercise(self, plugin: Any, run: Run) -> None:
        """The main use of the plugin; fills the run."""
        raise AssertionError("subclass the contract of a capability, such as RosterSourceContract")

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _counted(cls, request: pytest.FixtureRequest) -> None:
        """At the end of the run stands how many of the checks the plugin keeps, and what is left out, and why."""
        items = [one for one in request.session.items if one.parent is request.node]
        manifest = getattr(getattr(cls, "provider", None), "manifest", None)
        summary_of(request.config).follow(cls, getattr(manifest, "name", "a plugin"), items)

    # How the checks run the plugin

    @property
    def manifest(self) -> Manifest:
        manifest = getattr(self._said("provider"), "manifest", None)
        assert isinstance(manifest, Manifest), "the plugin's class needs a `manifest` attribute of kind Manifest"
        return manifest

    def run(
        self,
        alter: Alter | None = None,
        *,
        use: Callable[[Any, Run], None] | None = None,
        recording: Recording | None = None,
        clock: Clock | None = None,
        may_ask_on: bool = False,
    ) -> Run:
        """Build a fresh plugin and use it. A request that is not in the recording fails the check at once.

        `may_ask_on` is for a changed id, by which a plugin may ask for more: then the run ends there.
        """
        at = clock or FakeClock(self.now)
        answers = self._said("recording") if recording is None else recording
        run = Run(transport=RecordedTransport(answers, clock=at, alter=alter))
        with overheard() as heard:
            try:
                config = self.manifest.read_config(self.config)
                (use or self.exercise)(self.provider(config=config, transport=run.transport, clock=at), run)
            except Exception as error:  # whatever it raises is looked at
                run.error = error
        run.said = heard.getvalue() + (texts_of(run.error) if run.error else "")
        known = [one for one in run.transport.unrecorded if FOREIGN_HOST not in one]
        assert may_ask_on or not known, f"the recording has no answer to {known[0]}"
        return run

    def good(self) -> Run:
        """A run over the recording as it is.

        Raises:
            AssertionError: it fails, so that nothing else can be checked.
        """
        run = self.run()
        if run.error is not None:
            raise AssertionError("the plugin fails on its own recording") from run.error
        return run

    def altered(self, make: Callable[[int], Alter]) -> Iterator[tuple[int, Run]]:
        """One run for each answer of the good run, which the alteration begins at or changes."""
        for ordinal in range(len(self.good().transport.sent)):
            yield ordinal, self.run(make(ordinal))

    def asks(self) -> bool:
        """Whether a good run asks the provider anything: a receiver may know its keys."""
        return bool(self.good().transport.sent)

    def _said(self, name: str) -> Any:
        assert hasattr(self, name), f"{type(self).__name__} must say `{name} = …`"
        return getattr(self, name)

    # The checks

    def test_every_check_stands(self) -> None:
        """No check is taken away or replaced; what is said not to apply is one that may not, and has its reason."""
        for name in checks_of(type(self)):
            assert is_the_kits(getattr(type(self), f"test_{name}", None)), f"{name} is taken away or replaced"
        for name, reason in self.does_not_apply.items():
            known = may_not_apply(getattr(type(self), f"test_{name}", None))
            assert known, f"there is no check named {name} that could not apply"
            assert reason.strip(), f"`does_not_apply` says of {name}, and not why"

    def test_manifest_and_class_agree(self) -> None:
        """The manifest is sound, fits this interface, and declares exactly the capabilities that the class has."""
        assert self.manifest.faults() == []
        major, minor = self.manifest.spi_version
        assert major == SPI_VERSION[0], f"made for another interface than {SPI_VERSION}"
        assert minor <= SPI_VERSION[1], f"made for a newer interface than {SPI_VERSION}"
        for capability, methods in CAPABILITY_METHODS.items():
            has = [callable(getattr(self.provider, method, None)) for method in methods]
            declared = capability in self.manifest.capabilities
            assert all(has) if declared else not all(has), (
                f"{capability} is {'declared' if declared else 'not declared'}, and the class "
                f"{'lacks' if declared else 'has'} {', '.join(methods)}"
            )

    def test_building_it_sends_nothing(self) -> None:
        """A plugin is built to look at it, too; it must not call anyone for that."""
        run = self.run(use=lambda _plugin, _run: None)
        assert run.transport.sent == [], "the plugin sends a request while it is built"

    def test_the_recording_is_not_empty(self) -> None:
        """An empty recording proves nothing, so it is a failure and not a pass."""
        assert exchanges(self._said("recording")), "the recording has no exchange"
        assert self.found_anything(self.good()), "nothing came out of the recording"

    def found_anything(self, run: Run) -> bool:
        return bool(run.people)

    def test_every_recording_is_used(self) -> None:
        """An exchange that nothing asks for is a leftover, or a call that the plugin forgot."""
        run = self.good()
        used = set(run.transport.used)
        if Capability.REVOKE in self.manifest.capabilities:
            used |= self.run(use=lambda plugin, _run: plugin.revoke(self.revoked_token)).transport.used
        left = [one for number, one in enumerate(exchanges(self.recording)) if number not in used]
        assert not left, f"nothing asks for {left[0].method} {left[0].url}"

    @only_where(lambda self: self.asks(), "the plugin asks its provider nothing")
    def test_hosts_are_declared(self) -> None:
        """Nothing is called that the manifest does not name."""
        allowed = self.manifest.hosts_for(self.manifest.read_config(self.config))
        for _method, url in self.good().transport.sent:
            assert host_of(url) in allowed, f"{host_of(url)} is not among the manifest's hosts"

    def test_only_records_come_out(self) -> None:
        """The frozen records of the interface, each value of its declared type; no subclass, no vendor object."""
        run = self.good()
        results: list[tuple[object, type]] = [(page, RosterPage) for page in run.pages]
        if run.identity is not None:
            results.append((run.identity, SourceIdentity))
        results += [(signal, Signal) for signal in run.signals]
        for result, kind in results:
            assert list(faults_of(result, kind, kind.__name__)) == []

    @only_where(lambda self: self.asks(), "the plugin asks its provider nothing")
    def test_a_rate_limit_is_told_with_its_seconds(self) -> None:
        """429 at any request becomes RateLimited with the wait, told in seconds or as a date."""
        for told, seconds in LIMITS.items():
            for ordinal, run in self.altered(partial(from_then_on, status=429, headers={"retry-after": told})):
                assert isinstance(run.error, RateLimited), instead(run, f"429 at request {ordinal}")
                assert run.error.retry_after_s == seconds, f"the wait is {seconds} s at request {ordinal}"

    @only_where(lambda self: self.asks(), "the plugin asks its provider nothing")
    def test_refused_credentials_are_told(self) -> None:
        """401 at any request becomes RejectedCredentials: it is no empty answer, and no outage."""
        for ordinal, run in self.altered(partial(from_then_on, status=401)):
            assert isinstance(run.error, RejectedCredentials), instead(run, f"401 at request {ordinal}")

    @only_where(lambda self: self.asks(), "the plugin asks its provider nothing")
    def test_an_outage_is_told(self) -> None:
        """5xx and silence at any request become Unavailable: the caller tries again, and nothing is lost."""
        makers: Sequence[Callable[[int], Alter]] = (
            partial(from_then_on, status=500),
            partial(from_then_on, status=503),
            silence_from,
        )
        for make in makers:
            for ordinal, run in self.altered(make):
                assert isinstance(run.error, Unavailable), instead(run, f"an outage at request {ordinal}")

    @only_where(lambda self: self.asks(), "the plugin asks its provider nothing")
    def test_a_broken_answer_is_told(self) -> None:
        """Nonsense at any request becomes BrokeContract or Unavailable: never a bare KeyError, never silence."""
        bodies: list[bytes] = []

        def note(_ordinal: int, response: Response) -> Response:
            bodies.append(response.body)
            return response

        self.run(note)
        for ordinal, body in enumerate(bodies):
            for name, broken in nonsense(body):
                run = self.run(body_at(ordinal, broken))
                good = isinstance(run.error, BrokeContract | Unavailable)
                assert good, instead(run, f"{name} at request {ordinal}")

    @only_where(lambda self: self._telling(self.good()), "nothing in configuration and recording is personal or secret")
    def test_nothing_personal_or_secret_is_said(self) -> None:
        """No log record, print, warning or exception holds a name, an e-mail, a token or a secret."""
        good = self.good()
        telling = self._telling(good)
        echo = json.dumps(sorted(telling))
        runs = [good]
        for status in (400, 401, 404, 429, 500):
            runs += [run for _, run in self.altered(partial(from_then_on, status=status, body=echo))]
        for broken in (echo[:-3], "<" + echo, echo, *self._cut_bodies()):
            runs += [run for _, run in self.altered(partial(body_at, body=broken.encode()))]
        for run in runs:
            for value in telling:
                assert value not in run.said, "a name, an e-mail, a token or a secret is logged or raised"

    def _telling(self, good: Run) -> set[str]:
        config = self.manifest.read_config(self.config)
        people = (getattr(person, name) for person in good.people for name in (*NAME_FIELDS, "email", "phone"))
        tokens = (token.value for token in good.identity.tokens) if good.identity else ()
        told: Iterable[object] = [*self.manifest.secrets_in(config), *people, *tokens, *self._tokens_of_recording()]
        return {value for value in told if isinstance(value, str) and len(value) >= SHORTEST_TELLING}

    def _cut_bodies(self) -> list[str]:
        bodies = [one.response().body.decode() for one in exchanges(self.recording)]
        return [body[:-3] for body in bodies if len(body) > SHORTEST_TELLING]

    def _tokens_of_recording(self) -> list[str]:
        bodies = [one.body for one in exchanges(self.recording) if isinstance(one.body, dict)]
        named = [(str(name), value) for body in bodies for name, value in body.items()]
        return [value for name, value in named if name.endswith("_token") and isinstance(value, str)]

    @only_where(lambda self: self.revocations(), "the plugin tells its provider of no revocation")
    def test_revoking_twice_is_fine(self) -> None:
        """A token that is worthless already counts as revoked (RFC 7009 2.2)."""
        last, invalid = self.revocations()[-1], '{"error": "invalid_token"}'
        for alter in (None, from_then_on(last, status=400, body=invalid), from_then_on(last, status=200)):
            run = self.run(alter, use=self._revoke_twice)
            assert run.error is None, instead(run, "a second revocation")

    def revocations(self) -> list[int]:
        """At which requests a plugin that revokes a token twice tells its provider so."""
        if Capability.REVOKE not in self.manifest.capabilities:
            return []
        sent = self.run(use=self._revoke_twice).transport.sent
        return [ordinal for ordinal, (method, _) in enumerate(sent) if method != "GET"]

    def _revoke_twice(self, plugin: Any, _run: Run) -> None:
        plugin.revoke(self.revoked_token)
        plugin.revoke(self.revoked_token)


def instead(run: Run, after: str) -> str:
    """What a run did, by kind alone: the text of a failure may hold anything."""
    if run.error is None:
        return f"after {after}, the plugin goes on as if nothing were wrong"
    known = "" if isinstance(run.error, ProviderFault) else ", which is no error of the interface"
    return f"after {after}, the plugin raises {type(run.error).__name__}{known}"
