"""Disclosures: the quarters, and a draft of each as a page to print and as files."""

from __future__ import annotations

import io
import zipfile
from datetime import date, timedelta
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.accounting.figures import FilterError
from core.organizations.access import requires
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action
from reporting.disclosures import RefusedError
from reporting.inventories.documents import FORMATS, report
from reporting.inventories.documents import render as render_format
from reporting.inventories.draft import draft_inventory
from reporting.pages.asked import activity, today
from reporting.selectors.periods import Activity, quarter_name, quarter_start

QUARTERS: Final = 6


@require_safe
@requires(Action.SEE_PERIODS)
def disclosures(request: HttpRequest) -> HttpResponse:
    """List the latest quarters, the open one first."""
    return render(
        request,
        "reporting/disclosures/list.html",
        {"title": _("Disclosures"), "periods": quarters(activity(request), today())},
    )


@one_snapshot
@require_safe
@requires(Action.SEE_PERIODS)
def draft(request: HttpRequest, period: str) -> HttpResponse:
    """Show a period's draft, or give it as a file with ``format``."""
    try:
        inventory = draft_inventory(request.organization, period)  # type: ignore[attr-defined]
    except FilterError as error:
        raise Http404(str(error)) from error
    except RefusedError as error:
        context = {
            "title": _("Disclosures"),
            "periods": quarters(activity(request), today()),
            "refused": " ".join(error.reasons),
        }
        return render(request, "reporting/disclosures/list.html", context, status=409)
    wanted = request.GET.get("format")
    if wanted in FORMATS:
        return download(render_format(wanted, inventory), f"{period}-draft")
    return render(request, "reporting/disclosures/draft.html", {"title": period, **report(inventory)})


def download(files: dict[str, bytes], name: str) -> HttpResponse:
    """Answer one file as it is, several as a zip."""
    if len(files) == 1:
        ((path, content),) = files.items()
        response = HttpResponse(content, content_type="application/json" if path.endswith("json") else "text/html")
        response["Content-Disposition"] = f'attachment; filename="{name}-{path}"'
        return response
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), content)
    response = HttpResponse(packed.getvalue(), content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{name}.zip"'
    return response


def quarters(span: Activity, now: date) -> list[dict[str, object]]:
    """Name the quarters that have records, the latest first; at most ``QUARTERS``."""
    found: list[dict[str, object]] = []
    if span.first_day is None or span.last_day is None:
        return found
    start = quarter_start(span.last_day)
    while start >= quarter_start(span.first_day) and len(found) < QUARTERS:
        name = quarter_name(start)
        found.append({"name": name, "label": f"{name[5:]} {name[:4]}", "open": start == quarter_start(now)})
        start = quarter_start(start - timedelta(days=1))
    return found
