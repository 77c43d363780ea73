"""Budgets: what teams may emit in a quarter, what is left, when it runs out, and what it costs inside."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

import pandas as pd
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from core.delivery.selectors import messages_of
from core.organizations.access import requires
from core.organizations.policy import Action, may
from core.organizations.selectors import team_names
from core.organizations.tenancy import organization_scope
from reporting import figures
from reporting.budgets.rules import AHEAD
from reporting.charts import Chart
from reporting.charts.steps import steps
from reporting.models import Budget
from reporting.pages.asked import today, view_of
from reporting.pages.budget_forms import BudgetForm, PriceForm, quarters
from reporting.pages.files import file_asked, table_file
from reporting.selectors import budgets as selectors
from reporting.selectors.budgets import Standing
from reporting.selectors.targets import may_edit, may_see
from reporting.services import budgets as services
from reporting.tasks import watch_after_commit

STATES: Final = {
    "within": "good",
    "kept": "good",
    "near": "warn",
    "ahead": "warn",
    "spent": "bad",
    "unknown": "",
}


@require_safe
@requires(Action.SEE_OWN_TEAM)
def budgets(request: HttpRequest) -> HttpResponse:
    """Show every budget that the asker may see: used, left, and the day it runs out."""
    identity = request.identity  # type: ignore[attr-defined]
    with organization_scope(identity.organization_id):
        found = [one for one in selectors.budgets(identity.organization_id) if may_see(identity, {"team": (one.team,)})]
        standings = selectors.standings(identity.organization_id, today(), of=found, view=view_of(request))
        price = selectors.price_on(identity.organization_id, today())
    if file_asked(request):
        return table_file(request, frame_of(standings), "budgets")
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in standings:
        groups.setdefault(one.budget.period, []).append(row_of(one))
    context = {
        "title": _("Budgets"),
        "groups": [{"period": period, "rows": rows} for period, rows in groups.items()],
        "price": price,
        "editable": may(identity, Action.EDIT_TEAM_TARGETS),
        "priced": may(identity, Action.EDIT_TARGETS),
    }
    return render(request, "reporting/budgets/list.html", context)


@require_safe
@requires(Action.SEE_OWN_TEAM)
def budget(request: HttpRequest, budget_id: int) -> HttpResponse:
    """Show one budget: its burn-down, its versions and what was said about it."""
    identity = request.identity  # type: ignore[attr-defined]
    found = _found(request, budget_id)
    with organization_scope(identity.organization_id):
        (standing,) = selectors.standings(identity.organization_id, today(), of=[found], view=view_of(request))
        versions = selectors.versions_of(found)
        said = _said(identity.organization_id, versions)
    if file_asked(request):
        return table_file(request, burn_down_frame(standing), "budget")
    context = {
        "title": _("{team}, {period}").format(team=found.team, period=found.period),
        "charts": True,
        "budget": found,
        "row": row_of(standing),
        "chart": None if standing.folded else burn_down(standing),
        "csv": "?format=csv",
        "versions": versions,
        "said": said,
        "editable": may_edit(identity, {"team": (found.team,)}),
    }
    return render(request, "reporting/budgets/one.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.EDIT_TEAM_TARGETS)
def set_budget(request: HttpRequest) -> HttpResponse:
    """Show the form of a budget, or set one as a new version."""
    identity = request.identity  # type: ignore[attr-defined]
    organization_id = identity.organization_id
    with organization_scope(organization_id):
        names = team_names(organization_id) if may(identity, Action.EDIT_TARGETS) else [identity.team]
        known = selectors.prices(organization_id)
    choices = quarters(today(), request.organization.fiscal_year_start_month)  # type: ignore[attr-defined]
    currencies = sorted({price.currency for price in known})
    if request.method != "POST":
        initial = {name: request.GET[name] for name in ("team", "period") if name in request.GET}
        form = BudgetForm(initial=initial, teams=names, periods=choices, currencies=currencies)
        return _form(request, form, _("Set a budget"))
    form = BudgetForm(request.POST, teams=names, periods=choices, currencies=currencies)
    if not form.is_valid():
        return _form(request, form, _("Set a budget"), status=400)
    given = form.cleaned_data
    if not may_edit(identity, {"team": (given["team"],)}):
        raise PermissionDenied(_("A team lead sets the budgets of the own team."))
    try:
        made = services.set_budget(
            organization_id=organization_id,
            team=given["team"],
            period=given["period"],
            amount=given["amount"],
            unit=given["unit"],
            thresholds_percent=given["thresholds"],
            note=given["note"],
            created_by_id=request.user.pk,
        )
    except services.BudgetError as error:
        field = "thresholds" if error.field == "thresholds_percent" else error.field
        form.add_error(field if field in form.fields else None, str(error))
        return _form(request, form, _("Set a budget"), status=400)
    with transaction.atomic():
        watch_after_commit(organization_id)
    if made.limit_kg_co2e is None:
        messages.success(request, _("The budget is withdrawn; its versions stay."))
        return redirect("budgets")
    messages.success(request, _("The budget is set."))
    return redirect("budget", made.id)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.EDIT_TARGETS)
def carbon_prices(request: HttpRequest) -> HttpResponse:
    """Show the internal carbon price through time, or set one."""
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    form = PriceForm(request.POST or None, initial={"valid_from": today()})
    if request.method == "POST" and form.is_valid():
        try:
            services.set_carbon_price(
                organization_id=organization_id, created_by_id=request.user.pk, **form.cleaned_data
            )
        except services.BudgetError as error:
            form.add_error(error.field if error.field in form.fields else None, str(error))
        else:
            messages.success(request, _("The price is set."))
            return redirect("carbon_prices")
    with organization_scope(organization_id):
        known = selectors.prices(organization_id)
    context = {"title": _("Internal carbon price"), "prices": known, "form": form}
    return render(request, "reporting/budgets/prices.html", context, status=400 if request.method == "POST" else 200)


@require_safe
@requires(Action.SEE_OWN_TEAM)
def statement(request: HttpRequest, budget_id: int) -> HttpResponse:
    """Show a team's quarter priced inside the organization, for print."""
    identity = request.identity  # type: ignore[attr-defined]
    found = _found(request, budget_id)
    with organization_scope(identity.organization_id):
        stretches = selectors.statement_of(identity.organization_id, found, today(), view=view_of(request))
    if file_asked(request):
        return table_file(request, statement_frame(stretches), "charge-back")
    sums: dict[str, Decimal] = {}
    for each in stretches:
        if each.price is not None and each.cost is not None:
            sums[each.price.currency] = sums.get(each.price.currency, Decimal(0)) + each.cost
    scale = figures.scale_for("mass", [line.kg for each in stretches for line in each.lines])
    context = {
        "title": _("Charge-back of {team}, {period}").format(team=found.team, period=found.period),
        "budget": found,
        "unit": scale.unit,
        "stretches": [
            {
                "from_day": each.from_day,
                "to_day": each.to_day,
                "price": each.price,
                "kg": figures.number(each.kg, scale),
                "cost": _exact(each.cost),
                "lines": [(line.project, figures.number(line.kg, scale), _exact(line.cost)) for line in each.lines],
            }
            for each in stretches
        ],
        "sums": [(currency, _exact(amount)) for currency, amount in sorted(sums.items())],
        "kg": figures.quantity(sum(each.kg for each in stretches), "mass"),
        "limit": figures.quantity(found.limit_kg_co2e, "mass"),
        "open": today() <= found.to_day,
        "made_on": today(),
    }
    return render(request, "reporting/budgets/statement.html", context)


