"""A run: what it emitted, by what method and factors, how it drew power, what it would have been elsewhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

import pandas as pd
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from core.accounting.models import View
from core.accounting.selectors.explain import NothingToExplain, explain
from core.organizations.access import requires
from core.organizations.identity import Identity
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action, may, narrowing_of_runs
from reporting import figures
from reporting.charts import Chart, steps
from reporting.disclosures.run_cards import RunFacts, boamps, model_card
from reporting.handbook.terms import METHODS, page_of_impact
from reporting.pages.asked import asked, stage_name, view_of
from reporting.pages.explain import factor_node
from reporting.pages.files import file_asked, table_file
from reporting.pages.pinned import on_read
from reporting.query import Query
from reporting.selectors.run_detail import elsewhere_of, other_hours_of, phases_of, power_of
from reporting.selectors.run_list import LIVE_STATUS, RunRow, runs_of
from reporting.selectors.runs import Run, run_of
from reporting.templatetags.figures import locale

CARDS: Final = ("model-card", "boamps")
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
    view = view_of(request)
    found = run_of(identity.organization_id, run, narrowing_of_runs(identity), view=view)
    if found is None:
        raise Http404
    query = on_read(asked(request)) if "as_of" in request.GET else None
    if (kind := request.GET.get("format")) in CARDS:
        return card(request, found, kind)
    chart = power(identity, found, view) if view else None
    if chart is not None and file_asked(request):
        return table_file(request, chart.table, f"{file_name(found)}-power")
    tree = tree_of(identity, found, view)
    closer = next(iter(of_life(request, found)), None)
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
        "factors": [factor_node(factor) for factor in tree["factors"]] if tree else [],
        "query": query,
        "query_errors": query.errors if query else (),
        "why": pinning(query, **period),
        "files": {name.replace("-", "_"): pinning(query, format=name) for name in (*CARDS, "csv")},
        "may_see_records": may(identity, Action.SEE_REQUESTS),
        "live": closer is not None and closer.status == LIVE_STATUS,
        "closer": about(closer) if closer else [],
        "phases": phases(closer, scale) if closer else [],
        "charts": chart is not None,
        "chart": chart,
        "elsewhere": elsewhere(identity, found, view, closer) if view and closer else [],
        "other_hours": other_hours(identity, found, view, scale) if view else None,
    }
    return render(request, "reporting/run.html", context)


def pinning(query: Query | None, **params: str) -> str:
    """Write a query string that keeps to the stored view where the page does."""
    return query.pinning(**params) if query else f"?{urlencode(params)}"


def tree_of(identity: Identity, found: Run, view: View | None) -> dict[str, Any] | None:
    """Explain the run's total; None where nothing of it is known yet."""
    try:
        return explain(identity.organization_id, found.filter, view=view)
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


# --- closer -----------------------------------------------------------------------------------------------------------


