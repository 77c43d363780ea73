"""Arrange a long table into slots and series, in fixed order, never inventing a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from reporting.charts.chart import MOST_SERIES, Translate, as_is
from reporting.charts.palette import STAGES, stage_rank


@dataclass(frozen=True)
class Stack:
    """The numbers of the chart: one row per slot, one column per series, both in drawing order; NaN is unknown."""

    values: pd.DataFrame  # [stored unit]
    low: pd.DataFrame | None
    high: pd.DataFrame | None
    target: pd.Series | None

    @property
    def totals(self) -> pd.Series:
        """Sum of the known series per slot; NaN where none is known."""
        return self.values.sum(axis=1, min_count=1)


def arrange(
    frame: pd.DataFrame,
    slots: pd.DatetimeIndex,
    labels: Mapping[str, str],
    target: pd.Series | float | None,
    translate: Translate = as_is,
) -> Stack:
    """
    Put the long table into slots and series, in fixed order, at most six series and "other".

    Raises:
        ValueError: rows begin outside the slots, so they would be left out of the picture unnoticed.
    """
    strays = set(frame["starts_at"]) - set(slots)
    if strays:
        raise ValueError(f"{len(strays)} slots of the data are not slots of the chart, the first is {min(strays)}")
    totals = frame.groupby("series")["value"].sum()
    kept = [key for key in totals.sort_values(ascending=False, kind="stable").index if key != "other"]
    if len(kept) > MOST_SERIES:
        kept = kept[:MOST_SERIES]
    frame = frame.assign(series=frame["series"].where(frame["series"].isin(kept), "other"))
    names = list(labels)
    order = sorted(
        frame["series"].unique(),
        key=lambda key: (
            (key == "other", *stage_rank(key)) if key in STAGES else (key == "other", position(names, key), key)
        ),
    )

    def wide(column: str) -> pd.DataFrame:
        summed = frame.groupby(["starts_at", "series"])[column].sum(min_count=1).unstack("series")
        return summed.reindex(index=slots, columns=order).astype(float)

    bounded = {"low", "high"} <= set(frame.columns)
    limits = None
    if target is not None:
        limits = target.reindex(slots) if isinstance(target, pd.Series) else pd.Series(float(target), index=slots)
    stack = Stack(wide("value"), wide("low") if bounded else None, wide("high") if bounded else None, limits)
    stack.values.attrs["folded"] = int(len(totals) - len(kept))
    return stack


def position(names: Sequence[str], key: str) -> int:
    """Place of a key in the caller's order; unknown keys come last."""
    return names.index(key) if key in names else len(names)
