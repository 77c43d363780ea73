"""The privacy page: what is stored, for how long, who can see it, and what never gets in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from core.organizations import user_counts
from core.organizations.access import requires
from core.organizations.policy import Action, may
from core.organizations.retention import LONGEST_DAYS, retention_of, set_retention
from core.organizations.services import OrganizationError
from ingestion import privacy as told


class RetentionForm(forms.Form):
    """How long what expires is kept."""

    ids_days = forms.IntegerField(
        label=gettext_lazy("Record, request and trace ids"),
        min_value=1,
        max_value=LONGEST_DAYS,
        help_text=gettext_lazy("Days after the use. Single requests can be named that long."),
    )
    payload_days = forms.IntegerField(
        label=gettext_lazy("Deliveries and the content of rows in quarantine"),
        min_value=1,
        max_value=LONGEST_DAYS,
        help_text=gettext_lazy("Days after receipt. Rows can be read again that long."),
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500, required=False)


class PurposeForm(forms.Form):
    """What distinct users would be counted for."""

    purpose = forms.CharField(
        label=gettext_lazy("Purpose"),
        min_length=10,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("A sentence that everybody here can read. Another person has to approve."),
    )


@require_safe
@requires(Action.SEE_OWN_TEAM)
def privacy(request: HttpRequest) -> HttpResponse:
    """Show what is stored of whom."""
    return show(request)


@require_POST
@requires(Action.MANAGE_PEOPLE)
def change_retention(request: HttpRequest) -> HttpResponse:
    """Change how long what expires is kept."""
    form = RetentionForm(request.POST)
    if not form.is_valid():
        return show(request, form, status=400)
    set_retention(organization_id=request.identity.organization_id, **form.cleaned_data)  # type: ignore[attr-defined]
    messages.success(request, _("The retention is changed. What is past it goes within the hour."))
    return redirect("privacy")


@require_POST
@requires(Action.MANAGE_PEOPLE)
def ask_for_user_counts(request: HttpRequest) -> HttpResponse:
    """Ask that distinct users be counted."""
    form = PurposeForm(request.POST)
    if form.is_valid():
        try:
            user_counts.request_user_counts(
                organization_id=request.identity.organization_id,  # type: ignore[attr-defined]
                purpose=form.cleaned_data["purpose"],
                person=request.user,  # type: ignore[arg-type]
            )
        except OrganizationError as error:
            form.add_error(None, str(error))
    if not form.is_valid():
        return show(request, purpose_form=form, status=400)
    messages.success(request, _("Users are counted once another person approves."))
    return redirect("privacy")


@require_POST
@requires(Action.MANAGE_PEOPLE)
def approve_counts(request: HttpRequest) -> HttpResponse:
    """Approve what another person asked for."""
    try:
        user_counts.approve_user_counts(
            organization_id=request.identity.organization_id,  # type: ignore[attr-defined]
            person=request.user,  # type: ignore[arg-type]
        )
    except OrganizationError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Distinct users are counted from now on."))
    return redirect("privacy")


@require_POST
@requires(Action.MANAGE_PEOPLE)
def end_counts(request: HttpRequest) -> HttpResponse:
    """Stop counting, or take a request back."""
    try:
        user_counts.end_user_counts(organization_id=request.identity.organization_id)  # type: ignore[attr-defined]
    except OrganizationError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Users are not counted. The hashes are deleted."))
    return redirect("privacy")


def show(
    request: HttpRequest,
    form: RetentionForm | None = None,
    purpose_form: PurposeForm | None = None,
    status: int = 200,
) -> HttpResponse:
    organization = request.organization  # type: ignore[attr-defined]
    kept = retention_of(organization)
    initial = {"ids_days": kept.ids_days, "payload_days": kept.payload_days}
    manages = may(request.identity, Action.MANAGE_PEOPLE)  # type: ignore[attr-defined]
    context: dict[str, Any] = {
        "title": _("Privacy"),
        "stored": told.stored(organization),
        "holders": told.holders(),
        "who_sees": told.who_sees(),
        "doors": told.doors(organization.id),
        "groups": told.groups(organization),
        "sees_all_teams": may(request.identity, Action.SEE_ALL_TEAMS),  # type: ignore[attr-defined]
        "kept": kept,
        "counting": user_counts.counting_of(organization.id),
        "user_counts": user_counts.counts(organization.id, organization.minimum_group_size),
        "own_request": request.user,
        "purpose_form": (purpose_form or PurposeForm()) if manages else None,
        "form": (form or RetentionForm(initial=initial)) if manages else None,
    }
    return render(request, "ingestion/privacy.html", context, status=status)
