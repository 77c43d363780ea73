"""Coverage units over a period: what is measured, modelled and stated of each, how much is covered, what is unexplained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from core.accounting.covering import linked
from core.accounting.figures import Filter
from core.accounting.selectors.conditions import source_names
from core.accounting.selectors.coverage import coverage_of
from core.accounting.selectors.emissions import emissions
from core.accounting.selectors.rules import rules_of
from core.accounting.selectors.signal_tokens import signal_tokens
from core.accounting.selectors.views import current_view
from core.factors.selectors import pack_of
from core.ledger.models import Source
from core.organizations.tenancy import organization_scope
from core.quantification.coverage import LEVELS, levels_of
from core.quantification.displacement import COMMON
from core.quantification.likeness import named_alike
from core.quantification.resolve import catalog_of
from core.quantification.unit_comparison import UnitComparison, compare

BY: Final = ("source", "account", "evidence", "role", "provider", "model", "hardware", "instance_type")


@dataclass(frozen=True)
class ReconciledUnit:
    """A coverage unit, what was said of it, and what its evidence says; None: no figure in the period."""

    id: int
    name: str
    counts: str | None
    precedence: tuple[str, ...]
    reason: str
    links: tuple[dict[str, Any], ...]
    comparison: UnitComparison | None

    def side_by_side(self) -> dict[str, Any]:
        """Return one line of the table: kg CO2e of each level, what counts of them, the covered share in percent, the gap."""
        found = self.comparison
        by_level = {each.level: each.total_kg for each in found.evidence} if found else {}
        known = [each.counted_kg for each in found.evidence if each.counted_kg is not None] if found else []
        share = found.covered_share if found else None
        return {
            "unit": self.name,
            **{level: by_level.get(level) for level in LEVELS[:4]},
            "counted": sum(known) if known else None,
            "covered_percent": None if share is None else 100 * share,
            "of": found.measure if found else None,
            "gap_kg": found.gap_kg if found else None,
            "flags": list(found.flags) if found else [],
        }

    def as_dict(self) -> dict[str, Any]:
        """Return plain values that JSON takes."""
        return {
            "unit": self.name,
            "counts": self.counts,
            "precedence": list(self.precedence),
            "reason": self.reason,
            "sources": [{name: link[name] for name in ("source", "account", "part")} for link in self.links],
            **(self.comparison.as_dict() if self.comparison else {"evidence": []}),
        }


def reconciled_units(organization_id: int, asked: Filter) -> list[ReconciledUnit]:
    """
    Compare the evidence of every coverage unit, by name.

    Args:
        asked: period, basis and parts of the totals; its roles, grouping and grain are not looked at.
    """
    held = coverage_of(organization_id)
    rows = _rows(organization_id, asked)
    tokens = _tokens(organization_id, asked)
    return [
        ReconciledUnit(
            id=unit["id"],
            name=unit["name"],
            counts=unit["counts"],
            precedence=tuple(unit["precedence"]),
            reason=unit["reason"],
            links=tuple(link for link in held.links if link["unit"] == unit["name"]),
            comparison=_comparison(rows[rows["unit"] == unit["id"]], tokens[tokens["unit"] == unit["id"]]),
        )
        for unit in held.units
    ]


def _comparison(rows: pd.DataFrame, tokens: pd.DataFrame) -> UnitComparison | None:
    return compare(rows, tokens) if len(rows) else None


def _tokens(organization_id: int, asked: Filter) -> pd.DataFrame:
    """Read the tokens of spans and metrics of what lies in a unit."""
    with organization_scope(organization_id):
        view = current_view(organization_id)
        rules = rules_of(organization_id)
        found = signal_tokens(organization_id, asked)
        if view is None or not any(link.unit_id for link in rules.links) or found.empty:
            return found.iloc[:0].assign(unit=[], model_key=[])
        catalog = catalog_of(pack_of(view.factor_set.content_hash))
    inside = linked(found.assign(series_id=np.arange(len(found)), evidence=None), rules)
    rows = found.iloc[inside["series_id"].to_numpy()].assign(unit=inside["unit"].to_numpy())
    return named_alike(rows, catalog)


def _rows(organization_id: int, asked: Filter) -> pd.DataFrame:
    """Read the figures of what lies in a unit, by source, account, evidence, role and what is compared."""
    by = replace(asked, by=BY, grain="total", role=("counted", "cross_check"), booking="life-cycle")
    with organization_scope(organization_id):
        view = current_view(organization_id)
        rules = rules_of(organization_id)
        if view is None or not any(link.unit_id for link in rules.links):
            return pd.DataFrame(columns=["unit"])
        found = emissions(organization_id, by, measures=COMMON, bounds=False).rows
        names = source_names(organization_id)
        every = Source.objects.filter(organization_id=organization_id)
        sources = {names[each.id]: each for each in every}
        catalog = catalog_of(pack_of(view.factor_set.content_hash))
    found = found.assign(
        source_id=[sources[name].id for name in found["source"]], series_id=np.arange(len(found))
    ).reset_index(drop=True)
    inside = linked(found, rules)
    rows = found.iloc[inside["series_id"].to_numpy()].assign(unit=inside["unit"].to_numpy())
    rows = named_alike(rows, catalog)
    rows["device_hours"] = rows["device_hours"].where(
        rows["device_hours"].fillna(0) != 0, rows["instance_hours"] * rows["accelerators"]
    )
    return rows.assign(
        **{name: rows[name].fillna(0.0) for name in COMMON},
        kg=rows["total_kg_co2e"],
        kind=[sources[name].kind for name in rows["source"]],
        level=levels_of(rows["evidence"], rows["source_id"].isin(rules.restated_sources).to_numpy(dtype=bool)),
    )
