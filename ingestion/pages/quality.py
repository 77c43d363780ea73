"""Quality: rows in quarantine by reason and source, with what to do about them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from core.accounting.figures import Filter
from core.accounting.selectors.conditions import teams_of_unknown_size
from core.accounting.selectors.signal_tokens import signal_differences
from core.accounting.selectors.unit_reconciliation import ReconciledUnit, reconciled_units
from core.organizations.access import requires
from core.organizations.policy import Action, may
from core.quantification.rejections import REASONS
from ingestion import selectors, services, wake
from ingestion.fixing import fixing_settings


@requires(Action.SEE_SOURCES)
@require_safe
def quality(request: HttpRequest) -> HttpResponse:
    """Show what is in quarantine, of all sources or of one."""
    identity: Any = request.identity  # type: ignore[attr-defined]
    chosen = request.GET.get("source", "")
    source_id = int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) < 10 else None
    groups = [
        {
            "group": group,
            "payload": as_text(group.sample.payload),
            "fixable": bool(fixing_settings(group.kind, group.reason, group.fields)),
        }
        for group in selectors.quarantine_groups(identity.organization_id, source_id)
    ]
    today = datetime.now(UTC).date()
    asked = Filter(today - timedelta(days=364), today)
    units = reconciled_units(identity.organization_id, asked)
    context = {
        "title": _("Data quality"),
        "groups": groups,
        "units": [unit.side_by_side() | {"covered_share": _share(unit), "of_words": ""} for unit in units],
        "signals": signal_differences(identity.organization_id, asked),
        "unknown_teams": teams_of_unknown_size(identity.organization_id),
        "minimum": request.organization.minimum_group_size,  # type: ignore[attr-defined]
        "chosen": None if source_id is None else selectors.source_of_id(identity.organization_id, source_id),
        "may_manage": may(identity, Action.MANAGE_SOURCES),
    }
    return render(request, "ingestion/quality.html", context)


def _share(unit: ReconciledUnit) -> float | None:
    return unit.comparison.covered_share if unit.comparison else None


@requires(Action.SEE_SOURCES)
@require_safe
def quality_rows(request: HttpRequest, source_id: int, reason: str) -> HttpResponse:
    """Show all open rows of a group, a page at a time."""
    identity: Any = request.identity  # type: ignore[attr-defined]
    source = selectors.source_of_id(identity.organization_id, source_id)
    if source is None or reason not in REASONS:
        raise Http404
    after = request.GET.get("after", "")
    rows, cursor = selectors.quarantine_page(
        identity.organization_id,
        source_id=source_id,
        reason=reason,
        after=int(after) if after.isascii() and after.isdigit() and len(after) < 19 else 0,
    )
    context = {
        "title": _("Data quality"),
        "source": source,
        "reason": reason,
        "about": REASONS[reason],
        "rows": [{"row": row, "payload": as_text(row.payload)} for row in rows],
        "next": f"?after={cursor}" if cursor else "",
    }
    return render(request, "ingestion/quality_rows.html", context)


@requires(Action.MANAGE_SOURCES)
@require_POST
def replay(request: HttpRequest) -> HttpResponse:
    """Read the rows of a group again."""
    identity: Any = request.identity  # type: ignore[attr-defined]
    source_id, reason = group_of(request)
    if source_id is None or not reason:
        messages.error(request, _("Say which rows are read again: those of one source, under one reason."))
        return redirect("quality")
    done = services.replay_quarantine(identity.organization_id, source_id=source_id, reason=reason)
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
    source_id, reason = group_of(request)
    try:
        count = services.discard_quarantine(
            identity.organization_id, source_id=source_id, reason=reason, why=request.POST.get("why", "")
        )
    except services.ResolveError as error:
        messages.error(request, str(error))
    else:
        text = ngettext("%(count)d row discarded.", "%(count)d rows discarded.", count)
        messages.success(request, text % {"count": count})
    return redirect("quality")


def group_of(request: HttpRequest) -> tuple[int | None, str]:
    """Read which rows are meant: the source's id (None: not said, or no number) and the reason."""
    source = request.POST.get("source_id", "")
    return int(source) if source.isascii() and source.isdigit() and len(source) < 10 else None, request.POST.get(
        "reason", ""
    )


def as_text(payload: object) -> str:
    """Write a row as it was read."""
    return json.dumps(payload, indent=1, ensure_ascii=False)
