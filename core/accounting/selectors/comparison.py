"""Intensities of several models (or other values of one dimension) with their draws, for comparisons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from core.accounting.aggregate import BASES, PARTS, REPORTED, with_market
from core.accounting.drawing import Drawing, method_sigmas
from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.selectors.conditions import folded_teams_of, unfolded
from core.accounting.selectors.emissions import shared_errors, sums_of_days
from core.accounting.selectors.views import current_view
from core.organizations.tenancy import organization_snapshot
from core.quantification.comparison import Comparison, Option, compare


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
    method_sigma = method_sigmas(errors.group.values(), view.methodology)
    parts = [BASES[asked.basis], *(PARTS[part] for part in asked.include)]
    options = []
    drawing = Drawing(sums, parts, errors, method_sigma)
    codes, names = pd.factorize(sums[by], sort=True)
    for number, name in enumerate(names):
        at = np.flatnonzero(codes == number)
        own = sums.iloc[at]
        units = float(own[measure].sum())
        kg = float(own[[part.name for part in parts]].fillna(0.0).to_numpy().sum())
        if units > 0.0 and kg > 0.0:
            options.append(Option(str(name), kg / units, drawing.total(str(name), at) / units))
    return compare(options)
