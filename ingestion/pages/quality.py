"""Quality: rows in quarantine by reason and source, with what to do about them."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from core.organizations.access import requires
from core.organizations.policy import Action, may
from ingestion import selectors, services, wake


@requires(Action.SEE_SOURCES)
@require_safe
def quality(request: HttpRequest) -> HttpResponse:
    """Show what is in quarantine."""
    identity: Any = request.identity  # type: ignore[attr-defined]
    groups = [
        {"group": group, "payload": json.dumps(group.sample.payload, indent=1, ensure_ascii=False)}
        for group in selectors.quarantine_groups(identity.organization_id)
    ]
    context = {"title": _("Data quality"), "groups": groups, "may_manage": may(identity, Action.MANAGE_SOURCES)}
    return render(request, "ingestion/quality.html", context)


@requires(Action.MANAGE_SOURCES)
@require_POST
def replay(request: HttpRequest) -> HttpResponse:
    """Read the rows of a group again."""
    identity: Any = request.identity  # type: ignore[attr-defined]
    done = services.replay_quarantine(
        identity.organization_id, source=request.POST.get("source", ""), reason=request.POST.get("reason", "")
    )
    for refusal in done.refused[:5]:
        messages.warning(request, refusal)
    if done.batches:
        text = ngettext("%(count)d row is being read again.", "%(count)d rows are being read again.", done.rows)
        messages.success(request, text % {"count": done.rows})
        transaction.on_commit(lambda: wake.drain(identity.organization_id))
    return redirect("quality")


@requires(Action.MANAGE_SOURCES)
@require_POST
def discard(request: HttpRequest) -> HttpResponse:
    """Close the rows of a group for good, with a reason."""
    identity: Any = request.identity  # type: ignore[attr-defined]
    try:
        count = services.discard_quarantine(
            identity.organization_id,
            why=request.POST.get("why", ""),
            source=request.POST.get("source", ""),
            reason=request.POST.get("reason", ""),
        )
    except services.ResolveError as error:
        messages.error(request, str(error))
    else:
        text = ngettext("%(count)d row discarded.", "%(count)d rows discarded.", count)
        messages.success(request, text % {"count": count})
    return redirect("quality")
