"""Small multiples: one scale for all, the largest first."""

import pandas as pd
import pytest

from reporting.charts import multiples

WEEKS = pd.date_range("2026-06-29", periods=3, freq="7D", tz="UTC")


def draw(**teams):
    """Draw teams in t a week; None is unknown."""
    rows = [
        (slot, team, None if t is None else t * 1000.0)
        for team, weeks in teams.items()
        for slot, t in zip(WEEKS, weeks, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["starts_at", "series", "value"])
    return multiples(frame, slots=WEEKS, grain="week", labels={team: team.title() for team in teams}, noun="teams")


def test_every_panel_has_the_same_axis_from_zero():
    layout = draw(small=(1, 1, 1), large=(14, 13, 12)).figure["layout"]

    assert layout["yaxis"]["range"] == layout["yaxis2"]["range"]
    assert layout["yaxis"]["range"][0] == 0
    assert layout["yaxis"]["range"][1] == pytest.approx(15, rel=0.01)


def test_the_largest_is_first_and_unknown_weeks_stay_empty():
    chart = draw(small=(1, None, 1), large=(14, 13, 12))

    assert [note["text"] for note in chart.figure["layout"]["annotations"]][::3] == ["Large", "Small"]
    assert chart.figure["data"][1]["y"] == [1, None, 1]


@pytest.mark.parametrize(
    ("teams", "title"),
    [
        ({"a": (10, 9, 12), "b": (10, 9, 8), "c": (10, 9, 10)}, "1 of 3 teams grew, 1 fell"),
        ({"a": (10, 9, 10.4), "b": (10, 9, 9.6)}, "All 2 teams keep their level"),  # up to 5 % is a level
        ({"a": (10, 9, 12)}, "A"),
        ({"a": (10, 9, None), "b": (None, 9, 8)}, "Teams side by side"),
    ],
)
def test_the_title_counts_who_grew(teams, title):
    assert draw(**teams).title == title


def test_the_thirteenth_is_named_below():
    chart = draw(**{f"t{n:02}": (20 - n,) * 3 for n in range(13)})

    assert len(chart.figure["data"]) == 12
    assert chart.notes == ("Not drawn, as they are smaller: T12",)
