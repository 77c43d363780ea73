"""Figure, table and file of a chart say the same, whatever the numbers are."""

import csv
import io
from datetime import date

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reporting.charts import (
    Measure,
    Overlays,
    Part,
    coverage_map,
    distribution,
    dots,
    hour_of_week,
    months_between,
    multiples,
    ranked,
    scatter,
    steps,
    trend,
    waterfall,
)
from reporting.distribution import histogram
from reporting.exports import csv_bytes, json_rows

SLOTS = pd.date_range("2026-07-01", periods=6, freq="D", tz="UTC")
MONTHS = months_between(date(2026, 1, 1), date(2026, 6, 30))
NUMBERS = st.one_of(st.none(), st.just(0.0), st.floats(1e-9, 1e9))
SIX = st.lists(NUMBERS, min_size=6, max_size=6)
NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=40)


def over_time(values):
    """Six days of one series; the rows of unknown days are left out."""
    rows = [(slot, "a", value) for slot, value in zip(SLOTS, values, strict=True) if value is not None]
    return pd.DataFrame(rows, columns=["starts_at", "series", "value"])


def entities(values, name):
    """Six entities with ranges."""
    rows = [
        (f"e{i}", f"{name} {i}", value, *((None, None) if value is None else (value * 0.8, value * 1.3)))
        for i, value in enumerate(values)
    ]
    frame = pd.DataFrame(rows, columns=["key", "label", "value", "low", "high"])
    return frame.astype({"value": float, "low": float, "high": float})


def bridge(values, name):
    """A bridge with every second part taken away."""
    parts = [
        Part(str(i), f"{name} {i}", None if value is None else value * (-1) ** i) for i, value in enumerate(values)
    ]
    end = sum(part.value or 0.0 for part in parts) + 1000.0
    return waterfall(parts, start=("before", 1000.0), end=("after", end), resolution=1e-3)


def week(values):
    """The first six hours of a Monday."""
    frame = pd.DataFrame({"weekday": [0] * 6, "hour": range(6), "value": pd.array(values, dtype="Float64")})
    return hour_of_week(frame.astype({"value": float}), per="per kWh")


def covered(values, name):
    """Six months of one team; numbers become shares."""
    shares = [None if value is None else value / (1 + value) for value in values]
    rows = [("t", name, month, share) for month, share in zip(MONTHS, shares, strict=True)]
    return coverage_map(pd.DataFrame(rows, columns=["key", "label", "month", "share"]), months=MONTHS)


def projected(values, name):
    """A stack with a projection of the last day."""
    ahead = pd.DataFrame({"value": [7.0], "low": [6.0], "high": [9.0]}, index=SLOTS[5:])
    return trend(
        over_time(values), slots=SLOTS, grain="day", labels={"a": name}, target=5.0, overlays=Overlays(projection=ahead)
    )


def heavy(values):
    """A histogram of what is known."""
    known = [value for value in values if value is not None]
    bins, zeros = histogram(known)
    return distribution(bins, percentiles={"p50": sorted(known)[len(known) // 2]} if known else {}, zeros=zeros)


def two_measures(values, name):
    """Six bubbles."""
    frame = entities(values, name).assign(x=lambda rows: rows["value"], y=range(6), volume=lambda rows: rows["value"])
    measure = Measure("Footprint", "g")
    return scatter(frame, across=measure, up=Measure("Latency", "s"), volume=Measure("Volume", "tokens"), noun="models")


BUILDERS = {
    "waterfall": bridge,
    "hour_of_week": lambda values, _name: week(values),
    "coverage_map": covered,
    "trend": projected,
    "distribution": lambda values, _name: heavy(values),
    "scatter": two_measures,
    "dots": lambda values, name: dots(entities(values, name), noun="models"),
    "ranked": lambda values, name: ranked(entities(values, name), noun="By model"),
    "steps": lambda values, name: steps(over_time(values), slots=SLOTS, unit="kW", noun="Power", labels={"a": name}),
    "multiples": lambda values, name: multiples(
        over_time(values), slots=SLOTS, grain="day", labels={"a": name}, noun="teams"
    ),
}


def flat(values):
    """Numbers of a trace in one list: a heat map holds lists of lists."""
    return [one for value in values for one in (value if isinstance(value, list) else [value])]


def number(text):
    """A cell of the file."""
    return None if text == "" else float(text)


@pytest.mark.parametrize("kind", BUILDERS)
@settings(max_examples=25, deadline=None)
@given(values=SIX, name=NAMES)
def test_figure_table_and_file_hold_the_same_numbers(kind, values, name):
    chart = BUILDERS[kind](values, name)

    columns = list(chart.table.columns)
    header, *lines = csv.reader(io.StringIO(csv_bytes(columns, json_rows(chart.table)).decode("utf-8-sig")))
    for link in chart.drawn:
        place = columns.index(link.column)
        rows = range(len(lines)) if link.rows is None else link.rows
        file = [number(lines[row][place]) for row in rows]
        drawn = flat(chart.figure["data"][link.trace][link.axis])
        assert header[place] in (link.column, f"'{link.column}")  # quoted where it could run as a formula
        assert [one is None for one in drawn] == [one is None for one in file]
        for one, other in zip(drawn, file, strict=True):
            assert one is None or one == pytest.approx(other * link.factor, rel=1e-12, abs=1e-300)


def test_every_builder_is_held_to_it():
    import reporting.charts as charts

    builders = {name for name in charts.__all__ if name.islower() and name != "months_between"}

    assert builders == set(BUILDERS)
