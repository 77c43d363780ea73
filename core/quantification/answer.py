"""One record quantified by itself: its measures as delivered, and the answer that commands and the API print."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.quantification import cells, units
from core.quantification.activity import MEASURES
from core.quantification.methods import LATEST, Methodology, methodology_of
from core.quantification.overrides import Overrides
from core.quantification.pack import FactorPack
from core.quantification.plan import Plan
from core.quantification.quantify import COLUMNS, quantify
from core.quantification.terms import IMPACTS
from core.quantification.use import USE_TEXT


def measures_as_delivered(frame: pd.DataFrame) -> pd.DataFrame:
    """
    Express measures in the units of cells without rounding, for a record whose figures are finer than they are.

    Args:
        frame: activity table.

    Returns:
        Same index, float64 columns of ``activity.MEASURES``; absent is 0.
    """
    numbers = {
        name: np.asarray(frame[name].to_numpy(dtype=np.float64, na_value=0.0), dtype=np.float64)
        for name in {measure.source for measure in MEASURES}
    }
    columns: dict[str, npt.NDArray[np.float64]] = {}
    for measure in MEASURES:
        kind, _, part = measure.column.rpartition("_nh")[0].partition("_")
        if part:
            hours, load = (numbers[name] for name in cells.HINGED[kind])
            columns[measure.column] = hours * _hinge(load, part) * measure.per_unit
        elif measure.source == "flops":
            columns[measure.column] = numbers["flops"] / units.FLOP_PER_GFLOP
        else:
            columns[measure.column] = numbers[measure.source] * measure.per_unit
    return pd.DataFrame(columns, index=frame.index)


def _hinge(load: npt.NDArray[np.float64], part: str) -> npt.NDArray[np.float64]:
    edges = {"low": (0.0, cells.LOW_KNOT), "middle": (cells.LOW_KNOT, cells.HIGH_KNOT), "high": (cells.HIGH_KNOT, 1.0)}
    low, high = edges[part]
    return np.clip(load - low, 0.0, high - low)


def answers(
    records: pd.DataFrame,
    pack: FactorPack,
    methodology: str | Methodology = LATEST,
    overrides: Sequence[Overrides] | None = None,
) -> Iterator[dict[str, object]]:
    """
    Quantify records one by one.

    Args:
        records: activity table of valid records.
        overrides: one mapping a record, parsed; None: none.

    Yields:
        For each record in its order the object of contracts.md section 5, in plain values that JSON takes.
    """
    frame = measures_as_delivered(records)
    for name in (*USE_TEXT, "techniques", "started_at"):
        frame[name] = records[name]
    frame["mask"] = cells.presence_mask(records)
    given = None if overrides is None else override_columns(overrides, frame.index)
    method = methodology_of(methodology)
    result = quantify(frame, pack, method, given)
    values = result.impacts.to_numpy()
    for record_id, code, row in zip(records["record_id"], result.code, values, strict=True):
        yield answer(record_id, result.plans[code], row, pack, method)


def override_columns(overrides: Sequence[Overrides], index: pd.Index) -> pd.DataFrame:
    """Lay parsed overrides out as the columns that `quantify` takes; NaN where a record has none."""
    rows = []
    for given in overrides:
        row: dict[str, float] = {}
        for name, (value, low, high) in given.items():
            row |= {name: value, f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return pd.DataFrame(rows, index=index, dtype=float)


def answer(
    record_id: str, plan: Plan, row: npt.NDArray[np.float64], pack: FactorPack, method: Methodology
) -> dict[str, object]:
    """Put a plan and its row of impacts into the shape of contracts.md section 5."""
    impacts: dict[str, object] = {}
    for position, impact in enumerate(IMPACTS):
        value, low, high = (float(each) for each in row[3 * position : 3 * position + 3])
        # A correction is negative: its bounds change places, so that low is the lower one.
        bounds = {"value": value, "low": min(low, high), "high": max(low, high)}
        impacts[impact] = None if math.isnan(value) else bounds
    return {
        "record_id": record_id,
        "method": plan.method,
        "methodology": method.version,
        "factor_set": pack.content_hash,
        "data_quality": plan.data_quality,
        "scope": plan.scope,
        "impacts": impacts,
        "factors": list(plan.factors),
        "notes": list(plan.notes),
    }


assert len(COLUMNS) == 3 * len(IMPACTS)  # noqa: S101  # the slices of `answer` rely on it
