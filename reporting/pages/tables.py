"""Ranked entities (teams, models) as a table on a page and as a file."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pandas as pd
from django.http import HttpRequest
from django.utils.translation import gettext as _

from core.accounting.figures import UNATTRIBUTED
from reporting import figures
from reporting.pages.asked import activity, said, today
from reporting.query import Query
from reporting.selectors.overview import Row
from reporting.selectors.periods import covered_share


def entity_table(
    rows: list[Row],
    dim: str,
    query: Query,
    *,
    heading: str,
    all_rows: list[Row],
    full: bool = False,
    coverage: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """
    Build the context of components/ranked_table.html.

    Args:
        rows: those that are shown; the unit and the bars follow from all of them.
        coverage: shares of this and the compared period that have figures; they decide whether a change is said.
        full: the whole page's table: with ranges and shares, and a total.
    """
    scale = figures.scale_for("mass", [row.kg.value for row in all_rows])
    largest = max((row.kg.value or 0.0 for row in all_rows), default=0.0)
    intensity = figures.scale_for("mass", [row.per_1000_tokens_kg for row in all_rows])
    compare = query.comparison is not None
    columns = [{"label": f"{scale.unit} CO2e", "number": True}]
    if full:
        columns += [
            {"label": _("Range"), "number": True, "wide": True},
            {"label": _("Share"), "number": True, "wide": True},
        ]
    if compare:
        columns.append({"label": _("Change"), "number": True})
    if dim == "model":
        columns.append({"label": _("{unit} / 1k tokens").format(unit=intensity.unit), "number": True, "wide": True})
    columns.append({"label": _("Evidence"), "number": False, "wide": True})
    shown = []
    for row in rows:
        cells: list[dict[str, Any]] = [
            {
                "number": True,
                "text": figures.number(row.kg.value, scale),
                "address": f"/explain/{query.link(**{dim: row.key})}" if named(dim, row.key) else "",
            }
        ]
        if full:
            cells.append({"number": True, "wide": True, "text": figures.interval(row.kg.low, row.kg.high, scale)})
            cells.append({"number": True, "wide": True, "text": figures.percent(row.share)})
        if compare:
            why = f"/changes/{query.link(**{dim: row.key})}" if named(dim, row.key) else ""
            cells.append(change_cell(row.kg.value, row.previous_kg, coverage, why))
        if dim == "model":
            cells.append({"number": True, "wide": True, "text": figures.number(row.per_1000_tokens_kg, intensity)})
        cells.append({"wide": True, "badge": row.evidence})
        shown.append(
            {
                "label": entity_name(dim, row.key),
                "address": drill(dim, row.key, query) if named(dim, row.key) else "",
                "bar": (row.kg.value or 0.0) / largest if largest else 0.0,
                "cells": cells,
            }
        )
    return {
        "id": f"by-{dim}",
        "heading": heading,
        "first": {"team": _("Team"), "model": _("Model"), "project": _("Project")}[dim],
        "columns": columns,
        "rows": shown,
        "csv": query.link(format="csv", tab=dim),
        "all": None if full or dim == "project" or len(all_rows) <= len(rows) else f"/{dim}s/{query.link()}",
    }


def named(dim: str, key: str) -> bool:
    """Tell whether a filter can ask for an entity: uses that name no model have no address."""
    return dim != "model" or key != UNATTRIBUTED


def entity_name(dim: str, key: str) -> str:
    """Write an entity as people read it."""
    return said(dim, key) if named(dim, key) else _("no model named")


def change_cell(
    present: float | None, base: float | None, coverage: tuple[float, float] | None, address: str
) -> dict[str, Any]:
    """Build the cell of a change, which leads to its variance."""
    change = figures.change(present, base, coverage=coverage, translate=_)
    return {"number": True, "change": change, "address": address}


def coverage_of(request: HttpRequest, query: Query) -> tuple[float, float] | None:
    """Tell which shares of the period and of the compared one have figures; they decide whether a change is said."""
    if query.comparison is None:
        return None
    span = activity(request)
    return covered_share(query.filter, span, today()), covered_share(query.comparison, span, today())


def drill(dim: str, key: str, query: Query) -> str:
    """Lead one step down: from the total to a team, from a project to its models, from a model to its page."""
    if dim == "team":
        return f"/teams/{quote(key)}/{query.link(team=None)}"
    if dim == "project":
        return f"/models/{query.link(project=key)}"
    return f"/models/{quote(key)}/{query.link(model=None)}"


def entity_frame(rows: list[Row], dim: str) -> pd.DataFrame:
    """Give the same table at full precision, units in the header."""
    return pd.DataFrame(
        {
            dim: [row.key for row in rows],
            "total_kg_co2e": [row.kg.value for row in rows],
            "total_kg_co2e_low": [row.kg.low for row in rows],
            "total_kg_co2e_high": [row.kg.high for row in rows],
            "share": [row.share for row in rows],
            "previous_kg_co2e": [row.previous_kg for row in rows],
            "kg_co2e_per_1000_output_tokens": [row.per_1000_tokens_kg for row in rows],
            "evidence": [row.evidence for row in rows],
        }
    )
