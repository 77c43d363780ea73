"""Draws of sums: totals of options, with the very draws that other options have of what they share (methodology 9.5)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.accounting.aggregate import SharedErrors
from core.accounting.columns import MARKET, SAMPLED, SUFFIXES, Impact
from core.quantification.intervals import MONTE_CARLO_DRAWS, draws_of, named_draws
from core.quantification.methods import methodology_of

NO_WIDTHS: Final = (0.0, 0.0, 0.0, 0.0)
AS_SUCH: Final = {
    "tokens": "tokens",
    "device": "device_observed",
    "instance": "instance_observed",
    "flops": "flops",
}
"""Methods whose spread is of the method as such: by the setting without defaults. A meter's error is its own."""


def method_sigmas(groups: Iterable[str], methodology: str) -> dict[str, float]:
    """
    Give the sigma that options of one group share at most, for the groups whose method has one.

    Args:
        groups: as `SharedErrors` has them: method and family.
    """
    gsd = methodology_of(methodology).gsd
    return {group: math.log(gsd[AS_SUCH[method]]) for group in groups if (method := group.partition(":")[0]) in AS_SUCH}


class Drawing:
    """
    Sums ready to be drawn, some rows at a time: the parts of a total go together where they share a factor row.

    Args:
        sums: of `with_market`.
        parts: what the total adds up.
        method_sigma: see `method_sigmas`.
    """

    def __init__(
        self, sums: pd.DataFrame, parts: Sequence[Impact], errors: SharedErrors, method_sigma: Mapping[str, float]
    ) -> None:
        ids = sums["shared_error_id"].tolist()
        self._method_sigma = method_sigma
        self._zones = np.array([errors.zone_group[error] for error in ids], dtype=object)
        self._groups = np.array([errors.group[error] for error in ids], dtype=object)
        self._sampled = np.array([errors.widths[error].get(SAMPLED, (0.0,))[0] for error in ids], dtype=float)
        self._sampled = self._sampled / np.maximum(sums["records"].to_numpy(float), 1.0)
        self._parts = []
        for part in parts:
            widths = np.array([errors.widths[error].get(part.name, NO_WIDTHS) for error in ids], dtype=float)
            if part is MARKET:
                widths.reshape(-1, 4)[:, :2] = sums[["market_below", "market_above"]].to_numpy(float)
            bounds = [sums[part.name + suffix].to_numpy(float) for suffix in SUFFIXES]
            self._parts.append((*bounds, widths.reshape(-1, 4)))

    def total(self, name: str, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """
        Draw the total of some rows; the error of a sample is their own. [draws]

        Args:
            name: whose errors are its own.
            rows: their positions.
        """
        total, whole, of_samples = np.zeros(MONTE_CARLO_DRAWS), 0.0, 0.0
        for value, low, high, widths in self._parts:
            own = np.nan_to_num(value[rows])
            total = total + draws_of(
                name,
                value[rows],
                low[rows],
                high[rows],
                widths[rows],
                zone=self._zones[rows].tolist(),
                group=self._groups[rows].tolist(),
                method_sigma=self._method_sigma,
            )
            whole += float(own.sum())
            of_samples += float(np.sqrt((own**2 * self._sampled[rows]).sum()))
        if of_samples > 0.0:
            total = total * named_draws(f"sample {name}", float(np.sqrt(np.log1p((of_samples / whole) ** 2))))
        return total
