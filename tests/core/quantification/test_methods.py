"""Which method a record takes, by what is there and which names are known (architecture, "Method")."""

from __future__ import annotations

import dataclasses

import pytest

from core.quantification.methods import Methodology, UnknownMethodology, methodology_of

H100 = "NVIDIA H100 80GB HBM3"
TOKENS = {"model": "gpt-4o-mini", "requests": 1, "input_tokens": 100, "output_tokens": 100}


@pytest.mark.parametrize(
    ("record", "method", "note"),
    [
        ({"energy_kwh": 1, "energy_boundary": "it", "device_hours": 1, "hardware": H100, **TOKENS}, "measured", None),
        ({"device_hours": 1, "hardware": H100, **TOKENS}, "device", "default_utilization"),
        ({"device_hours": 1, "hardware": "abacus", **TOKENS}, "tokens", "unknown_hardware"),
        ({"device_hours": 1, "hardware": "abacus"}, None, "unknown_hardware"),
        ({"device_hours": 1, "hardware": "abacus", "cost": 9}, None, "unknown_hardware"),
        ({"device_hours": 1, "hardware": "Trainium"}, None, "no_device_power"),
        ({"device_hours": 8, "instance_type": "p5.48xlarge", "provider": "aws"}, "device", "default_utilization"),
        ({"instance_hours": 1, "instance_type": "pdp.11"}, None, "unknown_instance"),
        ({"output_tokens": 1, "model": "nobody-knows-me"}, None, "unknown_model"),
        ({"output_tokens": 1}, None, "unknown_model"),
        ({"flops": 1e20, "hardware": H100}, "flops", None),
        ({"flops": 1e20, "hardware": "NVIDIA A2"}, None, "no_peak_rate"),
        ({"seat_months": 3}, "seats", "no_seat_factor"),
        ({"cost": 3}, "spend", "no_spend_factor"),
        ({"cost": 3, "reported_kg_co2e": 1, "reported_basis": "market"}, "reported", "reported_by_supplier"),
        ({"seat_months": 3, "reported_kg_co2e": 1, "reported_basis": "location"}, "reported", "no_seat_factor"),
        ({"requests": 3}, None, "no_method"),
    ],
)
def test_method_is_the_best_whose_names_are_known(one, record, method, note):
    plan = one(**record).plan

    assert plan.method == method
    assert note is None or note in plan.notes


@pytest.mark.parametrize(("instance_type", "method"), [("p4d.24xlarge", "instance"), ("p5.48xlarge", "device")])
def test_whole_instance_goes_before_its_devices(one, instance_type, method):
    record = {"hosting": "cloud", "provider": "aws", "region": "us-east-1", "instance_type": instance_type}

    assert one(device_hours=8, instance_hours=1, **record).plan.method == method


def test_without_energy_everything_that_follows_from_it_is_null(one):
    assert len(one(cost=3).plan.nulls) == 9


def test_supplier_figure_stands_on_its_own_basis_only(one):
    result = one(hosting="api", provider="openai", reported_kg_co2e=2, reported_basis="market")

    assert result["market_kg_co2e"] == pytest.approx(2)
    assert "location_kg_co2e" in result.plan.nulls
    assert result.plan.market_key is None
    assert result.plan.data_quality == 5


@pytest.mark.parametrize(
    ("record", "score"),
    [
        ({"energy_kwh": 1, "energy_boundary": "it"}, 1),
        ({"energy_kwh": 1, "energy_boundary": "device"}, 2),
        ({"energy_kwh": 1, "energy_boundary": "it", "evidence": "modelled"}, 4),
        ({"energy_kwh": 1, "energy_boundary": "it", "evidence": "stated"}, 5),
        ({"device_hours": 1, "device_utilization": 0.5, "hardware": H100}, 3),
        ({"device_hours": 1, "hardware": H100}, 4),
        (TOKENS, 4),
        ({**TOKENS, "model": "meta-llama/Meta-Llama-3.1-8B"}, 3),
        ({"flops": 1e20, "hardware": H100}, 4),
    ],
)
def test_data_quality_scores_the_evidence_of_energy(one, record, score):
    assert one(zone="DE", **record).plan.data_quality == score


def test_settings_make_a_methodology_of_their_own(one):
    hot = dataclasses.replace(Methodology(), version="2026.1+own", host_factor=(1.5, 1.4, 1.6))

    assert one(energy_kwh=2, energy_boundary="device", methodology=hot)["energy_it_kwh"] == pytest.approx(3)


def test_unknown_methodology_is_refused():
    with pytest.raises(UnknownMethodology, match=r"1999.*2026\.1"):
        methodology_of("1999")
