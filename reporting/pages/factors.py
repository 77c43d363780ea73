"""Factors: which numbers stand behind ours, where they were published, and what rests on each of them."""

from __future__ import annotations

from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.factors import selectors
from core.factors.sources import sources_of
from core.organizations.access import requires
from core.organizations.policy import Action
from reporting import figures
from reporting.factor_query import FactorQuery, link, read_factor_query
from reporting.pages.asked import period_name, today
from reporting.pages.files import file_asked, lines_file
from reporting.selectors.factors import (
    FILTER_COLUMNS,
    FactorRow,
    editions_of,
    factor_rows,
    row_of,
    siblings_of,
    tables_of,
)

PAGE_ROWS: Final = 50
MOST_SIBLINGS: Final = 60


def asked(request: HttpRequest) -> FactorQuery:
    """Read the query string of a page about factors."""
    return read_factor_query(
        request.GET,
        identity=request.identity,  # type: ignore[attr-defined]
        today=today(),
        fiscal_start=request.organization.fiscal_year_start_month,  # type: ignore[attr-defined]
    )


@require_safe
@requires(Action.SEE_OWN_TEAM)
def factors(request: HttpRequest) -> HttpResponse:
    """Browse the rows of a set, those that most of the period rests on first; the sets and their editions below."""
    query = asked(request)
    pack = query.pack
    context: dict[str, Any] = {
        "title": _("Factors"),
        "query": query,
        "query_errors": query.errors,
        "sets": selectors.factor_sets(),
        "period": period_name(query.period, query.label),
    }
    if pack is None:
        return render(request, "reporting/factors.html", context)
    uses = query.uses(request.identity.organization_id)  # type: ignore[attr-defined]
    rows = factor_rows(pack, query.asked, uses, query.methodology, heaviest_first=True)
    if file_asked(request):
        return _file(request, rows, query)
    start = _start(request.GET.get("after", ""), len(rows))
    page = rows[start : start + PAGE_ROWS]
    tables = tables_of(pack)
    scale = figures.scale_for("mass", [row.use.kg_co2e for row in rows if row.use])
    return render(
        request,
        "reporting/factors.html",
        {
            **context,
            "rows": [_listed(row, scale, query, request) for row in page],
            "unit": scale.unit,
            "found": len(rows),
            "total": sum(count for _name, _about, count in tables),
            "in_use": sum(1 for row in rows if row.use),
            "comparable": bool(uses),
            "tables": tables,
            "filters": _filters(query),
            "csv": link(request.GET, format=None) + "&format=csv",
            "clear": "?",
            "older": _page_link(request, start + PAGE_ROWS) if start + PAGE_ROWS < len(rows) else "",
            "newer": _page_link(request, max(0, start - PAGE_ROWS)) if start else "",
            "range": f"{start + 1}–{start + len(page)}" if page else "0",
            "editions": editions_of(pack),
            "unusual": selectors.unusual_licences(query.factor_set) if query.factor_set else [],
        },
    )


@require_safe
@requires(Action.SEE_OWN_TEAM)
def factor_row(request: HttpRequest) -> HttpResponse:
    """Show one row: everything its table says, its source, what rests on it, and the same in other years and editions."""
    query = asked(request)
    pack = query.pack
    uses = query.uses(request.identity.organization_id)  # type: ignore[attr-defined]
    row = row_of(pack, request.GET.get("id", ""), uses, query.methodology) if pack else None
    if pack is None or row is None:
        raise Http404
    siblings = siblings_of(pack, row, query.methodology)
    scale = figures.scale_for("mass", [row.use.kg_co2e if row.use else None])
    return render(
        request,
        "reporting/factor_row.html",
        {
            "title": ", ".join(row.subject),
            "query": query,
            "query_errors": query.errors,
            "period": period_name(query.period, query.label),
            "row": row,
            "shown": _listed(row, scale, query, request),
            "cells": [(column, value) for column, value in row.cells.items() if value and column != "_file"],
            "about": sources_of(pack).get(row.cells["dataset"]),
            "siblings": [_listed(each, scale, query, request) for each in siblings[:MOST_SIBLINGS]],
            "more": max(0, len(siblings) - MOST_SIBLINGS),
        },
    )


@require_safe
@requires(Action.SEE_OWN_TEAM)
def factor_table(request: HttpRequest, name: str) -> HttpResponse:
    """Keep the older address of an edition: its rows in the list of all."""
    query = asked(request)
    if query.pack is None or name not in query.pack.blobs:
        raise Http404
    return redirect(f"{reverse('factors')}{link(request.GET, edition=name)}")


def _start(text: str, rows: int) -> int:
    """Read where a page begins: a position in the list; anything else is its beginning."""
    start = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    return start if start < rows else 0


def _page_link(request: HttpRequest, start: int) -> str:
    return f"{link(request.GET)}&after={start}" if start else link(request.GET)


def _listed(row: FactorRow, scale: figures.Scale, query: FactorQuery, request: HttpRequest) -> dict[str, Any]:
    """Name a row in the words of a list."""
    period = {key: request.GET[key] for key in ("set", "period", "from", "to") if request.GET.get(key)}
    return {
        "row": row,
        "first": row.subject[0] if row.subject else row.id,
        "rest": ", ".join(row.subject[1:]),
        "interval": "" if row.low is None or row.high is None else f"{shortly(row.low)} – {shortly(row.high)}",
        "address": f"/factors/row/?{urlencode({'id': row.id, **period})}",
        "kg": figures.number(row.use.kg_co2e, scale) if row.use and row.use.kg_co2e is not None else "",
        "state": _state(row),
    }


def shortly(value: float) -> str:
    """
    Write an end of an interval with three significant digits: it is not known better.

    >>> shortly(298.996), shortly(0.0061), shortly(5245.0)
    ('299', '0.0061', '5,240')
    """
    return figures.number(value, figures.plain_scale([value]))


def _state(row: FactorRow) -> tuple[str, str]:
    """Say how far a row was checked and whether figures may use it: tone and words."""
    if row.verification == "unverified":
        return "warn", _("unverified, not used")
    if not row.used:
        return "", _("kept, not preferred")
    return "", row.verification


def _filters(query: FactorQuery) -> list[dict[str, Any]]:
    labels = {
        "zone": _("Zone"),
        "year": _("Year"),
        "provider": _("Provider"),
        "region": _("Region"),
        "model": _("Model"),
        "hardware": _("Hardware"),
        "instance_type": _("Instance type"),
    }
    given = query.asked.filters or {}
    return [
        {"name": name, "label": labels[name], "value": given.get(name, ""), "wide": name in _WIDE}
        for name in FILTER_COLUMNS
    ]


_WIDE: Final = ("provider", "region", "instance_type")
"""Filters that a narrow screen leaves out."""


def _file(request: HttpRequest, rows: list[FactorRow], query: FactorQuery) -> HttpResponse:
    """Answer the rows that the filters leave as a file; every line carries its source and licence."""
    lines = [row.as_dict() for row in rows]
    columns = list(lines[0]) if lines else ["id"]
    name = query.factor_set.name if query.factor_set else "factors"
    safe = "".join(letter if letter.isalnum() or letter in "-._" else "-" for letter in name)
    return lines_file(request, [columns, *([line[column] for column in columns] for line in lines)], f"factors_{safe}")
