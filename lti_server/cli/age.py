"""`lti-server age`: what a district says of everybody in a school."""

from __future__ import annotations

from typing import Any

import click

from lti_server.cli.house import district_of, note, open_house, operator
from lti_server.cli.output import answers
from lti_server.sign_in_parts import SignInHouse

of_district = click.option("--district", "slug", required=True)
of_school = click.option("--school", help="As the class lists name it.")


@click.group()
def age() -> None:
    """Ages that a district states of whole schools. Of one person: `person correct --field age`."""


@age.command()
@of_district
@of_school
@click.option("--grade", help="Not yet: no class list says the grade of anybody.")
@click.option("--years", required=True, help="Whole years that everybody there is today, at the least.")
@answers
def state(slug: str, school: str | None, grade: str | None, years: str) -> dict[str, Any]:
    """State how old everybody in a school is, at the least."""
    if grade is not None or school is None:
        raise click.UsageError(
            "Name a --school. No class list that this server reads says the grade of anybody, so a statement about a "
            "grade would hold of nobody."
        )
    house = open_house()
    owner = district_of(house, slug)
    gone = SignInHouse(house).age_words.state(owner.id, school, years, by=operator())
    return {"school": school, "years": int(years), "addresses_removed": gone}


@age.command()
@of_district
@click.option("--school", required=True, help="Of which something is stated.")
@answers
def withdraw(slug: str, school: str) -> dict[str, Any]:
    """Take a statement back: whoever has no other age is a child again."""
    house = open_house()
    owner = district_of(house, slug)
    return {
        "school": school,
        "addresses_removed": SignInHouse(house).age_words.withdraw(owner.id, school, by=operator()),
    }


@age.command("list")
@of_district
@answers
def list_(slug: str) -> dict[str, Any]:
    """List what is stated."""
    house = open_house()
    owner = district_of(house, slug)
    note(house, owner, "age list")
    return {"statements": [one.plain() for one in SignInHouse(house).age_words.statements(owner.id)]}
