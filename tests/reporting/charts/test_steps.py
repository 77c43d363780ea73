"""Steps over time: values hold through their slot, gaps break the line, and every break has its reason."""

import pandas as pd
import pytest

from reporting.charts import Hole, steps

HOURS = pd.date_range("2026-07-01", periods=6, freq="h", tz="UTC")


def draw(*values, **options):
    """Draw power of six hours; None is no row."""
    frame = pd.DataFrame(
        [(slot, "power", value) for slot, value in zip(HOURS, values, strict=True) if value is not None],
        columns=["starts_at", "series", "value"],
    )
    return steps(frame, slots=HOURS, unit="kW", noun="Power", labels={"power": "Power"}, **options)


def test_a_value_holds_until_the_next_slot_begins():
    line = draw(10, 10, 20, 10, 10, 10).figure["data"][0]

    assert line["x"][4:6] == ["2026-07-01 02:00:00", "2026-07-01 03:00:00"]
    assert line["y"][2:8] == [10, 10, 20, 20, 10, 10]


def test_a_gap_breaks_the_line_and_names_its_reason():
    hole = Hole(HOURS[2].to_pydatetime(), HOURS[4].to_pydatetime(), "meter silent")
    chart = draw(10, 10, None, None, 10, 10, holes=[hole])

    line, band = chart.figure["data"]
    assert line["y"][4:8] == [None] * 4
    assert line["connectgaps"] is False
    assert band["width"] == [2 * 3600 * 1000]
    assert chart.notes == ("1 Jul 2026 02:00 to 1 Jul 2026 04:00: meter silent",)
    assert chart.svg.count("M") >= 2  # the pen is lifted


def test_a_gap_without_a_reason_is_one_all_the_same():
    assert draw(10, None, 10, 10, 10, 10).notes == ("1 Jul 2026 01:00 to 1 Jul 2026 02:00: no data",)


@pytest.mark.parametrize(
    ("values", "title"),
    [
        ((10, 10, 40, 10, 10, 10), "Power peaks at 40.0\u202fkW on 1 Jul 2026 02:00, 2.7 times the mean"),
        ((10, 11, 12, 10, 10, 10), "Power stays between 10.0 and 12.0\u202fkW"),
        ((10,) * 6, "Power stays at 10.0\u202fkW"),
        ((10, None, 40, 10, 10, 10), "Power is not known for 17\u202f% of the time"),
        ((None,) * 6, "Power over time"),
    ],
)
def test_the_title_states_the_finding(values, title):
    assert draw(*values).title == title


def test_rows_outside_the_slots_are_refused():
    frame = pd.DataFrame(
        [(pd.Timestamp("2026-08-01", tz="UTC"), "power", 1.0)], columns=["starts_at", "series", "value"]
    )

    with pytest.raises(ValueError, match="outside the slots"):
        steps(frame, slots=HOURS, unit="kW", noun="Power", labels={"power": "Power"})


def test_seven_lines_are_refused():
    frame = pd.DataFrame([(HOURS[0], f"s{i}", 1.0) for i in range(7)], columns=["starts_at", "series", "value"])

    with pytest.raises(ValueError, match="told apart"):
        steps(frame, slots=HOURS, unit="kW", noun="Power", labels={f"s{i}": f"S {i}" for i in range(7)})
