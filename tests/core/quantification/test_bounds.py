"""Intervals of factors and products."""

from __future__ import annotations

import math

import pytest

from core.quantification.bounds import combine, gsd_interval, half_widths


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