# --- what is shown ----------------------------------------------------------------------------------------------------


def row_of(standing: Standing) -> dict[str, Any]:
    """Write one budget."""
    one, run_out = standing.budget, standing.run_out
    limit = one.limit_kg_co2e or 0.0
    scale = figures.scale_for("mass", [limit])
    left = None if standing.used_kg is None else limit - standing.used_kg
    expected = standing.expected_kg
    return {
        "id": one.id,
        "team": one.team,
        "period": one.period,
        "unit": scale.unit,
        "limit": figures.number(limit, scale),
        "entered": f"{one.entered_in_units.normalize():f} {one.entered_unit}" if one.entered_in_units else "",
        "used": figures.number(standing.used_kg, scale),
        "left": figures.number(left, scale),
        "share": figures.percent(standing.share),
        "bar": min(standing.share or 0.0, 1.0),
        "state": state_said(standing.state),
        "tone": STATES[standing.state],
        "when": when_said(standing),
        "pace": None
        if standing.pace is None
        else {
            "value": figures.quantity(standing.pace.kg_per_day, "mass"),
            "low": figures.quantity(standing.pace.low, "mass"),
            "high": figures.quantity(standing.pace.high, "mass"),
            "days": standing.pace.days,
        },
        "expected": None
        if expected is None
        else f"{figures.number(expected[0], scale)} ({figures.interval(expected[1], expected[2], scale)}) {scale.unit}",
        "through": standing.through,
        "open": standing.is_open,
        "run_out": run_out,
        "folded": standing.folded,
    }


