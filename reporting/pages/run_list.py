"""Training runs and experiments: what each cost, grouped by experiment, and up to four side by side."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_safe

from core.accounting.figures import Filter
from core.organizations.access import requires
from core.organizations.identity import Identity
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action, narrowing_of_runs
from reporting import figures
from reporting.pages.asked import asked, filter_bar, period_name, stage_name, view_of
from reporting.pages.files import file_asked, period_file
from reporting.pages.jobs import duration
from reporting.pages.pinned import on_read
from reporting.query import Query
from reporting.selectors.overview import as_of_figures
from reporting.selectors.run_detail import power_of
from reporting.selectors.run_list import FAILED_STATUS, LIVE_STATUS, RunRow, runs_of, totals
from reporting.selectors.runs import Run, run_of
from reporting.templatetags.figures import locale

MOST_COMPARED: Final = 4
SHOWN_RUNS: Final = 12
PROGRESS: Final = (0.25, 0.5, 0.75, 1.0)
STATUSES: Final[dict[str, tuple[str | Promise, str]]] = {
    LIVE_STATUS: (gettext_lazy("live"), "accent"),
    "ended": (gettext_lazy("ended"), ""),
    FAILED_STATUS: (gettext_lazy("failed"), "bad"),
}
COMPARED: Final = (
    ("total_kg_co2e", gettext_lazy("Total"), "mass"),
    ("location_kg_co2e", gettext_lazy("Electricity, location-based"), "mass"),
    ("market_kg_co2e", gettext_lazy("Electricity, market-based"), "mass"),
    ("upstream_kg_co2e", gettext_lazy("Upstream of electricity"), "mass"),
    ("embodied_kg_co2e", gettext_lazy("Embodied share of hardware"), "mass"),
    ("energy_facility_kwh", gettext_lazy("Energy at the facility"), "energy"),
    ("water_l", gettext_lazy("Water"), "water"),
)


@one_snapshot
@require_safe
@requires(Action.SEE_OWN_TEAM)
def runs(request: HttpRequest) -> HttpResponse:
    """List the runs of a period, or lay some of them side by side."""
    if request.GET.get("tab") == "compare":
        return compare(request)
    identity: Identity = request.identity  # type: ignore[attr-defined]
    query = on_read(own_runs(asked(request), identity))
    found = runs_of(identity.organization_id, view_of(request), query.filter, now=datetime.now(UTC))
    if file_asked(request):
        return period_file(request, frame_of(found), "runs", query)
    context = {
        "title": _("Training runs"),
        "query": query,
        "query_errors": query.errors,
        "period_label": period_name(query.filter, query.label),
        "filter_bar": filter_bar(query),
        "table": table(found, query, every=request.GET.get("tab") == "all"),
        "ending": ending(found),
        "csv": query.link(format="csv"),
        "most": MOST_COMPARED,
        "as_of": as_of_figures(identity.organization_id),
    }
    return render(request, "reporting/runs.html", context)


def own_runs(query: Query, identity: Identity) -> Query:
    """Narrow a query to the runs that the asker may see."""
    own = narrowing_of_runs(identity)
    return replace(query.inside(**own), allowed=query.allowed | own) if own else query


def table(found: list[RunRow], query: Query, *, every: bool) -> dict[str, Any]:
    """
    Build the list: runs below their experiment, the heaviest first, one unit a column.

    Args:
        every: show all runs of an experiment, not only its ``SHOWN_RUNS`` heaviest.
    """
    scale = figures.scale_for("mass", [row.kg for row in found])
    kwh = figures.scale_for("energy", [row.facility_kwh for row in found])
    hours = figures.plain_scale([row.device_hours for row in found])
    groups: dict[str, list[RunRow]] = {}
    for row in found:
        groups.setdefault(row.experiment, []).append(row)
    largest = max((row.kg or 0.0 for row in found), default=0.0)
    order = sorted(groups, key=lambda name: -sum(row.kg or 0.0 for row in groups[name]))
    whole = totals(found)
    return {
        "unit": scale.unit,
        "energy_unit": kwh.unit,
        "groups": [
            {
                "name": name or _("without an experiment"),
                "runs": ngettext("{n} run", "{n} runs", len(groups[name])).format(n=len(groups[name])),
                "kg": figures.number(totals(groups[name])["kg"], scale, locale=locale()),
                "kwh": figures.number(totals(groups[name])["facility_kwh"], kwh, locale=locale()),
                "rows": [
                    line(row, query, scale, kwh, hours, largest)
                    for row in (groups[name] if every else groups[name][:SHOWN_RUNS])
                ],
                "more": more(groups[name][SHOWN_RUNS:], scale, kwh) if not every else None,
            }
            for name in order
        ],
        "count": len(found),
        "every": query.link(tab="all"),
        "kg": figures.number(whole["kg"], scale, locale=locale()),
        "kwh": figures.number(whole["facility_kwh"], kwh, locale=locale()),
        "hours": figures.number(whole["device_hours"], hours, locale=locale()),
    }


def more(rest: list[RunRow], scale: figures.Scale, kwh: figures.Scale) -> dict[str, str] | None:
    """Sum up the runs of an experiment that are not shown; None without any."""
    if not rest:
        return None
    return {
        "label": ngettext("{n} more run", "{n} more runs", len(rest)).format(n=len(rest)),
        "kg": figures.number(totals(rest)["kg"], scale, locale=locale()),
        "kwh": figures.number(totals(rest)["facility_kwh"], kwh, locale=locale()),
    }


def line(
    row: RunRow, query: Query, scale: figures.Scale, kwh: figures.Scale, hours: figures.Scale, largest: float
) -> dict[str, Any]:
    """Write one run."""
    label, tone = STATUSES[row.status]
    return {
        "name": row.name,
        "address": reverse("run", args=[row.name]) + query.pinning(),
        "bar": (row.kg or 0.0) / largest if largest else 0.0,
        "what": ", ".join(
            each
            for each in (stage_name(row.names.get("stage", "")), row.names.get("model", ""), row.names.get("team", ""))
            if each
        ),
        "kg": figures.number(row.kg, scale, locale=locale()),
        "kwh": figures.number(row.facility_kwh, kwh, locale=locale()),
        "hours": figures.number(row.device_hours, hours, locale=locale()),
        "utilization": figures.percent(row.utilization, locale=locale()),
        "pue": row.pue,
        "grid": figures.number(row.grid_g_per_kwh, figures.plain_scale([row.grid_g_per_kwh]), locale=locale()),
        "took": duration(row.seconds),
        "started_at": row.started_at,
        "status": label,
        "tone": tone,
    }


def ending(found: list[RunRow]) -> str:
    """Say that every attempt is in the list, and what those are known to have cost that failed."""
    failed = [row for row in found if row.status == FAILED_STATUS]
    if not failed:
        return _("Every run is in the list, failed and abandoned ones too; no sender has said of one that it failed.")
    text = ngettext(
        "Including failed and abandoned runs: {n} of {all}, {amount} CO2e, which is {share} of the total.",
        "Including failed and abandoned runs: {n} of {all}, {amount} CO2e, which is {share} of the total.",
        len(failed),
    )
    kg, whole = totals(failed)["kg"], totals(found)["kg"]
    share = figures.percent(kg / whole, locale=locale()) if whole else figures.UNKNOWN
    return text.format(n=len(failed), all=len(found), amount=figures.quantity(kg, "mass", locale=locale()), share=share)


def frame_of(found: list[RunRow]) -> pd.DataFrame:
    """Give the list at full precision, units in the header."""
    rows = [
        {
            "run": row.name,
            "experiment": row.experiment,
            **{name: row.names.get(name) for name in ("team", "project", "stage", "model", "hardware", "zone")},
            "status": row.status,
            "started_at": row.started_at,
            "ended_at": row.ended_at,
            "records": row.records,
            "total_kg_co2e": row.kg,
            "energy_it_kwh": row.it_kwh,
            "energy_facility_kwh": row.facility_kwh,
            "device_hours": row.device_hours,
            "device_utilization": row.utilization,
            "pue": row.pue,
            "grid_g_co2e_per_kwh": row.grid_g_per_kwh,
        }
        for row in found
    ]
    columns = list(rows[0]) if rows else ["run", "total_kg_co2e"]
    return pd.DataFrame(rows, columns=columns)


# --- side by side -----------------------------------------------------------------------------------------------------


def compare(request: HttpRequest) -> HttpResponse:
    """Lay two to four runs side by side, each over its whole life."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    names = [name for name in dict.fromkeys(request.GET.getlist("run")) if name and "\0" not in name][:MOST_COMPARED]
    narrowed = narrowing_of_runs(identity)
    view = view_of(request)
    each = (run_of(identity.organization_id, name, narrowed, view=view) for name in names)
    found = [run for run in each if run is not None]
    if names and not found:
        raise Http404
    query = on_read(asked(request)) if "as_of" in request.GET else None
    pin = query.pinning() if query else ""
    context: dict[str, Any] = {
        "title": _("Runs side by side"),
        "query": query,
        "query_errors": query.errors if query else (),
        "runs": [(run.name, reverse("run", args=[run.name]) + pin) for run in found],
        "enough": len(found) > 1,
    }
    if len(found) > 1:
        rows = {run.name: row for run in found for row in closer(request, run)}
        context |= {"rows": [*figure_rows(found), *other_rows(found, rows)], "progress": progress_rows(request, found)}
        context["headline"] = headline(found)
    return render(request, "reporting/runs_compared.html", context)


