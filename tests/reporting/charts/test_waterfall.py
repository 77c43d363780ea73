"""The waterfall: it arrives exactly, stands on zero, and shows what it does not know."""

import json
import math

import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.charts import Part, waterfall

NAMES = ("Volume", "Mix", "Efficiency", "Grid", "Coverage", "Method")
KG = st.integers(-(10**9), 10**9)


def parts(*values):
    """Parts in t, in the order of a variance."""
    return [Part(name.lower(), name, None if t is None else t * 1000.0) for name, t in zip(NAMES, values, strict=False)]


def draw(start, values, end, **options):
    """Draw a bridge in t."""
    kg = [None if t is None else t * 1000.0 for t in (start, end)]
    return waterfall(parts(*values), start=("Q2 2026", kg[0]), end=("Q3 2026", kg[1]), **options)


def bars(chart):
    """(base, x) of every bar, in the shown unit."""
    trace = chart.figure["data"][0]
    return list(zip(trace["base"], trace["x"], strict=True))


def test_parts_begin_where_the_one_before_ended():
    chart = draw(100, (20, -30, 5), 95)

    assert bars(chart) == [(0, 100), (100, 20), (120, -30), (90, 5), (0, 95)]
    assert [row[0] for row in chart.rows] == ["Q2 2026", "Volume", "Mix", "Efficiency", "Q3 2026"]
    assert chart.rows[2] == ("Mix", "\u221230.0", "90.0")


@given(KG, st.lists(KG, min_size=1, max_size=6))
def test_every_bridge_arrives_and_every_axis_holds_zero(start, values):
    chart = waterfall(
        [Part(str(i), f"part {i}", float(kg)) for i, kg in enumerate(values)],
        start=("before", float(start)),
        end=("after", float(start + sum(values))),
    )

    begins, value = (chart.table[column] for column in ("begins at [kg CO2e]", "value [kg CO2e]"))
    totals = {"before", "after", "Whole change"}
    arrived = begins + value
    assert math.isclose(arrived.iloc[-2], arrived.iloc[-1], abs_tol=1e-3)
    assert (begins[chart.table["part"].isin(totals)] == 0).all()
    low, top = chart.figure["layout"]["xaxis"]["range"]
    assert low <= 0 <= top
    shown = [edge for base, x in bars(chart) for edge in (base, base + x)]
    assert low - 1e-9 <= min(shown)
    assert max(shown) <= top + 1e-9


def test_a_bridge_that_does_not_arrive_is_refused():
    with pytest.raises(ValueError, match="leave a rest"):
        draw(100, (20,), 121)


def test_parts_may_cross_zero():
    assert bars(draw(10, (-30, 15), -5)) == [(0, 10), (10, -30), (-20, 15), (0, -5)]


def test_parts_too_small_beside_the_totals_are_drawn_alone():
    chart = draw(184, (1.5, -0.5), 185)

    assert bars(chart) == [(0, 1.5), (1.5, -0.5), (0, 1)]
    assert chart.subtitle == "t CO2e, changes only: from 184\u202ft to 185\u202ft"


def test_an_unknown_part_is_hatched_between_what_is_known():
    chart = draw(100, (20, None, -5), 90)

    gap = chart.figure["data"][-1]
    assert gap["meta"]["key"] == "gap"
    assert (gap["y"], gap["base"], gap["x"]) == ([2], [120], [-25])  # from 120 down to 95, whence -5 leads to 90
    assert chart.rows[2] == ("Mix", "not known", "-")
    assert bars(chart)[3] == (95, -5)


def test_between_two_unknown_parts_a_value_has_no_place():
    chart = draw(100, (None, -5, None), 90)

    assert bars(chart) == [(0, 100), (100, None), (None, -5), (None, None), (0, 90)]
    assert chart.rows[2] == ("Mix", "\u22125.0", "-")


def test_a_total_that_is_not_known_leaves_a_plain_title():
    chart = draw(None, (20, -5), 90)

    assert chart.title == "From Q2 2026 to Q3 2026"
    assert bars(chart)[1] == (75, 20)  # laid back from the end: 90 + 5 - 20


def test_the_reason_of_what_is_not_known_stands_below():
    chart = waterfall([Part("grid", "Grid", None, "no factor of 2027")], start=("a", 1.0), end=("b", 2.0))

    assert chart.notes == ("Grid is not known: no factor of 2027",)


@pytest.mark.parametrize(
    ("start", "values", "end", "title"),
    [
        (100, (20, -8), 112, "Emissions rose 12\u202f%; largest part: Volume, +20.0\u202ft"),
        (100, (20, -32), 88, "Emissions fell 12\u202f%; largest part: Mix, \u221232.0\u202ft"),
        (100, (20, -20), 100, "Emissions stay the same, as parts cancel each other out"),
        (100, (0, 0), 100, "Emissions stay the same"),
        (100, (20, None), 112, "Emissions rose 12\u202f%; not every part is known"),
        # a base under 1 % of the present value carries no percentage
        (0.001, (20,), 20.001, "Emissions rose 20.0\u202ft; largest part: Volume, +20.0\u202ft"),
    ],
)
def test_the_title_states_the_finding(start, values, end, title):
    assert draw(start, values, end).title == title


def test_two_sides_of_one_period_do_not_rise():
    chart = waterfall(
        parts(-60.0, 20.0), start=("Operations", 100_000.0), end=("As disclosed", 60_000.0), compares="sides"
    )

    assert chart.title == "As disclosed: 40\u202f% less than Operations; largest part: Volume, \u221260.0\u202ft"


def test_two_sides_that_agree_say_so():
    sides = {"start": ("Before", 9.0), "end": ("After", 9.0), "compares": "sides"}

    assert waterfall([Part("a", "Factor", 0.0)], **sides).title == "After: no difference to Before"
    assert waterfall([Part("a", "A", 1.0), Part("b", "B", -1.0)], **sides).title == (
        "After: no difference to Before, as parts cancel each other out"
    )


def test_rounded_parts_may_leave_what_rounding_leaves():
    rounded = [Part(name, name, 0.333) for name in "abc"]

    assert waterfall(rounded, start=("a", 1.0), end=("b", 2.0), resolution=0.001).title.startswith("Emissions rose")
    with pytest.raises(ValueError, match="leave a rest"):
        waterfall(rounded, start=("a", 1.0), end=("b", 2.01), resolution=0.001)


def test_a_part_of_nothing_is_no_bar_and_has_no_hue():
    chart = draw(100, (0,), 100)

    assert [entry.label for entry in chart.legend] == ["Total"]
    assert chart.svg.count("<rect") == 2
    assert chart.rows[1] == ("Volume", "0", "100.0")


def test_plotly_accepts_every_figure_and_json_has_no_nan():
    for chart in (draw(1, (1, None), 5), draw(None, (None,), None), draw(0, (), 0), draw(5, (-9,), -4)):
        go.Figure(chart.figure)
        json.dumps(chart.figure, allow_nan=False)
        assert isinstance(chart.table, pd.DataFrame)
        assert "<svg" in chart.svg
