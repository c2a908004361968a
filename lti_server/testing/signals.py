"""The contract of a SignalReceiver."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from lti_server.providers.errors import BrokeContract, RejectedCredentials
from lti_server.providers.spi import SignalRequest
from lti_server.testing.applying import only_where
from lti_server.testing.contract import ProviderContract, Run, instead
from lti_server.testing.recorded import FakeClock, exchanges

MUCH_LATER = timedelta(days=30)
NONSENSE = (b"", b"nonsense", b"{}", b"[]", b"null", b"a.b.c", b"\xff\xfe\x00", b"x" * 100_000)


class SignalReceiverContract(ProviderContract):
    """Inherit, say `provider`, `config`, `recording`, `message`, `forged` and `for_others`, and every check runs.

    `message` is a good one, made for the time `now`. `forged` are the same but for the signature: another key, none,
    another algorithm. `for_others` are rightly signed, for another audience, issuer or purpose. A receiver that asks
    nobody for keys has an empty recording.
    """

    message: ClassVar[SignalRequest]
    forged: ClassVar[Sequence[SignalRequest]]
    for_others: ClassVar[Sequence[SignalRequest]]

    def exercise(self, plugin: Any, run: Run) -> None:
        self._parse(self._said("message"))(plugin, run)

    def found_anything(self, run: Run) -> bool:
        return bool(run.signals)

    def _parse(self, message: SignalRequest) -> Callable[[Any, Run], None]:
        def parse(plugin: Any, run: Run) -> None:
            run.signals.extend(plugin.parse(message))

        return parse

    def _telling(self, good: Run) -> set[str]:
        about = {signal.subject for signal in good.signals if signal.subject}
        sent = {self.message.body.decode(errors="replace").strip()}
        return super()._telling(good) | about | {text for text in sent if text}

    def test_the_recording_is_not_empty(self) -> None:
        """A receiver may know its keys; a message that says nothing proves nothing."""
        assert self.found_anything(self.good()), "nothing came out of the message"

    def test_a_forged_message_is_refused(self) -> None:
        """Whatever is not signed by the provider becomes RejectedCredentials, and no signal comes out."""
        assert self._said("forged"), "say what a forged message looks like"
        self._refused(self.forged, "a forged message")

    def test_a_message_for_others_is_refused(self) -> None:
        """One for another audience, issuer or purpose becomes RejectedCredentials, however well it is signed."""
        assert self._said("for_others"), "say what a message for others looks like"
        self._refused(self.for_others, "a message for others")

    def test_a_late_message_is_refused(self) -> None:
        """A month later, the same message becomes RejectedCredentials: nobody may keep one for another day."""
        run = self.run(clock=FakeClock(self.now + MUCH_LATER))
        assert isinstance(run.error, RejectedCredentials), instead(run, "a message of a month ago")

    def test_a_repeat_has_the_same_id(self) -> None:
        """The server knows a repeat by its id alone, so it is the provider's own and never made anew."""
        good = self.good()
        again = self.run(clock=FakeClock(self.now + timedelta(seconds=30)))
        assert [one.signal_id for one in again.signals] == [one.signal_id for one in good.signals], "the id changes"
        keys = [(one.kind, one.signal_id) for one in good.signals]
        assert all(one.signal_id for one in good.signals), "a signal has no id"
        assert len(keys) == len(set(keys)), "two signals of one message have one id"

    def test_nonsense_is_refused(self) -> None:
        """A body that is no message becomes RejectedCredentials or BrokeContract: never a bare error, never silence."""
        for body in NONSENSE:
            run = self.run(use=self._parse(dataclasses.replace(self.message, body=body)))
            good = isinstance(run.error, RejectedCredentials | BrokeContract)
            assert good, instead(run, f"a body of {len(body)} bytes of nonsense")

    @only_where(lambda self: exchanges(self._said("recording")), "the recording has no exchange")
    def test_every_recording_is_used(self) -> None:
        """As for every plugin; where nobody is asked for keys, there is none."""
        super().test_every_recording_is_used()

    def _refused(self, messages: Sequence[SignalRequest], what: str) -> None:
        for message in messages:
            run = self.run(use=self._parse(message))
            assert isinstance(run.error, RejectedCredentials), instead(run, what)
            assert not run.signals, f"signals come out of {what}"
