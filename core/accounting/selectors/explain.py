"""
The tree behind a figure: figure, methods, plans, formulas with the numbers filled in, factors, sources and what is missing.

Nothing is looked up that was not used: plans are made again from what the view stored of them, and their terms times the sums
of the cells give the figure, which the tree says beside its own sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from django.db import connection

from core.accounting.columns import IMPACTS
from core.accounting.derive import figures
from core.accounting.figures import Filter, FilterError
from core.accounting.models import Plan as StoredPlan
from core.accounting.models import View
from core.accounting.selectors.conditions import condition
from core.accounting.selectors.emissions import emissions
from core.accounting.selectors.rules import rules_of
from core.accounting.selectors.views import current_view
from core.factors.selectors import pack_of
from core.ledger.selectors import find_record, series_by_id
from core.quantification import notes
from core.quantification.activity import MEASURE_COLUMNS, MEASURES
from core.quantification.cells import to_units
from core.quantification.methods import methodology_of
from core.quantification.pack import FactorPack
from core.quantification.plan import Plan, make_plan
from core.quantification.records import to_activity
from core.quantification.terms import Term
from core.quantification.use import USE_TEXT, Use

TOTAL: Final = "total_kg_co2e"
FIGURES: Final = tuple(impact.name for impact in IMPACTS)
UNITS: Final = {
    "energy_it_kwh": "kWh",
    "energy_facility_kwh": "kWh",
    "water_l": "L",
    "primary_energy_mj": "MJ",
    "adpe_kg_sbeq": "kg Sb-eq",
}
MEASURE: Final = {measure.column: measure for measure in MEASURES}
MOST_PLANS: Final = 200
SUBJECT: Final = ("team", "model", "hardware", "instance_type", "provider", "zone", "stage")
"""Dimensions that name what a plan is about."""


class NothingToExplain(LookupError):
    """There is no such record, or no figure has been derived yet; the message says which."""


@dataclass(frozen=True)
class Used:
    """One plan with what was quantified by it."""

    plan: Plan
    sums: Mapping[str, int]  # measure column to integers
    records: int
    sources: list[str]
    subjects: dict[str, list[str]]
    series_ids: list[int]
    notes: list[str]


def explain(
    organization_id: int, filtered: Filter, *, impact: str = TOTAL, record_id: str | None = None
) -> dict[str, Any]:
    """
    Build the tree behind a figure, or behind one record.

    Args:
        impact: one of the figures of `emissions`.
        record_id: only this record, whatever the filter says.

    Raises:
        FilterError: there is no such figure. NothingToExplain: no such record, or nothing was derived yet.
    """
    if impact not in (*FIGURES, TOTAL):
        raise FilterError("impact", f"{impact!r} is not one of {', '.join((*FIGURES, TOTAL))}.")
    view = current_view(organization_id)
    if view is None:
        raise NothingToExplain("No figure has been derived yet.")
    pack = pack_of(view.factor_set.content_hash)
    if record_id is None:
        used = uses_of_period(organization_id, view, pack, filtered)
        result = emissions(organization_id, replace(filtered, by=(), grain="total"))
        row = result.rows.iloc[0].to_dict() if len(result.rows) else {}
        whole = {bound: number(row.get(f"{impact}{bound and '_'}{bound}")) for bound in ("", "low", "high")}
        as_of = result.as_of
    else:
        used, whole, as_of = [use_of_record(organization_id, view, pack, record_id)], None, None
    parts = parts_of(impact, filtered)
    children = methods(used, parts)
    explained = sum(child["value"] for child in children)
    return {
        "impact": impact,
        "unit": UNITS.get(impact, "kg CO2e"),
        "value": whole[""] if whole else explained,
        "low": whole["low"] if whole else sum(child["low"] for child in children),
        "high": whole["high"] if whole else sum(child["high"] for child in children),
        "explained": explained,
        "parts": parts,
        "record_id": record_id,
        "records": sum(use.records for use in used),
        "as_of": as_of.isoformat().replace("+00:00", "Z") if as_of else None,
        "filter": filtered.as_dict() if record_id is None else None,
        "methodology": view.methodology,
        "factor_set": view.factor_set.content_hash,
        "children": children,
        "factors": factors(used, parts),
        "missing": missing(used, parts),
    }


def parts_of(impact: str, filtered: Filter) -> list[str]:
    """Name the impacts that a figure is the sum of."""
    if impact != TOTAL:
        return [impact]
    return [f"{filtered.basis}_kg_co2e", *(f"{part}_kg_co2e" for part in filtered.include)]


def uses_of_period(organization_id: int, view: View, pack: FactorPack, filtered: Filter) -> list[Used]:
    """Read which plans made the period's rows, with the sums of the measures that went into each."""
    where, values = condition(filtered)
    sums = ", ".join(f"coalesce(sum(d.{name}), 0)" for name in MEASURE_COLUMNS)
    listed = ", ".join(f"array_agg(distinct r.{name}) filter (where r.{name} is not null)" for name in SUBJECT)
    with connection.cursor() as cursor:
        cursor.execute(
            f"select r.plan_id, sum(d.records), array_agg(distinct s.name), array_agg(distinct r.series_id), {listed}, {sums}"
            " from accounting_daily d"
            " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
            " join ledger_source s on s.organization_id = d.organization_id and s.id = r.source_id"
            f" where d.organization_id = %s and d.view_id = %s and d.day between %s and %s{where}"
            " group by r.plan_id order by r.plan_id",
            [organization_id, view.id, filtered.from_day, filtered.to_day, *values],
        )
        rows = cursor.fetchall()
    stored = StoredPlan.objects.filter(organization_id=organization_id).in_bulk([row[0] for row in rows])
    found = []
    for plan_id, records, sources, series_ids, *rest in rows:
        plan = stored[plan_id]
        made = make_plan(pack, methodology_of(plan.methodology), use_from(plan.use))
        subjects = {name: list(each) for name, each in zip(SUBJECT, rest[: len(SUBJECT)], strict=True) if each}
        measures = {name: int(each) for name, each in zip(MEASURE_COLUMNS, rest[len(SUBJECT) :], strict=True)}
        found.append(Used(made, measures, int(records), sources, subjects, series_ids, list(plan.notes)))
    return found


