"""Lines of the disclosed booking, by hand, and the law that the meter is shared out exactly."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.factors.pack import load_pack
from core.quantification import booking
from core.quantification.market_coverage import Rates
from core.quantification.methods import METHODOLOGIES
from core.quantification.pack import pack_from_tables
from core.quantification.register_lines import Fact, MeteredMonth, lines_of_entries, lines_of_meters

METHOD = METHODOLOGIES["2026.1"]
PACK = load_pack()
NO_RATES = Rates({})
KWH = 10**12
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


def month(metered, records, own=0):
    return MeteredMonth("berlin", "DE", date(2026, 7, 1), metered, own, records)


def test_what_no_record_covers_is_electricity_of_the_site():
    (line,) = lines_of_meters([month(120_000 * KWH, 100_000 * KWH)], PACK, METHOD, NO_RATES)

    # Germany in 2026: direct 329.0 g of 2023, fuel 363.6 - 329.0 g
    assert line.amounts["energy_facility_kwh"][0] == 20_000 * KWH
    assert line.amounts["location_kg_co2e"][0] == pytest.approx(20_000 * 0.3290 * KG, abs=1)
    assert line.amounts["upstream_kg_co2e"][0] == pytest.approx(20_000 * 0.0346 * KG, abs=1)
    assert (line.scopes.energy, line.scopes.upstream) == ("2", "3.3")


def test_records_beyond_the_meter_are_flagged_and_never_clipped():
    (line,) = lines_of_meters([month(100 * KWH, 120 * KWH)], PACK, METHOD, NO_RATES)

    value, low, high = line.amounts["location_kg_co2e"]
    assert value == pytest.approx(-20 * 0.329 * KG, abs=1)
    assert low < value < high
    assert "records_exceed_meter" in line.notes


def test_what_the_site_generates_itself_is_not_bought_as_well():
    lines = lines_of_meters([month(100 * KWH, 100 * KWH, own=30 * KWH)], PACK, METHOD, NO_RATES)

    (line,) = lines
    assert line.step == booking.SELF_GENERATED
    assert line.nkg() == pytest.approx(-30 * 0.3636 * KG, abs=2)


def test_the_view_s_market_rate_goes_first():
    (line,) = lines_of_meters(
        [month(100 * KWH, 0)], PACK, METHOD, Rates({("location:DE:exact", "", 2026): (50.0, 40.0, 60.0)})
    )

    assert line.amounts["market_kg_co2e"] == (5 * KG, 4 * KG, 6 * KG)


@given(st.integers(0, 10**17), st.integers(0, 10**17), st.integers(0, 10**17))
def test_records_and_lines_make_what_was_bought_exactly(metered, records, own):
    lines = lines_of_meters([month(metered, records, own)], PACK, METHOD, NO_RATES)

    assert records + sum(line.amounts["energy_facility_kwh"][0] for line in lines) == metered - own
