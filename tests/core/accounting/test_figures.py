"""Names of periods and filters."""

from __future__ import annotations

from datetime import date

import pytest

from core.accounting.figures import Filter, FilterError, Period, parse_period
from core.accounting.small_groups import folded_teams, unfolded_filter


@pytest.mark.parametrize(
    ("text", "fiscal_start", "first", "last"),
    [
        ("2026", 1, date(2026, 1, 1), date(2026, 12, 31)),
        ("2026-Q3", 4, date(2026, 7, 1), date(2026, 9, 30)),
        ("2026-02", 1, date(2026, 2, 1), date(2026, 2, 28)),
        ("2026-12", 1, date(2026, 12, 1), date(2026, 12, 31)),
        ("FY2026", 1, date(2026, 1, 1), date(2026, 12, 31)),
        ("FY2026", 4, date(2025, 4, 1), date(2026, 3, 31)),
        ("FY2026-Q4", 4, date(2026, 1, 1), date(2026, 3, 31)),
        ("FY2026-Q2", 12, date(2026, 3, 1), date(2026, 5, 31)),
    ],
)
def test_a_period_is_read(text, fiscal_start, first, last):
    assert parse_period(text, fiscal_start) == Period(first, last)


@pytest.mark.parametrize("text", ["", "26", "2026-Q5", "2026-13", "FY2026-07", "last-30d", "2026 ", "0000"])
def test_what_is_no_period_is_refused(text):
    with pytest.raises(FilterError, match="is no period"):
        parse_period(text)


def test_latest_days_end_today():
    assert parse_period("last-30d", today=date(2026, 3, 1)) == Period(date(2026, 1, 31), date(2026, 3, 1))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"by": ("colour",)}, "by"),
        ({"by": ("team", "team")}, "by"),
        ({"dims": {"role": ("counted",)}}, "filter"),
        ({"dims": {"team": ()}}, "team"),
        ({"grain": "minute"}, "grain"),
        ({"basis": "both"}, "basis"),
        ({"include": ("scope3",)}, "include"),
        ({"role": ()}, "role"),
        ({"booking": "cash"}, "booking"),
    ],
)
def test_a_filter_names_the_parameter_at_fault(options, field):
    with pytest.raises(FilterError) as refused:
        Filter(date(2026, 1, 1), date(2026, 1, 2), **options)

    assert refused.value.field == field


def test_a_period_that_ends_before_it_starts_is_refused():
    with pytest.raises(FilterError, match="before it starts"):
        Filter(date(2026, 1, 2), date(2026, 1, 1))


def test_nothing_folds_without_head_counts():
    assert folded_teams({"a": None, "b": None}, 5) == frozenset()


def test_two_small_teams_fold_alone():
    assert folded_teams({"a": 2, "b": 4, "c": 5}, 5) == {"a", "b"}


def test_a_filter_on_large_teams_stays():
    assert unfolded_filter(("c",), frozenset({"a", "b"})) == ("c",)
    assert unfolded_filter(("small groups",), frozenset({"a", "b"})) == ("a", "b")
