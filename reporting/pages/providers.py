"""Providers and regions: where the electricity was used, what it weighed there, and what is known of each place."""

from __future__ import annotations

from itertools import groupby
from typing import Any, Final

import pandas as pd
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.organizations.access import requires
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action, may
from core.quantification import units
from core.quantification.operational import WORLD
from reporting import figures
from reporting.charts import Chart, dots
from reporting.pages.asked import asked, filter_bar, period_name, said, view_of
from reporting.pages.files import file_asked, period_file
from reporting.query import Query
from reporting.selectors.providers import Known, PlaceRow, places_of

BOUNDS: Final = ("value", "low", "high")


@one_snapshot
@require_safe
@requires(Action.SEE_PROVIDERS)
def providers(request: HttpRequest) -> HttpResponse:
    """Show every provider and region of a filter, by both bases; what nobody disclosed is said to be so."""
    query = asked(request)
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    rows, as_of = places_of(organization_id, query.filter, view=view_of(request))
    chart = region_chart(rows, query)
    if file_asked(request):
        drawn = request.GET.get("tab") == "chart"
        return period_file(request, chart.table if drawn else place_frame(rows), "providers-and-regions", query)
    context: dict[str, Any] = {
        "title": _("Providers and regions"),
        "query": query,
        "query_errors": query.errors,
        "period_label": period_name(query.filter, query.label),
        "filter_bar": filter_bar(query, ignores=("cmp",)),
        "charts": True,
        "chart": chart,
        "groups": groups_of(rows, query),
        "units": units_of(rows),
        "sources": sources_of(rows),
        "csv": query.link(format="csv", tab="chart"),
        "file": query.link(format="csv"),
        "as_of": as_of,
        "evaluations": may(request.identity, Action.SEE_ALL_TEAMS),  # type: ignore[attr-defined]
    }
    return render(request, "reporting/providers.html", context)


def region_chart(rows: list[PlaceRow], query: Query) -> Chart:
    """Draw the grids that own electricity came from, with their ranges; those that nobody disclosed stand last."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        name = row.zone or row.region
        if name is None or (row.grid.value is None and name in found):
            continue
        kg = {field: None if (g := getattr(row.grid, field)) is None else g / units.G_PER_KG for field in BOUNDS}
        label = _("world average") if name == WORLD else name
        found[name] = {"key": name, "label": label, **kg, "reason": "" if row.grid.factors else _("not disclosed")}
    columns = ["key", "label", *BOUNDS, "reason"]
    return dots(
        pd.DataFrame(list(found.values()), columns=columns),
        noun=_("grids"),
        per="/ kWh",
        detail=_("location-based"),
        links={name: query.link(zone=name) for name in found},
        locale=translation.get_language() or "en",
        translate=_,
    )


def units_of(rows: list[PlaceRow]) -> dict[str, figures.Scale]:
    """Choose one unit a column."""
    return {
        "energy": figures.scale_for("energy", [row.energy_kwh for row in rows]),
        "mass": figures.scale_for("mass", [kg for row in rows for kg in (row.location_kg, row.market_kg)]),
        "water": figures.scale_for("water", [row.water_l for row in rows]),
        "grid": figures.plain_scale([row.grid.value for row in rows]),
    }


def groups_of(rows: list[PlaceRow], query: Query) -> list[dict[str, Any]]:
    """Group places by their provider, the provider of most emissions first."""
    chosen = units_of(rows)
    return [
        {
            "provider": provider or _("Own hardware and unnamed providers"),
            "address": query.link(provider=provider) if provider else "",
            "places": [place_of(row, chosen, query) for row in places],
        }
        for provider, places in groupby(rows, key=lambda row: row.provider)
    ]


def place_of(row: PlaceRow, scales: dict[str, figures.Scale], query: Query) -> dict[str, Any]:
    """Write one place."""
    chosen = {name: value for name in ("provider", "region", "zone", "site") if (value := getattr(row, name))}
    why = f"/explain/{query.link(**chosen, basis=None, impact='location_kg_co2e')}" if chosen else ""
    pue = figures.plain_scale([1.0], digits=3)
    return {
        "label": row.region
        or row.site
        or (_("zone {zone}").format(zone=row.zone) if row.zone and row.zone != WORLD else _("no region named")),
        "about": ", ".join(
            [
                *([row.zone] if row.zone and (row.region or row.site) else []),
                *(said("hosting", one) for one in row.hostings),
            ]
        ),
        "energy": figures.number(row.energy_kwh, scales["energy"]),
        "location": figures.number(row.location_kg, scales["mass"]),
        "market": figures.number(row.market_kg, scales["mass"]),
        "water": figures.number(row.water_l, scales["water"]),
        "why": why,
        "grid": shown(row.grid, scales["grid"]),
        "pue": shown(row.pue, pue),
        "wue": shown(row.wue, pue),
    }


def shown(known: Known, scale: figures.Scale) -> dict[str, Any]:
    """Write what is known of a quantity; where nothing was disclosed, what figures take in its place."""
    return {
        "text": figures.number(known.value, scale) if known.value is not None else "",
        "range": figures.interval(known.low, known.high, scale) if known.value is not None else "",
        "assumed": figures.number(known.assumed, scale) if known.assumed is not None else "",
        "world": bool(known.factors) and all(each.match == "world" for each in known.factors),
    }


def sources_of(rows: list[PlaceRow]) -> list[dict[str, Any]]:
    """List the factors behind the table, each once, with the energy that it is about."""
    names = {"grid_location": _("Grid, location-based"), "pue": _("PUE"), "wue": _("WUE")}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        for known in (row.grid, row.pue, row.wue):
            for each in known.factors:
                entry = found.setdefault(
                    (each.name, each.id),
                    {
                        "name": names[each.name],
                        "page": {"grid_location": "location", "wue": "water"}.get(each.name, each.name),
                        "id": each.id,
                        "linked": "--" in each.id,  # rows of the factor set have a page
                        "value": each.value,
                        "unit": "" if each.unit == "1" else each.unit,
                        "source": each.source,
                        "match": each.match,
                        "energy_kwh": 0.0,
                    },
                )
                entry["energy_kwh"] += each.energy_kwh
    return sorted(found.values(), key=lambda each: (str(each["name"]), -each["energy_kwh"], each["id"]))


def place_frame(rows: list[PlaceRow]) -> pd.DataFrame:
    """Give the table at full precision, units in the header; empty is not disclosed."""
    return pd.DataFrame(
        [
            {
                "provider": row.provider,
                "region": row.region,
                "zone": row.zone,
                "site": row.site,
                "energy_facility_kwh": row.energy_kwh,
                "location_kg_co2e": row.location_kg,
                "market_kg_co2e": row.market_kg,
                "water_l": row.water_l,
                **{
                    f"{name}{suffix}{unit}": getattr(getattr(row, name), field)
                    for name, unit in (("grid", "_g_co2e_per_kwh"), ("pue", ""), ("wue", "_l_per_kwh"))
                    for suffix, field in (("", "value"), ("_low", "low"), ("_high", "high"))
                },
                "grid_source": row.grid.factors[0].source if row.grid.factors else None,
                "pue_assumed": row.pue.assumed,
            }
            for row in rows
        ]
    )
