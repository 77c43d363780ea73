"""Why this number: the tree behind a figure, with every number filled in."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from core.accounting.figures import Filter, FilterError
from core.accounting.selectors.explain import NothingToExplain, explain
from core.organizations.access import requires
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action, may
from reporting import figures
from reporting.handbook.terms import METHODS, page_of_factor, page_of_impact
from reporting.pages.asked import asked, filter_bar, period_name, said, stage_name, view_of
from reporting.pages.pinned import on_read
from reporting.query import Query
from reporting.visibility import may_see_record

MOST_PLANS: Final = 12
WORDS: Final = {
    "pue": gettext_lazy("PUE"),
    "wue": gettext_lazy("WUE"),
    "grid_location": gettext_lazy("grid factor"),
    "grid_market": gettext_lazy("market factor"),
    "grid_upstream": gettext_lazy("upstream factor"),
    "host_factor": gettext_lazy("host factor"),
    "token_energy": gettext_lazy("energy per token"),
    "device_power": gettext_lazy("device power"),
    "instance_power": gettext_lazy("instance power"),
    "cached_saving": gettext_lazy("cached saving"),
    "lifetime": gettext_lazy("lifetime"),
    "location": gettext_lazy("location"),
    "market": gettext_lazy("market"),
    "upstream": gettext_lazy("upstream"),
    "embodied": gettext_lazy("embodied"),
    "water": gettext_lazy("water"),
    "primary_energy": gettext_lazy("primary energy"),
    "facility_energy": gettext_lazy("facility energy"),
    "it_energy": gettext_lazy("IT energy"),
}
"""What factors and impacts are called; another is called as it is stored, its words apart."""


WITHOUT_ANY: Final = frozenset(
    {
        "no_method",
        "method_switched_off",
        "unknown_model",
        "unknown_hardware",
        "unknown_instance",
        "no_device_power",
        "idle_above_peak",
        "no_instance_power",
        "no_peak_rate",
        "no_seat_factor",
        "no_spend_factor",
        "one_figure_for_both_bases",
        "other_basis_not_reported",
        "no_grid_factor",
        "no_pue_factor",
        "impact_out_of_range",
    }
)
"""Notes that can be why any part of a figure is not known; others say what stood in, or are about one part."""
WITHOUT: Final = {
    "embodied_kg_co2e": frozenset({"no_hardware", "no_embodied_factor", "embodied_override_unused"}),
    "upstream_kg_co2e": frozenset({"no_upstream_factor"}),
    "water_l": frozenset({"no_wue", "no_grid_water_factor", "off_site_water_missing"}),
    "primary_energy_mj": frozenset({"no_primary_energy_factor", "hardware_not_in_resources"}),
    "adpe_kg_sbeq": frozenset({"no_adpe_factor", "hardware_not_in_resources"}),
}
"""Notes that are why one part is not known."""


@require_safe
@requires(Action.SEE_OWN_TEAM)
@one_snapshot
def explain_page(request: HttpRequest) -> HttpResponse:
    """Explain the total, or the impact or record that the address names."""
    identity = request.identity  # type: ignore[attr-defined]
    record = request.GET.get("record") or None
    query = on_read(asked(request)) if record else asked(request)
    try:
        tree = explain(
            identity.organization_id,
            query.filter,
            impact=request.GET.get("impact", "total_kg_co2e"),
            record_id=record,
            view=view_of(request),
        )
        if record is not None and not may_see_record(identity, tree):
            raise NothingToExplain(_("There is no record {record}, or it is not for you.").format(record=record))
    except (NothingToExplain, FilterError) as error:
        context = {
            "title": _("Why this number"),
            "problem": str(error),
            "query": query,
            "query_errors": query.errors,
            "filter_bar": None if record else filter_bar(query, ignores=("cmp", "role")),
        }
        return render(request, "reporting/explain.html", context, status=404)
    if request.GET.get("format") == "json":
        return JsonResponse(tree)
    scale = scale_of(tree)
    return render(
        request,
        "reporting/explain.html",
        {
            "title": _("Why this number"),
            "query": query,
            "query_errors": query.errors,
            "filter_bar": None if record else filter_bar(query, ignores=("cmp", "role")),
            "tree": tree | {"factors": [factor_node(factor) for factor in tree["factors"]]},
            "amount": shown(tree["value"], scale),
            "unit": scale.unit,
            "co2e": tree["unit"] == "kg CO2e",
            "range": figures.interval(tree["low"], tree["high"], scale),
            "subject": subject(query, record),
            "methods": [method_node(node, scale, tree["value"], query) for node in tree["children"]],
            "missing": [missing_node(entry, tree["parts"]) for entry in tree["missing"]],
            "register": [entry | {"amount": shown(entry["value"], scale)} for entry in tree["register"]],
            "instruments": instrument_rows(tree["factors"], linked=may(identity, Action.SEE_ALL_TEAMS)),
            "records": records_link(query, record),
            "json": query.link()
            + ("&" if query.params else "")
            + "format=json"
            + (f"&record={record}" if record else ""),
            "as_of": datetime.fromisoformat(tree["as_of"]) if tree["as_of"] else None,
        },
    )


def scale_of(tree: dict[str, Any]) -> figures.Scale:
    """Choose one unit for the whole tree, from its figure."""
    kind = {"kg CO2e": "mass", "kWh": "energy", "L": "water"}.get(tree["unit"])
    if kind is None:
        return figures.plain_scale([tree["value"]], unit=tree["unit"])
    return figures.scale_for(kind, [tree["value"]])  # type: ignore[arg-type]


def shown(value: float | None, scale: figures.Scale) -> str:
    return figures.number(value, scale)


def subject(query: Query, record: str | None) -> str:
    """Say in words what the figure is about."""
    if record:
        return _("Record {record}").format(record=record)
    names = [
        stage_name(value) if name == "stage" else value
        for name, values in query.filter.dims.items()
        for value in values
    ]
    return ", ".join([*names, period_name(query.filter, query.label)])


def method_node(node: dict[str, Any], scale: figures.Scale, total: float | None, query: Query) -> dict[str, Any]:
    """Show a method with its largest plans."""
    return {
        "method": said("method", node["method"]),
        "page": METHODS.get(node["method"], ""),
        "value": shown(node["value"], scale),
        "share": figures.percent(node["value"] / total) if total else "",
        "records": node["records"],
        "plans": [plan_node(plan, scale, node["method"]) for plan in node["children"][:MOST_PLANS]],
        "more": len(node["children"]) - MOST_PLANS + node["more"]
        if len(node["children"]) > MOST_PLANS
        else node["more"],
    }


def plan_node(plan: dict[str, Any], scale: figures.Scale, method: str) -> dict[str, Any]:
    """Show a plan: what it is about, and its formulas line by line."""
    subjects = plan["subjects"]
    about = [
        value for name in ("model", "hardware", "instance_type", "provider") for value in subjects.get(name, [])[:2]
    ]
    return {
        "label": ", ".join(about) or _("without a name"),
        "where": ", ".join(
            [*subjects.get("zone", []), *(stage_name(stage) for stage in subjects.get("stage", [])), days_of(plan)]
        ),
        "teams": ", ".join(subjects.get("team", [])) or _("unattributed"),
        "value": shown(plan["value"], scale),
        "data_quality": plan["data_quality"],
        "scope": plan["scope"],
        "records": plan["records"],
        "sources": ", ".join(plan["sources"]),
        "lines": [line(term, scale, method) for term in plan["terms"]],
        "notes": plan["notes"],
    }


def missing_node(entry: dict[str, Any], parts: list[str]) -> dict[str, Any]:
    """
    Say which parts of a figure are not known of a use, and why.

    Args:
        parts: all that the figure is the sum of.
    """
    why = WITHOUT_ANY.union(*(WITHOUT.get(impact, frozenset()) for impact in entry["impacts"]))
    words = ", ".join(impact_name(impact) for impact in entry["impacts"])
    return {
        "parts": _("all parts") if len(entry["impacts"]) == len(parts) > 1 else words,
        "about": " · ".join(
            ", ".join(stage_name(value) if name == "stage" else value for value in values)
            for name, values in entry["subjects"].items()
        ),
        "records": entry["records"],
        "reasons": [note for note in entry["notes"] if note["code"] in why],
    }


def impact_name(impact: str) -> str:
    """Name an impact without its unit: "embodied"."""
    units = ("_kg_co2e", "_kg_sbeq", "_kwh", "_mj", "_l")
    return word(impact.removesuffix(next((unit for unit in units if impact.endswith(unit)), "")))


def word(name: str) -> str:
    """Say what a factor or an impact is called."""
    return str(WORDS.get(name, name.replace("_", " ")))


def days_of(plan: dict[str, Any]) -> str:
    """Name the days that a plan is about: own factors and meter readings give one use several plans a year."""
    if plan["first_day"] is None:
        return str(plan["year"])
    first, last = (date.fromisoformat(plan[name]) for name in ("first_day", "last_day"))
    return date_format(first) if first == last else period_name(Filter(first, last))


def line(term: dict[str, Any], scale: figures.Scale, method: str) -> dict[str, Any]:
    """Write a formula with its numbers: 21,639 kWh x PUE 1.58 x grid factor 329 g CO2e/kWh; each name with its page."""
    steps = [
        {
            "sign": "×" if entry["power"] == 1 else "÷",
            "name": word(entry["name"]),
            "value": entry["value"],
            "unit": "" if entry["unit"] in {"1", "ratio"} else entry["unit"],
            "id": entry["id"],
            "page": page_of_factor(entry["name"]),
        }
        for entry in term["inputs"]
        if not (entry["value"] == 1.0 and entry["unit"] in {"1", "ratio"})
    ]
    return {
        "impact": word(term["impact"].removesuffix("_kg_co2e")),
        "page": page_of_impact(term["impact"], method),
        "amount": term["amount"],
        "amount_unit": "" if term["amount_unit"] == "1" else term["amount_unit"],
        "measure": measure_name(term["measure"]),
        "steps": steps,
        "constant": term["constant"],
        "value": shown(term["value"], scale),
    }


def measure_name(column: str) -> str:
    """Say in words what a measure is."""
    names = {
        "energy_pkwh": _("energy"),
        "requests": _("requests"),
        "input_tokens": _("input tokens"),
        "cached_input_tokens": _("cached input tokens"),
        "output_tokens": _("output tokens"),
        "generation_ns": _("generation time"),
        "device_nh": _("device hours held"),
        "device_low_nh": _("device hours, load 0–10 %"),
        "device_middle_nh": _("device hours, load 10–50 %"),
        "device_high_nh": _("device hours, load over 50 %"),
        "instance_nh": _("instance hours held"),
        "instance_low_nh": _("instance hours, load 0–10 %"),
        "instance_middle_nh": _("instance hours, load 10–50 %"),
        "instance_high_nh": _("instance hours, load over 50 %"),
        "gflop": _("computation"),
        "nano_seat_months": _("seat-months"),
        "nano_cost": _("cost"),
        "reported_nkg": _("reported by the supplier"),
        "water_nl": _("water"),
    }
    return names[column]


def factor_node(factor: dict[str, Any]) -> dict[str, Any]:
    """Show a factor with the address of its row and the page of its formula."""
    return factor | {"row": factor_row(str(factor["id"])), "page": page_of_factor(factor["name"])}


def factor_row(factor_id: str) -> str:
    """
    Give the address of the row that a factor was read from; "" for constants of the methodology and overrides.

    >>> factor_row("grid_intensity_annual--eea:DE:2023")
    '/factors/grid_intensity_annual--eea/?q=DE'
    """
    table, _colon, key = factor_id.partition(":")
    if table == "series":
        return "/factors/series/"
    return f"/factors/{table}/?{urlencode({'q': key.partition(':')[0]})}" if "--" in table else ""


def instrument_rows(factors: list[dict[str, Any]], *, linked: bool) -> list[dict[str, Any]]:
    """List what makes the market factors that contractual instruments are in: each instrument, then what none covers."""
    rows = []
    for factor in factors:
        if "instruments" not in factor:
            continue
        place = ", ".join(name for name in (f"{factor['market']} {factor['year']}", factor["pool"]) if name)
        about = {"market": place}
        rows += [
            {
                **about,
                "label": ", ".join(name for name in (part["kind"], part["technology"]) if name),
                "share": part["share"],
                "intensity": part["intensity_g_per_kwh"],
                "address": reverse("instrument", args=[part["id"]]) if linked else "",
            }
            for part in factor["instruments"]
        ]
        without = factor["without"]
        label = _("not covered: {source}").format(source=without["source"])
        rows.append({**about, "label": label, "share": factor["uncovered_share"], "intensity": without["value"]})
    return rows


def records_link(query: Query, record: str | None) -> str | None:
    return None if record else f"/requests/{query.link()}"
