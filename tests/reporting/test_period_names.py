"""The periods that the filter bar offers, and those beside one."""

from datetime import date

import pytest

from core.accounting.figures import Filter, parse_period
from reporting.period_names import presets, stepped

TODAY = date(2026, 11, 25)


@pytest.mark.parametrize("fiscal_start", range(1, 13))
@pytest.mark.parametrize("today", [TODAY, date(2026, 1, 1), date(2024, 2, 29), date(2026, 12, 31)])
def test_this_holds_today_and_last_ends_the_day_before(fiscal_start, today):
    found = [one for one in presets(today, fiscal_start) if one.kind != "days"]

    assert len(found) == (6 if fiscal_start == 1 else 10)
    for this, last in zip(found[::2], found[1::2], strict=True):
        now = parse_period(this.name, fiscal_start)
        before = parse_period(last.name, fiscal_start)
        assert (this.which, last.which) == ("this", "last")
        assert now.from_day <= today <= now.to_day
        assert (now.from_day - before.to_day).days == 1


def test_the_latest_days_end_today():
    days = [parse_period(one.name, today=TODAY) for one in presets(TODAY) if one.kind == "days"]

    assert [(one.to_day - one.from_day).days + 1 for one in days] == [7, 30, 90, 365]
    assert {one.to_day for one in days} == {TODAY}


@pytest.mark.parametrize(
    ("label", "step", "expected"),
    [
        ("2026-Q1", -1, "2025-Q4"),
        ("2026-01", -1, "2025-12"),
        ("2026", 1, "2027"),
        ("FY2026-Q4", 1, "FY2027-Q1"),
    ],
)
def test_a_named_period_is_followed_by_a_named_one(label, step, expected):
    asked = Filter(date(2026, 1, 1), date(2026, 3, 31))

    assert stepped(asked, label, step) == {"period": expected, "from_": None, "to": None}


def test_days_are_followed_by_as_many_days():
    asked = Filter(date(2026, 10, 27), TODAY)

    assert stepped(asked, "last-30d", -1) == {"period": None, "from_": "2026-09-27", "to": "2026-10-26"}
    assert stepped(asked, "last-30d", 1) == {"period": None, "from_": "2026-11-26", "to": "2026-12-25"}
