"""Intensities of several models (or other values of one dimension) with their draws, for comparisons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from core.accounting.aggregate import BASES, PARTS, REPORTED, SharedErrors, with_market
from core.accounting.columns import MARKET, SAMPLED, Impact
from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.selectors.conditions import folded_teams_of, unfolded
from core.accounting.selectors.emissions import shared_errors, sums_of_days
from core.accounting.selectors.views import current_view
from core.organizations.tenancy import organization_snapshot
from core.quantification.comparison import Comparison, Option, compare
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


def comparison(
    organization_id: int, asked: Filter, *, by: str, measure: str, view: View | None = None
) -> Comparison | None:
    """
    Compare the values of a dimension by their emissions per unit of a measure.

    Args:
        asked: period, filters, basis and parts; rows without the measure are left out of both (methodology 6.4).
        by: the dimension whose values are compared.
        measure: what emissions are divided by, by its name in the activity table.

    Returns:
        None where fewer than two values have both.
    """
    with organization_snapshot(organization_id):
        view = view or current_view(organization_id)
        if view is None:
            return None
        folded = folded_teams_of(organization_id)
        widened = unfolded(replace(asked, by=(by,), grain="total"), folded)
        sided = {impact.name for impact in REPORTED}
        sums, rates = sums_of_days(organization_id, view, widened, (measure,), REPORTED, folded, (measure,), sided)
        errors = shared_errors(organization_id, sums["shared_error_id"].unique().tolist())
    sums = with_market(sums, errors, rates)
    gsd = methodology_of(view.methodology).gsd
    method_sigma = {
        group: math.log(gsd[AS_SUCH[method]])
        for group in errors.group.values()
        if (method := group.partition(":")[0]) in AS_SUCH
    }
    parts = [BASES[asked.basis], *(PARTS[part] for part in asked.include)]
    options = []
    for name, own in sums[sums[by].notna()].groupby(by):
        units = float(own[measure].sum())
        kg = float(own[[part.name for part in parts]].fillna(0.0).to_numpy().sum())
        if units > 0.0 and kg > 0.0:
            options.append(Option(str(name), kg / units, _draws(str(name), own, parts, errors, method_sigma) / units))
    return compare(options)


def _draws(
    name: str, sums: pd.DataFrame, parts: list[Impact], errors: SharedErrors, method_sigma: Mapping[str, float]
) -> np.ndarray:
    """Draw the total of one value; its parts go together where they share a factor row, and the sample is its own."""
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
