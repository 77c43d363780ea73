"""Factors: which numbers stand behind ours, where they were published, and the rows themselves."""

from __future__ import annotations

from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.accounting.selectors import current_view
from core.factors import selectors
from core.organizations.access import requires
from core.organizations.policy import Action
from core.quantification.pack import FILE

MOST_ROWS: Final = 200


@require_safe
@requires(Action.SEE_OWN_TEAM)
def factors(request: HttpRequest) -> HttpResponse:
    """List the sets and the editions of the one in use."""
    view = current_view(request.identity.organization_id)  # type: ignore[attr-defined]
    chosen = view.factor_set if view else selectors.factor_sets().first()
    tables = []
    if chosen is not None:
        pack = selectors.pack_of(chosen.content_hash)
        for table in pack.tables:
            for name in sorted({row[FILE] for row in pack.rows(table)}):
                rows = [row for row in pack.rows(table) if row[FILE] == name]
                first = rows[0]
                tables.append(
                    {
                        "name": name,
                        "rows": len(rows),
                        "source": first.get("source", ""),
                        "year": first.get("source_year", ""),
                        "licence": first.get("licence", ""),
                    }
                )
    return render(
        request,
        "reporting/factors.html",
        {"title": _("Factors"), "sets": selectors.factor_sets(), "chosen": chosen, "tables": tables, "view": view},
    )


@require_safe
@requires(Action.SEE_OWN_TEAM)
def factor_table(request: HttpRequest, name: str) -> HttpResponse:
    """Show the rows of one edition, narrowed by ``q``."""
    view = current_view(request.identity.organization_id)  # type: ignore[attr-defined]
    chosen = view.factor_set if view else selectors.factor_sets().first()
    pack = selectors.pack_of(chosen.content_hash) if chosen else None
    table = name.partition("--")[0]
    rows = [row for row in pack.rows(table) if row[FILE] == name] if pack else []
    if not rows:
        raise Http404
    wanted = request.GET.get("q", "").strip().casefold()
    found = [
        row
        for row in rows
        if not wanted or any(wanted in value.casefold() for key, value in row.items() if key != FILE)
    ]
    columns = [column for column in rows[0] if column != FILE and any(row[column] for row in found[:MOST_ROWS])]
    return render(
        request,
        "reporting/factor_table.html",
        {
            "title": name,
            "columns": columns,
            "rows": [[row[column] for column in columns] for row in found[:MOST_ROWS]],
            "found": len(found),
            "shown": min(len(found), MOST_ROWS),
            "q": request.GET.get("q", ""),
        },
    )