def state_said(state: str) -> str:
    """Name a state."""
    return {
        "within": _("within"),
        "kept": _("kept"),
        "near": _("nearly used up"),
        "ahead": _("runs out early"),
        "spent": _("used up"),
        "unknown": _("not shown"),
    }[state]


def when_said(standing: Standing) -> str:
    """Say when a budget runs out, with its range."""
    if standing.folded:
        return _("Too few people: shown with other teams only")
    if standing.spent_on is not None:
        return _("used up on {day}").format(day=_day(standing.spent_on))
    if not standing.is_open:
        return _("over, not used up")
    if standing.run_out is None:
        return _("less than two weeks of records")
    end, run_out = standing.budget.to_day, standing.run_out
    if run_out.day is None or run_out.day > end + timedelta(days=366):
        return _("lasts beyond the quarter")
    earliest = _day(run_out.earliest) if run_out.earliest else _("later")
    latest = _day(run_out.latest) if run_out.latest and run_out.latest <= end + timedelta(days=366) else _("much later")
    return _("{day} ({earliest} – {latest})").format(day=_day(run_out.day), earliest=earliest, latest=latest)


def burn_down_frame(standing: Standing) -> pd.DataFrame:
    """Give what is left at the end of each day, in kg: as it was, at an even pace, and as it goes on."""
    one, limit = standing.budget, standing.budget.limit_kg_co2e or 0.0
    length = (one.to_day - one.from_day).days + 1
    rows, left = [], limit
    for at in range(length):
        day = one.from_day + timedelta(days=at)
        left -= standing.days.get(day, 0.0)
        past = day <= standing.through
        pace = standing.pace
        ahead = (day - standing.through).days
        whole = limit - sum(kg for own, kg in standing.days.items() if own <= standing.through)
        rows.append(
            {
                "day": day,
                "left_kg_co2e": left if past else None,
                "even_pace_kg_co2e": limit * (1 - (at + 1) / length),
                "ahead_kg_co2e": whole - pace.kg_per_day * ahead if pace and not past else None,
                "ahead_low_kg_co2e": whole - pace.high * ahead if pace and not past else None,
                "ahead_high_kg_co2e": whole - pace.low * ahead if pace and not past else None,
            }
        )
    return pd.DataFrame(rows)


def burn_down(standing: Standing) -> Chart:
    """Draw what is left of a budget, day by day; below nothing is drawn as nothing, and the title says it."""
    frame = burn_down_frame(standing)
    limit = standing.budget.limit_kg_co2e or 0.0
    scale = figures.scale_for("mass", [limit])
    labels = {
        "left_kg_co2e": _("Left"),
        "even_pace_kg_co2e": _("At an even pace"),
        "ahead_kg_co2e": _("At the pace of the latest 28 days"),
        "ahead_low_kg_co2e": _("At the busiest of these weeks"),
        "ahead_high_kg_co2e": _("At the calmest of these weeks"),
    }
    long = frame.melt("day", var_name="series", value_name="value").dropna()
    long["starts_at"] = pd.to_datetime(long["day"], utc=True)
    long["value"] = long["value"].astype(float).clip(lower=0.0) * scale.factor
    drawn = steps(
        long[["starts_at", "series", "value"]],
        slots=pd.DatetimeIndex(pd.to_datetime(frame["day"], utc=True)),
        unit=f"{scale.unit} CO2e",
        noun=_("budget left"),
        labels={name: str(label) for name, label in labels.items()},
        name="burn-down",
        detail=_("location-based, with upstream and hardware, UTC days"),
        locale=translation.get_language() or "en",
        translate=_,
    )
    title = finding(standing)
    return replace(drawn, title=title, summary=drawn.summary.replace(drawn.title, title, 1))


