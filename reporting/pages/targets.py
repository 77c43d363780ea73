"""Targets: what we hold ourselves to, how each stands, and the yearly limit that the overview shows."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from core.accounting.selectors.attribution import known_names
from core.organizations.access import requires
from core.organizations.identity import Identity
from core.organizations.policy import Action, may, narrowing
from reporting import figures
from reporting.models import Target, VersionState
from reporting.pages.asked import today, view_of
from reporting.pages.target_forms import DIMS, TargetForm
from reporting.pages.target_words import amount_said, asks_said, scope_said, status_said
from reporting.selectors import denominators
from reporting.selectors import limits as limit_selectors
from reporting.selectors import targets as selectors
from reporting.selectors.target_figures import progress_of, unit_of
from reporting.services import limits as limit_services
from reporting.services import targets as services
from reporting.targets.definition import Definition, TargetError


class LimitForm(forms.Form):
    """A yearly limit in tonnes, from a day on."""

    name = forms.CharField(label=_("Name"), max_length=200, initial=_("Yearly limit"))
    limit_t = forms.FloatField(
        label=_("At most, t CO2e a year"),
        min_value=0,
        help_text=_(
            "Location-based electricity with upstream and amortised embodied emissions; spread evenly over the days."
        ),
    )
    starts_on = forms.DateField(label=_("First day"), widget=forms.DateInput(attrs={"type": "date"}))
    ends_on = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("Empty: until replaced."),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.SEE_OWN_TEAM)
def targets(request: HttpRequest) -> HttpResponse:
    """Show the targets with how each stands, and the yearly limits."""
    if request.method == "POST":
        return save_limit(request)
    return render(request, "reporting/targets/list.html", listing(request))


def listing(request: HttpRequest, form: LimitForm | None = None) -> dict[str, Any]:
    """Gather what the page of all targets shows."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    organization_id = identity.organization_id
    found = [each for each in selectors.targets(organization_id) if seen(identity, each)]
    retired = [each for each in selectors.targets(organization_id, retired=True) if seen(identity, each)]
    rows = [listed(request, each) for each in found]
    editable = may(identity, Action.EDIT_TARGETS)
    if form is None and editable:
        form = LimitForm(initial={"starts_on": today().replace(month=1, day=1)})
    whole = not narrowing(identity)
    return {
        "title": _("Targets"),
        "targets": rows,
        "retired": retired,
        "waiting": [each for each in rows if each["waits"]],
        "may_add": may(identity, Action.EDIT_TEAM_TARGETS),
        "limits": limit_selectors.limits(organization_id) if whole else (),
        "form": form if editable else None,
    }


def seen(identity: Identity, target: Target) -> bool:
    """Tell whether a target, as it is and as it is proposed, is for its reader to see."""
    return selectors.may_see(identity, selectors.definition_of(target).dims)


def listed(request: HttpRequest, target: Target) -> dict[str, Any]:
    """Write one target for the list."""
    version = selectors.shown_version(target)
    path = selectors.path_of(version)
    definition = path.definition
    progress = progress_of(target.organization_id, path, today=today(), view=view_of(request))
    unit = unit_text(target.organization_id, definition)
    actual, allowed = progress.actual.value, progress.allowed
    return {
        "id": target.id,
        "name": target.name,
        "owner": str(target.owner) if target.owner else "",
        "about": scope_said(definition),
        "asks": asks_said(definition, unit),
        "status": status_said(progress.status),
        "approved": version.state == VersionState.APPROVED,
        "state": version.get_state_display(),
        "waits": selectors.in_state(target, VersionState.PROPOSED) is not None,
        "actual": amount_said(actual, definition, unit),
        "allowed": amount_said(allowed, definition, unit),
        "gap": figures.percent(actual / allowed - 1, sign=True) if actual is not None and allowed else figures.UNKNOWN,
    }


def unit_text(organization_id: int, definition: Definition) -> str:
    """Say what one unit of an intensity is; a unit that is no more keeps its name."""
    try:
        unit = unit_of(organization_id, definition)
    except TargetError:
        return definition.per
    return unit.text if unit else ""


@requires(Action.EDIT_TARGETS)
def save_limit(request: HttpRequest) -> HttpResponse:
    """Set a yearly limit."""
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    form = LimitForm(request.POST)
    if form.is_valid():
        try:
            limit_services.set_limit(
                organization_id=organization_id,
                name=form.cleaned_data["name"],
                limit_kg_co2e_per_year=form.cleaned_data["limit_t"] * 1000,
                starts_on=form.cleaned_data["starts_on"],
                ends_on=form.cleaned_data["ends_on"],
                created_by=request.user,  # type: ignore[arg-type]
            )
        except limit_services.LimitError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The limit is set."))
            return redirect("targets")
    return render(request, "reporting/targets/list.html", listing(request, form), status=400)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.EDIT_TEAM_TARGETS)
def add_target(request: HttpRequest) -> HttpResponse:
    """Show the form of a new target, or propose it."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    form = TargetForm(request.POST or None, **form_options(identity))
    if request.method == "POST" and form.is_valid() and form.definition is not None:
        try:
            if not selectors.may_edit(identity, form.definition.dims):
                raise TargetError("dim_team", own_team_only(identity))
            version = services.propose_target(
                organization_id=identity.organization_id,
                name=form.cleaned_data["name"],
                note=form.cleaned_data["note"],
                owner_id=int(form.cleaned_data["owner"]) if form.cleaned_data["owner"] else None,
                definition=form.definition,
                today=today(),
                created_by_id=request.user.pk,
            )
        except TargetError as error:
            form.refuse(error)
        else:
            messages.success(request, _("The target is proposed. It holds once another person approves it."))
            return redirect("target", version.target_id)
    context = {"title": _("Propose a target"), "form": form, "submit": _("Propose the target")}
    return render(request, "reporting/targets/form.html", context, status=400 if request.method == "POST" else 200)


def form_options(identity: Identity) -> dict[str, Any]:
    """Gather what the form of a target offers."""
    organization_id = identity.organization_id
    own = "" if may(identity, Action.EDIT_TARGETS) else identity.team
    return {
        "units": denominators.units(organization_id),
        "people": selectors.owners(organization_id),
        "names": known_names(organization_id, [name for name in DIMS if name != "team" or not own]),
        "own_team": own,
    }


def own_team_only(identity: Identity) -> str:
    """Say to a team lead which targets are theirs to set."""
    return _now("You set targets of your own team: name {team} as the team, and no other.").format(
        team=identity.team or "?"
    )
