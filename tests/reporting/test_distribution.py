"""How requests are spread over their footprint, worked out by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.distribution import distribution, histogram, log_edges, weighted_percentiles

FOOTPRINTS = st.floats(1e-9, 1e6)


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
    assert (len(found.bins), found.zeros) == (0, 0)


@given(st.lists(FOOTPRINTS, min_size=1, max_size=40))
def test_every_value_lies_in_exactly_one_bin(values):
    bins, zeros = histogram(values)

    assert zeros == 0
    assert bins["count"].sum() == len(values)
    assert bins["low"].iloc[0] <= min(values)
    assert max(values) < bins["high"].iloc[-1]


@given(FOOTPRINTS, FOOTPRINTS)
def test_there_are_few_bins_however_wide_the_range(one, other):
    edges = log_edges(min(one, other), max(one, other))

    assert 2 <= len(edges) <= 34
    ratios = [high / low for low, high in itertools.pairwise(edges)]
    assert max(ratios) / min(ratios) <= 1.3  # nearly one ratio: 2 to 2.5, or 1.25 to 1.28


def test_counts_stand_in_the_bins_that_a_person_would_choose():
    # 3 lies in 2-5, 5 begins the next bin, 700 lies in 500-1000
    bins, zeros = histogram([0, 3, 5, 700, math.nan], [4, 2, 1, 6, 9])

    assert bins.to_dict("list") == {
        "low": [2, 5, 10, 20, 50, 100, 200, 500],
        "high": [5, 10, 20, 50, 100, 200, 500, 1000],
        "count": [2, 1, 0, 0, 0, 0, 0, 6],
    }
    assert zeros == 4


def test_a_footprint_below_zero_is_refused():
    with pytest.raises(ValueError, match="below zero"):
        histogram([-1.0])


@given(st.lists(st.tuples(st.floats(1e-9, 1e3), st.integers(1, 1000)), min_size=1, max_size=40))
def test_no_request_is_lost_and_bins_adjoin(records):
    values, weights = (np.array(each, dtype=float) for each in zip(*records, strict=True))

    bins, _zeros = histogram(values, weights)
    found = weighted_percentiles(values, weights, (50, 90, 99))

    assert bins["count"].sum() == pytest.approx(weights.sum())
    assert bins["high"].tolist()[:-1] == bins["low"].tolist()[1:]
    for share, value in found.items():
        assert weights[values <= value].sum() >= share / 100 * weights.sum() * (1 - 1e-9)
        assert weights[values < value].sum() < share / 100 * weights.sum() * (1 + 1e-9)
