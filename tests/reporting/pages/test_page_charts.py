"""Charts that pages make of what their tables show: coverage by month, and the intensity of markets."""

from datetime import date
from types import SimpleNamespace

import pytest

from core.accounting.selectors.completeness import Completeness
from reporting.pages.completeness_chart import coverage_chart
from reporting.pages.instrument_rows import intensity_chart
from reporting.selectors.electricity import Market


def expected(source, *missing, since=date(2026, 1, 1), until=None):
    """An entry of the register with runs of missing days."""
    return Completeness(1, "account", source, "1234", since, until, 92, 0, missing, None)


def test_each_month_has_its_share_of_the_days_that_were_expected():
    run = (date(2026, 7, 22), date(2026, 8, 10))  # 10 days of July, 10 of August
    chart = coverage_chart([expected("AWS", run)], date(2026, 7, 1), date(2026, 9, 30))

    (shares,) = chart.figure["data"][0]["z"]
    assert shares == pytest.approx([100 * 21 / 31, 100 * 21 / 31, 100])
    assert chart.title == "2 of 3 account months are covered by less than 95\u202f% or not at all"
    assert chart.rows[0][0] == "AWS, 1234"


def test_a_month_in_which_nothing_was_expected_is_hatched_with_that_reason():
    entry = expected("AWS", since=date(2026, 8, 16))
    chart = coverage_chart([entry], date(2026, 7, 1), date(2026, 9, 30))

    assert chart.figure["data"][0]["z"] == [[None, 100, 100]]
    assert chart.figure["data"][1]["customdata"][0][0] == "AWS, 1234, Jul 26: no data (nothing expected)"


def market(name, kwh, kg):
    """A market without instruments."""
    return Market(name, "", kwh, 0.0, kg, kg)


def test_markets_are_compared_by_their_mean_intensity():
    found = SimpleNamespace(
        year=2026, markets=[market("DE", 1000.0, 363.6), market("SE", 500.0, 10.5), market(None, 9.0, 1.0)]
    )

    chart = intensity_chart(found)

    assert [(row[0], row[1]) for row in chart.rows] == [("SE", "21"), ("DE", "364")]
    assert "their ranges are not known" in chart.title


def test_a_single_market_is_not_compared():
    assert intensity_chart(SimpleNamespace(year=2026, markets=[market("DE", 1000.0, 363.6)])) is None
