"""Audit log: who changed what, and whether the chain still holds."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.organizations import selectors
from core.organizations.access import requires
from core.organizations.policy import Action

PAGE_ROWS = 100


@require_safe
@requires(Action.SEE_AUDIT_LOG)
def audit(request: HttpRequest) -> HttpResponse:
    """List events, the newest first; with ``verify`` in the address, walk the whole chain."""
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    before = request.GET.get("before", "")
    events = list(
        selectors.audit_events(organization_id, before=int(before) if before.isdecimal() else None, limit=PAGE_ROWS + 1)
    )
    checked = "verify" in request.GET
    return render(
        request,
        "reporting/audit.html",
        {
            "title": _("Audit log"),
            "events": events[:PAGE_ROWS],
            "older": events[PAGE_ROWS - 1].sequence if len(events) > PAGE_ROWS else None,
            "checked": checked,
            "fault": selectors.verify_audit_chain(organization_id) if checked else None,
        },
    )
