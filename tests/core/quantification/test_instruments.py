"""Instruments cover a consumption in order; contracts meet the load hour by hour."""

from __future__ import annotations

import pytest

from core.quantification.instruments import Instrument, cover_consumption, match_hourly


def test_volume_is_never_used_beyond_the_consumption():
    covered = cover_consumption(
        100,
        [Instrument("a", "certificate", 80, 0.0), Instrument("b", "contract", 80, 0.1)],
        location_kg_per_kwh=0.4,
        residual_kg_per_kwh=0.5,
    )

    assert (covered.covered_kwh, covered.uncovered_kwh) == (100, 0)
    assert covered.market_kg == pytest.approx(2.0)


def test_refusals_come_with_every_reason_in_order():
    unfit = Instrument("x", "certificate", 10, 0.0, market="US", vintage_year=2020, retired=False)

    covered = cover_consumption(
        100, [unfit], location_kg_per_kwh=0.4, residual_kg_per_kwh=0.5, market="DE", reporting_year=2025
    )

    assert covered.rejected == (("x", ("not_retired", "market", "vintage")),)
    assert covered.market_kg == pytest.approx(50)


def test_excess_of_one_hour_does_not_help_another():
    matched = match_hourly(
        load_kwh=[100, 100],
        contracted_kwh=[200, 0],
        grid_cfe_fraction=[0, 0],
        grid_kg_per_kwh=[0.4, 0.4],
        residual_kg_per_kwh=[0.5, 0.5],
    )

    assert (matched.matched_kwh, matched.excess_kwh, matched.annual_match_ratio) == (100, 100, 1)
    assert (matched.market_hourly_kg, matched.market_annual_kg) == (50, 0)


def test_what_is_assigned_to_a_pool_is_cut_by_the_hour_for_the_score_and_by_the_year_for_the_sum():
    berlin = ([10, 10], [30, 0])
    munich = ([5, 15], [0, 12])

    matched = match_hourly(
        load_kwh=[15, 25],
        contracted_kwh=[2, 2],
        grid_cfe_fraction=[0, 0],
        grid_kg_per_kwh=[0.4, 0.4],
        residual_kg_per_kwh=[0.5, 0.5],
        assigned=[berlin, munich],
    )

    # by the hour 10 + 0 + 2 of 15, then 0 + 12 + 2 of 25; on the sum 20 of Berlin's 30, Munich's 12 and 4 for all, of 40
    assert matched.matched_kwh == pytest.approx(26)
    assert matched.cfe_score == pytest.approx(26 / 40)
    assert matched.excess_kwh == pytest.approx(30 + 12 + 4 - 26)
    assert matched.annual_match_ratio == pytest.approx(36 / 40)
    assert matched.market_hourly_kg == pytest.approx(14 * 0.5)
    assert matched.market_annual_kg == pytest.approx(4 * 0.5)
