"""The distribution: the percentiles that its number carries, and what it says."""

import json

import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.charts import distribution
from reporting.charts.percentiles import label_rows
from reporting.distribution import histogram


def draw(values, percentiles=None, **options):
    """Draw values in kg."""
    bins, zeros = histogram(values)
    return distribution(bins, percentiles=percentiles or {}, zeros=zeros, **options)


def marks(chart):
    """Names of the percentiles that are drawn."""
    return [trace["name"] for trace in chart.figure["data"][2:]]  # behind the bars and the edge of the lines


def test_bins_with_holes_are_refused():
    bins = pd.DataFrame({"low": [1.0, 5.0], "high": [2.0, 10.0], "count": [1, 1]})

    with pytest.raises(ValueError, match="holes"):
        distribution(bins, percentiles={})


def test_plotly_accepts_the_figure_and_json_has_no_nan():
    for chart in (
        draw([0.001, 0.002, 0.5] * 40, {"p50": 0.002, "p99": 0.5}),
        draw([0.0, 0.004], unknown=3),
        draw([]),
    ):
        go.Figure(chart.figure)
        json.dumps(chart.figure, allow_nan=False)


def test_bars_of_counts_begin_at_zero_and_the_scale_is_said():
    chart = draw([0.001, 0.002] * 60, {"p50": 0.0015})

    assert chart.figure["layout"]["yaxis"]["range"][0] == 0
    assert "logarithmic" in chart.subtitle
    assert chart.figure["layout"]["xaxis"]["title"]["text"] == "g CO2e per request"


@pytest.mark.parametrize(
    ("requests", "drawn"),
    [(1, []), (2, ["p50"]), (10, ["p50", "p90"]), (99, ["p50", "p90"]), (100, ["p50", "p90", "p99"])],
)
def test_a_percentile_needs_a_request_above_it(requests, drawn):
    chart = draw([0.001] * requests, {"p50": 0.001, "p90": 0.001, "p99": 0.001})

    assert marks(chart) == drawn


@pytest.mark.parametrize(
    ("p50", "p99", "title"),
    [
        (0.002, 0.076, "The heaviest 1\u202f% of requests take at least 38 times the median"),
        (0.002, 0.006, "Half of the requests stay below 2.00\u202fg, 99\u202f% below 6.00\u202fg"),
        (0.002, 0.003, "Most requests differ little: half stay below 2.00\u202fg, 99\u202f% below 3.00\u202fg"),
        (None, 0.003, "Distribution of requests"),
    ],
)
def test_the_title_states_the_finding(p50, p99, title):
    assert draw([0.001] * 50 + [0.08] * 50, {"p50": p50, "p99": p99}).title == title


def test_zeros_have_their_own_bar_and_unknown_ones_only_a_line():
    chart = draw([0.0, 0.0, 0.004], unknown=3)

    assert chart.figure["data"][0]["y"] == [2, 1]
    assert chart.rows[0] == ("0", "2")
    assert chart.notes[1:] == (
        "2 requests with exactly nothing stand at 0.",
        "3 requests have no figure and are in no bin.",
    )


def test_the_file_holds_bins_and_percentiles_in_kg():
    chart = draw([0.003, 0.003], {"p50": 0.003})

    assert chart.table.astype(object).where(chart.table.notna(), None).to_numpy().tolist() == [
        ["", 0.0025, 0.00315, 2],
        ["p50", 0.003, 0.003, None],
    ]


@given(st.lists(st.floats(0, 30), min_size=1, max_size=6))
def test_labels_of_percentiles_never_cover_each_other(places):
    class Mark:
        def __init__(self, place):
            self.place = place

    found = [Mark(place) for place in sorted(places)]
    rows = label_rows(found, (0, 30))

    starts = [mark.place - 5 if mark.place > 25 else mark.place for mark in found]
    for i, row in enumerate(rows):
        for j in range(i):
            assert rows[j] != row or abs(starts[i] - starts[j]) >= 5
