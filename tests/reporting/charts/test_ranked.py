"""Horizontal bars: order, folding, words."""

import json

import pandas as pd
import plotly.graph_objects as go

from reporting.charts import ranked


def teams(**tonnes):
    """One row per team, in t."""
    return pd.DataFrame(
        [(name, name.title(), None if t is None else t * 1000.0) for name, t in tonnes.items()],
        columns=["key", "label", "value"],
    )


def test_plotly_accepts_the_figure_with_and_without_ranges():
    plain = ranked(teams(search=62.4, chat=44.9), noun="By team")
    bounded = ranked(teams(search=62.4, chat=44.9).assign(low=40_000.0, high=[70_000.0, None]), noun="By team")

    for chart in (plain, bounded):
        go.Figure(chart.figure)
        json.dumps(chart.figure, allow_nan=False)


def test_the_largest_is_first_and_the_unknown_last_without_a_bar():
    chart = ranked(teams(chat=44.9, silent=None, search=62.4), noun="By team")

    assert chart.rows == (("Search", "62.4"), ("Chat", "44.9"), ("Silent", "-"))
    assert chart.figure["data"][0]["x"] == [62.4, 44.9, None]


def test_fourteen_rows_become_eleven_and_other():
    chart = ranked(teams(**{f"t{n:02}": 20 - n for n in range(14)}), noun="By team")

    assert len(chart.rows) == 12
    assert chart.rows[-1] == ("Other (3)", "24.0")  # 9 + 8 + 7


def test_a_third_or_more_is_named():
    assert ranked(teams(a=62, b=45, c=33, d=15), noun="By team").title == "A makes 40\u202f% of the total"


def test_the_fewest_that_make_two_thirds_are_counted():
    # 5 x 20 %: four make 80 %, three only 60 %
    assert ranked(teams(a=2, b=2, c=2, d=2, e=2), noun="By team").title == "4 of 5 make 80\u202f% of the total"


def test_one_row_has_a_plain_title():
    assert ranked(teams(a=2), noun="By team").title == "By team"


def test_a_hostile_name_stays_text_in_the_picture():
    chart = ranked(teams(a=2).assign(label="<script>"), noun="By team")

    assert "<script>" not in chart.svg
    assert "&lt;script&gt;" in chart.svg
