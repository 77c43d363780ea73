"""Scenarios: what a period would have come to with other models, places, hardware or amounts, beside what it was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pandas as pd
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.accounting.aggregate import TOTAL
from core.accounting.figures import FilterError
from core.accounting.selectors.attribution import known_names
from core.accounting.selectors.scenarios import MOST_SCENARIOS, SideBySide, side_by_side
from core.organizations.access import requires
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action, may
from core.quantification.scenario import ScenarioError, from_plain
from reporting import figures
from reporting.charts import Chart
from reporting.charts.dots import dots
from reporting.models import Scenario
from reporting.pages.asked import asked, basis_name, filter_bar, period_name, view_of
from reporting.pages.files import file_asked, period_file
from reporting.pages.scenario_forms import SETS, WHERE, ScenarioForm, fits_the_form, initial_of, rows_of
from reporting.pages.scenario_words import finding, rule_said, verdict_said
from reporting.query import Query
from reporting.scenarios.answer import Named, table
from reporting.selectors import scenarios as selectors
from reporting.services import scenarios as services

PARTS: Final[tuple[tuple[str, figures.Kind], ...]] = (
    ("energy_facility_kwh", "energy"),
    ("location_kg_co2e", "mass"),
    ("market_kg_co2e", "mass"),
    ("upstream_kg_co2e", "mass"),
    ("embodied_kg_co2e", "mass"),
    (TOTAL, "mass"),
    ("water_l", "water"),
)


@require_safe
@requires(Action.SEE_ALL_TEAMS)
def scenarios(request: HttpRequest) -> HttpResponse:
    """List the saved scenarios; those that are ticked are led to side by side."""
    wanted = request.GET.getlist("scenario")
    if wanted and all(each.isascii() and each.isdigit() for each in wanted):
        return redirect("scenario_figures", ",".join(wanted[:MOST_SCENARIOS]))
    found = selectors.scenarios(_organization(request))
    context = {
        "title": _("Scenarios"),
        "scenarios": [_listed(each) for each in found],
        "most": MOST_SCENARIOS,
        "editable": may(request.identity, Action.EDIT_SCENARIOS),  # type: ignore[attr-defined]
    }
    return render(request, "reporting/scenarios/list.html", context)


@require_safe
@requires(Action.SEE_ALL_TEAMS)
@one_snapshot
def scenario_figures(request: HttpRequest, ids: str) -> HttpResponse:
    """Show scenarios beside what was recorded in the period."""
    saved = _saved(_organization(request), ids)
    named = [Named(each.name, from_plain(each.rules), each.id) for each in saved]
    query = asked(request)
    found, refusal = None, ""
    try:
        found = side_by_side(
            _organization(request), query.filter, [each.rules for each in named], view=view_of(request)
        )
    except (FilterError, ScenarioError) as error:
        refusal = _refused(error, named)
    if found is not None and file_asked(request):
        return period_file(request, pd.DataFrame(table(found, named)), "scenarios", query)
    context: dict[str, Any] = {
        "title": saved[0].name if len(saved) == 1 else _("Scenarios side by side"),
        "note": saved[0].note if len(saved) == 1 else "",
        "query": query,
        "query_errors": query.errors,
        "period_label": period_name(query.filter, query.label),
        "filter_bar": filter_bar(query),
        "csv": query.link(format="csv"),
        "file": query.link(format="csv"),
        "charts": True,
        "editable": may(request.identity, Action.EDIT_SCENARIOS),  # type: ignore[attr-defined]
        "scenarios": saved,
        "refusal": refusal,
        "chart": None if found is None else chart_of(found, named, query),
        "shown": None if found is None else shown_of(found, named),
        "as_of": None if found is None else found.as_of,
    }
    return render(request, "reporting/scenarios/figures.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.EDIT_SCENARIOS)
def add_scenario(request: HttpRequest) -> HttpResponse:
    """Show the form of a new scenario, or keep it."""
    return _edited(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.EDIT_SCENARIOS)
def change_scenario(request: HttpRequest, scenario_id: int) -> HttpResponse:
    """Show the form of a scenario that there is, or change it."""
    return _edited(request, _saved(_organization(request), str(scenario_id))[0])


@require_POST
@requires(Action.EDIT_SCENARIOS)
def remove_scenario(request: HttpRequest, scenario_id: int) -> HttpResponse:
    """Remove a scenario."""
    if not services.remove_scenario(organization_id=_organization(request), scenario_id=scenario_id):
        raise Http404
    messages.success(request, _("The scenario is removed."))
    return redirect("scenarios")


# --- the form ---------------------------------------------------------------------------------------------------------


def _edited(request: HttpRequest, scenario: Scenario | None) -> HttpResponse:
    organization_id = _organization(request)
    names = known_names(organization_id, [*dict.fromkeys((*WHERE, *SETS))])
    if request.method != "POST":
        rules = () if scenario is None else from_plain(scenario.rules)
        if rules and not fits_the_form(rules):
            messages.warning(request, _("This scenario says more than the form can show: change it by the API."))
            return redirect("scenario_figures", str(scenario.id) if scenario else "")
        initial = initial_of(scenario.name, scenario.note, rules) if scenario else {}
        return _form_page(request, ScenarioForm(rows=len(rules), names=names, initial=initial), scenario)
    if "more" in request.POST:
        typed = ScenarioForm(rows=rows_of(request.POST), names=names, initial=request.POST.dict())
        return _form_page(request, typed, scenario)
    form = ScenarioForm(request.POST, rows=rows_of(request.POST), names=names)
    if form.is_valid():
        try:
            saved = services.save_scenario(
                organization_id=organization_id,
                name=form.cleaned_data["name"],
                note=form.cleaned_data["note"],
                rules=form.rules,
                created_by_id=request.user.pk,
                scenario_id=scenario.id if scenario else None,
            )
        except ScenarioError as error:
            form.refuse(error)
        else:
            messages.success(request, _("The scenario is saved."))
            return redirect("scenario_figures", str(saved.id))
    return _form_page(request, form, scenario, status=400)


def _form_page(request: HttpRequest, form: ScenarioForm, scenario: Scenario | None, status: int = 200) -> HttpResponse:
    context = {
        "title": _("Add a scenario") if scenario is None else scenario.name,
        "form": form,
        "scenario": scenario,
    }
    return render(request, "reporting/scenarios/form.html", context, status=status)


# --- what is shown ----------------------------------------------------------------------------------------------------


def chart_of(found: SideBySide, named: list[Named], query: Query) -> Chart:
    """Draw the baseline and the scenarios with their ranges; what decides is the range of the difference."""
    base = found.baseline[TOTAL]
    rows = [
        {
            "key": "baseline",
            "label": _("As recorded"),
            "value": base,
            "low": found.baseline[f"{TOTAL}_low"],
            "high": found.baseline[f"{TOTAL}_high"],
            "unshared_low": base,
            "unshared_high": base,
        }
    ]
    for each, outcome in zip(named, found.outcomes, strict=True):
        known = base is not None and outcome.comparable
        rows.append(
            {
                "key": f"scenario-{each.id}",
                "label": each.name,
                "value": outcome.figures[TOTAL] if known else None,
                "low": outcome.figures[f"{TOTAL}_low"],
                "high": outcome.figures[f"{TOTAL}_high"],
                "unshared_low": (base or 0.0) + outcome.difference.low,
                "unshared_high": (base or 0.0) + outcome.difference.high,
                "reason": "" if known else verdict_said("not_comparable")["means"],
            }
        )
    drawn = dots(
        pd.DataFrame(rows),
        noun=_("options"),
        name="scenarios",
        kind="mass",
        logarithmic=False,
        detail=_("{basis}, {period}").format(
            basis=basis_name(query.filter.basis), period=period_name(query.filter, query.label)
        ),
        locale=translation.get_language() or "en",
        translate=_,
    )
    verdicts = [
        (each.name, outcome.verdict, outcome.difference.value / base if base else None)
        for each, outcome in zip(named, found.outcomes, strict=True)
    ]
    title = finding(verdicts)
    return replace(drawn, title=title, summary=drawn.summary.replace(drawn.title, title, 1))


def shown_of(found: SideBySide, named: list[Named]) -> dict[str, Any]:
    """Write the comparison in one unit for each column or row."""
    totals = [found.baseline[TOTAL], *(each.figures[TOTAL] for each in found.outcomes)]
    scale = figures.scale_for("mass", totals, digits=4)
    changes = figures.scale_for("mass", [each.difference.value for each in found.outcomes])
    base = found.baseline[TOTAL]
    return {
        "unit": scale.unit,
        "change_unit": changes.unit,
        "baseline": figures.number(base, scale),
        "baseline_range": figures.interval(found.baseline[f"{TOTAL}_low"], found.baseline[f"{TOTAL}_high"], scale),
        "rows": [
            {
                "name": each.name,
                "id": each.id,
                "verdict": verdict_said(outcome.verdict),
                "total": figures.number(outcome.figures[TOTAL], scale),
                "range": figures.interval(outcome.figures[f"{TOTAL}_low"], outcome.figures[f"{TOTAL}_high"], scale),
                "difference": figures.number(outcome.difference.value, changes, sign=True),
                "difference_range": figures.interval(outcome.difference.low, outcome.difference.high, changes),
                "share": figures.percent(outcome.difference.value / base, sign=True) if base else figures.UNKNOWN,
                "rules": [
                    rule_said(rule)
                    | {
                        "records": round(effect.records),
                        "kg": effect.before_kg,
                        "unchanged": figures.percent(
                            effect.unchanged_kg / effect.rewritten_kg if effect.rewritten_kg > 0.0 else 0.0
                        ),
                    }
                    for rule, effect in zip(each.rules, outcome.rules, strict=True)
                ],
            }
            for each, outcome in zip(named, found.outcomes, strict=True)
        ],
        "names": [each.name for each in named],
        "parts": [_part(found, name, kind) for name, kind in PARTS],
        "money": _money(found),
    }


def _part(found: SideBySide, name: str, kind: figures.Kind) -> dict[str, Any]:
    """Write one figure of the baseline and of all scenarios in one unit."""
    values = [found.baseline[name], *(each.figures[name] for each in found.outcomes)]
    scale = figures.scale_for(kind, values)
    labels = {
        "energy_facility_kwh": _("Electricity at the facility"),
        "location_kg_co2e": _("Electricity, location-based"),
        "market_kg_co2e": _("Electricity, market-based"),
        "upstream_kg_co2e": _("Upstream of electricity"),
        "embodied_kg_co2e": _("Hardware, amortised share"),
        TOTAL: _("Total, {basis}").format(basis=basis_name(found.asked.basis)),
        "water_l": _("Water"),
    }
    unit = f"{scale.unit} CO2e" if kind == "mass" else scale.unit
    cells = [figures.number(value, scale) for value in values]
    return {"label": labels[name], "unit": unit, "cells": cells, "total": name == TOTAL}


def _money(found: SideBySide) -> list[dict[str, Any]]:
    """Write costs by currency; where somebody did not say a price, how much of the cost before has none after."""
    rows = []
    for currency, before in sorted(found.money.items()):
        cells = [figures.money(before, currency)]
        for outcome in found.outcomes:
            own = next((each for each in outcome.money if each.currency == currency), None)
            if own is None:
                cells.append(figures.UNKNOWN)
            elif own.not_known:
                cells.append(_("not known for {amount} of it").format(amount=figures.money(own.not_known, currency)))
            else:
                cells.append(figures.money(own.after, currency))
        rows.append({"currency": currency, "cells": cells})
    return rows


def _listed(scenario: Scenario) -> dict[str, Any]:
    return {
        "id": scenario.id,
        "name": scenario.name,
        "note": scenario.note,
        "rules": [rule_said(rule) for rule in from_plain(scenario.rules)],
        "changed_at": scenario.changed_at,
        "by": scenario.created_by.name or scenario.created_by.email if scenario.created_by else "",
        "address": reverse("scenario_figures", args=[str(scenario.id)]),
    }


def _refused(error: FilterError | ScenarioError, named: list[Named]) -> str:
    """Say why there is no figure, and of which rule."""
    parts = error.field.split(".")
    if parts[0] == "rules" and len(parts) > 1 and len(named) == 1:
        return _("Rule {number}: {reason}").format(number=parts[1], reason=error)
    return str(error)


def _saved(organization_id: int, ids: str) -> list[Scenario]:
    """Find the scenarios that an address names. Raises Http404."""
    numbers = ids.split(",")
    if len(numbers) > MOST_SCENARIOS or not all(
        each.isascii() and each.isdigit() and len(each) < 10 for each in numbers
    ):
        raise Http404
    found = selectors.scenarios_of(organization_id, [int(each) for each in dict.fromkeys(numbers)])
    if found is None:
        raise Http404
    return found


def _organization(request: HttpRequest) -> int:
    return int(request.identity.organization_id)  # type: ignore[attr-defined]
