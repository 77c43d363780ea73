"""One record quantified: its impacts by name, its plan, and the terms that a figure is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.quantification.activity import COLUMNS
from core.quantification.answer import measures_as_delivered, override_columns
from core.quantification.cells import presence_mask
from core.quantification.methods import LATEST, Methodology
from core.quantification.overrides import parse_overrides
from core.quantification.pack import FactorPack
from core.quantification.plan import Plan
from core.quantification.quantify import quantify
from core.quantification.use import USE_TEXT


class One:
    """The result of one record: impacts by name, its plan, and its measures."""

    def __init__(self, impacts: pd.Series, plan: Plan, measures: pd.Series) -> None:
        self.impacts = impacts
        self.plan = plan
        self.measures = measures

    def __getitem__(self, name: str) -> float:
        return float(self.impacts[name])

    def bounds(self, impact: str) -> tuple[float, float, float]:
        return self[impact], self[f"{impact}_low"], self[f"{impact}_high"]

    def factor(self, name: str) -> dict[str, object]:
        return next(factor for factor in self.plan.factors if factor["name"] == name)

    def part(self, impact: str, factor: str) -> float:
        """Add up the terms of an impact that hold a factor of this name; 0 where none does."""
        return math.fsum(
            term.sign * term.value * self.measures[term.measure] / term.per_unit
            for term in self.plan.terms
            if term.impact == impact and factor in {each.name for each, _ in term.inputs}
        )


def quantify_record(
    record: Mapping[str, Any],
    pack: FactorPack,
    *,
    methodology: str | Methodology = LATEST,
    factors: Mapping[str, object] | None = None,
    year: int = 2026,
) -> One:
    """Quantify one record given by its activity columns, with overrides; what is not said is absent."""
    row = pd.DataFrame({name: [record.get(name)] for name in COLUMNS})
    measures = measures_as_delivered(row)
    activity = measures.assign(**{name: row[name] for name in (*USE_TEXT, "techniques")}, year=year)
    activity["mask"] = presence_mask(row)
    overrides = None if factors is None else override_columns([parse_overrides(factors)], row.index)
    result = quantify(activity, pack, methodology, overrides)
    return One(result.impacts.iloc[0], result.plans[0], measures.iloc[0])
