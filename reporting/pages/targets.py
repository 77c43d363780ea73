"""Targets: the one absolute limit that the overview holds emissions against."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from core.organizations.access import requires
from core.organizations.policy import Action, may
from reporting.pages.asked import today
from reporting.selectors import limits as selectors
from reporting.services import limits as services


class TargetForm(forms.Form):
    """A yearly limit in tonnes, from a day on."""

    name = forms.CharField(label=_("Name"), max_length=200, initial=_("Yearly target"))
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
    """Show the limits and, for those who may, the form that sets one."""
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    editable = may(request.identity, Action.EDIT_TARGETS)  # type: ignore[attr-defined]
    if request.method == "POST":
        return save(request)
    form = TargetForm(initial={"starts_on": today().replace(month=1, day=1)})
    return render(
        request,
        "reporting/targets.html",
        {
            "title": _("Targets"),
            "targets": selectors.limits(organization_id),
            "form": form if editable else None,
        },
    )


@requires(Action.EDIT_TARGETS)
def save(request: HttpRequest) -> HttpResponse:
    """Set a limit."""
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    form = TargetForm(request.POST)
    if form.is_valid():
        try:
            services.set_limit(
                organization_id=organization_id,
                name=form.cleaned_data["name"],
                limit_kg_co2e_per_year=form.cleaned_data["limit_t"] * 1000,
                starts_on=form.cleaned_data["starts_on"],
                ends_on=form.cleaned_data["ends_on"],
                created_by=request.user,  # type: ignore[arg-type]
            )
        except services.LimitError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("The target is set."))
            return redirect("targets")
    context = {"title": _("Targets"), "targets": selectors.limits(organization_id), "form": form}
    return render(request, "reporting/targets.html", context, status=400)
