"""Models: which one makes the emissions, which one for which task, and each by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pandas as pd
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.accounting.figures import UNATTRIBUTED
from core.accounting.selectors.values import values_in
from core.organizations.access import requires
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action
from core.quantification.comparison import Comparison
from reporting import figures
from reporting.pages.asked import asked, filter_bar, period_name, said, stage_name, view_of
from reporting.pages.files import file_asked, period_file
from reporting.pages.leading import kpis, other_booking, shown_of
from reporting.pages.leading_charts import main_chart
from reporting.pages.nothing import nothing_matches
from reporting.pages.tables import (
    change_cell,
    coverage_of,
    entity_frame,
    entity_name,
    entity_table,
    most_listed,
    rest_of,
)
from reporting.pages.teams import facts_of
from reporting.query import Query
from reporting.selectors.models import MOST_COMPARED, TOKENS, ModelRow, Models, compared_models, models_of

PARTS: Final = ("inference", "other", "upstream", "embodied")
MOST_ROWS: Final = 8


@one_snapshot
@require_safe
@requires(Action.SEE_OWN_TEAM)
def models(request: HttpRequest) -> HttpResponse:
    """Show every model of a filter; where it names two to four of them, which one emits less per output token."""
    query = asked(request)
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    found = models_of(organization_id, query.filter, query.comparison, view=view_of(request), most=most_listed(request))
    if file_asked(request):
        return period_file(request, model_frame(found), "emissions-by-model", query)
    chosen = query.params.get("model", ())
    compared = 2 <= len(chosen) <= MOST_COMPARED
    comparison = compared_models(organization_id, query.filter, view=view_of(request)) if compared else None
    context: dict[str, Any] = {
        "title": _("Models"),
        "query": query,
        "query_errors": query.errors,
        "period_label": period_name(query.filter, query.label),
        "filter_bar": filter_bar(query),
        "crumbs": crumbs(query),
        "table": model_table(found, query, coverage_of(request, query)),
        "kept": [(name, value) for name, values in query.params.items() if name != "model" for value in values],
        "most": MOST_COMPARED,
        "asked_to_compare": compared,
        "too_many": len(chosen) > MOST_COMPARED,
        "comparison": comparison_of(comparison, found.rows) if comparison else None,
        "nothing": None if found.rows else nothing_matches(organization_id, query, view=view_of(request)),
        "as_of": found.as_of,
    }
    return render(request, "reporting/models.html", context)


def crumbs(query: Query) -> list[tuple[str, str]]:
    """Say the way here, where a team or project is chosen."""
    found = [(_("Total"), f"/{query.link(team=None, project=None, model=None)}")]
    for name in ("team", "project"):
        found += [(said(name, value), "") for value in query.params.get(name, ())]
    return [*found[:-1], (found[-1][0], "")] if len(found) > 1 else []


def model_table(found: Models, query: Query, coverage: tuple[float, float] | None) -> dict[str, Any]:
    """Write the table; one unit a column."""
    rows = found.rows
    others, others_kg = found.not_listed
    scale = figures.scale_for("mass", [each.row.kg.value for each in rows])
    intensity = figures.scale_for("intensity", [each.per_1000.value for each in rows])
    largest = max((each.row.kg.value or 0.0 for each in rows), default=0.0)
    return {
        "unit": scale.unit,
        "intensity_unit": intensity.unit,
        "change": query.comparison is not None,
        "csv": query.link(format="csv"),
        "rest": rest_of(len(rows), others, query, f"{figures.number(others_kg, scale)} {scale.unit} CO2e"),
        "rows": [
            {
                "key": each.row.key,
                "named": each.row.key != UNATTRIBUTED,
                "chosen": each.row.key in query.params.get("model", ()),
                "label": entity_name("model", each.row.key),
                "address": page_of(each.row.key, query),
                "about": ", ".join(
                    [said("hosting", one) for one in each.hostings] + [said("tier", one) for one in each.tiers]
                ),
                "techniques": each.techniques,
                "bar": (each.row.kg.value or 0.0) / largest if largest else 0.0,
                "kg": figures.number(each.row.kg.value, scale),
                "why": f"/explain/{query.link(model=each.row.key)}",
                "change": change_cell(
                    each.row.kg.value, each.row.previous_kg, coverage, f"/changes/{query.link(model=each.row.key)}"
                ),
                "requests": figures.count(each.requests),
                "tokens": [figures.count(each.tokens[name]) for name in TOKENS],
                "per_1000": figures.number(each.per_1000.value, intensity),
                "range": figures.interval(each.per_1000.low, each.per_1000.high, intensity),
                "split": split_of(each, scale),
                "evidence": each.row.evidence,
            }
            for each in rows
        ],
    }


def split_of(row: ModelRow, scale: figures.Scale) -> list[dict[str, Any]]:
    """Cut a model's emissions into their parts: width of each bar (0 to 1), where it begins, and its amount."""
    amounts = [(name, getattr(row, f"{name}_kg")) for name in PARTS]
    whole = sum(kg for _name, kg in amounts if kg and kg > 0)
    shown, start = [], 0.0
    for name, kg in amounts:
        if not kg or kg <= 0 or not whole:
            continue
        shown.append(
            {
                "name": name,
                "label": part_name(name),
                "start": start,
                "share": kg / whole,
                "percent": figures.percent(kg / whole),
                "amount": figures.number(kg, scale),
            }
        )
        start += kg / whole
    return shown


