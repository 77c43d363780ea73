"""Draws of sums: totals of options, with the very draws that other options have of what they share (methodology 9.5)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.accounting.aggregate import SharedErrors
from core.accounting.columns import MARKET, SAMPLED, Impact
from core.quantification.intervals import draws_of, named_draws
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


def draws_of_total(
    name: str, sums: pd.DataFrame, parts: Sequence[Impact], errors: SharedErrors, method_sigma: Mapping[str, float]
) -> npt.NDArray[np.float64]:
    """
    Draw the total of one option; its parts go together where they share a factor row, and the sample is its own.

    Args:
        name: whose errors are its own.
        sums: of `with_market`.
        parts: what the total adds up.
        method_sigma: see `method_sigmas`.
    """
    ids = sums["shared_error_id"]
    total, of_samples = np.zeros(1), 0.0
    for part in parts:
        widths = np.array([errors.widths[error].get(part.name, NO_WIDTHS) for error in ids], dtype=float)
        if part is MARKET:
            widths[:, :2] = sums[["market_below", "market_above"]].to_numpy(float)
        value = sums[part.name].to_numpy(float)
        drawn = draws_of(
            name,
            value,
            sums[f"{part.name}_low"].to_numpy(float),
            sums[f"{part.name}_high"].to_numpy(float),
            widths,
            zone=[errors.zone_group[error] for error in ids],
            group=[errors.group[error] for error in ids],
            method_sigma=method_sigma,
        )
        total = total + drawn
        sampled = np.array([errors.widths[error].get(SAMPLED, (0.0,))[0] for error in ids], dtype=float)
        kept = np.maximum(sums["records"].to_numpy(float), 1.0)
        of_samples += float(np.sqrt((np.nan_to_num(value) ** 2 * sampled / kept).sum()))
    whole = float(sums[[part.name for part in parts]].fillna(0.0).to_numpy().sum())
    if of_samples > 0.0:
        total = total * named_draws(f"sample {name}", float(np.sqrt(np.log1p((of_samples / whole) ** 2))))
    return total
