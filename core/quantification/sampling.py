"""
Sampled records: what a kept share stands for, and how uncertain that makes a figure.

Where a collector keeps a share of traces, each kept record stands for 1/share of its kind. Cells hold what was kept; only
derive scales it up, by a factor in the formula of every figure, so the law of aggregation holds as for any other factor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.quantification.activity import MEASURE_COLUMNS, MEASURES
from core.quantification.bounds import Z
from core.quantification.factor import Factor
from core.quantification.overrides import Given, Override

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SHARE: Final = "sample_share"
"""Label of records: the share of their kind that was kept, a number above 0 and at most 1."""
UNREADABLE: Final = "unreadable"
"""Stands in the id of a share that is no such number: the records then count as they are, with a note."""
SCALE: Final = "sample_scale"
EVERY_RECORD: Final = 1.0


def share_of(labels: Mapping[str, Any] | None) -> float | None:
    """
    Read the kept share of a label set; 1 where it says nothing, None where what it says is no share.

    >>> share_of({"sample_share": 0.25}), share_of({}), share_of({"sample_share": 0}), share_of({"sample_share": "0.5"})
    (0.25, 1.0, None, 0.5)
    """
    given = EVERY_RECORD if not labels else labels.get(SHARE, EVERY_RECORD)
    if isinstance(given, bool):
        return None
    try:
        share = float(given)
    except (TypeError, ValueError):
        return None
    return share if 0.0 < share <= EVERY_RECORD else None


def shares_of(labels: pd.Series) -> npt.NDArray[np.float64]:
    """Read the kept share of many label sets, 1 where there is none or none that can be read. [n]"""
    shares = [share_of(each) for each in labels.tolist()]
    return np.array([EVERY_RECORD if share is None else share for share in shares], dtype=np.float64)


def with_shares(given: pd.Series, labels: pd.Series) -> pd.Series:
    """
    Add the kept share to the numbers that a subject's plan is made with, where it is not 1.

    Args:
        given: tuples of ``(override, Override)`` sorted by override, as `own_factors.given_of` chooses them. [n]
        labels: of each subject. [n]
    """
    sampled = np.array([bool(each) and SHARE in each for each in labels.tolist()], dtype=bool)
    if not sampled.any():
        return given
    values = given.tolist()
    for at in np.flatnonzero(sampled).tolist():
        values[at] = _with_share(values[at], share_of(labels.iloc[at]))
    return pd.Series(values, index=given.index, dtype=object)


def _with_share(given: Given, share: float | None) -> Given:
    if share == EVERY_RECORD:
        return given
    known = EVERY_RECORD if share is None else share
    number = Override(
        known,
        known,
        known,
        id=f"record:{SHARE}" if share is not None else UNREADABLE,
        source="share of the traces that was kept, as the records state it",
    )
    return tuple(sorted([*given, (SHARE, number)]))


def scale_factor(share: Override) -> Factor:
    """
    Return the factor that every measure of sampled records is multiplied by.

    It has no interval of its own: how far a sample is off depends on how many records were kept (`sampling_variance`), which
    a sum knows and a record does not.
    """
    scale = 1.0 / share.value
    return Factor(
        share.id, SCALE, scale, scale, scale, "1", share.source, None, "override", {"sample_share": share.value}
    )


def sampling_variance(sample_share: float, size_cv: float) -> float:
    """
    Return the relative variance of a total that was estimated from a single kept record.

    Each record is kept independently with probability p, and a total is estimated by the kept records over p (Horvitz and
    Thompson 1952). Its variance is estimated by (1 - p) / p^2 times the sum of squares of the kept records; over the squared
    estimate, for n kept records whose sizes have the coefficient of variation c, that is (1 - p)(1 + c^2) / n. This is the
    numerator: over n it is the relative variance of any sum.

    Args:
        sample_share: p, above 0, at most 1.
        size_cv: c, standard deviation of the records' size over its mean.

    Source: Särndal, Swensson, Wretman: Model Assisted Survey Sampling (1992), sections 2.8 and 3.2 (Bernoulli sampling).

    >>> sampling_variance(0.25, 1.0)
    1.5
    """
    return (1.0 - sample_share) * (1.0 + size_cv**2)


def sampling_half_width(variance: float, kept_records: float) -> float:
    """
    Return the ln half-width of the 95 % interval that sampling adds: of a lognormal with the relative variance over n.

    Args:
        variance: `sampling_variance`, or its mean weighted by the squares of what each part adds.
        kept_records: n; at least 1 is taken.

    >>> round(sampling_half_width(1.5, 600), 4)
    0.0979
    """
    return Z * math.sqrt(math.log1p(variance / max(kept_records, 1.0)))


def widened(
    value: Floats, low: Floats, high: Floats, figure: Integers, part: Floats, variance: Floats, kept_records: Floats
) -> tuple[Floats, Floats]:
    """
    Widen the intervals of figures by the error of the samples in them, which is independent of every other error.

    Args:
        value, low, high: figures with their intervals. [figures]
        figure: of each part. [parts]
        part: what it adds to its figure; NaN: nothing. [parts]
        variance: `sampling_variance` of it, 0 where nothing was sampled. [parts]
        kept_records: of it. [parts]

    Returns:
        low, high; those of figures without a sample, or that are not positive, stay to the last bit. [figures]
    """
    sampled = (variance > 0.0) & ~np.isnan(part)
    if not sampled.any():
        return low, high
    squares = part[sampled] ** 2 * variance[sampled] / np.maximum(kept_records[sampled], 1.0)
    added = np.bincount(figure[sampled], weights=squares, minlength=len(value))
    chosen = (added > 0.0) & (value > 0.0) & (low >= 0.0) & (high > 0.0)
    own = value[chosen]
    width = Z * np.sqrt(np.log1p(added[chosen] / own**2))
    with np.errstate(divide="ignore"):
        below, above = np.hypot(np.log(own) - np.log(low[chosen]), width), np.hypot(np.log(high[chosen] / own), width)
    new_low, new_high = low.copy(), high.copy()
    new_low[chosen], new_high[chosen] = own * np.exp(-below), own * np.exp(above)
    return new_low, new_high


def scaled(measures: pd.DataFrame, shares: npt.NDArray[np.float64]) -> pd.DataFrame:
    """
    Scale sums of measures by 1/share and round them to whole integers, each row for itself; exact where the share is 1.

    Args:
        measures: some of ``MEASURE_COLUMNS`` as int64, and what else is to be kept. [n]
        shares: kept share of each row. [n]
    """
    sampled = shares != EVERY_RECORD
    if not sampled.any():
        return measures
    columns = {}
    for name in MEASURE_COLUMNS:
        if name in measures:
            values = measures[name].to_numpy(dtype=np.int64).copy()
            values[sampled] = np.rint(values[sampled] / shares[sampled]).astype(np.int64)
            columns[name] = values
    return measures.assign(**columns)


def beyond_range(measures: pd.DataFrame, shares: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Tell which measures leave 64 bits once they are scaled: bit n for the measure n. [rows]"""
    lost = np.zeros(len(measures), dtype=np.int64)
    if (shares != EVERY_RECORD).any():
        for position, measure in enumerate(MEASURES):
            values = np.abs(measures[measure.column].to_numpy(dtype=np.float64)) / shares
            lost |= np.where((shares != EVERY_RECORD) & (values >= 2.0**63), 1 << position, 0)
    return lost