def use_of_record(organization_id: int, view: View, pack: FactorPack, record_id: str) -> Used:
    """Quantify one record as it stands in the ledger, by the rules in force."""
    record = find_record(organization_id, record_id)
    if record is None:
        raise NothingToExplain(f"There is no record {record_id!r}.")
    activity = to_activity([{name: value for name, value in record.items() if value is not None}])
    row = pd.DataFrame(to_units(activity), columns=list(MEASURE_COLUMNS)).assign(
        series_id=record["series_id"], records=1
    )
    row["day"] = int(
        (np.datetime64(record["started_at"].replace(tzinfo=None), "D") - np.datetime64("1970-01-01")).astype(int)
    )
    series = series_by_id(organization_id, [record["series_id"]]).rename_axis("series_id").reset_index()
    derived = figures(row.reset_index(drop=True), series, rules_of(organization_id), pack, view.methodology)
    resolved = derived.resolved.iloc[0]
    return Used(
        derived.plans[0],
        {name: int(row[name].iloc[0]) for name in MEASURE_COLUMNS},
        1,
        [str(record["source_id"])],
        {name: [resolved[name]] for name in SUBJECT if resolved[name] is not None},
        [int(record["series_id"])],
        list(derived.plans[0].notes),
    )


def use_from(stored: Mapping[str, Any]) -> Use:
    """Read a use back as it was stored with its plan."""
    return Use(
        **{name: stored.get(name) for name in USE_TEXT},
        techniques=tuple(stored["techniques"]),
        present=frozenset(stored["present"]),
        year=stored["year"],
        given=tuple((name, tuple(values)) for name, values in stored["given"]),
    )


def methods(used: list[Used], parts: list[str]) -> list[dict[str, Any]]:
    """Group plans by method, the largest first."""
    by_method: dict[str, list[dict[str, Any]]] = {}
    for use in used:
        node = plan_node(use, parts)
        if node["terms"]:
            by_method.setdefault(use.plan.method or "none", []).append(node)
    found = []
    for method, nodes in by_method.items():
        nodes.sort(key=lambda node: -abs(node["value"]))
        found.append(
            {
                "method": method,
                **{bound: sum(node[bound] for node in nodes) for bound in ("value", "low", "high")},
                "records": sum(node["records"] for node in nodes),
                "children": nodes[:MOST_PLANS],
                "more": max(0, len(nodes) - MOST_PLANS),
            }
        )
    return sorted(found, key=lambda node: -abs(node["value"]))


def plan_node(use: Used, parts: list[str]) -> dict[str, Any]:
    """Show one plan: its formulas with the numbers filled in."""
    terms = [
        term_node(term, use.sums[term.measure])
        for part in parts
        for term in use.plan.terms
        if term.impact == part and use.sums.get(term.measure, 0)
    ]
    return {
        **{bound: sum(term[bound] for term in terms) for bound in ("value", "low", "high")},
        "subjects": use.subjects,
        "sources": use.sources,
        "series": use.series_ids,
        "records": use.records,
        "year": use.plan.use.year,
        "data_quality": use.plan.data_quality,
        "scope": use.plan.scope,
        "terms": terms,
        "notes": [{"code": code, "text": notes.TEXTS[code]} for code in use.notes if code in notes.TEXTS],
    }


def term_node(term: Term, integers: int) -> dict[str, Any]:
    """Fill a formula in: the amount of its measure, its coefficients, and what they make."""
    amount = integers / term.per_unit
    return {
        **term.as_dict(),
        "amount": amount,
        "amount_unit": MEASURE[term.measure].unit,
        "coefficient": term.sign * term.value,
        "value": term.sign * term.value * amount,
        "low": term.sign * term.low * amount,
        "high": term.sign * term.high * amount,
    }


def factors(used: list[Used], parts: list[str]) -> list[dict[str, Any]]:
    """List the factors in the formulas of these parts, each once, in the order of their names."""
    named = {factor.id for use in used for term in use.plan.terms if term.impact in parts for factor, _ in term.inputs}
    found = {factor["id"]: factor for use in used for factor in use.plan.factors if factor["id"] in named}
    return sorted(found.values(), key=lambda factor: (str(factor["name"]), str(factor["id"])))


def missing(used: list[Used], parts: list[str]) -> list[dict[str, Any]]:
    """List what has activity and no figure, with the reasons."""
    return [
        {
            "subjects": use.subjects,
            "sources": use.sources,
            "records": use.records,
            "notes": [{"code": code, "text": notes.TEXTS[code]} for code in use.notes if code in notes.TEXTS],
        }
        for use in used
        if not any(term.impact == parts[0] for term in use.plan.terms)
    ]


def number(value: object) -> float | None:
    """Give a plain number, None for NaN."""
    return None if value is None or pd.isna(value) else float(value)  # type: ignore[call-overload, arg-type]
