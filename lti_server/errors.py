"""What can go wrong, in families by what the caller should do. HTTP statuses live in `web.problems` alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar


class LtiServerError(Exception):
    """A failure that a person can act on.

    `detail` is for the person who reads it: what happened, where, what to do next; never personal data.
    `public` holds further safe members of the problem document; `internal` is for the log alone.
    """

    slug: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, detail: str = "", *, public: Mapping[str, object] | None = None, internal: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.public: Mapping[str, object] = dict(public or {})
        self.internal = internal

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.detail, dict(self.public), self.internal))


def _rebuild(kind: type[LtiServerError], detail: str, public: dict[str, object], internal: str) -> object:
    """An error crosses a process boundary (a worker's report) without losing what it says."""
    error = kind.__new__(kind)
    LtiServerError.__init__(error, detail, public=public, internal=internal)
    return error


class InvalidInput(LtiServerError):
    """Change what you sent. `public["errors"]` lists every fault as `{pointer, message}`."""

    slug = "invalid-input"
    title = "The request is not valid"

    @classmethod
    def listing(cls, detail: str, faults: Sequence[tuple[str, str]]) -> InvalidInput:
        """All faults at once, each as (JSON pointer or file path, message without the value)."""
        errors = [{"pointer": pointer, "message": message} for pointer, message in faults]
        return cls(detail, public={"errors": errors})


class TooLarge(InvalidInput):
    slug = "too-large"
    title = "The request is too large"


class NotAuthenticated(LtiServerError):
    """Sign in, or launch again."""

    slug = "not-authenticated"
    title = "You are not signed in"


class LaunchRejected(LtiServerError):
    """The LMS and this server must be set right before this launch can open.

    `reason` is a stable word for the hostile-launch table and the log; `detail` is what a teacher reads. `return_to` is
    the LMS's own address for a reader who comes back, where the message that named it was in order.
    """

    slug = "launch-rejected"
    title = "This lesson could not be opened"
    return_to: str | None = None

    def __init__(self, reason: str, detail: str, *, internal: str = "") -> None:
        super().__init__(detail, public={"reason": reason}, internal=internal)

    @property
    def reason(self) -> str:
        return str(self.public["reason"])


class SignInRefused(LtiServerError):
    """Nobody was signed in. `reason` is a stable word for the log and the tests; `detail` is what a pupil reads."""

    slug = "sign-in-refused"
    title = "You could not be signed in"

    def __init__(self, reason: str, detail: str, *, internal: str = "") -> None:
        super().__init__(detail, public={"reason": reason}, internal=internal)

    @property
    def reason(self) -> str:
        return str(self.public["reason"])


class LinkRefused(SignInRefused):
    """Nothing was linked, and everybody is who they were."""

    slug = "link-refused"
    title = "This account was not connected"


class NotAllowed(LtiServerError):
    """Ask whoever may allow it."""

    slug = "not-allowed"
    title = "This is not allowed"


class ContractForbids(NotAllowed):
    slug = "contract-forbids"
    title = "The district's contract does not allow this"


class NoContract(NotAllowed):
    slug = "no-contract"
    title = "The district has no contract in force"


class GrantRevoked(NotAllowed):
    slug = "grant-revoked"
    title = "Access was withdrawn"


class SignalRefused(NotAllowed):
    """The message was not believed; nothing was done."""

    slug = "signal-refused"
    title = "This message was not believed"


class NotFound(LtiServerError):
    """Absent, or not yours: the answer is the same."""

    slug = "not-found"
    title = "There is nothing here"


class Conflict(LtiServerError):
    slug = "conflict"
    title = "This is in conflict with what is already there"


class LogNotWhole(LtiServerError):
    """Somebody changed the log, or a part of it is lost. Keep the database as it is, and compare a backup."""

    slug = "log-not-whole"
    title = "The log is not what it was"


class SecretsMissing(LtiServerError):
    """Something in the database is under a secret that is not the current one, or none of those that are set."""

    slug = "secrets-missing"
    title = "Not everything is under the current secret"


class TooManyRequests(LtiServerError):
    """Wait `retry_after_s` seconds."""

    slug = "too-many-requests"
    title = "Too many requests"

    def __init__(self, detail: str, *, retry_after_s: int) -> None:
        super().__init__(detail, public={"retry_after_s": retry_after_s})


class ProviderFailed(LtiServerError):
    """The other side failed; nothing was changed here. Try again later, or tell its administrator."""

    slug = "provider-failed"
    title = "The other system did not answer as it should"


class ProviderRejectedUs(ProviderFailed):
    slug = "provider-rejected-us"
    title = "The other system refused this server's credentials"


class ProviderLimitsUs(ProviderFailed):
    slug = "provider-limits-us"
    title = "The other system asks this server to slow down"


class ConfigurationError(LtiServerError):
    """The set-up is wrong. `problems` names every fault, so that one round of mending is enough."""

    slug = "configuration"
    title = "The set-up is not complete"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(" ".join(problems), public={"problems": list(problems)})

    @property
    def problems(self) -> list[str]:
        found = self.public["problems"]
        assert isinstance(found, list)
        return found
