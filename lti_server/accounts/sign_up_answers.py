"""What somebody answers who registers, between two pages: in the browser alone, signed, for ten minutes."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from lti_server.accounts.browser_states import LONGEST_LOGIN_S, BrowserStates, StateSpoiled
from lti_server.accounts.newcomers import Answers
from lti_server.privacy.own_terms import Agreed

AGE, NAME, ABROAD = "lti_signup_age", "lti_signup_name", "lti_signup_abroad"


class SignUpAnswers:
    """Reads and writes the answers' cookies; nothing of them is kept here, and no address holds them."""

    def __init__(self, states: BrowserStates, *, https: bool) -> None:
        self._states = states
        self._https = https

    def keep_age(self, response: Response, years: int) -> None:
        self._keep(response, AGE, {"y": years})

    def keep_name(self, response: Response, country: str, provider: str, name: str) -> None:
        """The name that somebody has chosen who registers by a provider, in a country."""
        self._keep(response, NAME, {"c": country, "p": provider, "n": name})

    def keep_agreed(self, response: Response, agreed: Agreed) -> None:
        """That somebody has agreed to where their data are kept."""
        self._keep(response, ABROAD, {"k": agreed.kept_in, "v": agreed.notice})

    def agreed(self) -> Agreed | None:
        """To what somebody has agreed in this browser a short while ago."""
        said = self._read(ABROAD)
        return Agreed(kept_in=str(said["k"]), notice=int(said["v"])) if {"k", "v"} <= said.keys() else None

    def age(self) -> int | None:
        """Which age was said in this browser a short while ago, of whatever country: there is no second answer."""
        said = self._read(AGE)
        return int(said["y"]) if "y" in said else None

    def name(self, country: str, provider: str) -> str:
        """Which name was chosen in this browser a short while ago; empty where none was."""
        said = self._read(NAME)
        return str(said["n"]) if (said.get("c"), said.get("p")) == (country, provider) else ""

    def whole(self, provider: str) -> Answers | None:
        """Everything that is asked before somebody registers by a provider; None where an answer is missing."""
        country, years = str(self._read(NAME).get("c", "")), self.age()
        name = self.name(country, provider)
        return (
            None
            if not name or years is None
            else Answers(country=country, years=years, name=name, agreed=self.agreed())
        )

    def forget(self, response: Response) -> None:
        for one in (AGE, NAME, ABROAD):
            if one in request.cookies:
                response.delete_cookie(one, secure=self._https, httponly=True, samesite="Lax")

    def _keep(self, response: Response, cookie: str, said: dict[str, object]) -> None:
        response.set_cookie(
            cookie, self._states.write(said), max_age=LONGEST_LOGIN_S, secure=self._https, httponly=True, samesite="Lax"
        )

    def _read(self, cookie: str) -> dict[str, Any]:
        """Each is known by its own words, so that neither can stand for the other."""
        try:
            return self._states.read(request.cookies.get(cookie))
        except StateSpoiled:
            return {}
