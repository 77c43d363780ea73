"""The stacked trend: its numbers, its words, and what it refuses to draw."""

import json
from datetime import UTC, datetime

import pandas as pd
import plotly.graph_objects as go
import pytest

from reporting.charts import Gap, trend
from reporting.charts.stack import arrange

LABELS = {"inference": "Inference", "training": "Training", "embodied": "Embodied"}
WEEKS = pd.date_range("2026-06-29", periods=4, freq="7D", tz="UTC")


def rows(*per_week, slots=WEEKS):
    """Long table: one dict of tonnes per week."""
    return pd.DataFrame(
        [
            (slot, stage, tonnes * 1000, tonnes * 800, tonnes * 1200)
            for slot, week in zip(slots, per_week, strict=True)
            for stage, tonnes in week.items()
        ],
        columns=["starts_at", "series", "value", "low", "high"],
    )


def draw(*per_week, **options):
    """Draw four weeks."""
    return trend(rows(*per_week), slots=WEEKS, grain="week", labels=LABELS, **options)


FOUR = [{"inference": 7, "training": 4}, {"inference": 7, "training": 3}, {"inference": 8}, {"inference": 9}]


def test_plotly_accepts_the_figure_and_json_has_no_nan():
    chart = draw(*FOUR, target=10_000.0, gaps=[Gap(WEEKS[2].to_pydatetime(), "late")], provisional_from=WEEKS[3])

    go.Figure(chart.figure)
    json.dumps(chart.figure, allow_nan=False)


def test_the_table_equals_the_figure():
    chart = draw(*FOUR)

    drawn = {trace["name"]: trace["y"] for trace in chart.figure["data"]}
    assert drawn["Inference"] == [7, 7, 8, 9]
    assert drawn["Training"] == [4, 3, None, None]
    assert list(chart.table["Inference [kg CO2e]"]) == [7000, 7000, 8000, 9000]
    assert chart.table["Training [kg CO2e]"].isna().tolist() == [False, False, True, True]
    assert chart.headers == ("Period", "Inference", "Training", "Total, t CO2e")
    assert chart.rows[2] == ("Week of 13 Jul 2026", "8.0", "-", "8.0")


def test_stages_keep_their_order_and_colour():
    chart = draw({"embodied": 9, "inference": 1}, {"training": 5}, {}, {})

    assert [(entry.key, entry.token) for entry in chart.legend] == [
        ("inference", "series-1"),
        ("training", "series-2"),
        ("embodied", "embodied"),
    ]


def test_a_slot_without_rows_is_a_gap_with_its_reason_not_zero():
    chart = draw(FOUR[0], {}, {}, FOUR[3], gaps=[Gap(WEEKS[1].to_pydatetime(), "AWS export missing")])

    gap = next(trace for trace in chart.figure["data"] if trace["meta"]["key"] == "gap")
    assert gap["x"] == ["Week of 6 Jul 2026"]
    assert gap["customdata"] == [["AWS export missing", ""]]
    assert chart.rows[1] == ("Week of 6 Jul 2026", "-", "-", "-")


def test_the_open_end_is_hatched():
    chart = draw(*FOUR, provisional_from=datetime(2026, 7, 20, tzinfo=UTC))

    assert chart.figure["data"][0]["marker"]["pattern"]["shape"] == ["", "", "", "/"]
    assert "Provisional" in [entry.label for entry in chart.legend]


def test_seven_series_become_six_and_other():
    frame = rows({f"team {n}": 10 - n for n in range(8)}, {}, {}, {})

    chart = trend(frame, slots=WEEKS, grain="week", labels={f"team {n}": f"Team {n}" for n in range(8)})

    assert [entry.label for entry in chart.legend] == [*(f"Team {n}" for n in range(6)), "Other (2)"]
    assert chart.figure["data"][-1]["y"][0] == 4 + 3
    assert chart.rows[0][-1] == "52.0"  # 10 + 9 + ... + 3


def test_rows_outside_the_slots_are_refused():
    stray = rows({"inference": 1}, slots=[pd.Timestamp("2026-06-30", tz="UTC")])

    with pytest.raises(ValueError, match="not slots of the chart"):
        arrange(stray, WEEKS, LABELS, None)


@pytest.mark.parametrize(
    ("totals", "options", "title"),
    [
        # 11 x 3 over 10 x 3 in the last three of four weeks
        ((8, 11, 11, 11), {"target": 10_000.0}, "Emissions run 10\u202f% above the target since 6 Jul"),
        # two weeks are not yet a run: 42 over 40 in all
        ((9, 9, 12, 12), {"target": 10_000.0}, "Emissions run 5.0\u202f% above the target"),
        ((11, 11, 11, 11), {"target": 10_000.0}, "Emissions run 10\u202f% above the target"),
        ((8, 8, 8, 8), {"target": 10_000.0}, "Emissions stay 20\u202f% below the target"),
        ((10, 10, 10, 10), {"previous": 50_000.0}, "Emissions fell 20\u202f%"),
        ((10, 10, 10, 10), {"previous": 32_000.0}, "Emissions rose 25\u202f%"),
        # the last week is open, so no comparison with a whole period
        ((10, 10, 10, 2), {"previous": 50_000.0, "provisional_from": WEEKS[3]}, "Emissions over time"),
        ((10, 10, 10, 10), {}, "Emissions over time"),
    ],
)
def test_the_title_states_the_finding(totals, options, title):
    chart = draw(*({"inference": total} for total in totals), **options)

    assert chart.title == title


def test_a_leading_series_is_named_when_nothing_else_is_known():
    chart = draw(*[{"inference": 6, "training": 4}] * 4)

    assert chart.title == "Inference makes 60\u202f% of the total"


def test_the_summary_names_the_extremes():
    chart = draw(*FOUR)

    assert (
        "Highest: Week of 29 Jun 2026 with 11.0 t CO2e; lowest: Week of 13 Jul 2026 with 8.0 t CO2e." in chart.summary
    )


def test_nothing_at_all_is_drawn_without_error():
    chart = draw({}, {}, {}, {})

    go.Figure(chart.figure)
    assert chart.summary.endswith("There is no data in this period.")


def test_hover_carries_unit_range_and_address():
    chart = draw(*FOUR, links={WEEKS[0].to_pydatetime(): "?from=2026-06-29"})

    assert chart.figure["data"][0]["customdata"][0] == ["7.0\u202ft CO2e (5.6\u20138.4)", "?from=2026-06-29"]


def test_labels_follow_the_language():
    chart = trend(rows(*FOUR), slots=WEEKS, grain="week", labels=LABELS, locale="de")

    assert chart.figure["layout"]["xaxis"]["ticktext"][0] == "29. Juni"
    assert chart.rows[0][1] == "7,0"


def test_the_label_of_the_line_is_a_whole_slots_limit():
    limits = pd.Series([1_800.0, 2_500.0, 2_500.0, 1_100.0], index=WEEKS)  # the period cuts off both ends

    chart = draw(*FOUR, target=limits)

    assert [note["text"] for note in chart.figure["layout"]["annotations"]] == ["target 2.5\u202ft"]
    assert ">target 2.5\u202ft<" in chart.svg
