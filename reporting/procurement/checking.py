"""Every claim of a dossier through the claim checker (methodology section 13): impossible, implausible, undated, or fine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from core.quantification import units
from core.quantification.claims import check_claim, implied_kg_per_kwh, is_plausible
from core.quantification.factor_tables import PUE_DOUBTFUL
from reporting.procurement.dossier import Evidence, Finding
from reporting.procurement.metrics import METRICS

MARKET_LIKE_KG_PER_KWH: Final = 0.05
"""Below it a figure for a grid above ``DIRTY_G_PER_KWH`` is likely market-based."""
DIRTY_G_PER_KWH: Final = 200.0
STALE_YEARS: Final = 3
TOLERANCE: Final = 0.5
"""Two documents of one provider that differ by more are asked about."""

ENERGY, EMISSIONS = "energy_per_request_wh", "emissions_per_request_g"


def findings_of(
    evidence: Sequence[Evidence], day: date, grids_g_per_kwh: Mapping[str, float] | None = None
) -> dict[str, tuple[Finding, ...]]:
    """
    Check every claim, each beside the others of its provider.

    Args:
        day: on which they are looked at.
        grids_g_per_kwh: region or zone to the location-based factor of its grid.

    Returns:
        Id of the evidence to what was found; always at least one finding.
    """
    grids = grids_g_per_kwh or {}
    return {
        each.id: tuple(_findings(each, evidence, day, grids)) or (Finding("consistent", kind="fine"),)
        for each in evidence
    }


def _findings(each: Evidence, others: Sequence[Evidence], day: date, grids: Mapping[str, float]) -> list[Finding]:
    found = [*_documents(each, day)]
    if each.value is None:
        return found
    metric = METRICS[each.metric]
    if not metric.least <= each.value <= metric.most:
        detail = f"{metric.least:g} to {metric.most:g}" if metric.most < float("inf") else f"from {metric.least:g}"
        return [Finding("impossible", detail, "fault"), *found]
    if each.metric == "pue" and each.value > PUE_DOUBTFUL:
        found.append(Finding("doubtful_pue", f"{PUE_DOUBTFUL:g}"))
    if each.metric == "renewable_annual_share" and each.value >= 1.0 and not each.note.strip():
        found.append(Finding("no_volume"))
    if each.metric == "location_g_co2e_per_kwh":
        found += _grid(each, grids)
    if each.metric == EMISSIONS:
        found += _implied(each, others)
    return found + _suspects(each, others)


def _documents(each: Evidence, day: date) -> list[Finding]:
    found = []
    if not each.document:
        found.append(Finding("no_document"))
    if each.expires_on is not None and each.expires_on < day:
        found.append(Finding("expired", each.expires_on.isoformat(), "fault"))
    if not each.dated:
        found.append(Finding("no_date"))
    elif int(each.dated[:4]) < day.year - STALE_YEARS:
        found.append(Finding("stale", each.dated))
    if not each.boundary and each.value is not None:
        found.append(Finding("no_boundary"))
    if each.grade == "marketing":
        found.append(Finding("marketing"))
    return found


def _grid(each: Evidence, grids: Mapping[str, float]) -> list[Finding]:
    """Ask whether a location-based figure is market-based where the grid has a far higher one."""
    grid = grids.get(each.boundary.partition(" ")[2])
    low = each.value is not None and each.value < MARKET_LIKE_KG_PER_KWH * units.G_PER_KG
    return [Finding("market_like", f"{grid:.0f}")] if low and grid is not None and grid > DIRTY_G_PER_KWH else []


def _implied(each: Evidence, others: Sequence[Evidence]) -> list[Finding]:
    """Divide what a request is said to emit by the energy that the same document says it takes. [kg CO2e/kWh]"""
    same = [
        one
        for one in others
        if one.metric == ENERGY and one.provider == each.provider and one.document == each.document
    ]
    if not same or not same[0].value or each.value is None:
        return []
    implied = implied_kg_per_kwh(each.value / units.G_PER_KG, same[0].value / units.WH_PER_KWH)
    detail = f"{implied * units.G_PER_KG:.3g}"
    if not is_plausible(implied):
        return [Finding("implausible_intensity", detail)]
    if implied < MARKET_LIKE_KG_PER_KWH:
        return [Finding("market_like_intensity", detail)]
    return [Finding("plausible_intensity", detail, "fine")]


def _suspects(each: Evidence, others: Sequence[Evidence]) -> list[Finding]:
    """Compare with what another document of the provider says of the same thing; name the usual mistake behind a ratio."""
    for one in others:
        same = (one.provider, one.metric, one.boundary) == (each.provider, each.metric, each.boundary)
        if one.id == each.id or not same or not one.value or not each.value or one.dated < each.dated:
            continue
        checked = check_claim(each.value, one.value, tolerance=TOLERANCE)
        if not checked.consistent:
            detail = f"{checked.ratio:.3g}" + (f"; {checked.suspect}" if checked.suspect else "")
            return [Finding("contradicts", detail)]
    return []
