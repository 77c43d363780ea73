"""Coverage units over a period: what is measured, modelled and stated of each, how much is covered, what is unexplained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from django.db import connection

from core.accounting.covering import linked
from core.accounting.figures import Filter
from core.accounting.selectors.conditions import source_names
from core.accounting.selectors.coverage import coverage_of
from core.accounting.selectors.emissions import emissions
from core.accounting.selectors.rules import rules_of
from core.accounting.selectors.signal_tokens import signal_tokens
from core.accounting.selectors.views import current_view
from core.factors.selectors import pack_of
from core.organizations.tenancy import organization_scope
from core.quantification.coverage import LEVELS, levels_of, parts_of, ranks_of
from core.quantification.displacement import COMPARED, LAST_RESORTS
from core.quantification.likeness import named_alike
from core.quantification.resolve import catalog_of
from core.quantification.unit_comparison import UnitComparison, compare

BY: Final = ("source", "account", "evidence", "role", "method", "provider", "model", "hardware", "instance_type")


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
            **{f"{level}_kg_co2e": by_level.get(level) for level in LEVELS[:4]},
            "counted_kg_co2e": sum(known) if known else None,
            "covered_percent": None if share is None else 100 * share,
            "of": found.measure if found else None,
            "gap_kg_co2e": found.gap_kg if found else None,
            "flags": list(found.flags) if found else [],
            "overlapping": sum(each.measure is not None for each in found.overlaps) if found else 0,
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
        found = emissions(organization_id, by, measures=COMPARED, bounds=False).rows
        names = source_names(organization_id)
        numbers = {name: number for number, name in names.items()}
        currencies = _currencies(organization_id)
        catalog = catalog_of(pack_of(view.factor_set.content_hash))
    found = found.assign(
        source_id=[numbers[name] for name in found["source"]], series_id=np.arange(len(found))
    ).reset_index(drop=True)
    inside = linked(found, rules)
    own = found.iloc[inside["series_id"].to_numpy()]
    from_bill = own["source_id"].isin(rules.restated_sources).to_numpy(dtype=bool)
    level, link = levels_of(own["evidence"], from_bill), inside["link"].to_numpy(dtype=np.int64)
    rows = own.assign(
        unit=inside["unit"].to_numpy(),
        link=link,
        level=level,
        part=parts_of(link, level, rules.links),
        kg=own["total_kg_co2e"],
    )
    rows["rank"] = ranks_of(rows, rules.units)
    return _in_measures(named_alike(rows, catalog), currencies)


def _in_measures(rows: pd.DataFrame, currencies: dict[tuple[int, str | None], str | None]) -> pd.DataFrame:
    """Complete the measures in which rows are compared: hours of an instance's accelerators, money and reported kilograms."""
    held = rows["device_hours"].fillna(0) != 0
    rows["device_hours"] = rows["device_hours"].where(held, rows["instance_hours"] * rows["accelerators"])
    for name, method in zip(LAST_RESORTS, ("spend", "reported"), strict=True):
        rows[name] = rows[name].where(rows["method"] == method)
    money = [
        currencies.get((source_id, None if pd.isna(account) else account))
        for source_id, account in zip(rows["source_id"], rows["account"], strict=True)
    ]
    return rows.assign(
        **{name: rows[name].fillna(0.0) for name in COMPARED},
        money_key=np.array([*money, None], dtype=object)[:-1],
        reported_key=np.array(["kg" if method == "reported" else None for method in rows["method"]], dtype=object),
    )


def _currencies(organization_id: int) -> dict[tuple[int, str | None], str | None]:
    """Tell the currency in which a source bills an account; None where it uses several, so that nothing is added up in none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select source_id, account, case when min(currency) = max(currency) then min(currency) end from ledger_series"
            " where organization_id = %s and currency is not null group by 1, 2",
            [organization_id],
        )
        return {(source_id, account): currency for source_id, account, currency in cursor.fetchall()}
