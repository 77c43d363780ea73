"""Which grid factor, PUE and upstream figure a use takes, and what is said about it."""

from __future__ import annotations

import pytest

from core.quantification.operational import choose_year, loss_share


def energy(one, **record):
    return one(energy_kwh=1000, energy_boundary="facility", **record)


@pytest.mark.parametrize(
    ("year", "g_per_kwh", "boundary"), [(2026, 329.0, "direct"), (2027, 334.1, "lifecycle"), (2023, 329.0, "direct")]
)
def test_stale_direct_factor_loses_to_a_fresh_lifecycle_one(one, year, g_per_kwh, boundary):
    result = energy(one, zone="DE", year=year)

    factor = result.factor("grid_location")
    assert (factor["value"], factor["boundary"], factor["match"]) == (g_per_kwh, boundary, "exact")
    assert factor["age_years"] == year - factor["year"]
    assert result["location_kg_co2e"] == pytest.approx(g_per_kwh)


@pytest.mark.parametrize(
    ("place", "match", "zone"),
    [
        ({"zone": "DE"}, "exact", "DE"),
        ({"zone": "deu"}, "exact", "DE"),
        ({"zone": "US-CAL-CISO"}, "region", "EGRID:CAMX"),
        ({"zone": "JP-TK"}, "country", "JP"),
        ({"hosting": "cloud", "provider": "aws", "region": "us-east-1"}, "exact", "EGRID:SRVC"),
        ({"hosting": "cloud", "provider": "aws", "region": "us-east-1a"}, "exact", "EGRID:SRVC"),
        ({"hosting": "cloud", "provider": "azure", "region": "West Europe"}, "exact", "NL"),
        ({"hosting": "cloud", "provider": "google", "region": "us-central1"}, "exact", "EGRID:MROW"),
        ({"hosting": "api", "provider": "mistralai"}, "provider", "SE"),
        ({"hosting": "api", "provider": "somebody"}, "world", "WLD"),
        ({"zone": "ATLANTIS"}, "world", "WLD"),
        ({"zone": "NA"}, "exact", "NA"),
        ({"hosting": "api", "provider": "azure", "region": "eu"}, "region", "EU27"),
        ({"hosting": "api", "provider": "azure", "region": "us"}, "country", "US"),
    ],
)
def test_zone_is_matched_by_named_tiers(one, place, match, zone):
    factor = energy(one, **place).factor("grid_location")

    assert (factor["match"], factor["zone"]) == (match, zone)


def test_world_average_is_said_and_lowers_the_score(one):
    result = energy(one)

    assert result.factor("grid_location")["value"] == 460.1
    assert {"no_zone", "grid_world_average"} <= set(result.plan.notes)
    assert result.plan.data_quality == 2
    assert result.plan.zone_group == "world"


def test_unknown_region_is_said(one):
    assert "unknown_region" in energy(one, hosting="cloud", provider="aws", region="mars-1").plan.notes


def test_fuel_is_lifecycle_less_direct_of_one_zone_and_year(one):
    result = energy(one, zone="DE")

    assert result["upstream_kg_co2e"] == pytest.approx(363.6 - 329.0)
    assert "no_loss_factor" in result.plan.notes


def test_lifecycle_factor_holds_its_fuel_already(one):
    result = energy(one, zone="BR")

    assert result.bounds("upstream_kg_co2e") == (0, 0, 0)
    assert {"lifecycle_grid_factor", "upstream_in_location"} <= set(result.plan.notes)


def test_direct_factor_without_lifecycle_leaves_upstream_null(one):
    result = energy(one, zone="EGRID:CAMX")

    assert "upstream_kg_co2e" in result.plan.nulls
    assert "no_upstream_factor" in result.plan.notes


def test_losses_multiply_direct_and_fuel(one):
    result = energy(one, zone="DE", factors={"grid_loss_fraction": 0.2})

    assert result["upstream_kg_co2e"] == pytest.approx(34.6 + 0.25 * (329.0 + 34.6))
    assert "no_loss_factor" not in result.plan.notes


def test_override_of_the_grid_counts_as_lifecycle(one):
    result = energy(one, zone="DE", factors={"grid_g_co2e_per_kwh": 400, "grid_loss_fraction": 0.5})

    assert result["location_kg_co2e"] == pytest.approx(400)
    assert result["market_kg_co2e"] == pytest.approx(400)
    assert result["upstream_kg_co2e"] == pytest.approx(400)
    assert "upstream_in_location" in result.plan.notes


def test_co2_only_factor_is_never_read_as_co2e_in_silence(one):
    result = energy(one, zone="CN-BJ")

    assert result.factor("grid_location")["unit"] == "g CO2/kWh"
    assert "co2_only_grid_factor" in result.plan.notes


def test_later_factor_is_taken_only_where_none_is_earlier(one):
    result = energy(one, zone="CA-ON", year=2019)

    assert result.factor("grid_location")["year"] == 2024
    assert "factor_later_than_use" in result.plan.notes


def test_stale_direct_stays_where_lifecycle_is_stale_too():
    boundaries = {"direct": {2015: {"year": "2015"}}, "lifecycle": {2016: {"year": "2016"}}}

    assert choose_year(boundaries, 2026, 3)["year"] == "2015"


@pytest.mark.parametrize(
    ("place", "pue", "match"),
    [
        ({"hosting": "cloud", "provider": "aws", "region": "eu-central-1"}, 1.35, "region"),
        ({"hosting": "cloud", "provider": "aws", "region": "ap-east-2"}, 1.14, "provider"),
        ({"hosting": "api", "provider": "openai"}, 1.2, "provider"),
        ({"hosting": "cloud", "provider": "nobody"}, 1.58, "default"),
        ({"hosting": "owned", "zone": "DE"}, 1.58, "default"),
        # A cloud's PUE is no default for a site of one's own.
        ({"hosting": "owned", "provider": "aws", "region": "eu-central-1"}, 1.58, "default"),
    ],
)
def test_pue_is_chosen_by_named_tiers(one, place, pue, match):
    factor = one(energy_kwh=1, energy_boundary="it", **place).factor("pue")

    assert (factor["value"], factor["match"]) == (pue, match)


def test_published_interval_of_a_pue_stands_as_it_is(one):
    factor = one(hosting="api", provider="anthropic", energy_kwh=1, energy_boundary="it").factor("pue")

    assert (factor["low"], factor["high"]) == (1.09, 1.14)


@pytest.mark.parametrize("losses", [-0.1, 1.0])
def test_impossible_losses_are_refused(losses):
    with pytest.raises(ValueError, match="fraction"):
        loss_share(losses)


@pytest.mark.parametrize(
    ("hosting", "scopes"),
    [
        ("owned", ("2", "3.3", "3.2")),
        ("colocated", ("2", "3.3", "3.2")),
        ("cloud", ("3.1", "3.1", "3.1")),
        ("api", ("3.1",) * 3),
    ],
)
def test_scope_follows_who_runs_the_hardware(one, hosting, scopes):
    plan = energy(one, hosting=hosting, zone="DE").plan

    assert (plan.scope, plan.scope_upstream, plan.scope_embodied) == scopes
