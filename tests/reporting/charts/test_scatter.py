"""Bubbles: the line of those that nobody beats, and names that keep apart."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.charts import Measure, scatter
from reporting.charts.scatter import LARGEST, overlap, pareto

LESS, MORE = Measure("Footprint", "g"), Measure("Quality", "points", "more")
POINTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12)


def draw(*rows, up=MORE):
    """Draw (name, x, y, volume)."""
    frame = pd.DataFrame(rows, columns=["key", "x", "y", "volume"]).assign(label=lambda found: found["key"])
    return scatter(frame, across=LESS, up=up, volume=Measure("Volume", "tokens"), noun="models")


@given(POINTS)
def test_the_line_holds_exactly_those_that_none_beats(points):
    best = pareto(points, LESS, LESS)

    assert best
    for i, (x, y) in enumerate(points):
        beaten = [(a, b) for a, b in points if a <= x and b <= y and (a, b) != (x, y)]
        assert (i in best) == (not beaten)


@pytest.mark.parametrize(
    ("rows", "title"),
    [
        ((("a", 1, 9, 1), ("b", 2, 5, 1)), "a beats all other models in both"),
        ((("a", 1, 1, 1), ("b", 2, 5, 1)), "Each of the 2 models is best at some trade-off"),
        ((("a", 1, 1, 1), ("b", 2, 5, 1), ("c", 3, 4, 1)), "2 of 3 models are beaten by none in both"),
        ((("a", 1, 1, 1),), "a"),
        ((("a", 1, None, 1),), "No models with both figures"),
    ],
)
def test_the_title_states_the_finding(rows, title):
    assert draw(*rows).title == title


def test_the_area_shows_the_volume():
    small, large = sorted(draw(("a", 1, 1, 25.0), ("b", 2, 5, 100.0)).figure["data"][0]["marker"]["size"])

    assert large == 2 * LARGEST
    assert math.isclose((large / small) ** 2, 4)


def test_the_line_runs_in_steps_because_nothing_better_is_known_between():
    chart = draw(("a", 1, 1, 1), ("b", 2, 5, 1))

    assert chart.figure["data"][1]["line"]["shape"] == "hv"
    assert chart.figure["data"][1]["x"] == [1, 2]


def test_without_both_figures_a_name_stands_below():
    assert draw(("a", 1, 1, 1), ("b", None, 5, 1)).notes == ("Without both figures: b",)


def test_boxes_that_only_touch_do_not_overlap():
    assert overlap((0, 0, 2, 2), (1, 1, 3, 3))
    assert not overlap((0, 0, 2, 2), (2, 0, 3, 3))


def test_names_of_bubbles_on_one_spot_stand_on_different_sides():
    bubbles = draw(*((f"model {i}", 5, 5, 1) for i in range(12))).figure["data"][0]

    sides = [side for name, side in zip(bubbles["text"], bubbles["textposition"], strict=True) if name]
    assert 2 <= len(sides) == len(set(sides))
