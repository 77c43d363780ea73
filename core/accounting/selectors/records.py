"""Each record's own footprint, quantified when it is asked for: no impact is stored on a record (architecture, section 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from core.accounting.aggregate import TOTAL
from core.accounting.columns import EMBODIED, ENERGY_FACILITY, LOCATION, SUFFIXES, UPSTREAM
from core.accounting.models import View
from core.accounting.rows import numbers_of
from core.accounting.selectors.on_read import derived_on_read, record_hours
from core.accounting.selectors.rules import rules_of
from core.quantification.activity import MEASURE_COLUMNS
from core.quantification.cells import to_units
from core.quantification.records import to_activity

IN_TOTAL: Final = (LOCATION, UPSTREAM, EMBODIED)


def record_figures(organization_id: int, view: View, records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """
    Quantify records one by one, by the rules in force and the view's factors.

    Args:
        records: as `core.ledger.selectors.records_page` lists them.

    Returns:
        In their order, each whole, whatever else describes the same use: ``total_kg_co2e``, location-based with upstream and
        embodied where they are known, its ``_low`` and ``_high`` (the record's own bounds), ``energy_facility_kwh`` and
        ``method``; NaN is not known.
    """
    names = [TOTAL + suffix for suffix in SUFFIXES]
    if not records:
        return pd.DataFrame(columns=[*names, ENERGY_FACILITY.name, "method"], dtype=float)
    activity = to_activity([{name: value for name, value in row.items() if value is not None} for row in records])
    rows = pd.DataFrame(to_units(activity), columns=list(MEASURE_COLUMNS)).assign(
        series_id=[int(row["series_id"]) for row in records],
        records=[0 if row["corrects"] else 1 for row in records],
        day=numbers_of([row["started_at"].date() for row in records]),
    )
    rules = rules_of(organization_id)
    rows["record"] = np.arange(len(records))
    if rules.profiles:
        times = {name: activity[name].to_numpy() for name in ("started_at", "ended_at")}
        rows = record_hours(organization_id, rows.assign(**times))
    derived = derived_on_read(organization_id, view, rows, rules, whole=False, divided=False, sampled=False)
    columns = [*(part.column + suffix for part in IN_TOTAL for suffix in SUFFIXES), ENERGY_FACILITY.column]
    whole = derived.rows.groupby("record")[columns].sum(min_count=1)
    found = pd.DataFrame(index=range(len(records)))
    for name, suffix in zip(names, SUFFIXES, strict=True):
        parts = [_units(whole[part.column + suffix], part.per_unit) for part in IN_TOTAL]
        stacked = np.vstack(parts)
        found[name] = np.where(np.isnan(stacked).all(axis=0), np.nan, np.nansum(stacked, axis=0))
    found[ENERGY_FACILITY.name] = _units(whole[ENERGY_FACILITY.column], ENERGY_FACILITY.per_unit)
    methods = np.array([plan.method for plan in derived.plans], dtype=object)
    first = derived.rows.groupby("record")["resolved"].first()
    found["method"] = methods[first.to_numpy()]
    return found


def _units(column: pd.Series, per_unit: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(column.to_numpy(dtype=float, na_value=np.nan) / per_unit)
