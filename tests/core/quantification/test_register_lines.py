"""Lines of the disclosed booking that follow from single entries, by hand."""

from __future__ import annotations

from datetime import date

import pytest

from core.factors.pack import load_pack
from core.quantification import booking
from core.quantification.methods import METHODOLOGIES
from core.quantification.pack import pack_from_tables
from core.quantification.register_lines import Fact, lines_of_entries

METHOD = METHODOLOGIES["2026.1"]
PACK = load_pack()
KG = 10**9


def fact(kind, **values):
    return Fact(7, "berlin", kind, date(2026, 7, 14), values)


@pytest.mark.parametrize(
    ("entry", "step", "scope", "kg"),
    [
        (fact("fuel", fuel="diesel", fuel_l=400.0), booking.FUEL, "1", 400 * 2.66155),
        (fact("refrigerant", gas="HFC-134a", gas_kg=2.5), booking.REFRIGERANT, "1", 3250),
        (fact("purchase", hardware="NVIDIA H100", count=8), booking.PURCHASES, "3.2", 8 * 164 + 2500),
        (
            fact("retirement", hardware="NVIDIA V100", count=16, mass_kg=320.0, treatment="recycling"),
            booking.DISPOSAL,
            "3.5",
            0.32 * 4.68568,
        ),
    ],
)
def test_each_kind_by_hand(entry, step, scope, kg):
    (line,) = lines_of_entries([entry], PACK, METHOD)

    assert (line.step, line.scopes.energy, line.entries) == (step, scope, (7,))
    assert line.nkg() == line.nkg("market") == pytest.approx(kg * KG, abs=1)
    for value, low, high in line.amounts.values():
        assert low <= value <= high


def test_readings_are_no_lines_of_their_own():
    assert lines_of_entries([fact("meter_reading", facility_kwh=1.0), fact("water", water_l=1.0)], PACK, METHOD) == []


@pytest.mark.parametrize(
    ("entry", "note"),
    [
        (fact("fuel", fuel="diesel", fuel_l=400.0), "no_fuel_factor"),
        (fact("refrigerant", gas="HFC-134a", gas_kg=2.5), "no_gwp"),
        (fact("purchase", hardware="NVIDIA H100", count=8), "unknown_hardware"),
        (
            fact("retirement", hardware="V100", count=1, mass_kg=20.0, treatment="recycling"),
            "no_treatment_factor",
        ),
    ],
)
def test_without_a_factor_there_is_a_note_and_no_amount(entry, note):
    empty = pack_from_tables("x", {"nothing--x": b"a\n1\n"})

    (line,) = lines_of_entries([entry], empty, METHOD)

    assert (line.amounts, line.notes) == ({}, (note,))


def test_retired_mass_is_known_whatever_its_treatment():
    entry = fact("retirement", hardware="V100", count=16, mass_kg=320.0, treatment="reuse")

    (line,) = lines_of_entries([entry], PACK, METHOD)

    assert (line.mass_kg, line.amounts, line.notes) == (320.0, {}, ("no_treatment_factor",))
