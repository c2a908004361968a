"""What a provider plugin may raise, in families by what the caller should do; part of the SPI.

These stand below `lti_server.errors`, which a plugin never sees; `providers.faults` turns one into the other.
"""

from __future__ import annotations

from collections.abc import Sequence


class ProviderFault(Exception):
    """A provider, or its plugin, could not do what was asked; nothing was changed here.

    `detail` is read by an administrator and logged: what happened and what to do next. It never holds a
    token, an answer's body, a query string or anything about a person.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Misconfigured(ProviderFault):
    """Mend the configuration; `problems` names every fault, without values."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems: tuple[str, ...] = tuple(problems)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.problems,)


class RejectedCredentials(ProviderFault):
    """Do not retry: the provider does not accept this token, code, key or secret (401, 403, `invalid_grant`).

    It says nothing about the data: an unauthorised answer removes nobody.
    """


class RefusedCode(RejectedCredentials):
    """The code of a sign-in was used, is too old, or is nobody's; the client itself was not refused. Since 1.2."""


class RateLimited(ProviderFault):
    """Come back after `retry_after_s` seconds, at the earliest."""

    def __init__(self, detail: str, *, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[object, ...]:
        return _rate_limited, (self.detail, self.retry_after_s)


class Unavailable(ProviderFault):
    """Try again later: no answer in time, no connection, or a 5xx."""


class BrokeContract(ProviderFault):
    """Tell whoever runs the other side: the answer is not what its documentation promises.

    Also what this server refuses to follow: a foreign link, a loop, too large a body, a private address.
    """


def _rate_limited(detail: str, retry_after_s: int) -> RateLimited:
    """An error crosses a process boundary (a worker's report) with its seconds."""
    return RateLimited(detail, retry_after_s=retry_after_s)
