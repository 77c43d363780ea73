"""Dots with ranges: what cannot be told apart is said before any order."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.charts import dots


def draw(*rows, columns=("key", "value", "low", "high"), **options):
    """Draw rows in g; the label is the key."""
    frame = pd.DataFrame(rows, columns=list(columns))
    for column in set(columns) & {"value", "low", "high", "unshared_low", "unshared_high"}:
        frame[column] = pd.to_numeric(frame[column]) / 1000
    return dots(frame.assign(label=frame["key"]), noun="regions", per="per kWh", **options)


@pytest.mark.parametrize(
    ("rows", "title"),
    [
        ((("SE", 20, 15, 25), ("FR", 50, 40, 60)), "SE is lowest, 60\u202f% below the next"),
        # ranges that touch are not apart
        ((("SE", 20, 15, 40), ("FR", 50, 40, 60)), "The 2 regions are not distinguishable"),
        (
            (("SE", 20, 15, 30), ("FR", 32, 28, 40), ("DE", 330, 300, 360)),
            "The lowest 2 of 3 regions are not distinguishable",
        ),
        (
            (("SE", 20, None, None), ("FR", 50, None, None)),
            "2 regions from 20.0 to 50.0 g CO2e per kWh; their ranges are not known",
        ),
        (
            (("SE", 20, 15, 25), ("FR", 50, None, None), ("DE", 330, 300, 360)),
            "SE has the lowest value; not all ranges are known",
        ),
        ((("SE", 20, 15, 25), ("US", None, None, None)), "SE: 20.0 g CO2e per kWh"),
        ((("SE", None, None, None),), "None of 1 regions is disclosed"),
    ],
)
def test_the_title_says_first_what_cannot_be_told_apart(rows, title):
    assert draw(*rows).title == title


def test_what_all_share_is_taken_out_before_ranges_are_compared():
    shared = ("key", "value", "low", "high", "unshared_low", "unshared_high")

    overlapping = draw(("A", 100, 50, 200, 95, 105), ("B", 150, 75, 300, 142, 158), columns=shared)

    assert overlapping.title == "A is lowest, 33\u202f% below the next"
    assert [row[-1] for row in overlapping.rows] == ["the lowest", "higher"]


def test_the_lowest_is_first_and_what_is_not_disclosed_last_with_its_reason():
    chart = draw(
        ("FR", 50, 40, 60, ""),
        ("US", None, None, None, "no factor published"),
        ("SE", 20, 15, 25, ""),
        columns=("key", "value", "low", "high", "reason"),
    )

    assert [row[0] for row in chart.rows] == ["SE", "FR", "US"]
    assert chart.rows[2][1:] == ("-", "-", "not disclosed")
    assert chart.notes == ("US: no factor published",)


def test_decades_are_drawn_as_ratios_and_said():
    chart = draw(("A", 0.1, 0.05, 0.2), ("B", 100, 50, 200))

    assert chart.figure["layout"]["xaxis"]["type"] == "log"
    assert chart.figure["layout"]["xaxis"]["range"] == [-2, 3]  # 0.01 to 1,000 g
    assert "logarithmic scale" in chart.subtitle
    assert chart.rows[0][1] == "0.100"


def test_a_value_of_zero_has_a_place():
    chart = draw(("A", 0, 0, 0), ("B", 100, 50, 200), logarithmic=True)

    assert chart.figure["layout"]["xaxis"].get("type") != "log"


@given(st.lists(st.tuples(st.floats(1, 500), st.floats(0, 100)), min_size=2, max_size=8))
def test_nobody_is_called_lowest_while_a_range_overlaps(values):
    rows = [(f"r{i}", value, value - spread, value + spread) for i, (value, spread) in enumerate(values)]
    chart = draw(*rows)

    lowest = min(rows, key=lambda row: row[1])
    overlap = any(row[2] < lowest[3] - 1e-6 for row in rows if row is not lowest)
    if overlap:
        assert "not distinguishable" in chart.title
