"""Many intervals at once agree with the rule for one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.accounting.intervals import reported_intervals
from core.quantification.bounds import reported_interval


def items(*rows: tuple[int, int, int, float, float, float, float]) -> pd.DataFrame:
    """Items of (figure, zone, group, value, own GSD, grid width, PUE width), with the shared widths in their bounds."""
    frame = pd.DataFrame(rows, columns=["figure", "zone", "group", "value", "gsd", "grid", "pue"])
    width = np.sqrt((1.96 * np.log(frame["gsd"])) ** 2 + frame["grid"] ** 2 + frame["pue"] ** 2)
    return frame.assign(low=frame["value"] * np.exp(-width), high=frame["value"] * np.exp(width))


def many(frame: pd.DataFrame, figures: int):
    widths = frame[["grid", "grid", "pue", "pue"]].to_numpy(float)
    columns = [frame[name].to_numpy() for name in ("figure", "zone", "group", "value", "low", "high")]
    return reported_intervals(*columns, widths, figures=figures)


def one(frame: pd.DataFrame):
    return reported_interval(
        pd.DataFrame(
            {
                "value": frame["value"],
                "low": frame["low"],
                "high": frame["high"],
                "group": frame["group"],
                "zone_group": frame["zone"],
                "grid_below": frame["grid"],
                "grid_above": frame["grid"],
                "pue_below": frame["pue"],
                "pue_above": frame["pue"],
            }
        ),
        seed=1,
    )


SMALL = items((0, 0, 0, 100.0, 1.1, 0.2, 0.1), (0, 0, 1, 50.0, 1.5, 0.2, 0.1), (0, 1, 0, 30.0, 1.3, 0.4, 0.1))
WIDE = items((1, 0, 2, 80.0, 2.75, 0.2, 0.1), (1, 0, 1, 40.0, 1.2, 0.2, 0.1), (1, 2, 2, 40.0, 2.75, 0.8, 0.1))


def test_closed_form_is_the_rule_for_one():
    value, low, high = many(SMALL, 1)
    expected = one(SMALL)

    assert expected.rule == "closed_form"
    assert (value[0], low[0], high[0]) == pytest.approx((expected.value, expected.low, expected.high), rel=1e-12)


def test_simulation_is_the_rule_for_one_but_for_its_draws():
    value, low, high = many(pd.concat([SMALL, WIDE]), 2)
    expected = one(WIDE)

    assert expected.rule == "monte_carlo"
    assert (value[1], low[1], high[1]) == pytest.approx((expected.value, expected.low, expected.high), rel=0.08)


def test_one_group_needs_no_simulation():
    alone = items((0, 0, 0, 10.0, 2.75, 0.0, 0.0))

    _, low, high = many(alone, 1)

    assert low[0] == pytest.approx(alone["low"][0])
    assert high[0] == pytest.approx(alone["high"][0])


def test_a_figure_without_items_is_not_known():
    value, low, high = many(SMALL.assign(value=np.nan), 2)

    assert np.isnan([value, low, high]).all()


def test_negative_sums_keep_their_plain_bounds():
    reversal = items((0, 0, 0, 10.0, 1.1, 0.0, 0.0)).assign(value=-10.0, low=-9.0, high=-11.0)

    value, low, high = many(reversal, 1)

    assert (value[0], low[0], high[0]) == (-10.0, -9.0, -11.0)


def test_equal_figures_have_equal_intervals_and_contain_their_sum():
    value, low, high = many(pd.concat([WIDE.assign(figure=0), WIDE]), 2)

    assert low[0] == low[1]
    assert high[0] == high[1]
    assert low[0] < value[0] < high[0]
