"""`lti-server signup`: whether people register themselves, by country. Off unless the operator says otherwise."""

from __future__ import annotations

from typing import Any

import click

from lti_server.accounts.registering import Desk
from lti_server.app import House
from lti_server.cli.house import note, open_house, operator
from lti_server.cli.output import answers
from lti_server.errors import ConfigurationError
from lti_server.own_door_parts import OwnDoorHouse
from lti_server.privacy import own_terms

of_pack = click.option("--pack", "country", required=True, help="An age pack, by country: US, FR.")


@click.group()
def signup() -> None:
    """Registering oneself, under the privacy notice and by the age pack of a country."""


@signup.command()
@of_pack
@click.option(
    "--provider", "providers", multiple=True, help="By whose accounts people may come besides: google. May be repeated."
)
@answers
def enable(country: str, providers: tuple[str, ...]) -> dict[str, Any]:
    """Let people of a country register themselves. Again, it takes the notice as it acts now as the contract."""
    house = open_house()
    if house.settings.smtp_url is None:
        raise ConfigurationError(["Codes are sent by e-mail. Set LTI_SERVER_SMTP_URL first."])
    if not house.settings.country:
        raise ConfigurationError(
            ["Whoever lives elsewhere has to agree to where data are kept. Say where first: LTI_SERVER_COUNTRY=US."]
        )
    return _answer(house, OwnDoorHouse(house).registering.enable(country, by=operator(), providers=providers))


@signup.command()
@of_pack
@answers
def disable(country: str) -> dict[str, Any]:
    """Let nobody new register. Who has done so signs in as before; `grant suspend` ends that, too."""
    house = open_house()
    return _answer(house, OwnDoorHouse(house).registering.disable(country, by=operator()))


@signup.command()
@answers
def show() -> dict[str, Any]:
    """Show where people register themselves, and by which version of the notice."""
    house = open_house()
    found = OwnDoorHouse(house).registering.every()
    for one in found:
        note(house, one.district, "signup show")
    return {"packs": [_answer(house, one) for one in found]}


def _answer(house: House, desk: Desk) -> dict[str, Any]:
    acting = OwnDoorHouse(house).registering.notice().version
    pack = own_terms.pack(desk.country)
    return {
        "pack": desk.country,
        "enabled": desk.open,
        "district": desk.district.slug,
        "registers_from": 0 if desk.country in own_terms.CHILDREN_TOO else max(13, pack.digital_consent_age),
        "clause": pack.clause,
        "kept_in": house.settings.country or None,
        "providers": sorted(desk.providers),
        "notice_version": desk.terms,
        "notice_acting": acting,
        "valid_to": None if desk.valid_to is None else str(desk.valid_to),
        "sign_up_url": f"{house.settings.base_url}/signup?country={desk.country}",
    }
