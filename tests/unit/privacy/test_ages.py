"""An age is never more than the true one, and nobody makes themselves older."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_server.privacy import ages
from lti_server.privacy.ages import Age, AgeSource, Said, age_from, pack_of, whole_years, years_of

DAY = st.dates(date(1950, 1, 1), date(2060, 12, 31))
AGE = st.builds(Age, st.integers(3, 120), DAY)
OTHERS = st.sampled_from([AgeSource.PROVIDER, AgeSource.TEACHER, AgeSource.SCHOOL, AgeSource.SELF])
SAID = st.builds(Said, OTHERS, st.none() | AGE)


@given(born=DAY, recorded=DAY, today=DAY)
def test_what_grows_by_whole_years_is_never_more_than_the_true_age_and_at_most_one_less(
    born: date, recorded: date, today: date
) -> None:
    age = age_from(born, recorded)
    if age is None:
        assert not 3 <= whole_years(born, recorded) <= 120
    elif today >= recorded:
        assert whole_years(born, today) - 1 <= age.at(today) <= whole_years(born, today)


@given(AGE, DAY)
def test_it_is_kept_as_text_and_read_again(age: Age, today: date) -> None:
    assert Age.read(age.text()) == age
    assert age.at(today) >= age.years


@pytest.mark.parametrize(("born", "on", "years"), [("2016-02-29", "2026-02-28", 9), ("2016-02-29", "2026-03-01", 10)])
def test_whoever_was_born_on_a_leap_day_is_a_year_older_on_the_first_of_march(born: str, on: str, years: int) -> None:
    assert age_from(born, date.fromisoformat(on)) == Age(years, date.fromisoformat(on))


@pytest.mark.parametrize(
    "said",
    ["0000-05-06", "2014", "05/06/2014", "", None, 2014, "2014-13-01", "2014-02-30", ["2014-05-06"], True, "x" * 99],
)
def test_what_is_no_birth_date_says_nothing(said: object) -> None:
    assert age_from(said, date(2026, 11, 26)) is None


@pytest.mark.parametrize("born", [date(2026, 11, 27), date(2024, 1, 1), date(1900, 1, 1)])
def test_nobody_is_younger_than_3_or_older_than_120_here(born: date) -> None:
    assert age_from(born, date(2026, 11, 26)) is None
    for years in (2, 121, -1):
        with pytest.raises(ValueError, match="3 to 120"):
            Age(years, date(2026, 11, 26))


@given(st.lists(SAID), AGE, DAY)
def test_ones_own_word_never_makes_anybody_older_than_another_source_says(
    said: list[Said], own: Age, today: date
) -> None:
    before = years_of([one for one in said if one.source is not AgeSource.SELF], today)
    after = years_of([*said, Said(AgeSource.SELF, own)], today)
    assert after is not None
    assert before is None or after <= before


@given(st.lists(SAID), st.lists(SAID), DAY)
def test_of_all_but_the_district_the_lowest_counts_in_whatever_order(
    one: list[Said], other: list[Said], today: date
) -> None:
    both = years_of(one + other, today)
    assert both == years_of(other + one, today)
    known = [years for years in (years_of(one, today), years_of(other, today)) if years is not None]
    assert both == min(known, default=None)


@given(st.lists(SAID), st.none() | AGE, DAY)
def test_the_districts_word_about_a_person_stands_alone(said: list[Said], right: Age | None, today: date) -> None:
    found = years_of([*said, Said(AgeSource.DISTRICT, right)], today)
    assert found == (None if right is None else right.at(today))


@pytest.mark.parametrize(
    ("country", "age"), [("US", 13), ("FR", 15), ("fr", 15), ("GB", 13), ("DE", 16), ("XX", 16), ("", 16)]
)
def test_a_country_has_its_pack_and_an_unknown_one_the_strictest(country: str, age: int) -> None:
    pack = pack_of(country)
    assert pack.digital_consent_age == age
    assert [pack.is_child(years) for years in (None, age - 1, age)] == [True, True, False]


def test_an_unknown_age_is_that_of_a_child_everywhere_and_so_is_whoever_is_under_13() -> None:
    for pack in ages.packs().values():
        assert pack.is_child(None)
        assert all(pack.is_child(years) for years in range(3, 13))
        assert pack.clause


@given(AGE, st.integers(0, 40_000))
def test_nobody_becomes_a_child_again_by_time(age: Age, days: int) -> None:
    pack = pack_of("FR")
    later = age.on + timedelta(days=days)
    assert pack.is_child(age.at(age.on)) or not pack.is_child(age.at(later))


@pytest.mark.parametrize("said", [{}, {"digital_consent_age": "13", "clause": "x"}, {"digital_consent_age": 13}])
def test_a_pack_that_is_not_in_order_is_named(said: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\[US\]"):
        ages._pack("US", said)


@given(st.integers(0, 2_000_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)))
def test_the_day_is_never_ahead_of_that_of_any_district(now: datetime) -> None:
    for zone in ("Etc/GMT+12", "America/Los_Angeles", "UTC", "Pacific/Kiritimati"):
        assert ages.earliest_day(now) <= now.astimezone(ZoneInfo(zone)).date()