def finding(standing: Standing) -> str:
    """Say what the burn-down shows."""
    share = figures.percent(standing.share)
    if standing.spent_on is not None:
        return _("The budget was used up on {day}").format(day=_day(standing.spent_on))
    if standing.state == "ahead" and standing.run_out is not None and standing.run_out.day is not None:
        return _("{share} is used; at this pace it runs out on {day}").format(
            share=share, day=_day(standing.run_out.day)
        )
    if standing.is_open and standing.run_out is not None:
        return _("{share} is used; at this pace it lasts").format(share=share)
    return _("{share} of the budget is used").format(share=share)


def frame_of(standings: list[Standing]) -> pd.DataFrame:
    """Give the table at full precision, units in the header."""
    return pd.DataFrame(
        [
            {
                "period": one.budget.period,
                "team": one.budget.team,
                "limit_kg_co2e": one.budget.limit_kg_co2e,
                "used_kg_co2e": one.used_kg,
                "state": one.state,
                "through": one.through,
                "kg_co2e_per_day": one.pace.kg_per_day if one.pace else None,
                "spent_on": one.spent_on,
                "runs_out_on": one.run_out.day if one.run_out else None,
                "runs_out_earliest": one.run_out.earliest if one.run_out else None,
                "runs_out_latest": one.run_out.latest if one.run_out else None,
            }
            for one in standings
        ]
    )


def statement_frame(stretches: list[selectors.Stretch]) -> pd.DataFrame:
    """Give the lines of a statement at full precision."""
    return pd.DataFrame(
        [
            {
                "from": each.from_day,
                "to": each.to_day,
                "project": line.project,
                "kg_co2e": line.kg,
                "price_per_t": each.price.price_per_t if each.price else None,
                "currency": each.price.currency if each.price else None,
                "cost": line.cost,
            }
            for each in stretches
            for line in each.lines
        ],
        columns=["from", "to", "project", "kg_co2e", "price_per_t", "currency", "cost"],
    )


def _said(organization_id: int, versions: list[Budget]) -> list[dict[str, Any]]:
    """List what was said about a budget, the latest first."""
    keys = {
        f"budget-{version.id}-{what}": (version, what)
        for version in versions
        for what in (*map(str, version.thresholds_percent), AHEAD)
    }
    found = messages_of(organization_id, list(keys))
    rows = [
        {
            "at": message.occurred_at,
            "version": keys[key][0].version,
            "what": _("runs out early")
            if keys[key][1] == AHEAD
            else _("{percent} reached").format(percent=figures.percent(int(keys[key][1]) / 100)),
        }
        for key, message in found.items()
    ]
    return sorted(rows, key=lambda row: row["at"], reverse=True)


def _found(request: HttpRequest, budget_id: int) -> Budget:
    """Find the standing version of a budget's team and quarter. Raises Http404."""
    identity = request.identity  # type: ignore[attr-defined]
    with organization_scope(identity.organization_id):
        asked = Budget.objects.filter(organization_id=identity.organization_id, id=budget_id).first()
        if asked is None or not may_see(identity, {"team": (asked.team,)}):
            raise Http404
        standing = selectors.budgets(identity.organization_id, from_day=asked.from_day, teams=[asked.team])
    if not standing:
        raise Http404
    return standing[0]


def _form(request: HttpRequest, form: Any, title: str, status: int = 200) -> HttpResponse:
    return render(request, "reporting/budgets/form.html", {"title": title, "form": form}, status=status)


def _exact(amount: Decimal | None) -> str:
    return figures.UNKNOWN if amount is None else f"{amount:,.2f}"


def _day(day: date) -> str:
    return date_format(day, "DATE_FORMAT")
