"""Intervals of factors, products and totals."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.quantification.bounds import (
    REPORTED_COLUMNS,
    Z,
    combine,
    gsd_interval,
    half_widths,
    reported_interval,
)


def item(value, gsd, *, group="measured:it", zone="DE", grid=1.0, pue=1.0):
    """Make an item whose bounds hold the spread of its method and the shared ones of its zone."""
    shared = {"grid": math.log(grid) * Z, "pue": math.log(pue) * Z}
    total = math.hypot(math.log(gsd) * Z, *shared.values())
    return {
        "value": value,
        "low": value * math.exp(-total),
        "high": value * math.exp(total),
        "group": group,
        "zone_group": zone,
        **{f"{name}_{side}": width for name, width in shared.items() for side in ("below", "above")},
    }


def interval(*items, seed=1):
    return reported_interval(pd.DataFrame(items, columns=list(REPORTED_COLUMNS)), seed=seed)


def test_one_item_reports_its_own_interval():
    only = item(100, 1.3, grid=1.1, pue=1.05)

    got = interval(only)

    assert (got.value, got.rule) == (100, "closed_form")
    assert (got.low, got.high) == pytest.approx((only["low"], only["high"]))


def test_items_of_one_group_in_one_zone_are_fully_correlated():
    halves = interval(item(50, 1.3, grid=1.1), item(50, 1.3, grid=1.1))

    whole = interval(item(100, 1.3, grid=1.1))
    assert (halves.low, halves.high) == pytest.approx((whole.low, whole.high))


def test_shared_grid_error_does_not_average_out():
    groups = [item(10, 1.05, group=str(number), grid=1.5) for number in range(10)]

    got = interval(*groups)

    assert got.high / got.value > 1.5**Z * 0.98


def test_independent_zones_average_out():
    zones = [item(10, 1.05, zone=str(number), grid=1.5) for number in range(10)]

    got = interval(*zones)

    assert got.high / got.value < 1.5**Z * 0.75


def test_material_wide_group_is_simulated_with_its_seed():
    items = [item(100, 1.1, group="a"), item(50, 2.5, group="b"), item(10, 3, group="c")]

    one, again, other = interval(*items, seed=7), interval(*items, seed=7), interval(*items, seed=8)

    assert one.rule == "monte_carlo"
    assert (one.low, one.high) == (again.low, again.high)
    assert one.high == pytest.approx(other.high, rel=0.05)


def test_steps_agree_with_a_simulation_of_every_factor():
    """One draw per factor row: 3 groups in each of 3 zones, all sharing their zone's grid and PUE."""
    spreads = {"measured": 1.05, "device": 1.3, "instance": 1.5}
    zones = {"DE": (1.1, 1.15), "FR": (1.05, 1.05), "world": (1.5, 1.15)}
    rng = np.random.default_rng(3)
    draws, size = np.zeros(200_000), 200_000
    items = []
    for zone, (grid, pue) in zones.items():
        shared = grid ** rng.standard_normal(size) * pue ** rng.standard_normal(size)
        for number, (group, gsd) in enumerate(spreads.items(), 1):
            draws += number * 10 * gsd ** rng.standard_normal(size) * shared
            items.append(item(number * 10, gsd, group=group, zone=zone, grid=grid, pue=pue))

    got = interval(*items)

    low, high = np.quantile(draws, [0.025, 0.975])
    assert (got.low, got.high) == pytest.approx((low, high), rel=0.1)


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            st.floats(0.001, 1e9),
            st.floats(1, 3),
            st.sampled_from("abc"),
            st.sampled_from(["DE", "FR", "world"]),
            st.floats(1, 1.5),
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(max_examples=60, deadline=None)
def test_no_interval_excludes_its_own_sum(drawn):
    items = [item(value, gsd, group=group, zone=zone, grid=grid) for value, gsd, group, zone, grid in drawn]

    got = interval(*items)

    assert got.low <= got.value <= got.high
    assert got.value == math.fsum(each[0] for each in drawn)


def test_low_of_zero_stays_possible():
    prefill = {**item(10, 1.5), "low": 0.0}

    got = interval(prefill, item(10, 1.2, group="b"))

    assert 0 <= got.low <= got.value


def test_nothing_is_reported_as_nothing():
    assert interval(item(0, 1.3) | {"low": 0.0, "high": 0.0}).value == 0


def test_zero_low_makes_an_infinite_half_width():
    assert half_widths(1.0, 0.0, 2.0)[0] == math.inf
    assert combine([(math.inf, 0.0), (1.0, 1.0)]) == (math.inf, 1.0)


@pytest.mark.parametrize(("value", "low", "high"), [(1, 2, 3), (1, -1, 2), (3, 1, 2)])
def test_what_is_no_interval_is_refused(value, low, high):
    with pytest.raises(ValueError, match="interval"):
        half_widths(value, low, high)


def test_spread_below_one_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        gsd_interval(1.0, 0.9)
