"""How requests are spread over their footprint, worked out by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.distribution import distribution, histogram, weighted_percentiles


def test_a_record_of_many_requests_weighs_as_many():
    """90 requests of 0.1 g, 9 of 1 g, 1 of 50 g: the median is 0.1 g, nine tenths are at most 0.1 g, 99 in 100 at most 1 g."""
    kg = np.array([90 * 0.1e-3, 9 * 1e-3, 50e-3])

    found = distribution(kg, np.array([90.0, 9.0, 1.0]))

    assert found.percentiles == {50: pytest.approx(0.1e-3), 90: pytest.approx(0.1e-3), 99: pytest.approx(1e-3)}
    assert (found.requests, found.records) == (100.0, 3)


def test_what_has_no_figure_or_no_successful_request_is_not_counted():
    found = distribution(np.array([np.nan, 1.0, 2.0]), np.array([5.0, 0.0, 2.0]))

    assert found.percentiles[50] == 1.0
    assert (found.requests, found.records) == (2.0, 1)


def test_without_anything_there_is_no_percentile_and_no_bin():
    found = distribution(np.array([]), np.array([]))

    assert found.percentiles == {50: None, 90: None, 99: None}
    assert found.bins == []


def test_what_lies_far_below_the_largest_is_in_the_lowest_bin_that_says_so():
    bins = histogram(np.array([0.0, 1e-12, 3.0]), np.array([1.0, 1.0, 1.0]))

    assert (bins[0].low, bins[0].requests) == (0.0, 2.0)
    assert (bins[-1].low, bins[-1].high, bins[-1].requests) == (2.0, 5.0, 1.0)


@given(st.lists(st.tuples(st.floats(1e-9, 1e3), st.integers(1, 1000)), min_size=1, max_size=40))
def test_no_request_is_lost_and_bins_adjoin(records):
    values, weights = (np.array(each, dtype=float) for each in zip(*records, strict=True))

    bins = histogram(values, weights)
    found = weighted_percentiles(values, weights, (50, 90, 99))

    assert sum(each.requests for each in bins) == pytest.approx(weights.sum())
    assert all(before.high == after.low for before, after in itertools.pairwise(bins))
    for share, value in found.items():
        assert weights[values <= value].sum() >= share / 100 * weights.sum() * (1 - 1e-9)
        assert weights[values < value].sum() < share / 100 * weights.sum() * (1 + 1e-9)
