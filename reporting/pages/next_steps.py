"""What is worth doing once there are figures, on the overview until it is done or dismissed."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from core.organizations import services
from core.organizations.access import requires
from core.organizations.policy import Action, may
from reporting.pages.asked import today
from reporting.selectors.first_steps import next_steps


def steps_of(request: HttpRequest) -> list[dict[str, Any]]:
    """List the steps that the asker may take, each {name, done, text, why, address}; nothing for who may take none."""
    identity = request.identity  # type: ignore[attr-defined]
    if not may(identity, Action.MANAGE_SOURCES):
        return []
    words = {
        "second_source": (
            _("Add a second source"),
            _("What one does not see, another may; where both see the same it counts once."),
            reverse("source_add"),
            Action.MANAGE_SOURCES,
        ),
        "target": (
            _("Set a target"),
            _("The chart gets its line, and this page says where the period is heading."),
            reverse("targets"),
            Action.EDIT_TARGETS,
        ),
        "colleague": (
            _("Invite a colleague"),
            _("Who prepares a disclosure does not approve it."),
            reverse("settings"),
            Action.MANAGE_PEOPLE,
        ),
        "reviewer": (
            _("Are you the only one who reviews?"),
            _("Then one person may prepare and approve, and every export says so."),
            "",
            Action.MANAGE_PEOPLE,
        ),
        "draft": (
            _("Read and print the draft"),
            _("What the period would disclose, and what it lacks."),
            reverse("disclosures"),
            Action.SEE_PERIODS,
        ),
    }
    found = []
    for step in next_steps(request.organization, today()):  # type: ignore[attr-defined]
        text, why, address, right = words[step.name]
        if may(identity, right):
            found.append({"name": step.name, "done": step.done, "text": text, "why": why, "address": address})
    return found


@require_POST
@requires(Action.MANAGE_SOURCES)
def dismiss(request: HttpRequest) -> HttpResponse:
    """Take the list away."""
    services.dismiss_next_steps(organization_id=request.identity.organization_id)  # type: ignore[attr-defined]
    messages.success(request, _("The list of next steps is gone for everybody here."))
    return redirect("overview")


@require_POST
@requires(Action.MANAGE_PEOPLE)
def only_reviewer(request: HttpRequest) -> HttpResponse:
    """Declare that one person prepares and approves, or end that."""
    declared = request.POST.get("declared", "yes") == "yes"
    try:
        services.declare_single_reviewer(organization_id=request.identity.organization_id, declared=declared)  # type: ignore[attr-defined]
    except services.OrganizationError as error:
        messages.error(request, str(error))
        return redirect("settings")
    if declared:
        messages.success(request, _("One person may prepare and approve here; every export says so."))
        return redirect("overview")
    messages.success(request, _("From now on one person prepares and another approves."))
    return redirect("settings")
