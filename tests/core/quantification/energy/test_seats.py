"""Seats and spend: only by a factor that the organization brings, and as wide as the last resort is."""

from __future__ import annotations

import pytest

GSD_3 = 3**1.959963984540054  # 95 % of a geometric standard deviation of 3 (methodology 9.2)


def test_seats_with_a_factor_in_kwh_go_the_way_of_all_energy(one):
    result = one(
        hosting="api",
        seat_months=120,
        factors={"seat_it_kwh": 0.25, "pue": 1.2, "grid_g_co2e_per_kwh": 400},
    )

    assert result.plan.method == "seats"
    assert result.plan.data_quality == 5
    assert result["energy_it_kwh"] == pytest.approx(30)
    assert result["location_kg_co2e"] == pytest.approx(120 * 0.25 * 1.2 * 0.4)
    value, low, high = result.bounds("energy_it_kwh")
    assert (value / low, high / value) == pytest.approx((GSD_3, GSD_3))


@pytest.mark.parametrize(
    ("record", "factors", "method", "kg"),
    [
        ({"seat_months": 120}, {"seat_kg_co2e": 0.5}, "seats", 60),
        ({"cost": 2000, "currency": "EUR"}, {"spend_kg_co2e": 0.15}, "spend", 300),
        ({"seat_months": 120, "cost": 2000}, {"seat_kg_co2e": 0.5, "spend_kg_co2e": 9}, "seats", 60),
        ({"seat_months": 120, "cost": 2000}, {"spend_kg_co2e": 0.15}, "spend", 300),
    ],
)
def test_factor_in_kg_stands_in_both_bases_and_leaves_energy_unknown(one, record, factors, method, kg):
    result = one(hosting="api", factors=factors, **record)

    assert result.plan.method == method
    assert result["location_kg_co2e"] == pytest.approx(kg)
    assert result["market_kg_co2e"] == pytest.approx(kg)
    assert {"energy_it_kwh", "energy_facility_kwh", "water_l", "embodied_kg_co2e"} <= set(result.plan.nulls)
    assert result.plan.market_key is None
    assert "one_figure_for_both_bases" in result.plan.notes


def test_interval_of_the_factor_replaces_the_spread_of_the_method(one):
    result = one(cost=100, currency="EUR", factors={"spend_kg_co2e": {"value": 0.2, "low": 0.1, "high": 0.6}})

    assert result.bounds("location_kg_co2e") == pytest.approx((20, 10, 60))


def test_seats_and_spend_are_no_estimate_where_something_physical_is_there(one):
    result = one(output_tokens=1, model="nobody-knows-me", seat_months=3, factors={"seat_it_kwh": 1, "seat_kg_co2e": 1})

    assert result.plan.method is None
    assert "location_kg_co2e" in result.plan.nulls


def test_factor_of_kwh_goes_before_one_of_kg(one):
    result = one(hosting="api", seat_months=1, factors={"seat_it_kwh": 2, "seat_kg_co2e": 9, "pue": 1})

    assert result["energy_facility_kwh"] == pytest.approx(2)