def of_life(request: HttpRequest, found: Run) -> list[RunRow]:
    """Read what the list says of a run, over its whole life."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    whole = replace(found.filter, dims={name: own for name, own in found.filter.dims.items() if name != "run"})
    return runs_of(identity.organization_id, view_of(request), whole, now=datetime.now(UTC), names=(found.name,))


def about(row: RunRow) -> list[tuple[str, str]]:
    """Write what a run used, and what it was."""
    hours = figures.number(row.device_hours, figures.plain_scale([row.device_hours]), locale=locale())
    grid = figures.number(row.grid_g_per_kwh, figures.plain_scale([row.grid_g_per_kwh]), locale=locale())
    facts = [
        (_("Experiment"), row.experiment),
        (_("Stage"), stage_name(row.names.get("stage", ""))),
        (_("Model"), row.names.get("model", "")),
        (_("Team"), row.names.get("team", "")),
        (_("Hardware"), row.names.get("hardware", row.names.get("instance_type", ""))),
        (_("Device-hours"), hours if row.device_hours is not None else ""),
        (_("Utilization"), figures.percent(row.utilization, locale=locale()) if row.utilization is not None else ""),
        (_("PUE"), f"{row.pue:.3f}" if row.pue else ""),
        (_("Grid, mean"), f"{grid}{figures.THIN}g CO2e/kWh" if row.grid_g_per_kwh else ""),
    ]
    return [(label, value) for label, value in facts if value]


def phases(closer: RunRow, scale: figures.Scale) -> list[dict[str, Any]]:
    """Write the stages of a run, where it has more than one."""
    rows = phases_of(closer.parts)
    largest = max((row.kg or 0.0 for row in rows), default=0.0)
    kwh = figures.scale_for("energy", [row.facility_kwh for row in rows])
    shown = [
        {
            "label": stage_name(row.stage),
            "bar": (row.kg or 0.0) / largest if largest else 0.0,
            "kg": figures.number(row.kg, scale, locale=locale()),
            "kwh": f"{figures.number(row.facility_kwh, kwh, locale=locale())}{figures.THIN}{kwh.unit}",
            "records": row.records,
        }
        for row in rows
    ]
    return shown if len(shown) > 1 else []


def power(identity: Identity, found: Run, view: View) -> Chart | None:
    """Draw the mean power of each slot; None where no record has both energy and a duration."""
    frame = power_of(identity.organization_id, view, found.filter)
    if frame.empty:
        return None
    hours = int(frame["hours"].iloc[0])
    scale = figures.plain_scale(frame["value"].tolist())
    detail = ngettext(
        "mean at the facility in each hour, {mean} on average",
        "mean at the facility in each {hours} hours, {mean} on average",
        hours,
    )
    return steps(
        frame.assign(series="power"),
        slots=pd.date_range(frame["starts_at"].iloc[0], frame["starts_at"].iloc[-1], freq=f"{hours}h"),
        unit="kW",
        noun=_("Power"),
        labels={"power": _("Power")},
        name="power",
        detail=detail.format(hours=hours, mean=figures.number(float(frame["value"].mean()), scale, locale=locale())),
        locale=locale(),
        translate=_,
    )


def elsewhere(identity: Identity, found: Run, view: View, closer: RunRow) -> list[dict[str, Any]]:
    """Write what the run would have emitted in other grids, the lightest first."""
    rows = elsewhere_of(identity.organization_id, view, found.filter, closer.ranked("zone"))
    here = next((row.kg.value for row in rows if row.own), None)
    scale = figures.scale_for("mass", [row.kg.value for row in rows])
    largest = max((row.kg.value or 0.0 for row in rows), default=0.0)
    return [
        {
            "zone": row.zone,
            "own": row.own,
            "unit": scale.unit,
            "bar": (row.kg.value or 0.0) / largest if largest else 0.0,
            "kg": figures.number(row.kg.value, scale, locale=locale()),
            "range": figures.interval(row.kg.low, row.kg.high, scale, locale=locale()),
            "change": figures.percent((row.kg.value or 0.0) / here - 1, locale=locale(), sign=True)
            if here and not row.own
            else "",
        }
        for row in rows
    ]


def other_hours(identity: Identity, found: Run, view: View, scale: figures.Scale) -> dict[str, Any] | None:
    """Write the best and the worst start within a day by hourly factors; None where the grid has none."""
    rows = other_hours_of(identity.organization_id, view, found.filter)
    if not rows:
        return None
    best, worst = min(rows, key=lambda row: row.kg), max(rows, key=lambda row: row.kg)
    return {
        "now": figures.number(rows[0].kg, scale, locale=locale()),
        "best": figures.number(best.kg, scale, locale=locale()),
        "best_h": best.shift_h,
        "worst": figures.number(worst.kg, scale, locale=locale()),
        "worst_h": worst.shift_h,
        "unit": scale.unit,
    }


def card(request: HttpRequest, found: Run, kind: str) -> HttpResponse:
    """Answer a run as metadata of a model card, or as a BoAmps report."""
    facts = facts_of(request, found)
    name = file_name(found)
    if kind == "model-card":
        response = HttpResponse(model_card(facts), content_type="text/markdown; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{name}-model-card.md"'
        return response
    response = JsonResponse(boamps(facts, reported_at=datetime.now(UTC)))
    response["Content-Disposition"] = f'attachment; filename="{name}-boamps.json"'
    return response


def file_name(found: Run) -> str:
    """Turn a run's id into the beginning of a file's name."""
    return "".join(each if each.isalnum() or each in "-_." else "-" for each in found.name)


def facts_of(request: HttpRequest, found: Run) -> RunFacts:
    """Collect what the two formats say of a run."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    row = next(iter(of_life(request, found)), None)
    names = row.names if row else {}
    view = view_of(request)
    tree = tree_of(identity, found, view)
    seconds = (found.ended_at - found.started_at).total_seconds()
    devices = round(row.device_hours / (seconds / 3600)) if row and row.device_hours and seconds else None
    return RunFacts(
        organization=request.organization.name,  # type: ignore[attr-defined]
        name=found.name,
        stage=names.get("stage", "training"),
        model=names.get("model"),
        hosting=names.get("hosting"),
        provider=names.get("provider"),
        zone=names.get("zone"),
        hardware=names.get("hardware"),
        devices=devices or None,
        utilization=row.utilization if row else None,
        methods=tuple(node["method"] for node in tree["children"]) if tree else (),
        methodology=view.methodology if view else "",
        started_at=found.started_at,
        seconds=seconds,
        it_kwh=found.figures["energy_it_kwh"],
        it_kwh_low=found.figures["energy_it_kwh_low"],
        it_kwh_high=found.figures["energy_it_kwh_high"],
        facility_kwh=found.figures["energy_facility_kwh"],
        location_kg=found.figures["location_kg_co2e"],
        embodied_kg=found.figures["embodied_kg_co2e"],
    )