def closer(request: HttpRequest, run: Run) -> list[RunRow]:
    """Read what the list says of one run, over its whole life."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    whole = Filter(run.filter.from_day, run.filter.to_day, dims=narrowing_of_runs(identity), role=run.filter.role)
    return runs_of(identity.organization_id, view_of(request), whole, now=datetime.now(UTC), names=(run.name,))


def headline(found: list[Run]) -> str:
    """Name the lighter run, or say that their ranges overlap, which comes before any order."""
    known = [run for run in found if run.figures["total_kg_co2e"] is not None]
    if len(known) < len(found):
        return _("Not comparable: of some of them nothing is known.")
    order = sorted(known, key=lambda run: run.figures["total_kg_co2e"] or 0.0)
    lightest, next_one = order[0], order[1]
    if (lightest.figures["total_kg_co2e_high"] or 0.0) >= (next_one.figures["total_kg_co2e_low"] or 0.0):
        return _("Not distinguishable by their ranges, from which what they share is not taken out")
    return _("{name} emitted least").format(name=lightest.name)


def figure_rows(found: list[Run]) -> list[dict[str, Any]]:
    """Write each figure of the runs in one unit a row, with its range."""
    rows = []
    for name, label, kind in COMPARED:
        scale = figures.scale_for(kind, [run.figures[name] for run in found])  # type: ignore[arg-type]
        cells = [
            {
                "text": figures.number(run.figures[name], scale, locale=locale()),
                "range": figures.interval(
                    run.figures[f"{name}_low"], run.figures[f"{name}_high"], scale, locale=locale()
                ),
            }
            for run in found
        ]
        rows.append({"label": label, "unit": scale.unit + (" CO2e" if kind == "mass" else ""), "cells": cells})
    return rows


def other_rows(found: list[Run], rows: dict[str, RunRow]) -> list[dict[str, Any]]:
    """Write what is no figure of emissions: devices, utilization, PUE, grid, duration, model."""
    each = [rows.get(run.name) for run in found]
    hours = figures.plain_scale([row.device_hours if row else None for row in each])
    kinds: list[tuple[str, str, list[str]]] = [
        (
            _("Device-hours"),
            "h",
            [figures.number(row.device_hours, hours, locale=locale()) if row else "-" for row in each],
        ),
        (_("Utilization"), "", [figures.percent(row.utilization, locale=locale()) if row else "-" for row in each]),
        (_("PUE"), "", [f"{row.pue:.3f}" if row and row.pue else "-" for row in each]),
        (
            _("Grid, mean"),
            "g CO2e/kWh",
            [f"{row.grid_g_per_kwh:.0f}" if row and row.grid_g_per_kwh else "-" for row in each],
        ),
        (_("Duration"), "", [duration((run.ended_at - run.started_at).total_seconds()) for run in found]),
        (_("Model"), "", [row.names.get("model", "-") if row else "-" for row in each]),
        (_("Hardware"), "", [row.names.get("hardware", "-") if row else "-" for row in each]),
    ]
    return [
        {"label": label, "unit": unit, "cells": [{"text": text, "range": ""} for text in texts]}
        for label, unit, texts in kinds
    ]


def progress_rows(request: HttpRequest, found: list[Run]) -> dict[str, Any] | None:
    """Line the runs up by progress: energy at the facility after a quarter, half, three quarters and all of each one's time."""
    view = view_of(request)
    if view is None:
        return None
    reached = []
    for run in found:
        power = power_of(run_organization(request), view, run.filter)
        length = run.ended_at - run.started_at
        reached.append([energy_until(power, run.started_at + share * length) for share in PROGRESS])
    scale = figures.scale_for("energy", [own[-1] for own in reached])
    return {
        "unit": scale.unit,
        "rows": [
            (
                figures.percent(share, locale=locale()),
                [figures.number(own[at], scale, locale=locale()) for own in reached],
            )
            for at, share in enumerate(PROGRESS)
        ],
    }


def energy_until(power: pd.DataFrame, moment: datetime) -> float:
    """
    Add up the energy of slots until a moment; within a slot the power holds. [kWh]

    Args:
        power: starts_at, hours, value [kW].
    """
    passed = (pd.Timestamp(moment) - power["starts_at"]).dt.total_seconds() / 3600
    return float((power["value"] * passed.clip(lower=0.0).clip(upper=power["hours"])).sum())


def run_organization(request: HttpRequest) -> int:
    return int(request.identity.organization_id)  # type: ignore[attr-defined]