def part_name(name: str) -> str:
    """Name a part of a model's emissions."""
    return {"inference": _("Inference"), "other": _("Training and other stages")}.get(name) or stage_name(name)


def page_of(model: str, query: Query) -> str:
    """Address of a model's page, with the period and the filters that are in force."""
    return reverse("model", args=[model]) + query.link(model=None)


def model_frame(found: Models) -> pd.DataFrame:
    """Give the same table at full precision, units in the header."""
    frame = entity_frame([each.row for each in found.rows], "model").drop(columns="kg_co2e_per_1000_output_tokens")
    for name in ("hostings", "tiers", "techniques"):
        frame[name] = [" ".join(getattr(each, name)) for each in found.rows]
    frame["requests"] = [each.requests for each in found.rows]
    for name in TOKENS:
        frame[name] = [each.tokens[name] for each in found.rows]
    for suffix in ("value", "low", "high"):
        column = "kg_co2e_per_1000_output_tokens" + ("" if suffix == "value" else f"_{suffix}")
        frame[column] = [getattr(each.per_1000, suffix) for each in found.rows]
    for name in PARTS:
        frame[f"{name}_kg_co2e"] = [getattr(each, f"{name}_kg") for each in found.rows]
    return frame


# --- comparing --------------------------------------------------------------------------------------------------------


def comparison_of(comparison: Comparison, rows: list[ModelRow]) -> dict[str, Any]:
    """Name the better model, or say that none is; then every other one against it."""
    hostings = {each.row.key: each.hostings for each in rows}
    return {
        "headline": headline(comparison),
        "best": comparison.best,
        "others": [
            {
                "name": each.name,
                "ratio": figures.number(each.ratio, figures.plain_scale([each.ratio])),
                "range": figures.interval(each.low, each.high, figures.plain_scale([each.ratio])),
                "distinguishable": each.distinguishable,
                "boundary": hostings.get(each.name) != hostings.get(comparison.best),
            }
            for each in comparison.others
        ],
    }


def headline(comparison: Comparison) -> str:
    """State the finding before any order of rank."""
    if comparison.distinguishable:
        nearest = min(comparison.others, key=lambda each: each.ratio)
        return _("{best} emits least per output token: {share} less than {next}").format(
            best=comparison.best, share=figures.percent(1 - 1 / nearest.ratio), next=nearest.name
        )
    alike = [comparison.best, *(each.name for each in comparison.others if not each.distinguishable)]
    return _("Not distinguishable: {names}").format(names=", ".join(alike))


# --- one model --------------------------------------------------------------------------------------------------------


@one_snapshot
@require_safe
@requires(Action.SEE_OWN_TEAM)
def model(request: HttpRequest, model: str) -> HttpResponse:
    """Show one model: its figures over time, its tokens, who uses it."""
    query = asked(request).inside(model=model)
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    shown = shown_of(request, query)
    if shown.records == 0:
        whole = replace(query.filter, dims={})
        used = values_in(organization_id, whole, "model", query.allowed, view=view_of(request))
        if model not in {each.value for each in used}:
            raise Http404
    chart = main_chart(shown, query)
    table = file_asked(request) and request.GET.get("tab")
    if table == "trend":
        return period_file(request, chart.table, "emissions-by-stage", query)
    if table == "team":
        return period_file(request, entity_frame(shown.teams, "team"), "emissions-by-team", query)
    found = models_of(organization_id, query.filter, None, view=view_of(request))
    coverage = coverage_of(request, query)
    context: dict[str, Any] = {
        "title": model,
        "charts": True,
        "query": query,
        "query_errors": query.errors,
        "period_label": period_name(query.filter, query.label),
        "filter_bar": filter_bar(query, ignores=("model",)),
        "crumbs": [
            (_("Total"), f"/{query.link(model=None)}"),
            (_("Models"), f"/models/{query.link(model=None)}"),
            (model, ""),
        ],
        "shown": shown,
        "chart": chart,
        "csv": query.link(format="csv", tab="trend"),
        "kpis": kpis(shown, query, other_booking(organization_id, query, view=view_of(request))),
        "teams": entity_table(
            shown.teams[:MOST_ROWS], "team", query, heading=_("Teams"), all_rows=shown.teams, coverage=coverage
        ),
        "row": model_of(found.rows[0]) if found.rows else None,
        "facts": facts_of(query),
        "as_of": shown.as_of,
    }
    return render(request, "reporting/model.html", context)


def model_of(row: ModelRow) -> dict[str, Any]:
    """Write what is known of one model beside its emissions."""
    scale = figures.scale_for("mass", [row.row.kg.value])
    intensity = figures.scale_for("intensity", [row.per_1000.value])
    return {
        "hostings": row.hostings,
        "tiers": row.tiers,
        "techniques": row.techniques,
        "tokens": [(token_name(name), figures.count(row.tokens[name])) for name in TOKENS],
        "cached": figures.percent(row.cached_share),
        "per_1000": figures.quantity(row.per_1000.value, "intensity", scale=intensity),
        "range": figures.interval(row.per_1000.low, row.per_1000.high, intensity),
        "split": split_of(row, scale),
        "unit": scale.unit,
    }


def token_name(name: str) -> str:
    """Name a kind of token."""
    return {
        "input_tokens": _("Input tokens"),
        "cached_input_tokens": _("of them cached"),
        "output_tokens": _("Output tokens"),
    }[name]
