"""One granularity of grid factors per zone and quarter: what serves, what is filled, what is missing."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.quantification.grid_series import (
    GRANULARITIES,
    Kind,
    Series,
    filled,
    gaps_of,
    hours_in,
    is_covered,
    months_of,
    quarter_after,
    quarter_of,
    quarters_of,
    serve,
)

KIND = Kind("lifecycle", "consumption", "CO2e")
QUARTER = date(2026, 1, 1)
HOURS = 90 * 24
"""Of the first quarter of 2026."""


def hourly(values, *, series_id=1, quarter=QUARTER, source="TSO"):
    months, start = {}, 0
    for month in months_of(quarter):
        months[month] = np.array(values[start : start + hours_in(month)], dtype=float)
        start += hours_in(month)
    return Series(series_id, "DE", KIND, source, "", "hourly", months)


def monthly(months, *, series_id=2):
    return Series(series_id, "DE", KIND, "agency", "", "monthly", {m: np.array([v]) for m, v in months.items()})


def with_gap(missing, value=300.0, first=0):
    values = np.full(HOURS, value)
    values[first : first + missing] = np.nan
    return values


@pytest.mark.parametrize(
    ("missing", "granularity"),
    # 98 % of 2,160 hours are 2,116.8: 2,117 hours (98.009 %) serve, 2,116 (97.963 %) do not
    [(0, "hourly"), (43, "hourly"), (44, "yearly")],
)
def test_98_percent_of_the_hours_serve_a_quarter(missing, granularity):
    served = serve([hourly(with_gap(missing))], "DE", QUARTER, "hourly")

    assert served.granularity == granularity
    assert (served.hours_present, served.hours, served.hours_missing) == (HOURS - missing, HOURS, missing)


def test_exactly_98_percent_are_enough():
    assert is_covered(98, 100)
    assert not is_covered(979, 1000)
    assert not is_covered(0, 0)


def test_what_hours_do_not_cover_goes_to_months_and_then_to_the_year():
    sparse = hourly(with_gap(100))
    given_months = monthly({date(2026, 1, 1): 250.0})

    assert serve([sparse], "DE", QUARTER, "hourly").granularity == "yearly"
    assert serve([sparse], "DE", QUARTER, "hourly").months_missing == (date(2026, 1, 1),)
    served = serve([sparse, given_months], "DE", QUARTER, "hourly")
    assert served.granularity == "monthly"
    assert [(each.g_per_kwh, each.origin) for each in served.monthly] == [
        (250.0, "given"),
        (300.0, "mean"),
        (300.0, "mean"),
    ]
    assert served.sources == ("TSO", "agency")


def test_a_month_is_the_mean_of_the_hours_that_it_has():
    values = np.concatenate([np.full(744, 100.0), np.full(672, 200.0), np.arange(744.0)])
    values[0:14] = np.nan  # 14 of January's 744 hours: 98.1 % are there
    served = serve([hourly(values)], "DE", QUARTER, "monthly")

    assert [each.g_per_kwh for each in served.monthly] == [100.0, 200.0, pytest.approx(743 / 2)]


def test_a_month_without_98_percent_of_its_hours_has_no_mean():
    served = serve([hourly(with_gap(15))], "DE", QUARTER, "monthly")  # 729 of 744 hours: 97.98 %

    assert served.granularity == "yearly"
    assert served.months_missing == (date(2026, 1, 1),)


def test_a_missing_hour_takes_the_mean_of_its_own_month():
    values = np.concatenate([np.full(744, 100.0), np.full(672, 200.0), np.full(744, 300.0)])
    values[0], values[1] = 844.0, np.nan  # January: 742 x 100 and one 844, so the mean of its 743 is 101.0...
    values[800] = np.nan

    full = serve([hourly(values)], "DE", QUARTER, "hourly").hourly

    assert full[1] == pytest.approx((742 * 100 + 844) / 743)
    assert full[800] == 200.0
    assert serve([hourly(values)], "DE", QUARTER, "hourly").hours_missing == 2


def test_gaps_are_listed_from_their_first_hour():
    values = with_gap(3, first=24)
    values[-1] = np.nan

    assert [(gap.first_hour, gap.hours) for gap in gaps_of(values, QUARTER)] == [
        (datetime(2026, 1, 2, tzinfo=UTC), 3),
        (datetime(2026, 3, 31, 23, tzinfo=UTC), 1),
    ]


def test_a_newer_import_goes_before_an_older_one_hour_by_hour():
    newer = np.full(HOURS, np.nan)
    newer[5] = 111.0

    served = serve([hourly(newer, series_id=9, source="mended"), hourly(with_gap(0))], "DE", QUARTER, "hourly")

    assert (served.hourly[5], served.hourly[6]) == (111.0, 300.0)
    assert served.sources == ("TSO", "mended")


def test_zones_and_choices_stay_apart():
    series = [hourly(with_gap(0))]

    assert serve(series, "FR", QUARTER, "hourly").granularity == "yearly"
    assert serve(series, "DE", QUARTER, "yearly").granularity == "yearly"
    assert serve(series, "DE", quarter_after(QUARTER), "hourly").granularity == "yearly"


@given(st.dates(date(2000, 1, 1), date(2090, 1, 1)))
def test_quarters_hold_their_days_and_follow_each_other(day):
    quarter = quarter_of(day)

    assert quarter <= day < quarter_after(quarter)
    assert sum(map(hours_in, months_of(quarter))) == (quarter_after(quarter) - quarter).days * 24
    assert quarter_of(quarter_after(quarter)) == quarter_after(quarter)


@st.composite
def quarters(draw):
    """A quarter's hours with some runs missing."""
    values = np.array(draw(st.lists(st.floats(0, 1200), min_size=20, max_size=20)))
    values = np.resize(values, HOURS)
    for first, length in draw(st.lists(st.tuples(st.integers(0, HOURS - 1), st.integers(1, 60)), max_size=4)):
        values[first : first + length] = np.nan
    return values


