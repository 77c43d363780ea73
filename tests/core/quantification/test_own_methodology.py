"""An organization's own settings: part of the version's name, read one way, and refused where they cannot be."""

from __future__ import annotations

import pytest

from core.quantification.methods import (
    METHODS,
    UnknownMethodology,
    methodology_of,
    setting_names,
    setting_of,
)

H100 = "NVIDIA H100 80GB HBM3"


def test_settings_are_part_of_the_version_in_one_spelling():
    first = methodology_of("2026.1 prefill=off host_factor=1.3")
    second = methodology_of(" 2026.1   host_factor=1.30/1.3/1.3 prefill=off")

    assert first is second
    assert first.version == "2026.1 host_factor=1.3/1.3/1.3 prefill=off"
    assert (first.prefill, first.host_factor) == (False, (1.3, 1.3, 1.3))


def test_a_setting_that_changes_nothing_is_no_other_version():
    assert methodology_of("2026.1 prefill=on host_factor=1.35/1.15/1.8") is methodology_of("2026.1")


def test_every_setting_can_be_written_and_read_back():
    published = methodology_of("2026.1")
    for name in setting_names(published):
        assert methodology_of(f"2026.1 {name}={setting_of(published, name)}") is published


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("2019.1", "no methodology '2019.1'"),
        ("", "no methodology ''"),
        ("2026.1 kindness=3", "no setting 'kindness'"),
        ("2026.1 utilization.gardening=0.5", "no setting"),
        ("2026.1 utilization=0.5", "no setting"),
        ("2026.1 version=2", "no setting"),
        ("2026.1 prefill", "not name=value"),
        ("2026.1 prefill=off prefill=on", "each name once"),
        ("2026.1 prefill=no", "on or off"),
        ("2026.1 host_factor=0.9", "from 1 to 3"),
        ("2026.1 host_factor=1.3/1.4/1.5", "low <= value <= high"),
        ("2026.1 host_factor=1.3/1.4", "value/low/high"),
        ("2026.1 batch_size=many", "batch_size=many"),
        ("2026.1 batch_size=nan", "from 1 to 4096"),
        ("2026.1 methods=measured/guesses", "each once, best first"),
        ("2026.1 methods=tokens/tokens", "each once"),
        ("2026.1 factor_max_age_years=2.5", "factor_max_age_years"),
    ],
)
def test_what_cannot_be_is_refused(version, says):
    with pytest.raises(UnknownMethodology, match=says):
        methodology_of(version)


def test_own_host_factor_lifts_device_energy(one):
    result = one(energy_kwh=10, energy_boundary="device", methodology="2026.1 host_factor=1.2", factors={"pue": 1.1})

    assert result["energy_it_kwh"] == pytest.approx(12)
    assert result["energy_facility_kwh"] == pytest.approx(13.2)
    assert "host_factor=1.2" in str(result.factor("host_factor")["source"])


@pytest.mark.parametrize(
    ("methods", "method"),
    [
        ("/".join(METHODS), "device"),
        ("tokens/device", "tokens"),
        ("tokens", "tokens"),
        ("measured/spend", None),
        ("measured", None),
    ],
)
def test_methods_are_tried_in_the_order_that_the_organization_chose(one, methods, method):
    record = {"device_hours": 1, "hardware": H100, "model": "gpt-4o-mini", "output_tokens": 100, "input_tokens": 10}

    plan = one(hosting="owned", methodology=f"2026.1 methods={methods}", **record).plan

    assert plan.method == method
    assert ("method_switched_off" in plan.notes) == (methods != "/".join(METHODS) and methods != "tokens/device")


def test_supplier_figures_can_be_left_out(one):
    record = {"hosting": "api", "provider": "openai", "reported_kg_co2e": 2, "reported_basis": "market"}

    assert one(methodology="2026.1 methods=tokens", **record).plan.method is None
