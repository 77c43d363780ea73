"""Conflicting duplicates: both contents of an id side by side, to keep the first or to take the later one."""

from __future__ import annotations

from typing import Final

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from core.ledger.models import Source
from core.organizations.access import requires
from core.organizations.policy import Action
from ingestion import conflicts as reading
from ingestion import selectors, services, wake
from ingestion.services.conflicts import taken_rows

SHOWN: Final = 10
LATEST_TAKEN: Final = 20
FAULTS: Final = {
    "deleted": gettext_lazy("Its period is deleted: read the row again, or restore the period first."),
    "not_kept": gettext_lazy("The later content was not kept whole: send it again as a record that corrects this one."),
    "nothing_stands": gettext_lazy("Nothing stands under this id: read the row again."),
}


@requires(Action.MANAGE_SOURCES)
@require_http_methods(["GET", "HEAD", "POST"])
def conflicts(request: HttpRequest, source_id: int) -> HttpResponse:
    """Show pairs of contents; with a verdict, keep the first or take the later one of those chosen, or of all."""
    source = _source(request, source_id)
    error = ""
    if request.method == "POST":
        try:
            return _decided(request, source)
        except services.ResolveError as fault:
            error = str(fault)
    after = request.GET.get("after", "")
    rows, cursor = selectors.quarantine_page(
        source.organization_id,
        source_id=source.id,
        reason=reading.REASON,
        after=int(after) if after.isascii() and after.isdigit() and len(after) < 19 else 0,
        rows=SHOWN,
    )
    found = reading.compare(source.organization_id, rows)
    change, without = reading.change_of(found)
    context = {
        "title": _("Same id, other content"),
        "source": source,
        "conflicts": [{"conflict": each, "fault": FAULTS.get(each.fault, "")} for each in found],
        "open_rows": selectors.quarantine(source.organization_id, source_id=source.id, reason=reading.REASON).count(),
        "change_kg": change,
        "without_figure": without,
        "taken": taken_rows(source.organization_id, source.id)[:LATEST_TAKEN],
        "next": f"?after={cursor}" if cursor else "",
        "error": error,
    }
    return render(request, "ingestion/quality_conflicts.html", context, status=400 if error else 200)


def _decided(request: HttpRequest, source: Source) -> HttpResponse:
    """Carry out what was chosen. Raises ResolveError when it cannot be."""
    organization_id, why = source.organization_id, request.POST.get("why", "")
    ids: list[int] | None = None
    if request.POST.get("which") != "all":
        ids = [
            int(each) for each in request.POST.getlist("row") if each.isascii() and each.isdigit() and len(each) < 19
        ]
        if not ids:
            raise services.ResolveError(_("Choose the rows that this is about."))
    if request.POST.get("verdict") == "keep":
        count = services.discard_quarantine(
            organization_id, source_id=source.id, reason=reading.REASON, why=why, ids=ids
        )
        text = ngettext(
            "The first content of %(count)d record stays.", "The first content of %(count)d records stays.", count
        )
        messages.success(request, text % {"count": count})
        return redirect("quality_conflicts", source.id)
    count, left = services.take_newer(organization_id, source_id=source.id, why=why, ids=ids)
    if count:
        text = ngettext(
            "%(count)d row closed by a correction; figures follow within a minute.",
            "%(count)d rows closed by corrections; figures follow within a minute.",
            count,
        )
        messages.success(request, text % {"count": count})
        transaction.on_commit(lambda: wake.derive(organization_id))
    if left:
        text = ngettext("%(count)d row cannot be taken and stays.", "%(count)d rows cannot be taken and stay.", left)
        messages.warning(request, text % {"count": left})
    return redirect("quality_conflicts", source.id)


@requires(Action.MANAGE_SOURCES)
@require_POST
def take_back(request: HttpRequest, source_id: int, row_id: int) -> HttpResponse:
    """Let what stood before a correction stand again."""
    source = _source(request, source_id)
    try:
        services.take_back(source.organization_id, source_id=source.id, row_id=row_id, why=request.POST.get("why", ""))
    except services.ResolveError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The correction is taken back; figures follow within a minute."))
        transaction.on_commit(lambda: wake.derive(source.organization_id))
    return redirect("quality_conflicts", source.id)


def _source(request: HttpRequest, source_id: int) -> Source:
    source = selectors.source_of_id(request.identity.organization_id, source_id)  # type: ignore[attr-defined]
    if source is None:
        raise Http404
    return source
