"""One target: how it stands, what it asks for, its versions, and the steps of its life."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.organizations.access import requires
from core.organizations.identity import Identity
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action, may, narrowing
from reporting import figures
from reporting.models import Target, TargetVersion, VersionState
from reporting.pages.asked import asked, period_name, today, view_of
from reporting.pages.files import file_asked, table_file
from reporting.pages.target_charts import trajectory
from reporting.pages.target_forms import EVENTS, BaseYearForm, TargetForm, fits_the_form, initial_of
from reporting.pages.target_words import (
    about_said,
    amount_said,
    asks_said,
    kind_of,
    parts_said,
    path_said,
    scope_said,
    status_said,
)
from reporting.pages.targets import form_options, own_team_only, seen, unit_text
from reporting.selectors import targets as selectors
from reporting.selectors.target_figures import Progress, progress_of
from reporting.services import targets as services
from reporting.targets.base_year import event as base_year_event
from reporting.targets.base_year import recalculation
from reporting.targets.definition import CEILING, EMISSIONS, TargetError
from reporting.targets.forecast import SHARE


@one_snapshot
@require_safe
@requires(Action.SEE_OWN_TEAM)
def target(request: HttpRequest, target_id: int) -> HttpResponse:
    """Show how a target stands."""
    found = target_for(request, target_id)
    context = shown(request, found)
    if file_asked(request):
        return table_file(request, context["chart"].table, f"target-{found.id}", asked(request))
    return render(request, "reporting/targets/target.html", context)


def shown(request: HttpRequest, found: Target, base_form: BaseYearForm | None = None) -> dict[str, Any]:
    """Gather what the page of a target shows: its version in force, and the one that waits where there is one."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    version = selectors.shown_version(found)
    path = selectors.path_of(version)
    definition = path.definition
    unit = unit_text(found.organization_id, definition)
    progress = progress_of(found.organization_id, path, today=today(), view=view_of(request))
    proposed = selectors.in_state(found, VersionState.PROPOSED)
    live = found.retired_at is None
    editable = live and selectors.may_edit(identity, definition.dims)
    has_base = definition.path != CEILING
    return {
        "title": found.name,
        "target": found,
        "version": version,
        "definition": definition,
        "status": status_said(progress.status),
        "asks": asks_said(definition, unit),
        "scope": scope_said(definition),
        "about": about_said(definition),
        "path_said": path_said(definition),
        "parts_said": parts_said(definition),
        "base_said": amount_said(None if path.base is None else path.base.value, definition, unit),
        "base_period": period_name(definition.filter(definition.base_from, definition.base_to))
        if definition.base_from and definition.base_to
        else "",
        "threshold": figures.percent(definition.significance_threshold),
        "chart": trajectory(progress, unit, today=today()),
        "csv": "?format=csv",
        "charts": True,
        "kpis": kpis_of(progress, unit),
        "years": years_of(progress, unit),
        "versions": [version_row(each, unit) for each in found.versions.all()],
        "proposed": None if proposed is None else version_row(proposed, unit),
        "may_decide": live and proposed is not None and may_decide(identity, request, proposed),
        "waits_for_another": proposed is not None and selectors.may_approve(identity),
        "editable": editable,
        "events": [
            {"kind": EVENTS[each.kind], "row": each, "waits": each.version_id is None} for each in found.events.all()
        ],
        "waiting_share": waiting_share(found, path) if has_base else "",
        "base_form": (base_form or BaseYearForm())
        if editable and has_base and definition.measure == EMISSIONS and proposed is None
        else None,
    }


def may_decide(identity: Identity, request: HttpRequest, proposed: TargetVersion) -> bool:
    """Tell whether a version is for this person to decide on: another one's, or their own where one person reviews."""
    alone = bool(request.organization.single_reviewer)  # type: ignore[attr-defined]
    return selectors.may_approve(identity) and (alone or proposed.created_by_id != identity.person_id)


