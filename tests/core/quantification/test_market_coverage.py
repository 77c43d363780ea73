"""Instruments cover the electricity of their market: never more than there is, in order, and every part adds up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.quantification.instruments import ORDER, Instrument, cover_consumption
from core.quantification.market_coverage import (
    WHOLE_MARKET,
    Assigned,
    Consumed,
    Rates,
    cover_markets,
    refused_because,
)

PLACES = {"DE": "AIB", "FR": "AIB", "CN": "CN", "WLD": None}
DE = Consumed("residual:DE", "AIB", WHOLE_MARKET, 600.0, 240.0, (700.0, 600.0, 800.0))
FR = Consumed("residual:FR", "AIB", WHOLE_MARKET, 300.0, 15.0, (50.0, 40.0, 60.0))
HALL = Consumed("residual:DE", "AIB", "site:hall", 100.0, 40.0, (700.0, 600.0, 800.0))


def certificate(name: str, kwh: float, kg_per_kwh: float = 0.0, *, kind: str = "certificate", **about) -> Instrument:
    return Instrument(name, kind, kwh, kg_per_kwh, about.pop("market", "AIB"), about.pop("vintage", 2026), **about)


def cover(consumed, *assigned):
    both = [each if isinstance(each, Assigned) else Assigned(each) for each in assigned]
    return cover_markets(consumed, both, year=2026, supplier_gsd=1.1)


def test_a_market_is_covered_pro_rata_and_each_place_keeps_its_residual_mix():
    (market,) = cover([DE, FR], certificate("go", 300))

    # A third of 900 kWh is covered with 0 g: Germany 700 x 2/3, France 50 x 2/3.
    assert {rate.key: rate.rate[0] for rate in market.rates} == pytest.approx(
        {"residual:DE": 700 * 2 / 3, "residual:FR": 50 * 2 / 3}
    )
    assert market.market_kg == pytest.approx((600 * 700 + 300 * 50) * 2 / 3 / 1000)
    assert market.covered_kwh == pytest.approx(300)


def test_a_pool_is_covered_first_and_its_rest_shares_what_the_market_has():
    (market,) = cover([DE, HALL], Assigned(certificate("hall", 50, 0.02), "site:hall"), certificate("all", 130))

    # The hall: 50 of 100 kWh by its own contract; its other 50 are among 650 kWh, of which 130 (a fifth) are covered.
    rates = {rate.pool: rate for rate in market.rates}
    assert rates["site:hall"].rate[0] == pytest.approx(0.5 * 20 + 0.5 * (0.8 * 700))
    assert rates[WHOLE_MARKET].rate[0] == pytest.approx(0.8 * 700)
    assert rates["site:hall"].covered_kwh == pytest.approx(50 + 10)
    assert [(part.instrument, part.share) for part in rates["site:hall"].parts] == [
        ("hall", pytest.approx(0.5)),
        ("all", pytest.approx(0.1)),
    ]
    assert market.used_kwh == {"hall": 50, "all": 130}


def test_what_a_pool_does_not_need_goes_nowhere():
    (market,) = cover([DE, HALL], Assigned(certificate("hall", 5000), "site:hall"))

    assert market.used_kwh == {"hall": 100}
    assert market.covered_kwh == 100


def test_excess_cannot_move_to_another_market():
    china = Consumed("residual:CN", "CN", WHOLE_MARKET, 100.0, 60.0, (600.0, 500.0, 700.0))

    aib, cn = cover([DE, china], certificate("go", 10_000))

    assert (aib.market, aib.market_kg, cn.market_kg) == ("AIB", 0.0, 60.0)


def test_a_place_that_is_not_known_is_covered_by_nothing():
    nowhere = Consumed("location:WLD:world", None, WHOLE_MARKET, 100.0, 46.0, (460.0, 200.0, 900.0))

    assert cover([nowhere], certificate("go", 100, market=None)) == []


def test_a_supplier_s_rate_has_a_spread_and_a_certificate_none():
    (with_rate,) = cover([DE], certificate("tariff", 600, 0.2, kind="supplier_rate"))
    (with_certificate,) = cover([DE], certificate("go", 300, 0.2))

    assert with_rate.rates[0].rate == pytest.approx((200, 200 / 1.1**1.959964, 200 * 1.1**1.959964), rel=1e-6)
    assert with_certificate.rates[0].rate == pytest.approx((450, 400, 500))  # halves of 200 and of 700, 600, 800


def test_corrections_that_leave_less_than_nothing_take_no_volume():
    (market,) = cover(
        [Consumed("residual:DE", "AIB", WHOLE_MARKET, -5.0, -2.0, (700.0, 600.0, 800.0))], certificate("go", 9)
    )

    assert market.used_kwh == {}
    assert market.market_kg == pytest.approx(-3.5)


@pytest.mark.parametrize(
    ("instrument", "pool", "reasons"),
    [
        (certificate("a", 1), WHOLE_MARKET, ()),
        (certificate("a", 1, retired=False), WHOLE_MARKET, ("not_retired",)),
        (certificate("a", 1, market="CN", retired=False), WHOLE_MARKET, ("not_retired", "market")),
        (certificate("a", 1, vintage=2024), WHOLE_MARKET, ("vintage",)),
        (certificate("a", 1), "site:hall", ("pool",)),
    ],
)
def test_refused_instruments_say_every_reason(instrument, pool, reasons):
    assert refused_because(Assigned(instrument, pool), [("AIB", WHOLE_MARKET, 2026)]) == reasons


# --- properties -------------------------------------------------------------------------------------------------------

amounts = st.floats(0.0, 1e6, allow_nan=False)
intensities = st.floats(0.0, 1000.0)
consumptions = st.lists(
    st.builds(
        lambda place, pool, kwh, g: Consumed(
            f"residual:{place}", PLACES[place], pool, kwh, kwh * 0.4, (g, g * 0.9, g * 1.1)
        ),
        st.sampled_from(list(PLACES)),
        st.sampled_from([WHOLE_MARKET, "site:a", "team:b"]),
        amounts,
        intensities,
    ),
    max_size=8,
    unique_by=lambda each: (each.key, each.pool),
)
instruments = st.lists(
    st.builds(
        lambda number, kind, kwh, g, market, vintage, retired, pool: Assigned(
            Instrument(f"{number:03}", kind, kwh, g / 1000, market, vintage, retired), pool
        ),
        st.integers(0, 999),
        st.sampled_from(ORDER),
        amounts,
        intensities,
        st.sampled_from(["AIB", "CN"]),
        st.sampled_from([2025, 2026]),
        st.booleans(),
        st.sampled_from([WHOLE_MARKET, "site:a", "team:b"]),
    ),
    max_size=8,
    unique_by=lambda each: each.instrument.id,
)


@given(consumptions, instruments)
def test_never_more_is_covered_than_there_is_nor_more_used_than_was_bought(consumed, assigned):
    bought = {each.instrument.id: each.instrument.kwh for each in assigned}

    for market in cover(consumed, *assigned):
        used = market.used_kwh
        assert market.covered_kwh <= market.consumption_kwh * (1 + 1e-9) + 1e-9
        assert math.fsum(used.values()) == pytest.approx(market.covered_kwh, rel=1e-9, abs=1e-6)
        assert all(0.0 <= kwh <= bought[name] for name, kwh in used.items())
        assert all(0.0 <= rate.covered_kwh <= rate.kwh * (1 + 1e-9) + 1e-9 for rate in market.rates)


@given(consumptions, instruments)
def test_rates_of_all_rows_make_what_cover_consumption_says(consumed, assigned):
    for market in cover(consumed, *assigned):
        rows_kg = math.fsum(rate.kwh * rate.rate[0] for rate in market.rates) / 1000
        whole = market.pools[WHOLE_MARKET]
        inside = math.fsum(
            kwh * next(each.instrument.intensity_kg_per_kwh for each in assigned if each.instrument.id == name)
            for pool, coverage in market.pools.items()
            if pool != WHOLE_MARKET
            for name, kwh in coverage.used
        )
        assert rows_kg == pytest.approx(whole.market_kg + inside, rel=1e-9, abs=1e-6)


@given(consumptions.map(lambda found: [each for each in found if each.pool == WHOLE_MARKET]), instruments)
def test_without_pools_it_is_cover_consumption_of_the_whole_market(consumed, assigned):
    assigned = [Assigned(each.instrument) for each in assigned]

    for market in cover(consumed, *assigned):
        own = [each for each in consumed if each.market == market.market]
        kwh = math.fsum(each.kwh for each in own)
        residual = math.fsum(each.kwh * each.rate[0] for each in own) / kwh / 1000 if kwh else 0.0
        expected = cover_consumption(
            kwh,
            sorted((each.instrument for each in assigned), key=lambda each: each.id),
            location_kg_per_kwh=0.4,
            residual_kg_per_kwh=residual,
            market=market.market,
            reporting_year=2026,
        )
        assert market.market_kg == pytest.approx(expected.market_kg, rel=1e-9, abs=1e-6)
        assert market.covered_kwh == pytest.approx(expected.covered_kwh, rel=1e-9, abs=1e-6)


@given(consumptions, instruments)
def test_shares_of_a_rate_make_one_and_its_bounds_hold_it(consumed, assigned):
    for market in cover(consumed, *assigned):
        for rate in market.rates:
            covered = math.fsum(part.share for part in rate.parts)
            assert -1e-9 <= covered <= 1 + 1e-9
            assert covered * rate.kwh == pytest.approx(rate.covered_kwh, rel=1e-6, abs=1e-3)
            value, low, high = rate.rate
            assert low <= value * (1 + 1e-9) + 1e-12
            assert value <= high * (1 + 1e-9) + 1e-12


@given(consumptions, instruments, amounts, st.sampled_from(ORDER))
def test_an_instrument_cleaner_than_all_that_counts_never_raises_the_figure(consumed, assigned, kwh, kind):
    """
    Cleaner than the residual mix alone is not enough: a certificate goes before a cleaner contract and may displace it.
    """
    for before in cover(consumed, *assigned):
        own = [each.rate[0] for each in consumed if each.market == before.market]
        counting = [
            each.instrument.intensity_kg_per_kwh * 1000 for each in assigned if each.instrument.market == before.market
        ]
        cleanest = Instrument("zzz", kind, kwh, min([*own, *counting]) / 1000, before.market, 2026)

        after = next(each for each in cover(consumed, *assigned, cleanest) if each.market == before.market)

        assert after.market_kg <= before.market_kg * (1 + 1e-9) + 1e-9


def test_a_certificate_displaces_a_cleaner_contract_where_everything_is_covered():
    contract = certificate("ppa", 600, 0.0, kind="contract")

    (before,), (after,) = cover([DE], contract), cover([DE], contract, certificate("go", 100, 0.05))

    assert (before.market_kg, after.market_kg) == (0.0, pytest.approx(5.0))


@given(st.permutations(["supplier_rate", "contract", "certificate"]))
def test_certificates_go_first_then_contracts_then_supplier_rates(kinds):
    (market,) = cover([DE], *(certificate(f"{number}{kind}", 250, kind=kind) for number, kind in enumerate(kinds)))

    used = {name[1:]: kwh for name, kwh in market.used_kwh.items()}
    assert used == {"certificate": 250, "contract": 250, "supplier_rate": 100}


def test_a_pool_without_a_rate_of_its_own_takes_the_one_without_instruments():
    rates = Rates(
        {("residual:DE", "", 2026): (500.0, 400.0, 600.0), ("residual:DE", "own", 2026): (100.0, 90.0, 110.0)}
    )

    assert rates.of("residual:DE", "own", 2026) == (100.0, 90.0, 110.0)
    assert rates.of("residual:DE", "site:fra-1", 2026) == (500.0, 400.0, 600.0)
    assert rates.of("residual:DE", "own", 2025) is None
    assert rates.pools == {"own"}
