"""Files of grid factors: read as hours or months, or refused with every row and reason at once."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from core.quantification.grid_series_file import TEMPLATE, Fault, SeriesRefused, read_series


def hours(*lines):
    return read_series("\n".join(["start_utc,g_per_kwh", *lines]))


def faults(text):
    with pytest.raises(SeriesRefused) as refused:
        read_series(text)
    return refused.value.faults


def there(file):
    """Hours with a value: (month, position) to value."""
    return {
        (f"{month:%Y-%m}", int(position)): float(values[position])
        for month, values in file.months.items()
        for position in np.flatnonzero(~np.isnan(values))
    }


def test_the_template_can_be_read():
    assert there(read_series(TEMPLATE)) == {("2026-07", 0): 312.4, ("2026-07", 1): 305.9}


def test_hours_in_any_order_and_spelling_of_utc():
    file = hours("2026-08-01T00:00Z,3", "2026-07-31T23:00:00+00:00,2", "2026-07-31 22:00,1")

    assert there(file) == {("2026-07", 742): 1.0, ("2026-07", 743): 2.0, ("2026-08", 0): 3.0}
    assert (file.resolution, file.values) == ("hourly", 3)


def test_half_hours_and_quarters_of_an_hour_are_averaged():
    halves = hours("2026-07-01T00:00Z,100", "2026-07-01T00:30Z,200", "2026-07-01T01:00Z,7", "2026-07-01T01:30Z,8")
    quarters = hours(*(f"2026-07-01T00:{minute:02}Z,{minute}" for minute in (0, 15, 30, 45)))

    assert there(halves) == {("2026-07", 0): 150.0, ("2026-07", 1): 7.5}
    assert there(quarters) == {("2026-07", 0): 22.5}


def test_an_hour_of_which_a_part_is_missing_is_missing():
    file = hours("2026-07-01T00:00Z,100", "2026-07-01T00:30Z,200", "2026-07-01T01:00Z,300")

    assert there(file) == {("2026-07", 0): 150.0}
    assert file.hours_incomplete == 1


def test_months():
    file = read_series("month,g_per_kwh\n2026-08,200\n2026-07,100\n")

    assert file.resolution == "monthly"
    assert {month: values.tolist() for month, values in file.months.items()} == {
        date(2026, 7, 1): [100.0],
        date(2026, 8, 1): [200.0],
    }


def test_every_fault_is_told_at_once_with_its_row():
    found = faults(
        "start_utc,g_per_kwh\n"
        "2026-07-01T00:00Z,300\n"
        "2026-07-01T00:00Z,301\n"
        "2026-07-01T01:00Z,-1\n"
        "2026-07-01T02:00+02:00,300\n"
        "yesterday,300\n"
        "2026-07-01T03:00Z,\n"
        "2026-07-01T04:00Z,3000.1\n"
        "2026-07-01T05:00Z,nan\n"
    )

    assert [(fault.row, fault.field) for fault in found] == [
        (2, "start_utc"),
        (3, "g_per_kwh"),
        (4, "start_utc"),
        (5, "start_utc"),
        (6, "g_per_kwh"),
        (7, "g_per_kwh"),
        (8, "g_per_kwh"),
    ]
    said = " ".join(fault.reason for fault in found)
    for words in ("stands in row 1", "negative", "not UTC", "'yesterday' is no time", "no number", "3000 is the most"):
        assert words in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "first line must be"),
        ("when,g_per_kwh\n2026-07-01T00:00Z,1", "first line must be"),
        ("start_utc,value\n2026-07-01T00:00Z,1", "unit is missing"),
        ("start_utc,g_per_kwh\n", "no values"),
        ("start_utc,g_per_kwh\n2026-07-01T00:00Z,1\n2026-07-02T00:00Z,2", "1440 min does not divide an hour"),
        ("start_utc,g_per_kwh\n2026-07-01T00:00Z,1\n2026-07-01T00:45Z,2", "45 min does not divide an hour"),
        ("start_utc,g_per_kwh\n2026-07-01T00:00:30Z,1", "whole minute"),
        ("start_utc,g_per_kwh\n1890-07-01T00:00Z,1", "outside 1990 to 2099"),
        ("month,g_per_kwh\n2026-13,1", "no month such as"),
        ("month,g_per_kwh\n2026-07-01,1", "no month such as"),
        ("month,g_per_kwh\n0000-07,1", "no month such as"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_do(text, says):
    assert says in faults(text)[0].reason


def test_a_row_beside_the_step_of_the_others_is_refused():
    found = faults(
        "start_utc,g_per_kwh\n2026-07-01T00:00Z,1\n2026-07-01T01:00Z,1\n2026-07-01T02:00Z,1\n2026-07-01T03:10Z,1\n"
    )

    assert found == [Fault(4, "start_utc", "2026-07-01T03:10Z does not lie on the step of 60 min of the other rows.")]


def test_the_message_counts_what_it_does_not_say():
    with pytest.raises(SeriesRefused, match=r"row 1, g_per_kwh: .*\(and 1 more\)"):
        hours("2026-07-01T00:00Z,x", "2026-07-01T01:00Z,y")
