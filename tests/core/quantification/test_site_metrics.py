"""PUE and WUE of a site by month and year, and what its meter shows beside the records."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.quantification.site_metrics import (
    ImpossibleReading,
    Reading,
    pue,
    site_ratios,
    unallocated_pkwh,
    wue_l_per_kwh,
)


def month(number: int, year: int = 2026) -> date:
    return date(year, number, 1)


def values(name, ratios):
    return {ratio.month: (ratio.value, ratio.tier) for ratio in ratios if ratio.name == name}


def test_a_month_takes_its_own_reading_and_other_months_the_ratio_of_sums_of_their_year():
    ratios = site_ratios([Reading(month(1), 120.0, 100.0), Reading(month(2), 390.0, 300.0)])

    found = values("pue", ratios)
    assert len(found) == 12
    assert found[month(1)] == (1.2, "site-month")
    assert found[month(2)] == (1.3, "site-month")
    # (120 + 390) / (100 + 300) = 1.275, not the mean of 1.2 and 1.3
    assert found[month(3)] == found[month(12)] == (pytest.approx(1.275), "site-year")


def test_a_year_without_any_reading_is_left_to_the_next_choice():
    found = values("pue", site_ratios([Reading(month(5, 2025), 120.0, 100.0)]))

    assert {each.year for each in found} == {2025}


def test_water_of_one_entry_meets_the_meter_of_another():
    ratios = site_ratios([Reading(month(7), 120.0, 100.0), Reading(month(7), water_l=40.0)])

    assert values("wue_l_per_kwh", ratios)[month(7)] == (0.4, "site-month")


def test_water_without_an_it_meter_gives_no_wue():
    assert values("wue_l_per_kwh", site_ratios([Reading(month(7), water_l=40.0)])) == {}


@pytest.mark.parametrize("ratio", [pue, wue_l_per_kwh])
def test_no_it_energy_is_refused(ratio):
    with pytest.raises(ImpossibleReading, match="above 0"):
        ratio(10.0, 0.0)


def test_a_facility_below_its_it_is_refused():
    with pytest.raises(ImpossibleReading, match="PUE below 1"):
        pue(99.0, 100.0)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_what_is_allocated_and_what_is_not_make_the_meter_exactly(metered, allocated):
    assert unallocated_pkwh(metered, allocated) + allocated == metered


@given(st.dictionaries(st.integers(1, 12), st.tuples(st.floats(1, 1e9), st.floats(1.0, 3.0)), min_size=1, max_size=12))
def test_a_year_lies_between_its_months(months):
    readings = [Reading(month(number), it * factor, it) for number, (it, factor) in months.items()]

    ratios = [ratio for ratio in site_ratios(readings) if ratio.name == "pue"]

    own = [ratio.value for ratio in ratios if ratio.measured]
    assert len(ratios) == 12
    assert len(own) == len(months)
    for ratio in ratios:
        assert min(own) * (1 - 1e-12) <= ratio.value <= max(own) * (1 + 1e-12)