@given(quarters(), st.sampled_from(GRANULARITIES))
def test_what_serves_is_never_finer_than_asked_and_has_no_hole(values, chosen):
    served = serve([hourly(values)], "DE", QUARTER, chosen)

    assert GRANULARITIES.index(served.granularity) >= GRANULARITIES.index(chosen)
    assert (served.granularity == "hourly") == (chosen == "hourly" and 100 * served.hours_present >= 98 * HOURS)
    assert (served.hourly is not None) == (served.granularity == "hourly")
    if served.hourly is not None:
        there = ~np.isnan(values)
        assert not np.isnan(served.hourly).any()
        assert np.array_equal(served.hourly[there], values[there])
    if chosen == "hourly":
        assert sum(gap.hours for gap in served.gaps) == served.hours_missing == int(np.isnan(values).sum())


@given(quarters())
def test_filling_keeps_the_mean_of_each_month(values):
    full = filled(values, QUARTER)
    start = 0
    for month in months_of(QUARTER):
        own = slice(start, start + hours_in(month))
        assert np.mean(full[own]) == pytest.approx(np.nanmean(values[own]), rel=1e-12, abs=1e-9)
        start += hours_in(month)


@given(quarters(), st.integers(0, HOURS - 1))
def test_a_fingerprint_tells_values_apart_and_equal_ones_not(values, position):
    served = serve([hourly(values)], "DE", QUARTER, "hourly")
    again = serve([hourly(np.full(HOURS, np.nan)), hourly(values.copy(), series_id=7)], "DE", QUARTER, "hourly")
    changed = values.copy()
    changed[position] = 1.0 if np.isnan(values[position]) else values[position] + 1.0

    assert served.fingerprint == again.fingerprint
    if served.granularity == "hourly":
        assert serve([hourly(changed)], "DE", QUARTER, "hourly").fingerprint != served.fingerprint


def test_quarters_of_series():
    assert quarters_of([hourly(with_gap(0)), monthly({date(2025, 12, 1): 1.0})]) == [date(2025, 10, 1), QUARTER]
