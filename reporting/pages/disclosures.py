"""Disclosures: the periods with their state, and each of them as a page to print and as files."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.accounting.figures import FilterError, Period, parse_period
from core.organizations.access import requires
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action
from reporting import figures
from reporting.disclosures import Inventory as Document
from reporting.disclosures import RefusedError
from reporting.inventories.documents import FORMATS, handed, report
from reporting.inventories.documents import render as render_format
from reporting.inventories.draft import draft_inventory
from reporting.models import Inventory, PeriodState
from reporting.pages.asked import activity, today
from reporting.pages.periods import buttons, findings_shown, kept_findings, state_of
from reporting.selectors.checklist import checklist
from reporting.selectors.inventories import document_of, inventories, of_period
from reporting.selectors.periods import Activity, quarter_name, quarter_start
from reporting.services.periods import moved_since, organization_alone

QUARTERS: Final = 6
FILES: Final = {"pdf": "PDF", "xlsx": "XLSX", "csv": "CSV", "html": "HTML", "inventory-json": "JSON"}
"""The formats that a period's page offers, by what they are called there."""


@require_safe
@requires(Action.SEE_PERIODS)
def disclosures(request: HttpRequest) -> HttpResponse:
    """List the latest quarters and every period that has an inventory, the open one first."""
    return _list(request)


def _list(request: HttpRequest, *, refused: str = "", status: int = 200) -> HttpResponse:
    organization_id = request.organization.id  # type: ignore[attr-defined]
    context = {
        "title": _("Disclosures"),
        "periods": periods_listed(inventories(organization_id), activity(request)),
        "refused": refused,
    }
    return render(request, "reporting/disclosures/list.html", context, status=status)


@one_snapshot
@require_safe
@requires(Action.SEE_PERIODS)
def draft(request: HttpRequest, period: str) -> HttpResponse:
    """Show a period, its state and what it says, or give it as a file with ``format``; ``version`` names a former one."""
    organization = request.organization  # type: ignore[attr-defined]
    try:
        named = parse_period(period, organization.fiscal_year_start_month)
        versions = of_period(organization.id, named.from_day, named.to_day)
        shown = _version(request, versions)
        document = document_of(shown) if shown is not None else draft_inventory(organization, period)
    except FilterError as error:
        raise Http404(str(error)) from error
    except RefusedError as error:
        return _list(request, refused=" ".join(error.reasons), status=409)
    wanted = request.GET.get("format")
    if wanted in FORMATS:
        files = render_format(wanted, document, get_language() or "en")
        return download(files, period if shown is not None and shown.is_locked else f"{period}-draft")
    context = {"title": period, "period": period, **report(document), **_standing(request, named, shown, document)}
    context["versions"] = [{"inventory": each, **state_of(each)} for each in versions if each != shown]
    return render(request, "reporting/disclosures/draft.html", context)


def _version(request: HttpRequest, versions: list[Inventory]) -> Inventory | None:
    """Choose the inventory to show: the one that is named, else the one that stands. Raises Http404."""
    if asked := request.GET.get("version"):
        chosen = next((each for each in versions if str(each.id) == asked), None)
        if chosen is None:
            raise Http404
        return chosen
    return next((each for each in versions if each.superseded_at is None), None)


def _standing(request: HttpRequest, named: Period, shown: Inventory | None, document: Document) -> dict[str, Any]:
    """Say how far a period is, what stands in its way and what may be done about it."""
    organization_id, identity = request.organization.id, request.identity  # type: ignore[attr-defined]
    over = named.to_day < today()
    steps = buttons(identity, shown, over=over, alone=organization_alone(organization_id))
    if shown is not None and shown.state != PeriodState.SOFT_CLOSED:
        findings = kept_findings(shown)
    else:
        findings = checklist(organization_id, named, today=today())
        if shown is not None:
            now = draft_inventory(request.organization, shown.period)  # type: ignore[attr-defined]
            findings.append(moved_since(document, now))
    accepted = {each["item"]: each for each in (shown.accepted if shown is not None else [])}
    return {
        "shown": shown,
        "files": FILES,
        **state_of(shown),
        "over": over,
        "closes_on": named.to_day + timedelta(days=1),
        "findings": [row | {"accepted": accepted.get(row["item"])} for row in findings_shown(findings)],
        "open_items": sum(finding.open for finding in findings),
        "steps": steps,
    }


def download(files: dict[str, bytes], name: str) -> HttpResponse:
    """Answer a format as a file to keep."""
    given = handed(files, name)
    response = HttpResponse(given.content, content_type=given.content_type)
    response["Content-Disposition"] = f'attachment; filename="{given.filename}"'
    return response


def periods_listed(found: list[Inventory], span: Activity) -> list[dict[str, Any]]:
    """Put quarters with activity and periods with an inventory into one list, the latest first."""
    standing = [each for each in found if each.superseded_at is None]
    rows = [_row(each.period, each.from_day, each.to_day, each) for each in standing]
    taken = {(each.from_day, each.to_day) for each in standing}
    rows += [
        _row(quarter["name"], quarter["from_day"], quarter["to_day"], None)
        for quarter in quarters(span)
        if (quarter["from_day"], quarter["to_day"]) not in taken
    ]
    return sorted(rows, key=lambda row: (row["to_day"], row["from_day"]), reverse=True)


def _row(name: str, from_day: date, to_day: date, inventory: Inventory | None) -> dict[str, Any]:
    totals = (inventory.totals or {}) if inventory is not None else {}  # type: ignore[attr-defined]
    return {
        "name": name,
        "from_day": from_day,
        "to_day": to_day,
        "inventory": inventory,
        "total": figures.grouped(f"{Decimal(totals['total_location']):,.3f}") if totals else "",
        **state_of(inventory),
    }


def quarters(span: Activity) -> list[dict[str, Any]]:
    """Name the quarters that have records, the latest first; at most ``QUARTERS``."""
    found: list[dict[str, Any]] = []
    if span.first_day is None or span.last_day is None:
        return found
    start = quarter_start(span.last_day)
    while start >= quarter_start(span.first_day) and len(found) < QUARTERS:
        end = quarter_start(start + timedelta(days=100)) - timedelta(days=1)
        found.append(
            {
                "name": quarter_name(start),
                "label": f"Q{quarter_name(start)[6]} {start.year}",
                "from_day": start,
                "to_day": end,
            }
        )
        start = quarter_start(start - timedelta(days=1))
    return found
