"""Heat maps: seven round steps, nothing invented where data is missing, and what they say."""

from datetime import date
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.charts import coverage_map, hour_of_week, months_between
from reporting.charts.heatmap import seven_steps, step_of

MONTHS = months_between(date(2026, 7, 1), date(2026, 8, 31))


def week(change=lambda day, hour: 300.0):
    """A week in g/kWh."""
    rows = [(day, hour, change(day, hour)) for day in range(7) for hour in range(24)]
    return pd.DataFrame(rows, columns=["weekday", "hour", "value"]).assign(value=lambda found: found["value"] / 1000)


def covered(*shares):
    """One team's months."""
    rows = [("search", "Search", month, share) for month, share in zip(MONTHS, shares, strict=True)]
    return pd.DataFrame(rows, columns=["key", "label", "month", "share"])


@given(st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), min_size=1, max_size=9))
def test_seven_equal_steps_hold_every_value(values):
    bounds = seven_steps(values)

    widths = [high - low for low, high in pairwise(bounds)]
    assert len(bounds) == 8
    assert max(widths) == pytest.approx(min(widths))
    assert bounds[0] <= min(values) + 1e-9 * abs(min(values))
    assert max(values) <= bounds[-1] + 1e-9 * max(abs(max(values)), 1)
    assert all(0 <= step_of(value, bounds) <= 6 for value in values)


def test_the_week_begins_on_monday_and_names_its_extremes():
    chart = hour_of_week(
        week(lambda day, hour: 400 if (day, hour) == (1, 19) else 200 if (day, hour) == (6, 4) else 300), per="per kWh"
    )

    assert chart.title == "Grid intensity is highest Tue 19:00 and lowest Sun 04:00"
    assert chart.rows[0][0] == "Mon"
    assert chart.figure["data"][0]["z"][1][19] == pytest.approx(400)
    assert "Tue, 19: 400\u202fg CO2e per kWh" in chart.summary


def test_a_level_week_is_called_level():
    assert (
        hour_of_week(week(), per="per kWh").title
        == "Grid intensity hardly changes over the week: 300 to 300 g CO2e per kWh"
    )


def test_a_missing_hour_is_hatched_not_pale():
    rows = week()
    chart = hour_of_week(rows[(rows["weekday"] != 2) | (rows["hour"] != 7)], per="per kWh")

    cells, hatch = chart.figure["data"]
    assert cells["z"][2][7] is None
    assert (hatch["x"], hatch["base"], hatch["meta"]["key"]) == ([7], [1.5], "gap")
    assert chart.legend[-1].label == "No data"
    assert chart.rows[2][8] == "-"


def test_days_follow_the_language():
    assert hour_of_week(week(), locale="de").rows[2][0] == "Mi"


@pytest.mark.parametrize(
    ("shares", "title"),
    [
        ((0.99, 0.96), "All 2 team months are covered by 95\u202f% or more"),
        ((0.99, 0.5), "1 of 2 team months are covered by less than 95\u202f% or not at all"),
        ((None, 0.5), "2 of 2 team months are covered by less than 95\u202f% or not at all"),
    ],
)
def test_coverage_counts_what_falls_short(shares, title):
    assert coverage_map(covered(*shares), months=MONTHS).title == title


def test_an_unknown_month_says_why():
    chart = coverage_map(covered(None, 1.0), months=MONTHS, reasons={("search", "2026-07"): "export missing"})

    assert chart.figure["data"][0]["customdata"][0][0][0] == "Search, Jul 26: no data (export missing)"
    assert chart.figure["data"][0]["z"] == [[None, 100]]
