"""
The tree behind a figure: figure, methods, plans, formulas with the numbers filled in, factors, sources and what is missing.

Values in, values out. Every node is the sum of its children and every formula multiplies out to its node. Only between the
figure and its branches stands the rounding of rows to whole integers, which is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from core.accounting.aggregate import BASES, PARTS, SCOPE_OF, TOTAL
from core.accounting.columns import EMBODIED, IMPACTS, LOCATION, MARKET
from core.accounting.figures import Filter
from core.quantification import notes
from core.quantification.activity import MEASURES
from core.quantification.plan import Plan
from core.quantification.register_lines import Line
from core.quantification.scope import OF_TWO_BASES, booked_scope
from core.quantification.terms import Term

FIGURES: Final = (*(impact.name for impact in IMPACTS), TOTAL)
"""What can be explained."""

UNITS: Final = {
    "energy_it_kwh": "kWh",
    "energy_facility_kwh": "kWh",
    "water_l": "L",
    "primary_energy_mj": "MJ",
    "adpe_kg_sbeq": "kg Sb-eq",
}
"""Unit of each figure that is not in kg CO2e."""

ROUNDING: Final = "rows are stored in whole 1e-12 kWh, 1e-9 kg, 1e-9 L and 1e-9 MJ"

MEASURE: Final = {measure.column: measure for measure in MEASURES}
MOST_PLANS: Final = 200
OWN_HARDWARE: Final = "3.2"


@dataclass(frozen=True)
class Used:
    """
    One plan with what was quantified by it.

    Args:
        sums: measure column to integers.
        subjects: dimension to the names it has there.
        sources: name to records.
        cells: hours of series that went in; None where records were quantified themselves.
        controlled: of the site, which decides where its electricity is booked.
    """

    plan: Plan
    sums: Mapping[str, int]
    records: int
    subjects: Mapping[str, Sequence[str]]
    sources: Mapping[str, int]
    series_ids: Sequence[int]
    cells: int | None = None
    first_day: str | None = None
    last_day: str | None = None
    controlled: bool = True


def parts_of(impact: str, asked: Filter) -> list[str]:
    """Name the impacts that a figure is the sum of."""
    if impact != TOTAL:
        return [impact]
    return [BASES[asked.basis].name, *(PARTS[part].name for part in asked.include)]


def counted_as(part: str, scope: str, asked: Filter) -> str:
    """
    Return the impact that a part of a figure is of: as disclosed, only scope 2 has a market-based figure of its own.

    Args:
        scope: where the electricity is booked.
    """
    once = part == MARKET.name and asked.booking == "disclosed" and scope != OF_TWO_BASES
    return LOCATION.name if once else part


def _parts(use: Used, parts: Sequence[str], asked: Filter) -> list[str]:
    scope = booked_scope(use.plan.scope, controlled=use.controlled) or ""
    return [counted_as(part, scope, asked) for part in parts]


def tree(used: Sequence[Used], parts: Sequence[str], asked: Filter) -> dict[str, Any]:
    """
    Build the branches below a figure.

    Returns:
        ``explained`` (the sum of the branches), ``records``, ``children`` (methods, the largest first), ``factors``,
        ``sources`` and ``missing``.
    """
    children = _methods(used, parts, asked)
    sources: dict[str, int] = {}
    for use in used:
        for name, records in use.sources.items():
            sources[name] = sources.get(name, 0) + records
    return {
        "explained": sum(child["value"] for child in children) if children else None,
        "records": sum(use.records for use in used),
        "children": children,
        "factors": _factors(used, parts, asked),
        "sources": [{"name": name, "records": records} for name, records in sorted(sources.items())],
        "missing": _missing(used, parts, asked),
    }


def register_branches(lines: Sequence[Line], parts: Sequence[str], asked: Filter) -> list[dict[str, Any]]:
    """List what the register adds to a figure of the disclosed booking, entry by entry: amounts, factors, what is missing."""
    per_unit = {impact.name: impact.per_unit for impact in IMPACTS}
    found = []
    for line in lines:
        amounts = [
            [side / per_unit[name] for side in line.amounts[name]]
            for name in (counted_as(part, line.scopes.energy, asked) for part in parts)
            if name in line.amounts and name in per_unit
        ]
        if amounts or line.notes:
            value, low, high = (sum(each) for each in zip(*amounts, strict=True)) if amounts else (0.0, 0.0, 0.0)
            found.append(
                {
                    "step": line.step,
                    "label": line.label,
                    "site": line.site,
                    "date": line.day.isoformat(),
                    "entries": list(line.entries),
                    "value": value,
                    "low": low,
                    "high": high,
                    "factors": [factor.as_dict() for factor in line.factors],
                    "notes": [{"code": code, "text": notes.TEXTS[code]} for code in line.notes],
                }
            )
    return found


def _methods(used: Sequence[Used], parts: Sequence[str], asked: Filter) -> list[dict[str, Any]]:
    """Group plans by method, the largest first."""
    by_method: dict[str, list[dict[str, Any]]] = {}
    for use in used:
        node = _plan(use, parts, asked)
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
                "more_value": sum(node["value"] for node in nodes[MOST_PLANS:]),
            }
        )
    found.sort(key=lambda node: -abs(node["value"]))
    whole = sum(node["value"] for node in found)
    return [{**node, "share": node["value"] / whole if whole else None} for node in found]


def _plan(use: Used, parts: Sequence[str], asked: Filter) -> dict[str, Any]:
    """Show one plan: its formulas with the numbers filled in."""
    terms = [
        _term(term, use.sums[term.measure])
        for part in _parts(use, parts, asked)
        for term in use.plan.terms
        if term.impact == part and use.sums.get(term.measure, 0) and books(use.plan, part, asked)
    ]
    return {
        **{bound: sum(term[bound] for term in terms) for bound in ("value", "low", "high")},
        "subjects": {name: list(values) for name, values in use.subjects.items()},
        "sources": sorted(use.sources),
        "series": list(use.series_ids),
        "cells": use.cells,
        "first_day": use.first_day,
        "last_day": use.last_day,
        "records": use.records,
        "year": use.plan.use.year,
        "data_quality": use.plan.data_quality,
        "scope": use.plan.scope,
        "terms": terms,
        "notes": _notes(use.plan),
    }


def books(plan: Plan, impact: str, asked: Filter) -> bool:
    """Tell whether an impact of a plan is in what was asked for: its scope, and what the booking leaves out."""
    scope = getattr(plan, SCOPE_OF.get(impact, "scope"))
    if "scope" in asked.dims and scope not in asked.dims["scope"]:
        return False
    return not (impact == EMBODIED.name and asked.booking == "disclosed" and scope == OWN_HARDWARE)


def _term(term: Term, integers: int) -> dict[str, Any]:
    """Fill a formula in: the amount of its measure, its coefficients, and what they make."""
    amount = integers / term.per_unit
    measure = MEASURE[term.measure]
    return {
        **term.as_dict(),
        "amount": amount,
        "amount_unit": measure.unit,
        "coefficient": term.sign * term.value,
        "filled_in": _filled_in(term, amount, measure.source if measure.unit == "1" else measure.unit),
        "value": term.sign * term.value * amount,
        "low": term.sign * term.low * amount,
        "high": term.sign * term.high * amount,
    }


def _filled_in(term: Term, amount: float, unit: str) -> str:
    """Write the formula with its numbers, one for each name of the formula; a spread is 1 and makes the interval only."""
    words = [f"{'- ' if term.sign < 0 else ''}{amount:.12g} {unit}"]
    for factor, power in term.inputs:
        suffix = "" if factor.unit == "1" else f" {factor.unit}"
        words.append(f"{'x' if power == 1 else '/'} {factor.value:.9g}{suffix}")
    if term.constant != 1.0:
        words.append(f"x {term.constant:g}")
    return " ".join(words)


def _factors(used: Sequence[Used], parts: Sequence[str], asked: Filter) -> list[dict[str, Any]]:
    """List the factors in the formulas of these parts, each once, in the order of their names."""
    named = {
        factor.id
        for use in used
        for term in use.plan.terms
        if term.impact in _parts(use, parts, asked) and books(use.plan, term.impact, asked)
        for factor, _ in term.inputs
    }
    found = {
        (str(factor["name"]), str(factor["id"])): factor
        for use in used
        for factor in use.plan.factors
        if factor["id"] in named
    }
    return [found[key] for key in sorted(found)]


def _missing(used: Sequence[Used], parts: Sequence[str], asked: Filter) -> list[dict[str, Any]]:
    """List what has activity and no figure, part by part, with the reasons."""
    found = []
    for use in used:
        unknown = [part for part in _parts(use, parts, asked) if part in use.plan.nulls]
        if unknown:
            found.append(
                {
                    "impacts": unknown,
                    "subjects": {name: list(values) for name, values in use.subjects.items()},
                    "sources": sorted(use.sources),
                    "records": use.records,
                    "notes": _notes(use.plan),
                }
            )
    return sorted(found, key=lambda each: (-len(each["impacts"]), -each["records"]))


def _notes(plan: Plan) -> list[dict[str, str]]:
    return [{"code": code, "text": notes.TEXTS[code]} for code in plan.notes]


def as_text(explained: Mapping[str, Any]) -> str:
    """Write a tree for a terminal, one node a line."""
    unit = explained["unit"]
    lines = [f"{explained['impact']}: {_amount(explained, unit)}"]
    about = [f"{explained['records']} records", f"methodology {explained['methodology']}"]
    about.append(f"factor set {explained['factor_set_name']}")
    if explained["as_of"]:
        about.append(f"as of {explained['as_of']}")
    lines.append("  " + ", ".join(about))
    lines.append(f"  = {' + '.join(explained['parts'])}")
    for method in explained["children"]:
        share = "" if method["share"] is None else f", {method['share']:.1%}"
        lines.append(f"  {method['method']}: {_amount(method, unit)} ({method['records']} records{share})")
        for plan in method["children"]:
            names = "; ".join(f"{name} {', '.join(values)}" for name, values in plan["subjects"].items())
            lines.append(f"    {names or 'no dimension'} ({plan['year']}): {_amount(plan, unit)}")
            for term in plan["terms"]:
                lines.append(f"      {term['impact']}: {term['formula']}")
                lines.append(f"        = {term['filled_in']} = {term['value']:.6g}")
            lines += [f"      note: {note['text']}" for note in plan["notes"]]
        if method["more"]:
            lines.append(f"    and {method['more']} more: {method['more_value']:.6g} {unit}")
    if explained["rounding"]:
        lines.append(f"  rounding: {explained['rounding']:.3g} {unit} ({ROUNDING})")
    if explained["factors"]:
        lines.append("  factors")
    lines += [
        f"    {factor['name']} {factor['value']:.6g} {factor['unit']} ({factor['match']}; {factor['source']})"
        for factor in explained["factors"]
    ]
    lines.append("  sources: " + ", ".join(f"{each['name']} ({each['records']})" for each in explained["sources"]))
    for each in explained["missing"]:
        reasons = " ".join(note["text"] for note in each["notes"])
        lines.append(f"  not known: {', '.join(each['impacts'])} of {each['records']} records. {reasons}")
    return "\n".join(lines)


def _amount(node: Mapping[str, Any], unit: str) -> str:
    if node["value"] is None:
        return "not known"
    return f"{node['value']:.6g} {unit} ({node['low']:.6g} to {node['high']:.6g})"
