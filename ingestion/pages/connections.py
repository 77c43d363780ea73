"""What an organization says of its sources: CodeCarbon experiments, and sources that are paused."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from core.ledger.services import SourceError, update_source
from core.organizations.access import requires
from core.organizations.policy import Action, may, roles_that_may
from core.organizations.selectors import team_names
from core.quantification.activity import HOSTINGS, STAGES
from core.suggesting import Suggesting
from ingestion import selectors, services, wake


class ExperimentForm(forms.Form):
    """An experiment of CodeCarbon and what its trackers count for."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
    team = forms.CharField(label=gettext_lazy("Team"), max_length=200, required=False)
    project = forms.CharField(label=gettext_lazy("Project"), max_length=200, required=False)
    stage = forms.ChoiceField(
        label=gettext_lazy("Stage"),
        required=False,
        choices=[("", "–"), *((stage, stage.replace("_", " ")) for stage in STAGES)],
    )
    hosting = forms.ChoiceField(
        label=gettext_lazy("Who runs the hardware"),
        required=False,
        choices=[("", "–"), *((hosting, hosting) for hosting in HOSTINGS)],
    )
    pue = forms.FloatField(
        label=gettext_lazy("PUE told to the trackers"),
        required=False,
        min_value=1,
        max_value=5,
        help_text=gettext_lazy("CodeCarbon multiplies its energy by it and does not say so; empty: not known"),
    )


@requires(Action.SEE_SOURCES)
@require_http_methods(["GET", "HEAD", "POST"])
def experiments(request: HttpRequest) -> HttpResponse:
    """List experiments with the ids that trackers name; make one."""
    identity: Any = request.identity  # type: ignore[attr-defined]
    may_manage = may(identity, Action.MANAGE_SOURCES)
    if request.method == "POST" and not may_manage:
        raise PermissionDenied(f"Experiments are made by: {', '.join(roles_that_may(Action.MANAGE_SOURCES))}.")
    form = ExperimentForm(request.POST if request.method == "POST" else None)
    form.fields["team"].widget = Suggesting(team_names(identity.organization_id), {"maxlength": 200})
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                services.create_experiment(organization_id=identity.organization_id, **form.cleaned_data)
        except services.ExperimentError as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, _("The experiment is made: put its id into .codecarbon.config."))
            return redirect("experiments")
    context = {
        "title": _("CodeCarbon experiments"),
        "experiments": list(selectors.experiments(identity.organization_id)),
        "form": form if may_manage else None,
    }
    return render(request, "ingestion/experiments.html", context, status=400 if form.errors else 200)


@requires(Action.MANAGE_SOURCES)
@require_POST
def pause(request: HttpRequest, source_id: int) -> HttpResponse:
    """Let a source's batches wait, or go on with them."""
    identity: Any = request.identity  # type: ignore[attr-defined]
    try:
        update_source(
            organization_id=identity.organization_id, source_id=source_id, paused=request.POST.get("paused") == "1"
        )
    except SourceError as error:
        raise Http404 from error
    transaction.on_commit(lambda: wake.drain(identity.organization_id))
    return redirect("source", source_id)