def kpis_of(progress: Progress, unit: str) -> list[dict[str, Any]]:
    """Write the leading figures: the gap, what it came to, what the path allows."""
    definition, actual, allowed = progress.path.definition, progress.actual.value, progress.allowed
    period = "" if progress.window is None else period_name(definition.filter(*progress.window))
    known = actual is not None and allowed is not None
    gap = (actual or 0.0) - (allowed or 0.0)
    tone = "" if not known else "bad" if gap > 0 else "good"
    kind, co2e = kind_of(definition), "CO2e" if definition.measure == EMISSIONS else ""
    per = _("per {unit}").format(unit=unit) if definition.per else ""
    share = figures.percent(gap / allowed, sign=True) if known and allowed else ""
    found: list[dict[str, Any]] = [
        {
            "label": _("Gap to the path"),
            "page": "targets",
            "value": figures.quantity(gap, kind, sign=True) if known else figures.UNKNOWN,
            "unit": co2e if known else "",
            "details": [{"text": share, "tone": tone}] if share else [],
        },
        {
            "label": _("What it came to"),
            "page": "targets",
            "value": figures.quantity(actual, kind),
            "unit": co2e if actual is not None else "",
            "details": [{"text": text} for text in (per, period, progress.actual.reason) if text],
        },
        {
            "label": _("What the path allows"),
            "page": "targets",
            "value": figures.quantity(allowed, kind),
            "unit": co2e if allowed is not None else "",
            "details": [{"text": text} for text in (per, period) if text],
        },
    ]
    if progress.forecast is not None and progress.year is not None:
        lands = progress.forecast.total.plus(progress.over)
        inside = figures.percent(SHARE)
        ends = figures.quantity(lands.low, kind), figures.quantity(lands.high, kind)
        year_allows = _("the path allows {amount}").format(amount=figures.quantity(progress.allowed_to_end, kind))
        found.append(
            {
                "label": _("Where the year will land"),
                "page": "targets",
                "value": figures.quantity(lands.middle, kind),
                "unit": co2e,
                "details": [
                    {"text": _("{share} between {low} and {high}").format(share=inside, low=ends[0], high=ends[1])},
                    {"text": year_allows},
                    {"text": period_name(definition.filter(*progress.year))},
                ],
            }
        )
    coverage = progress.actual.coverage if progress.window else None
    if coverage is not None:
        found.append(
            {
                "label": _("Known of it"),
                "page": "data-quality",
                "value": figures.percent(coverage),
                "details": [{"text": _("of days and records")}],
            }
        )
    return found


def years_of(progress: Progress, unit: str) -> list[dict[str, str]]:
    """Write the years of the path with what each came to; a year without all of its months says how many it has."""
    path, months = progress.path, progress.months
    rows = []
    for year, allowed, gone in path.by_year(max(today().year, path.definition.target_year or today().year)):
        first, last = path.block_of_year(year)
        own = months["actual"][[first <= month <= last for month in months.index]].dropna()
        complete = len(own[[month < today().replace(day=1) for month in own.index]])
        actual = None if path.definition.per or own.empty else float(own.sum())
        rows.append(
            {
                "year": str(year),
                "allowed": amount_said(allowed, path.definition, unit),
                "gone": figures.percent(gone),
                "actual": amount_said(actual, path.definition, unit),
                "months": _("{count} months").format(count=complete)
                if 0 < complete < 12 and actual is not None
                else "",
            }
        )
    return rows


def version_row(version: TargetVersion, unit: str) -> dict[str, Any]:
    """Write a version for the list of them."""
    path = selectors.path_of(version)
    base = None if path.base is None else path.base.value
    return {
        "id": version.id,
        "number": version.number,
        "kind": version.get_kind_display(),
        "state": version.get_state_display(),
        "tone": {"approved": "good", "proposed": "accent", "rejected": "bad"}.get(version.state, ""),
        "asks": asks_said(path.definition, unit),
        "base": amount_said(base, path.definition, unit),
        "reason": version.reason,
        "by": str(version.created_by) if version.created_by else _("by API or command"),
        "created_at": version.created_at,
        "decided_by": str(version.decided_by) if version.decided_by else "",
        "decided_at": version.decided_at,
        "note": version.decision_note,
        "single": version.single_reviewer,
    }


def waiting_share(found: Target, path: Any) -> str:
    """Say which share of the base the changes make that wait for others; "" where none waits."""
    waiting = [each for each in found.events.all() if each.version_id is None]
    if not waiting or path.base is None:
        return ""
    events = [base_year_event(each.kind, each.base_year_kg, existed=each.existed_in_base_year) for each in waiting]
    return figures.percent(recalculation(path.base, events, path.definition.significance_threshold).significance)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.EDIT_TEAM_TARGETS)
