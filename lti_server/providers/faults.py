"""The one table from what a plugin raises to what this server raises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lti_server.errors import (
    InvalidInput,
    LtiServerError,
    ProviderFailed,
    ProviderLimitsUs,
    ProviderRejectedUs,
)
from lti_server.providers.errors import (
    Misconfigured,
    ProviderFault,
    RateLimited,
    RejectedCredentials,
)


def as_server_error(fault: Exception, provider: str) -> LtiServerError:
    """An error of ours that says which provider it was. A plugin's bug is a failure of the provider to the caller.

    The text of an exception that the SPI does not know may hold anything, so its kind alone is told.
    """
    public: dict[str, object] = {"provider": provider}
    match fault:
        case Misconfigured():
            return InvalidInput.listing(
                f"The configuration of {provider} is not right.",
                [("/config", problem) for problem in fault.problems],
            )
        case RejectedCredentials():
            return ProviderRejectedUs(fault.detail, public=public)
        case RateLimited():
            wait = {"retry_after_s": fault.retry_after_s}
            return ProviderLimitsUs(fault.detail, public=public | wait)
        case ProviderFault():
            kind = type(fault).__name__
            return ProviderFailed(fault.detail, public=public | {"kind": kind}, internal=kind)
    return ProviderFailed(
        f"The plugin {provider} failed in a way that it should not. Nothing was changed; tell its author.",
        public=public | {"kind": "bug"},
        internal=f"{type(fault).__module__}.{type(fault).__qualname__}",
    )


@contextmanager
def server_errors(provider: str) -> Iterator[None]:
    """Around every call of a plugin: whatever it raises leaves as an error of ours, without its text or cause."""
    try:
        yield
    except LtiServerError:
        raise
    except Exception as fault:  # a stranger's code may raise anything
        raise as_server_error(fault, provider) from None
