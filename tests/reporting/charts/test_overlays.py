"""What is laid over a trend: events in their place, whiskers, and where the period is heading."""

from datetime import date

import pandas as pd
import pytest

from reporting.charts import EVIDENCE, Event, Overlays, trend
from reporting.charts.overlays import marks_of

MONTHS = pd.date_range("2026-01-01", periods=4, freq="MS", tz="UTC")


def draw(*tonnes, series="inference", **options):
    """Draw months in t; None is no row."""
    rows = [(slot, series, t * 1000.0) for slot, t in zip(MONTHS, tonnes, strict=True) if t is not None]
    frame = pd.DataFrame(rows, columns=["starts_at", "series", "value"])
    return trend(frame, slots=MONTHS, grain="month", labels={series: series.title()}, **options)


def ahead(**tonnes):
    """Project months: value, 10 % below and 20 % above."""
    slots = pd.DatetimeIndex([pd.Timestamp(f"2026-{month[1:]}-01", tz="UTC") for month in tonnes])
    value = pd.Series(list(tonnes.values()), index=slots) * 1000.0
    return pd.DataFrame({"value": value, "low": value * 0.9, "high": value * 1.2})


def test_an_event_stands_where_its_day_lies_in_the_slot():
    # 16 Feb is 15 of 28 days into the second slot, which reaches from 0.5 to 1.5
    (mark,) = marks_of([Event(date(2026, 2, 16), "factors of 2025 activated")], MONTHS, "en")

    assert mark.place == pytest.approx(0.5 + 15 / 28)
    assert mark.text == "A 16 Feb 2026: factors of 2025 activated"


def test_events_outside_the_period_are_left_out():
    events = [
        Event(date(2025, 12, 31), "before"),
        Event(date(2026, 6, 1), "after"),
        Event(date(2026, 1, 1), "first day"),
    ]

    assert [mark.text for mark in marks_of(events, MONTHS, "en")] == ["A 1 Jan 2026: first day"]


def test_events_are_drawn_and_listed():
    chart = draw(1, 2, 3, 4, overlays=Overlays(events=[Event(date(2026, 3, 1), "target changed")]))

    assert [shape["x0"] for shape in chart.figure["layout"]["shapes"]] == [1.5]
    assert chart.notes == ("A 1 Mar 2026: target changed",)
    assert "event-line" in chart.svg


@pytest.mark.parametrize(
    ("projected", "title"),
    [
        # 10 + 10 + 12 + 12 = 44 against 40
        ({"m3": 12, "m4": 12}, "Emissions are heading for 10\u202f% above the target"),
        ({"m3": 8, "m4": 8}, "Emissions are heading for 10\u202f% below the target"),
    ],
)
def test_the_title_says_where_the_period_is_heading(projected, title):
    chart = draw(10, 10, 4, None, target=10_000.0, overlays=Overlays(projection=ahead(**projected)))

    assert chart.title == title


def test_a_projection_has_its_range_and_stands_in_the_file():
    chart = draw(10, 10, 4, None, overlays=Overlays(projection=ahead(m3=12, m4=12)))

    points = next(trace for trace in chart.figure["data"] if trace["meta"]["key"] == "projection")
    assert points["y"] == [None, None, 12, 12]
    assert points["error_y"]["array"][3] == pytest.approx(2.4)
    assert chart.table["projection high [kg CO2e]"].tolist()[2:] == [14_400, 14_400]


def test_the_axis_holds_the_upper_end_of_every_range():
    bounds = pd.DataFrame({"low": [9_000.0] * 4, "high": [31_000.0] * 4}, index=MONTHS)
    chart = draw(10, 10, 10, 10, overlays=Overlays(bounds=bounds))

    assert chart.figure["layout"]["yaxis"]["range"][1] >= 31


def test_a_stack_by_evidence_has_fixed_colours_and_patterns():
    chart = draw(1, 1, 1, 1, series="modelled", colours=EVIDENCE)

    assert chart.legend[0].token == EVIDENCE["modelled"].token
    assert chart.legend[0].pattern
