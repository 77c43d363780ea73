"""The bridge between the two bookings sums exactly, whatever goes into it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.quantification.booking import LESS_AMORTISED, MARKET, STEPS, bridge

AMOUNT = st.integers(-(10**24), 10**24)
REGISTER = [name for name in STEPS if name not in {LESS_AMORTISED, MARKET}]


def test_purchases_take_the_place_of_the_amortised_share():
    # 1,000 kg electricity, 50 upstream, 30 + 20 embodied of own and rented hardware; 3,812 bought; 2 disposed of.
    found = bridge(
        location_nkg=1000,
        upstream_nkg=50,
        embodied_nkg=50,
        embodied_own_nkg=30,
        market_nkg=400,
        register_nkg={"plus_purchases": 3812, "plus_disposal": 2},
    )

    assert found.life_cycle_nkg == 1100
    assert found.disclosed_nkg == 400 + 50 + 20 + 3812 + 2
    assert list(found.steps) == list(STEPS)
    assert (found.steps[LESS_AMORTISED], found.steps[MARKET]) == (-30, -600)


@given(AMOUNT, AMOUNT, AMOUNT, AMOUNT, st.none() | AMOUNT, st.dictionaries(st.sampled_from(REGISTER), AMOUNT))
def test_the_steps_lead_from_one_to_the_other_exactly(location, upstream, embodied, own, market, register):
    found = bridge(
        location_nkg=location,
        upstream_nkg=upstream,
        embodied_nkg=embodied,
        embodied_own_nkg=own,
        market_nkg=market,
        register_nkg=register,
    )

    assert found.life_cycle_nkg + sum(found.steps.values()) == found.disclosed_nkg
    electricity = location if market is None else market
    assert found.disclosed_nkg == electricity + upstream + embodied - own + sum(register.values())


@pytest.mark.parametrize("name", ["plus_luck", LESS_AMORTISED, MARKET])
def test_an_amount_without_a_step_is_refused(name):
    with pytest.raises(KeyError, match="no steps"):
        bridge(
            location_nkg=0, upstream_nkg=0, embodied_nkg=0, embodied_own_nkg=0, market_nkg=None, register_nkg={name: 1}
        )
