"""Checks of the sign-in contract: what a provider says of a person, does not say, or says oddly."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from functools import partial
from typing import Any, Final

from lti_server.providers.errors import ProviderFault
from lti_server.testing.alterations import with_more, with_values, without_values
from lti_server.testing.applying import only_where
from lti_server.testing.contract import NAME_FIELDS, instead
from lti_server.testing.recorded import UnrecordedRequest, exchanges
from lti_server.testing.signing_in import SigningIn

CANARY: Final = "canary-4e1c"
UNHEARD_OF: Final = {
    "picture": f"https://pictures.example/{CANARY}.png",
    "place_of_birth": CANARY,
    "x_of_tomorrow": {"formatted": CANARY},
    "y_of_tomorrow": [CANARY],
}
ODD_IDS: Final = ("a\x00b", "a\ud800b", "x" * 100_000, "\u202eid", "<b>")
TOLD: Final = (*NAME_FIELDS, "email", "phone", "username")
UNVERIFIED: Final = (False, None, "false", "", 0)


class ClaimChecks(SigningIn):
    """Nobody is kept out for what is withheld, nobody is let in without an id, and nothing unasked for comes out."""

    @only_where(lambda self: self.told("email"), "the recording has no e-mail")
    def test_a_missing_email_keeps_nobody_out(self) -> None:
        """Schools withhold e-mail addresses; whoever has none is the same person."""
        emails = self.told("email")
        run = self.run(self.id_tokens.everywhere(lambda read: without_values(read, emails)))
        self.same_person(run, "a missing e-mail")
        assert all(not person.email for person in run.people), "an e-mail comes out that no answer holds"

    @only_where(lambda self: self.told(*TOLD), "the recording tells nothing that could be declined")
    def test_a_declined_scope_keeps_nobody_out(self) -> None:
        """Whoever agrees to less than was asked for is the same person, with less known of them."""
        told = self.told(*TOLD)

        def less(read: Any) -> Any:
            kept = without_values(read, told)
            return {**kept, "scope": "openid"} if isinstance(kept, dict) and "scope" in kept else kept

        self.same_person(self.run(self.id_tokens.everywhere(less)), "a declined scope")

    def test_an_unverified_email_is_not_called_verified(self) -> None:
        """`email_verified` is the provider's own word, and false, absent or odd is no."""
        good = self.good().identity
        tokens = self.id_tokens
        found = [one.body for one in exchanges(self._said("recording"))]
        if not any(map(_says_verified, (*found, tokens.claims))):
            assert good is None or not good.email_verified, "an e-mail is called verified that no answer calls so"
            return
        for value in UNVERIFIED:
            run = self.run(tokens.everywhere(partial(_verified_as, value)))
            assert run.error is None or isinstance(run.error, ProviderFault), instead(run, f"email_verified {value!r}")
            called = run.identity is not None and run.identity.email_verified
            assert not called, f"an e-mail is called verified where the provider says {value!r}"

    def test_what_is_not_declared_goes_nowhere(self) -> None:
        """A picture, and whatever a vendor tells from tomorrow on, comes out in no record."""
        run = self.run(self.id_tokens.everywhere(lambda read: with_more(read, UNHEARD_OF)))
        self.same_person(run, "an entry that nobody has heard of")
        assert run.identity is not None
        assert CANARY not in str(dataclasses.asdict(run.identity)), "what the manifest does not name comes out"

    @only_where(lambda self: self.told(*NAME_FIELDS, "email"), "the recording has no name and no e-mail")
    def test_a_megabyte_is_borne_or_refused(self) -> None:
        """Endless names and e-mails end in the same person or in a fault of the interface."""
        for values in (self.told(*NAME_FIELDS), self.told("email")):
            run = self.run(self.replaced(values, "x" * 1_000_000))
            if not isinstance(run.error, ProviderFault):
                self.same_person(run, "a megabyte of text")

    @only_where(
        lambda self: self._ids(), "no answer holds the subject, and `subject_from` does not say what it is from"
    )
    def test_nobody_comes_in_without_an_id(self) -> None:
        """An id that is absent, empty or no text is nobody's: each of them would be one account for all who lack it."""
        nothing: tuple[object, ...] = (None, "", [], {}, False)
        for value in nothing:
            run = self.run(self.replaced(self._ids(), value))
            self.nobody(run, f"the id {value!r}")

    @only_where(
        lambda self: self._ids(), "no answer holds the subject, and `subject_from` does not say what it is from"
    )
    def test_an_odd_id_is_no_bare_error(self) -> None:
        """An id with hostile characters is taken as it is, asked for, or refused with a fault of the interface."""
        told = (ProviderFault, UnrecordedRequest)
        good = self.good().identity
        for value in ODD_IDS:
            run = self.run(self.replaced(self._ids(), value), may_ask_on=True)
            assert run.error is None or isinstance(run.error, told), instead(run, f"the id {value[:9]!r}")
            same = run.identity is not None and good is not None and run.identity.subject == good.subject
            assert not same, "an odd id is the account of another"

    def _ids(self) -> Collection[object]:
        """The recorded values that make the subject, where an answer holds each as a value of its own."""
        who = self.good().identity
        assert who is not None
        answers = [one.body for one in exchanges(self._said("recording"))] + [self.id_tokens.claims]
        values = self.subject_from or (who.subject,)
        return values if all(with_values(answers, [one], None) != answers for one in values) else ()


def _is_verified(name: object) -> bool:
    return isinstance(name, str) and "verified" in name.lower()


def _says_verified(read: object) -> bool:
    inner: Collection[object] = read.values() if isinstance(read, dict) else read if isinstance(read, list) else ()
    return (isinstance(read, dict) and any(map(_is_verified, read))) or any(map(_says_verified, inner))


def _verified_as(value: object, read: Any) -> Any:
    if isinstance(read, dict):
        return {name: value if _is_verified(name) else _verified_as(value, one) for name, one in read.items()}
    return [_verified_as(value, one) for one in read] if isinstance(read, list) else read
