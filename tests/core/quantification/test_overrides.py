"""Overrides: an organization's own factors, with an interval or without, and what cannot be."""

from __future__ import annotations

import pytest

from core.quantification.overrides import UNITS, ImpossibleFactor, parse_overrides


@pytest.mark.parametrize(
    ("given", "field", "reason"),
    [
        ({"pue": 0.99}, "pue", "out_of_range"),
        ({"grid_g_co2e_per_kwh": -1}, "grid_g_co2e_per_kwh", "out_of_range"),
        ({"grid_loss_fraction": 1}, "grid_loss_fraction", "out_of_range"),
        ({"device_tdp_w": 0}, "device_tdp_w", "out_of_range"),
        ({"pue": "low"}, "pue", "not_a_number"),
        ({"pue": True}, "pue", "not_a_number"),
        ({"pue": float("nan")}, "pue", "not_a_number"),
        ({"pue": {"value": 1.2}}, "pue", "bad_interval"),
        ({"pue": {"value": 1.2, "low": 1.3, "high": 1.4}}, "pue", "bad_interval"),
        ({"device_idle_w": 9, "device_tdp_w": 8}, "device_idle_w", "out_of_range"),
        ({"coolness": 3}, "coolness", "unknown_factor"),
        ({"embodied_kg_co2e": 3}, "lifetime_h", "missing"),
        ({"lifetime_h": 3}, "embodied_kg_co2e", "missing"),
    ],
)
def test_impossible_factor_is_refused_with_its_name(given, field, reason):
    with pytest.raises(ImpossibleFactor) as refused:
        parse_overrides(given)

    assert (refused.value.field, refused.value.reason) == (field, reason)


def test_override_has_no_width_unless_given(one):
    plain = one(energy_kwh=1, energy_boundary="facility", factors={"grid_g_co2e_per_kwh": 400})
    wide = one(
        energy_kwh=1,
        energy_boundary="facility",
        factors={"grid_g_co2e_per_kwh": {"value": 400, "low": 200, "high": 800}},
    )

    value, low, high = plain.bounds("location_kg_co2e")
    assert (value / low, high / value) == pytest.approx((1.05**1.959963984540054,) * 2)
    value, low, high = wide.bounds("location_kg_co2e")
    assert value / low > 2
    assert high / value > 2


def test_override_of_zero_is_a_figure(one):
    result = one(energy_kwh=1, energy_boundary="it", factors={"grid_g_co2e_per_kwh": 0, "wue_l_per_kwh": 0})

    assert result.bounds("location_kg_co2e") == (0, 0, 0)
    assert result["water_l"] > 0


def test_water_needs_to_know_its_site(one):
    unknown = one(energy_kwh=10, energy_boundary="it", zone="DE")
    known = one(
        energy_kwh=10,
        energy_boundary="it",
        zone="DE",
        factors={"wue_l_per_kwh": 0.2, "grid_water_l_per_kwh": 3, "pue": 1.5},
    )

    assert "water_l" in unknown.plan.nulls
    assert "no_wue" in unknown.plan.notes
    assert known["water_l"] == pytest.approx(10 * 0.2 + 10 * 1.5 * 3)


def test_reported_site_water_stands_for_itself(one):
    result = one(energy_kwh=10, energy_boundary="facility", zone="DE", water_l=7, factors={"grid_water_l_per_kwh": 3})

    assert result["water_l"] == pytest.approx(7 + 30)
    assert "site_water_reported" in result.plan.notes


def test_every_override_has_a_unit():
    assert all(unit for _, unit in UNITS.values())


@pytest.mark.parametrize("name", sorted(set(UNITS) - {"lifetime_h"}))
def test_every_override_changes_something(one, name):
    record = {
        "energy_kwh": {"energy_kwh": 1, "energy_boundary": "it"},
        "device": {"hardware": "NVIDIA H100 80GB HBM3", "device_hours": 1, "device_utilization": 0.5},
        "model": {"model": "gpt-4o-mini", "output_tokens": 100},
        "seat": {"seat_months": 3},
        "spend": {"cost": 3, "currency": "EUR"},
    }.get(name.split("_")[0], {"hardware": "NVIDIA H100 80GB HBM3", "device_hours": 1})
    base = {"wue_l_per_kwh": 0.3}
    changed = {**base, name: {"grid_loss_fraction": 0.5, "pue": 3.0, "device_idle_w": 99.0}.get(name, 999.0)}
    if name == "embodied_kg_co2e":
        changed["lifetime_h"] = 10.0

    before, after = one(zone="DE", factors=base, **record), one(zone="DE", factors=changed, **record)

    assert not before.impacts.equals(after.impacts)
    assert any(factor["match"] == "override" for factor in after.plan.factors)
