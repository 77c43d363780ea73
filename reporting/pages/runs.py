"""A run: what it emitted, by what method and factors, and the way to its records."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from core.accounting.selectors.explain import NothingToExplain, explain
from core.organizations.access import requires
from core.organizations.identity import Identity
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action, may, narrowing_of_runs
from reporting import figures
from reporting.handbook.terms import METHODS, page_of_factor, page_of_impact
from reporting.selectors.runs import Run, run_of

ROWS: Final = (
    ("location_kg_co2e", gettext_lazy("Electricity, location-based"), "mass"),
    ("market_kg_co2e", gettext_lazy("Electricity, market-based"), "mass"),
    ("upstream_kg_co2e", gettext_lazy("Upstream of electricity"), "mass"),
    ("embodied_kg_co2e", gettext_lazy("Embodied share of hardware"), "mass"),
    ("energy_it_kwh", gettext_lazy("Energy of the equipment"), "energy"),
    ("energy_facility_kwh", gettext_lazy("Energy at the facility"), "energy"),
    ("water_l", gettext_lazy("Water"), "water"),
)


@one_snapshot
@require_safe
@requires(Action.SEE_OWN_TEAM)
def run(request: HttpRequest, run: str) -> HttpResponse:
    """Show one run by its sender's id."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    found = run_of(identity.organization_id, run, narrowing_of_runs(identity))
    if found is None:
        raise Http404
    tree = tree_of(identity, found)
    scale = figures.scale_for("mass", [found.figures["total_kg_co2e"]])
    scales = {kind: scale_of(found, kind) for kind in ("mass", "energy", "water")}
    period = {"from": found.filter.from_day.isoformat(), "to": found.filter.to_day.isoformat(), "run": found.name}
    context = {
        "title": _("Training run"),
        "run": found,
        "duration": duration(found),
        "total": figures.number(found.figures["total_kg_co2e"], scale),
        "range": figures.interval(found.figures["total_kg_co2e_low"], found.figures["total_kg_co2e_high"], scale),
        "unit": scale.unit,
        "rows": [row(found, name, label, kind, scales[kind]) for name, label, kind in ROWS],
        "methods": [method(node, tree["value"]) for node in tree["children"]] if tree else [],
        "factors": [factor | {"page": page_of_factor(factor["name"])} for factor in tree["factors"]] if tree else [],
        "why": f"?{urlencode(period)}",
        "may_see_records": may(identity, Action.SEE_REQUESTS),
    }
    return render(request, "reporting/run.html", context)


def tree_of(identity: Identity, found: Run) -> dict[str, Any] | None:
    """Explain the run's total; None where nothing of it is known yet."""
    try:
        return explain(identity.organization_id, found.filter)
    except NothingToExplain:
        return None


def scale_of(found: Run, kind: Any) -> figures.Scale:
    """Choose one unit for all figures of a kind, from the largest."""
    return figures.scale_for(kind, [found.figures[name] for name, _label, each in ROWS if each == kind])


def row(found: Run, name: str, label: Any, kind: str, scale: figures.Scale) -> dict[str, Any]:
    """Show one figure with its range."""
    value, low, high = (found.figures[name + suffix] for suffix in ("", "_low", "_high"))
    return {
        "label": label,
        "page": page_of_impact(name, ""),
        "value": figures.number(value, scale),
        "unit": scale.unit + (" CO2e" if kind == "mass" else ""),
        "range": figures.interval(low, high, scale),
    }


def method(node: dict[str, Any], total: float | None) -> dict[str, Any]:
    """Show one method with its share of the total."""
    share = figures.percent(node["value"] / total) if total else ""
    return {"name": node["method"], "page": METHODS.get(node["method"], ""), "share": share, "records": node["records"]}


def duration(found: Run) -> str:
    """Say how long a run took, from its first record to the end of its last."""
    seconds = int((found.ended_at - found.started_at).total_seconds())
    hours, minutes = divmod(max(seconds, 0) // 60, 60)
    if hours:
        return _("{hours} h {minutes} min").format(hours=hours, minutes=minutes)
    return _("{minutes} min {seconds} s").format(minutes=minutes, seconds=max(seconds, 0) % 60)
