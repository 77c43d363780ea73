"""What of a batch is no AI activity: summed up by classification, service and currency while it is read."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

KEYS: Final = ("classification", "service", "currency")
LINES: Final = 500
"""Lines of the summary of rows outside; the rest is summed up as one for each currency."""


def added(lines: list[dict[str, Any]], more: pd.DataFrame | None) -> list[dict[str, Any]]:
    """Add a chunk's rows outside to the batch's summary by classification, service and currency."""
    if more is None or not len(more):
        return lines
    frame = (
        pd.concat([pd.DataFrame(lines, columns=[*KEYS, "rows", "cost"]), more], ignore_index=True) if lines else more
    )
    summed = frame.groupby(list(KEYS), dropna=False, sort=False)[["rows", "cost"]].sum().reset_index()
    summed = _shortened(summed.sort_values("cost", key=abs, ascending=False, kind="stable"))
    return [
        {
            **{name: None if pd.isna(row[name]) else str(row[name]) for name in KEYS},
            "rows": int(row["rows"]),
            "cost": float(row["cost"]),
        }
        for row in summed.to_dict("records")
    ]


def _shortened(summed: pd.DataFrame) -> pd.DataFrame:
    """Keep the first lines and add the others up by currency, so that many services do not make many lines."""
    if len(summed) <= LINES:
        return summed
    rest = summed.iloc[LINES:].groupby("currency", dropna=False, sort=True)[["rows", "cost"]].sum().reset_index()
    return pd.concat([summed.iloc[:LINES], rest.assign(classification=None, service=None)], ignore_index=True)
