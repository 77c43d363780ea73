"""Scope 1, purchases and disposal: hand calculations over the shipped tables."""

from __future__ import annotations

import pytest

from core.factors.pack import load_pack
from core.quantification.assets import disposed_kg_co2e, embodied_of, purchased_kg_co2e, treatments
from core.quantification.methods import METHODOLOGIES
from core.quantification.pack import pack_from_tables
from core.quantification.scope1 import fuel_kg_co2e, fuels, gases, refrigerant_kg_co2e

METHOD = METHODOLOGIES["2026.1"]


@pytest.fixture(scope="module")
def pack():
    return load_pack()


def test_a_genset_s_diesel(pack):
    fuel = fuels(pack)["diesel", "L"]

    # DESNZ 2025: 2.66155 kg CO2e per litre
    assert fuel_kg_co2e(1200, fuel.factor.value) == pytest.approx(3193.86)
    assert "DESNZ" in fuel.factor.source
    assert fuel.factor.low < fuel.factor.value < fuel.factor.high


def test_gas_by_volume_and_by_bill_are_the_same_gas(pack):
    by_volume, by_bill = fuels(pack)["natural_gas", "m3"], fuels(pack)["natural_gas", "kWh"]

    # A cubic metre of British gas holds about 11.3 kWh of gross calorific value.
    assert by_volume.factor.value / by_bill.factor.value == pytest.approx(11.3, rel=0.01)


@pytest.mark.parametrize(
    ("gas", "ar5", "ar6"),
    [
        ("HFC-134a", 1300, 1530),
        ("R-134a", 1300, 1530),
        ("r-32", 677, 771),
        ("SF6", 23500, 25200),
        # 0.5 x 677 + 0.5 x 3170; EPA's GHG Emission Factors Hub 2025 prints 1,924
        ("R-410A", 1923.5, 2255.5),
        # 0.44 x 3170 + 0.52 x 4800 + 0.04 x 1300; EPA prints 3,943
        ("R-404A", 3942.8, 4728.0),
    ],
)
def test_gases_by_edition(pack, gas, ar5, ar6):
    assert gases(pack, "AR5")[gas.upper()].factor.value == pytest.approx(ar5)
    assert gases(pack, "AR6")[gas.upper()].factor.value == pytest.approx(ar6)
    assert refrigerant_kg_co2e(2, gases(pack)[gas.upper()].factor.value) == pytest.approx(2 * ar5)


def test_a_blend_with_an_unknown_part_is_left_out():
    columns = "gas,aliases,gwp_set,gwp100,unit,source,source_year,licence,verification"
    pack = pack_from_tables(
        "x",
        {
            "refrigerants--a": f"{columns}\nHFC-32,R-32,AR5,677,kg CO2e/kg,IPCC,2013,facts,transcribed\n".encode(),
            "refrigerant_blends--b": (
                b"gas,component,mass_share,source,source_year,verification\n"
                b"R-9,HFC-32,0.5,S,2019,transcribed\nR-9,HFC-1,0.5,S,2019,transcribed\n"
            ),
        },
    )

    assert set(gases(pack)) == {"HFC-32", "R-32"}


def test_eight_h100_as_purchased_are_the_boards_and_one_server(pack):
    factors, notes = embodied_of("NVIDIA H100 80GB HBM3", pack, METHOD)

    # NVIDIA PCF: 164 kg each; 2,500 kg of server over eight accelerators.
    assert purchased_kg_co2e(8, sum(factor.value for factor in factors)) == pytest.approx(8 * 164 + 2500)
    assert notes == ()
    assert any("NVIDIA" in factor.source for factor in factors)


def test_a_server_without_accelerators_counts_alone(pack):
    (factor,), _ = embodied_of("Server", pack, METHOD)

    assert (factor.value, factor.low, factor.high) == (2500, 1000, 5700)


def test_hardware_that_nobody_knows_has_no_figure(pack):
    assert embodied_of("abacus", pack, METHOD) == ((), ("unknown_hardware",))
    assert embodied_of("AMD EPYC 7763", pack, METHOD)[1] == ("no_embodied_factor",)


def test_half_a_tonne_recycled(pack):
    # DESNZ 2025, WEEE - mixed, open-loop: 4.68568 kg CO2e per tonne
    assert disposed_kg_co2e(500, treatments(pack)["recycling"].value) == pytest.approx(2.34284)
    assert "reuse" not in treatments(pack)
