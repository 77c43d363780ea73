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

from core.organizations.access import requires
from core.organizations.policy import Action, may
from core.organizations.retention import LONGEST_DAYS, retention_of, set_retention
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


def show(request: HttpRequest, form: RetentionForm | None = None, status: int = 200) -> HttpResponse:
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
        "kept": kept,
        "form": (form or RetentionForm(initial=initial)) if manages else None,
    }
    return render(request, "ingestion/privacy.html", context, status=status)
