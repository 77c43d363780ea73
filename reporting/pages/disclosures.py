"""Disclosures: the quarters, and a draft of each as a page to print and as files."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from core.accounting.figures import FilterError
from core.organizations.access import requires
from core.organizations.policy import Action
from reporting.disclosures import RefusedError
from reporting.inventories.documents import FORMATS, report
from reporting.inventories.documents import render as render_format
from reporting.inventories.draft import draft_inventory
from reporting.pages.asked import today

QUARTERS: Final = 6


@require_GET
@requires(Action.SEE_PERIODS)
def disclosures(request: HttpRequest) -> HttpResponse:
    """List the latest quarters, the open one first."""
    return render(request, "reporting/disclosures/list.html", {"title": _("Disclosures"), "periods": quarters(today())})


@require_GET
@requires(Action.SEE_PERIODS)
def draft(request: HttpRequest, period: str) -> HttpResponse:
    """Show a period's draft, or give it as a file with ``format``."""
    try:
        inventory = draft_inventory(request.organization, period, at=datetime.now(UTC))  # type: ignore[attr-defined]
    except FilterError as error:
        raise Http404(str(error)) from error
    except RefusedError as error:
        context = {"title": _("Disclosures"), "periods": quarters(today()), "refused": " ".join(error.reasons)}
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


def quarters(now: date) -> list[dict[str, object]]:
    """Name the open quarter and the complete ones before it."""
    found: list[dict[str, object]] = []
    year, number = now.year, (now.month - 1) // 3 + 1
    for position in range(QUARTERS):
        found.append({"name": f"{year}-Q{number}", "label": f"Q{number} {year}", "open": position == 0})
        year, number = (year, number - 1) if number > 1 else (year - 1, 4)
    return found
