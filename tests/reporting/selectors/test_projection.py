from datetime import date, timedelta

import pandas as pd
import pytest

from reporting.selectors.projection import passes_on, project

TODAY = date(2026, 11, 21)
NOVEMBER = [(date(2026, 11, 1), date(2026, 11, 30))]


def by_day(first, *kg):
    return pd.Series(kg, index=[first + timedelta(days=count) for count in range(len(kg))], dtype=float)


def test_the_days_to_come_are_like_the_mean_of_those_that_were():
    """
    Fourteen days before today, 2 kg on each of the first seven and 4 kg on each of the last: 3 kg a day on average.

    Ten days are to come (21 to 30 November); stretches of a week range from 2 to 4 kg a day.
    """
    days = by_day(date(2026, 11, 7), *[2.0] * 7, *[4.0] * 7)

    found = project(days, date(2026, 11, 1), NOVEMBER, first_day=date(2026, 11, 7), unknown_from=TODAY)

    assert (found.value, found.low, found.high) == pytest.approx((42 + 30, 42 + 20, 42 + 40))
    assert (found.days, found.stretch_days) == (14, 7)
    assert found.slots.iloc[0].tolist() == pytest.approx([72, 62, 82])


def test_less_than_two_weeks_of_history_project_nothing():
    days = by_day(date(2026, 11, 8), *[2.0] * 13)

    assert project(days, date(2026, 11, 1), NOVEMBER, first_day=date(2026, 11, 8), unknown_from=TODAY) is None


def test_days_without_emissions_count_and_slots_that_have_ended_stay():
    """28 days with 7 kg on one of them are 0.25 kg a day; the week of 16 to 22 November has two days to come, 23 to 29 seven."""
    days = by_day(date(2026, 11, 18), 7.0)
    weeks = [(date(2026, 11, start), date(2026, 11, start + 6)) for start in (9, 16, 23)]

    found = project(days, date(2026, 11, 9), weeks, first_day=date(2026, 10, 24), unknown_from=TODAY)

    assert found.slots["value"].tolist() == pytest.approx([7 + 0.5, 1.75])
    assert found.value == pytest.approx(7 + 9 * 0.25)
    assert found.low == pytest.approx(7)  # nine days without any


def test_days_between_the_last_record_and_the_period_are_not_taken_for_calm_ones():
    """Fourteen days of 3 kg to 20 October, then no record: all of November is projected at 3 kg a day, not at less."""
    days = by_day(date(2026, 10, 7), *[3.0] * 14)
    november = date(2026, 11, 1)

    found = project(
        days,
        november,
        NOVEMBER,
        first_day=date(2026, 10, 7),
        unknown_from=november,
        known_to=date(2026, 10, 21),
    )

    assert (found.value, found.low, found.high, found.days) == pytest.approx((90.0, 90.0, 90.0, 14))


def test_the_day_on_which_a_limit_is_passed():
    """42 kg up to yesterday and 3 kg a day: 46 kg are passed within the second day from today on."""
    days = by_day(date(2026, 11, 7), *[3.0] * 14)
    found = project(days, date(2026, 11, 1), NOVEMBER, first_day=date(2026, 11, 7), unknown_from=TODAY)

    assert passes_on(found, 46.0) == date(2026, 11, 22)
    assert passes_on(found, 72.0) is None  # never
    assert passes_on(found, 41.0) is None  # long ago