def change_target(request: HttpRequest, target_id: int) -> HttpResponse:
    """Show the form of another version, or propose it."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    found = editable_target(request, target_id)
    definition = selectors.definition_of(found)
    if not fits_the_form(definition):
        messages.warning(request, _("This target says more than the form can show: change it by the API."))
        return redirect("target", found.id)
    form = TargetForm(request.POST or None, initial=initial_of(definition), version=True, **form_options(identity))
    if request.method == "POST" and form.is_valid() and form.definition is not None:
        try:
            if not selectors.may_edit(identity, form.definition.dims):
                raise TargetError("dim_team", own_team_only(identity))
            services.propose_version(
                organization_id=identity.organization_id,
                target_id=found.id,
                definition=form.definition,
                reason=form.cleaned_data["reason"],
                today=today(),
                created_by_id=request.user.pk,
            )
        except TargetError as error:
            form.refuse(error)
        else:
            messages.success(
                request, _("The version is proposed. The one in force stays until another person approves it.")
            )
            return redirect("target", found.id)
    context = {"title": found.name, "form": form, "target": found, "submit": _("Propose the version")}
    return render(request, "reporting/targets/form.html", context, status=400 if request.method == "POST" else 200)


@require_POST
@requires(Action.APPROVE_TARGETS)
def decide_target(request: HttpRequest, target_id: int) -> HttpResponse:
    """Approve or reject the version that waits."""
    found = target_for(request, target_id)
    proposed = selectors.in_state(found, VersionState.PROPOSED)
    sent = request.POST.get("version", "")
    try:
        if proposed is None or str(proposed.id) != sent:
            raise TargetError("version", _("The version that you saw no longer waits: look again."))
        version = services.decide_version(
            organization_id=found.organization_id,
            version_id=proposed.id,
            approve=request.POST.get("decision") == "approve",
            person_id=request.user.pk or 0,
            note=request.POST.get("note", ""),
        )
    except TargetError as error:
        messages.error(request, str(error))
    else:
        approved = version.state == VersionState.APPROVED
        messages.success(request, _("The version is approved.") if approved else _("The version is rejected."))
    return redirect("target", found.id)


@require_POST
@requires(Action.EDIT_TEAM_TARGETS)
def change_base(request: HttpRequest, target_id: int) -> HttpResponse:
    """Note what changed of the base year; where that is significant, a re-based version is proposed."""
    found = editable_target(request, target_id)
    form = BaseYearForm(request.POST)
    if form.is_valid():
        data = form.cleaned_data
        about: dict[str, Any] = {
            "organization_id": found.organization_id,
            "target_id": found.id,
            "recorded_by_id": request.user.pk,
        }
        try:
            if form.reads_anew:
                rebased = services.read_base_anew(reason=data["note"], today=today(), **about)
            else:
                rebased = services.change_base_year(
                    kind=data["kind"],
                    base_year_kg=data["base_year_kg"],
                    existed=data["existed"],
                    note=data["note"],
                    **about,
                )
        except TargetError as error:
            form.add_error(error.field if error.field in form.fields else None, str(error))
        else:
            share = figures.percent(rebased.found.significance)
            words = (
                _("The base changes by {share}: a re-based version is proposed.")
                if rebased.version
                else _("Together {share} of the base so far, below the threshold: it stays, and the change is kept.")
            )
            messages.success(request, words.format(share=share))
            return redirect("target", found.id)
    return render(request, "reporting/targets/target.html", shown(request, found, form), status=400)


@require_POST
@requires(Action.EDIT_TEAM_TARGETS)
def retire_target(request: HttpRequest, target_id: int) -> HttpResponse:
    """Take a target out of force."""
    found = editable_target(request, target_id)
    try:
        services.retire_target(
            organization_id=found.organization_id,
            target_id=found.id,
            reason=request.POST.get("reason", ""),
            person_id=request.user.pk,
        )
    except TargetError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The target is retired."))
    return redirect("target", found.id)


def target_for(request: HttpRequest, target_id: int) -> Target:
    """Find a target that its reader may see. Raises Http404, or PermissionDenied where it is about more than they may see."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    found = selectors.target_of(identity.organization_id, target_id)
    if found is not None and seen(identity, found):
        return found
    if found is not None or narrowing(identity):  # who may not see it is not told either whether it is there
        raise PermissionDenied(_("Only targets of your own team are for you to see."))
    raise Http404


def editable_target(request: HttpRequest, target_id: int) -> Target:
    """Find a target that its reader may change. Raises Http404, or PermissionDenied where they may only see it."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    found = selectors.target_of(identity.organization_id, target_id)
    if found is None and may(identity, Action.EDIT_TARGETS):
        raise Http404
    if found is None or not selectors.may_edit(identity, selectors.definition_of(found).dims):
        raise PermissionDenied(own_team_only(identity))
    return found
