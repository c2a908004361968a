"""The rights that somebody who registered alone has in their own hands: no school decides for them (A-32)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint

from lti_server.accounts import own_rights_views
from lti_server.accounts.newcomers import CHOSEN, chosen_name
from lti_server.accounts.own_door import OwnSession
from lti_server.errors import NotAllowed
from lti_server.house import House
from lti_server.privacy import log, own_terms
from lti_server.privacy.rights import Asked

THEIR_WISH = "Their own wish."


@dataclass(frozen=True, slots=True)
class HouseRights:
    """By what every district's people have; each act is in the log, as their own."""

    house: House

    def check(self, who: OwnSession) -> None:
        """Raises NotAllowed: they have a school."""
        with self.house.database.tenant(who.district_id) as connection:
            slug = self.house.entered(connection).slug
        if not own_terms.is_own(slug):
            raise NotAllowed("Your school district decides about this. Ask it on your own page.")

    def rename(self, who: OwnSession, name: str) -> None:
        """Call somebody as they want to be called from now on.

        Raises:
            NotAllowed: they have a school. InvalidInput: it is no name.
        """
        self.check(who)
        asked = Asked(
            by=f"person:{who.person_id}", act="person correct", reason=THEIR_WISH, interest=log.Interest.OWN_DATA
        )
        self.house.rights.correct.put(who.district_id, who.person_id, CHOSEN, chosen_name(name), asked)

    def erase(self, who: OwnSession) -> None:
        """Erase somebody, with whoever they are one with; their sessions end.

        Raises:
            NotAllowed: they have a school.
        """
        self.check(who)
        self.house.rights.erase(who.district_id, who.person_id, by=f"person:{who.person_id}")


def blueprint(house: House, who: Callable[[], OwnSession]) -> Blueprint:
    """The pages."""
    return own_rights_views.blueprint(own_rights_views.OwnRightsParts(rights=HouseRights(house), who=who))
