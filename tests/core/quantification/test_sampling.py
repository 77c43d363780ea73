"""Sampled records: what was kept stands for what was not, with the error that a sample has."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.accounting.derive import figures
from core.accounting.rules import Rules
from core.factors.pack import load_pack
from core.quantification.activity import MEASURE_COLUMNS, SERIES_TEXT
from core.quantification.quantify import COLUMNS
from core.quantification.sampling import (
    sampling_half_width,
    sampling_variance,
    scaled,
    share_of,
    shares_of,
    widened,
)
from tests.strategies import cells

PACK = load_pack()
SHARES = st.sampled_from([1.0, 0.5, 0.25, 0.1, 1 / 3, 0.037])


@pytest.mark.parametrize("label", [0, -0.5, 1.01, "half", True, float("nan"), float("inf"), [0.5], None])
def test_what_is_no_share_is_not_taken_for_one(label):
    assert share_of({"sample_share": label}) is None


@pytest.mark.parametrize(("label", "share"), [(0.25, 0.25), (1, 1.0), ("0.1", 0.1), (1e-9, 1e-9)])
def test_a_share_is_a_number_above_0_and_at_most_1(label, share):
    assert share_of({"sample_share": label}) == share


def series_of(activity: pd.DataFrame, shares: list[float]) -> pd.DataFrame:
    """Make a series of each row of drawn cells, kept by the share given."""
    frame = activity.reset_index(drop=True)
    absent = {name: None for name in SERIES_TEXT if name not in frame}
    labels = [{} if share == 1.0 else {"sample_share": share} for share in shares]
    return frame.assign(**absent, series_id=range(len(frame)), source_id=1, labels=labels, grain="hour")


def derived(series: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    return figures(rows, series, Rules(), PACK, "2026.1").rows


@pytest.mark.slow
@given(cells(max_series=3, max_cells=2), st.data())
@settings(max_examples=40, deadline=None)
def test_scaling_up_and_aggregation_commute(activity, data):
    """A sampled series twice as long has twice the figures: integers to half a unit a row, and impacts to the stored digit."""
    shares = data.draw(st.lists(SHARES, min_size=len(activity), max_size=len(activity)))
    series = series_of(activity, shares)
    one = series[["series_id", *MEASURE_COLUMNS]].assign(day=20_000, records=1)
    one[list(MEASURE_COLUMNS)] //= 4  # of the largest amounts the sums would leave 64 bits
    parts = pd.concat([one, one.assign(day=20_001)], ignore_index=True)
    whole = one.assign(**{name: one[name] * 2 for name in MEASURE_COLUMNS}, records=2)

    apart = derived(series, parts).drop(columns=["day", "resolved"]).groupby("series_id").sum(min_count=1)
    together = derived(series, whole).drop(columns=["day", "resolved"]).set_index("series_id")

    known = together.notna().to_numpy()
    difference = (apart.astype(float) - together.astype(float)).abs().to_numpy()
    size = together.astype(float).abs().to_numpy()
    assert (apart.notna().to_numpy() == known).all()
    assert np.nanmax(difference - 2.0 - 1e-12 * size, initial=-1.0) <= 0.0
    of_all = np.array(shares) == 1.0
    measures = [name for name in MEASURE_COLUMNS if name in apart]
    assert (apart[measures][of_all].fillna(0) == together[measures][of_all].fillna(0)).all().all()


@pytest.mark.slow
@given(cells(max_series=2, max_cells=2), SHARES)
@settings(max_examples=40, deadline=None)
def test_a_share_multiplies_every_figure_and_its_bounds_by_one_number(activity, share):
    series = series_of(activity, [1.0] * len(activity))
    sampled = series.assign(labels=[{"sample_share": share}] * len(series))
    rows = series[["series_id", *MEASURE_COLUMNS]].assign(day=20_000, records=1)
    rows[list(MEASURE_COLUMNS)] //= 64

    kept, all_of_it = (derived(each, rows) for each in (series, sampled))

    names = [name for name in kept.columns if name not in ("series_id", "day", "records", "resolved")]
    ones, others = kept[names].astype(float).to_numpy(), all_of_it[names].astype(float).to_numpy()
    assert (np.isnan(ones) == np.isnan(others)).all()
    assert np.nanmax(np.abs(others - ones / share) - 1.0 / share - 1e-12 * np.abs(others), initial=-1.0) <= 0.0
    assert (kept["records"] == all_of_it["records"]).all()
    assert len(COLUMNS) > 0


def test_scaled_amounts_are_whole_and_exact_where_nothing_was_left_out():
    measures = pd.DataFrame({"requests": [3, 3, 3], "energy_pkwh": [10**18 + 1] * 3})

    found = scaled(measures, np.array([1.0, 0.3, 0.25]))

    assert found["requests"].tolist() == [3, 10, 12]
    assert found["energy_pkwh"].iloc[0] == 10**18 + 1
    assert found["energy_pkwh"].iloc[2] == pytest.approx(4 * 10**18, rel=1e-15)


def test_labels_without_a_share_are_all_of_their_kind():
    assert shares_of(pd.Series([{}, {"sample_share": 0.5}, {"sample_share": "?"}, {"namespace": "x"}])).tolist() == [
        1.0,
        0.5,
        1.0,
        1.0,
    ]


def test_the_interval_of_a_sample_holds_the_truth_as_often_as_it_says():
    """10,000 samples of 4,000 records of unequal size, a tenth kept: 95 % of the intervals contain the total (simulated)."""
    rng = np.random.default_rng(1)
    sizes = rng.exponential(1.0, 4_000)  # coefficient of variation 1, as the default has it
    kept = rng.random((10_000, 4_000)) < 0.1
    totals, numbers = (kept * sizes).sum(axis=1) / 0.1, kept.sum(axis=1)
    variance = sampling_variance(0.1, 1.0)

    width = np.array([sampling_half_width(variance, number) for number in numbers])
    inside = np.abs(np.log(totals / sizes.sum())) <= width

    assert 0.94 < inside.mean() < 0.96


def test_parts_of_one_sample_are_as_uncertain_as_the_whole():
    value, low, high = np.array([100.0]), np.array([90.0]), np.array([115.0])
    figure, variance = np.zeros(4, dtype=np.int64), np.full(4, 1.5)

    whole = widened(value, low, high, figure[:1], value, variance[:1], np.array([600.0]))
    parts = widened(value, low, high, figure, np.full(4, 25.0), variance, np.full(4, 150.0))

    # by hand: z sqrt(ln(1 + 1.5/600)) = 0.097937; low = 100 exp(-sqrt(ln(100/90)^2 + 0.097937^2))
    assert whole[0][0] == pytest.approx(100 * math.exp(-math.hypot(math.log(100 / 90), 0.0979367)), rel=1e-6)
    assert whole[1][0] == pytest.approx(100 * math.exp(math.hypot(math.log(1.15), 0.0979367)), rel=1e-6)
    assert parts[0][0] == pytest.approx(whole[0][0], rel=1e-12)
    assert parts[1][0] == pytest.approx(whole[1][0], rel=1e-12)


def test_figures_without_a_sample_keep_their_interval_to_the_last_bit():
    value, low, high = np.array([1.0, 2.0]), np.array([0.3, 0.7]), np.array([3.0, 4.0])

    new = widened(value, low, high, np.array([0, 1]), value, np.array([0.0, 1.5]), np.array([1.0, 10.0]))

    assert (new[0][0], new[1][0]) == (0.3, 3.0)
    assert (new[0][1] < 0.7, new[1][1] > 4.0) == (True, True)
