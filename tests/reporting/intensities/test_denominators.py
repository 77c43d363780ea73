"""Business figures: what is read, what is refused with every fault, and how they are added up over a period."""

from __future__ import annotations

import doctest
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.intensities import denominators, sheet, units
from reporting.intensities.denominators import Entry, Figure, read_entry, sum_within
from reporting.selectors import sci

MONTHS = [
    Figure(date(2026, month, 1), date(2026, month, days), Decimal(month)) for month, days in ((7, 31), (8, 31), (9, 30))
]


def faults(**row):
    found = read_entry(1, {"series": "accepted_tasks", "period": "2026-07", "value": "1"} | row)
    return {} if isinstance(found, Entry) else {fault.field: fault.reason for fault in found}


def test_whole_months_fill_a_quarter_and_nothing_less():
    assert sum_within(MONTHS, date(2026, 7, 1), date(2026, 9, 30)).value == 24
    assert sum_within(MONTHS, date(2026, 7, 1), date(2026, 8, 31)).value == 15


def test_what_is_missing_and_what_is_cut_is_named():
    found = sum_within(MONTHS[:1], date(2026, 7, 15), date(2026, 9, 30))

    assert found.value is None
    assert found.cut == (MONTHS[0],)
    assert [(gap.from_day, gap.to_day) for gap in found.missing] == [
        (date(2026, 7, 15), date(2026, 7, 31)),
        (date(2026, 8, 1), date(2026, 8, 31)),
        (date(2026, 9, 1), date(2026, 9, 30)),
    ]


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    values=st.data(),
)
def test_adjoining_periods_add_up_to_the_whole(lengths, values):
    day, figures = date(2026, 1, 1), []
    for length in lengths:
        value = values.draw(st.decimals(0, 10**9, places=9))
        figures.append(Figure(day, day + timedelta(days=length - 1), value))
        day += timedelta(days=length)
    cut = values.draw(st.integers(1, len(figures)))
    first, last = figures[:cut], figures[cut:]

    parts = [sum_within(figures, part[0].from_day, part[-1].to_day).value for part in (first, last) if part]

    assert sum_within(figures, figures[0].from_day, figures[-1].to_day).value == sum(parts)


@given(days=st.sets(st.integers(0, 60), min_size=1, max_size=60))
def test_a_period_has_a_sum_only_where_every_day_has_a_figure(days):
    first = date(2026, 7, 1)
    figures = [Figure(first + timedelta(days=day), first + timedelta(days=day), Decimal(1)) for day in days]

    found = sum_within(figures, first, first + timedelta(days=60))

    assert (found.value is not None) == (len(days) == 61)


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        ({"period": "2026-13"}, "period", "no period"),
        ({"period": "2026"}, "period", "no period"),
        ({"period": "2026-02-30"}, "period", "no period"),
        ({"period": "1066-10"}, "period", "no period"),
        ({"value": "-1"}, "value", "zero or more"),
        ({"value": "1,5"}, "value", "no number"),
        ({"value": "nan"}, "value", "no number"),
        ({"value": True}, "value", "no number"),
        ({"value": None}, "value", "missing"),
        ({"value": "0.0000000001"}, "value", "at most 9 decimals"),
        ({"value": "1e18"}, "value", "less than"),
        ({"series": "Tasks"}, "series", "no name"),
        ({"series": "request"}, "series", "a word of its own"),
        ({"series": "team"}, "series", "a word of its own"),
        ({"series": "revenue"}, "currency", "needs its currency"),
        ({"series": "revenue", "currency": "euro"}, "currency", "needs its currency"),
        ({"currency": "EUR"}, "currency", "Only revenue"),
        ({"series": "active_users", "period": "2026-Q3"}, "period", "given by month"),
        ({"series": "headcount", "period": "2026-07-01"}, "period", "given by month"),
        ({"unit": "ticket"}, "unit", "always: accepted task"),
        ({"team": "a", "project": "b"}, "project", "by one dimension"),
        ({"person": "Ada"}, "person", "no column"),
        ({"source": "x" * 201}, "source", "At most 200"),
        ({"team": "a\0b"}, "team", "printable"),
    ],
)
def test_a_row_that_cannot_be_is_refused_with_its_field(row, field, reason):
    assert reason in faults(**row)[field]


def test_every_fault_of_a_row_is_said_at_once():
    assert set(faults(period="soon", value="-1", currency="EUR", team="a", project="b")) == {
        "period",
        "value",
        "currency",
        "project",
    }


def test_numbers_of_json_and_text_of_a_sheet_are_the_same():
    assert read_entry(1, {"series": "revenue", "period": "2026-07", "value": 0.1, "currency": "EUR"}) == read_entry(
        1, {"series": "revenue", "period": "2026-07", "value": "0.1", "currency": "EUR", "team": ""}
    )


def test_the_template_reads_back_without_a_fault():
    rows, found = sheet.read_sheet(sheet.template().encode())

    assert found == []
    assert len(rows) == len(sheet.EXAMPLES)
    assert all(isinstance(read_entry(1, row), Entry) for row in rows)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_sheets_are_read_with_each_separator(separator):
    text = separator.join(("value", "series", "period")) + "\r\n" + separator.join(("3", "claims", "2026-07")) + "\r\n"

    rows, _ = sheet.read_sheet(text.encode("utf-8-sig"))

    assert rows == [{"value": "3", "series": "claims", "period": "2026-07"}]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\xff\xfe", "UTF-8"),
        (b"a,b\n1,2\n", "names each column once"),
        (b"series,series\n", "names each column once"),
        (b'series,period\n"open', "no CSV"),
        (b"x" * (sheet.MOST_BYTES + 1), "in parts"),
        (b"series\n" + b"a\n" * (sheet.MOST_ROWS + 1), "in parts"),
    ],
)
def test_a_file_that_is_no_sheet_is_refused(content, reason):
    with pytest.raises(sheet.UnreadableSheet, match=reason):
        sheet.read_sheet(content)


def test_a_row_of_another_length_is_a_fault():
    _, found = sheet.read_sheet(b"series,period,value\nclaims,2026-07\n")

    assert [(fault.row, fault.reason) for fault in found] == [(1, "The row has 2 cells, the header 3.")]


@pytest.mark.parametrize("module", [denominators, units, sci])
def test_examples_are_true(module):
    found = doctest.testmod(module)

    assert found.attempted > 0
    assert found.failed == 0
