"""What every chart owes, whatever its kind: on the usual samples and on those that break pictures."""

import json
import re
from xml.etree import ElementTree

import pandas as pd
import plotly.graph_objects as go
import pytest

from reporting.charts.palette import COLOURS
from reporting.pages.gallery import sample_bars, sample_trend
from reporting.pages.gallery_charts import HOSTILE, chart_samples

SAMPLES = [*chart_samples(), sample_bars(), sample_trend(), sample_trend(name="gaps", partial=True)]
TOKENS = {colour.token for colour in COLOURS}
each = pytest.mark.parametrize("chart", SAMPLES, ids=lambda chart: chart.name)


def flat(values):
    """Numbers of a trace in one list: a heat map holds lists of lists."""
    return [one for value in values for one in (value if isinstance(value, list) else [value])]


def test_every_kind_has_samples():
    kinds = {"waterfall", "heatmap", "dots", "distribution", "scatter", "steps", "multiples", "trend", "ranked"}

    assert {chart.kind for chart in SAMPLES} == kinds
    assert len({chart.name for chart in SAMPLES}) == len(SAMPLES)


@each
def test_plotly_accepts_the_figure_and_json_has_no_nan(chart):
    go.Figure(chart.figure)
    json.dumps(chart.figure, allow_nan=False)


@each
def test_the_figure_draws_what_the_table_holds(chart):
    assert chart.drawn or all(trace["meta"]["key"] == "gap" for trace in chart.figure["data"])
    for link in chart.drawn:
        column = chart.table[link.column]
        column = column if link.rows is None else column.iloc[list(link.rows)]
        expected = [None if pd.isna(value) else float(value) * link.factor for value in column]
        assert flat(chart.figure["data"][link.trace][link.axis]) == pytest.approx(expected)


@each
def test_there_is_one_axis_for_values_and_bars_stand_on_zero(chart):
    layout = chart.figure["layout"]

    assert not [key for key, axis in layout.items() if key[1:].startswith("axis") and "overlaying" in axis]
    if any(trace["type"] == "bar" and trace["meta"]["key"] != "gap" for trace in chart.figure["data"]):
        across = any(trace.get("orientation") == "h" for trace in chart.figure["data"])
        for key in [key for key in layout if re.match("xaxis" if across else "yaxis", key)]:
            low, high = layout[key]["range"]
            assert low <= 0 <= high
            assert layout[key].get("type") != "log"


@each
def test_the_unit_is_said_with_the_axis(chart):
    titles = [
        axis["title"]["text"] for key, axis in chart.figure["layout"].items() if "axis" in key and "title" in axis
    ]

    assert chart.unit
    assert any(chart.unit in text for text in (chart.subtitle, *titles))


@each
def test_the_picture_of_the_server_is_whole_and_coloured_by_classes(chart):
    picture = ElementTree.fromstring(chart.svg)  # noqa: S314  our own picture

    assert "style" not in chart.svg
    _left, _top, width, height = map(float, picture.get("viewBox").split())
    for one in picture.iter():
        for side, most in (("x", width), ("y", height), ("x1", width), ("x2", width), ("y1", height), ("y2", height)):
            if one.get(side) and not one.tag.endswith("pattern"):
                assert -20 <= float(one.get(side)) <= most + 20, ElementTree.tostring(one)
    assert set(re.findall(r"\bc-([\w-]+)", chart.svg)) <= TOKENS


def test_a_hostile_name_is_text_in_every_picture():
    chart = next(chart for chart in SAMPLES if any(HOSTILE in row for row in chart.rows))

    assert "<script>" not in chart.svg
    assert "&lt;b&gt;" in chart.svg


@each
def test_words_and_table_are_complete(chart):
    assert chart.title
    assert re.search(r"[.?] .+\.$", chart.summary) or ". " in chart.summary
    assert all(len(row) == len(chart.headers) for row in chart.rows)
    assert {entry.token for entry in chart.legend} <= TOKENS
    assert "nan" not in chart.svg
    assert "{" not in chart.title + chart.summary + chart.subtitle


@each
def test_every_point_that_keys_reach_says_itself(chart):
    for trace in chart.figure["data"]:
        if trace["meta"].get("points"):
            cells = [cell for line in trace["customdata"] for cell in (line if trace["type"] == "heatmap" else [line])]
            assert all(len(cell) == 2 and cell[0] for cell in cells)


@each
def test_colours_come_from_tokens_that_each_theme_knows(chart):
    for trace in chart.figure["data"]:
        meta = trace["meta"]
        assert meta["key"]
        assert {*meta.get("tokens", ()), *meta.get("scale", ()), *filter(None, [meta.get("token")])} <= TOKENS
