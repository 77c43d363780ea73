"""What meters show beyond the records, by hand, and the law that the meter is shared out exactly."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.factors.pack import load_pack
from core.quantification import booking
from core.quantification.market_coverage import Rates
from core.quantification.metered import Drawn, MeteredMonth, lines_of_meters
from core.quantification.methods import METHODOLOGIES
from core.quantification.overrides import Override

METHOD = METHODOLOGIES["2026.1"]
PACK = load_pack()
NO_RATES = Rates({})
KWH = 10**12
KG = 10**9


def month(metered, records, own=0, **about):
    return MeteredMonth("berlin", "DE", date(2026, 7, 1), metered, own, records, **about)


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


def test_own_factors_hold_for_what_no_record_covers():
    own = {"grid_g_co2e_per_kwh": 50.0, "grid_loss_fraction": 0.2, "market_g_co2e_per_kwh": 10.0}
    given = tuple((name, Override(value, value, value, "own:1")) for name, value in sorted(own.items()))

    (line,) = lines_of_meters([month(100 * KWH, 0, given=given)], PACK, METHOD, NO_RATES)

    # An own grid factor counts as lifecycle: no fuel upstream, and losses of 0.2 / (1 - 0.2) of a kWh that weigh the same.
    assert line.amounts["location_kg_co2e"] == (5 * KG, 5 * KG, 5 * KG)
    assert line.amounts["upstream_kg_co2e"] == (1_250_000_000,) * 3
    assert line.amounts["market_kg_co2e"] == (KG, KG, KG)
    assert {"own:1"} == {factor.id for factor in line.factors}


def test_what_is_taken_back_weighs_what_its_hours_did():
    key = "location:DE:exact:hourly:series:DE:2026-Q3"
    used = Drawn(key, "own", 6 * KWH, 3 * KG)  # 500 g/kWh by load, where the plain mean of the hours is 400
    rates = Rates({(key, "", 2026): (400.0, 380.0, 420.0)})

    (line,) = lines_of_meters([month(6 * KWH, 6 * KWH, own=3 * KWH, recorded=(used,))], PACK, METHOD, rates)

    assert line.amounts["location_kg_co2e"][0] == -1_500_000_000
    assert line.amounts["market_kg_co2e"] == (-1_500_000_000, -1_575_000_000, -1_425_000_000)


def test_more_generated_than_metered_is_flagged():
    (line,) = lines_of_meters([month(10 * KWH, 10 * KWH, own=12 * KWH)], PACK, METHOD, NO_RATES)

    assert "generated_exceeds_meter" in line.notes
