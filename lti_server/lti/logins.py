"""What a login has to know of its platform."""

from __future__ import annotations

from dataclasses import dataclass

from lti_server.lti.platform_profiles import PLAIN, PlatformProfile, by_issuer


@dataclass(frozen=True, slots=True)
class Login:
    """A platform as a login meets it: where the browser goes on to, and where its storage is."""

    issuer: str
    client_id: str
    auth_login_url: str

    @property
    def storage_origin(self) -> str:
        """The one origin that platform storage is spoken to at; whom to believe hangs on the issuer alone."""
        return self._profile.storage_origin(self.auth_login_url)

    @property
    def storage_frame(self) -> str | None:
        """The frame that keeps it, where the vendor has one and a login may not say so."""
        return self._profile.storage_frame

    @property
    def _profile(self) -> PlatformProfile:
        return by_issuer(self.issuer) or PLAIN
