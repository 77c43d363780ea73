"""Frozen evaluations: the page as it was, and the files of the tender."""

from __future__ import annotations

import json
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.organizations.access import requires
from core.organizations.policy import Action
from core.organizations.tenancy import organization_scope
from reporting.models import FrozenEvaluation
from reporting.pages.evaluation_shown import shown_of
from reporting.pages.files import TYPES, file_asked, table_file
from reporting.procurement import words
from reporting.procurement.files import evaluation_pdf, evaluation_xlsx
from reporting.selectors import procurement as selectors

FORMATS = {"pdf": "application/pdf", "xlsx": TYPES["xlsx"], "json": "application/json"}


@require_safe
@requires(Action.SEE_ALL_TEAMS)
def frozen_evaluation(request: HttpRequest, frozen_id: int) -> HttpResponse:
    """Show a frozen evaluation as it was."""
    row = found_of(request, frozen_id)
    document = json.loads(row.content)
    shown = shown_of(document, request.get_full_path())
    if file_asked(request) and shown.get("chart"):
        return table_file(request, shown["chart"].table, f"evaluation-{row.id}")
    context: dict[str, Any] = {
        "title": row.name,
        "frozen": row,
        "workload": words.workload_said(document["workload"]),
        "charts": True,
        "editable": False,
        **shown,
    }
    return render(request, "reporting/procurement/frozen.html", context)


@require_safe
@requires(Action.SEE_ALL_TEAMS)
def frozen_file(request: HttpRequest, frozen_id: int, ending: str) -> HttpResponse:
    """Give a frozen evaluation as PDF, XLSX or JSON; the same bytes each time, in the reader's language where it is printed."""
    row = found_of(request, frozen_id)
    if ending not in FORMATS:
        raise Http404
    organization = request.organization.name  # type: ignore[attr-defined]
    answer = HttpResponse(file_of(row, ending, organization), content_type=FORMATS[ending])
    name = slugify(row.name) or "evaluation"
    answer["Content-Disposition"] = f'attachment; filename="{name}-{row.frozen_at:%Y-%m-%d}.{ending}"'
    return answer


def file_of(row: FrozenEvaluation, ending: str, organization: str) -> bytes:
    """Write one file of a frozen evaluation."""
    if ending == "json":
        return row.content.encode()
    document = json.loads(row.content)
    if ending == "xlsx":
        return evaluation_xlsx(document, {"organization": organization, "sha256 of the frozen JSON": row.sha256})
    about = [
        (_("Frozen"), _("{at} UTC by {name}").format(at=f"{row.frozen_at:%Y-%m-%d %H:%M}", name=row.frozen_by or "-")),
        (_("Figures as of"), document["as_of"]),
        (_("Evidence in force on"), document["evidence_as_of"]),
        (_("Factor set"), row.factor_set),
        (_("Methodology"), row.methodology),
        (_("SHA-256 of the attached values"), row.sha256),
    ]
    language = translation.get_language() or "en"
    return evaluation_pdf(document, row.content, about, language=language, organization=organization)


def found_of(request: HttpRequest, frozen_id: int) -> FrozenEvaluation:
    """Find a frozen evaluation of the asker's organization. Raises Http404."""
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    with organization_scope(organization_id):
        row = selectors.frozen(organization_id, frozen_id)
    if row is None:
        raise Http404
    return row
