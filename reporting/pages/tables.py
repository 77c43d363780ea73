"""Ranked entities (teams, models) as a table on a page and as a file."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

import pandas as pd
from django.http import HttpRequest
from django.utils.translation import gettext as _

from core.accounting.figures import INCLUDES, UNATTRIBUTED
from reporting import figures
from reporting.pages.asked import activity, said, today
from reporting.pages.files import file_asked
from reporting.pages.words import dim_name
from reporting.query import Query
from reporting.selectors.overview import PLACE, SEPARATOR, Row
from reporting.selectors.periods import covered_share

MOST_LISTED: Final = 50
"""Rows of a page's table; its files have all, and so has the page where it is asked for them (`rows=all`)."""

LISTED: Final = {"team": "/teams/", "model": "/models/", PLACE: "/providers/"}
"""Where all entities of a dimension are listed."""


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
                "address": explanation(dim, row.key, query),
            }
        ]
        if full:
            cells.append({"number": True, "wide": True, "text": figures.interval(row.kg.low, row.kg.high, scale)})
            cells.append({"number": True, "wide": True, "text": figures.percent(row.share)})
        if compare:
            narrower = narrowed(dim, row.key)
            why = f"/changes/{query.link(**narrower)}" if narrower and dim != "stage" else ""
            cells.append(change_cell(row.kg.value, row.previous_kg, coverage, why))
        if dim == "model":
            cells.append({"number": True, "wide": True, "text": figures.number(row.per_1000_tokens_kg, intensity)})
        cells.append({"wide": True, "badge": row.evidence})
        shown.append(
            {
                "label": entity_name(dim, row.key),
                "address": drill(dim, row.key, query),
                "bar": (row.kg.value or 0.0) / largest if largest else 0.0,
                "cells": cells,
            }
        )
    return {
        "id": f"by-{dim}",
        "heading": heading,
        "first": _("Provider and region") if dim == PLACE else dim_name(dim),
        "columns": columns,
        "rows": shown,
        "csv": query.link(format="csv", tab=dim),
        "all": None if full or len(all_rows) <= len(rows) or dim not in LISTED else LISTED[dim] + query.link(),
    }


def most_listed(request: HttpRequest) -> int | None:
    """Tell how many rows a page lists; None: all."""
    return None if file_asked(request) or request.GET.get("rows") == "all" else MOST_LISTED


def rest_of(listed: int, others: int, query: Query, amount: str = "") -> dict[str, str] | None:
    """
    Say what a table leaves out, with the address that lists it too: the context of components/rest.html.

    Args:
        listed, others: rows that are shown, and that are not.
        amount: of the others together, with its unit; "" where they have no sum.
    """
    if not others:
        return None
    text = (
        _("{listed} of {all} are listed; the others make {amount} together")
        if amount
        else _("{listed} of {all} are listed")
    )
    shown = text.format(listed=figures.count(listed), all=figures.count(listed + others), amount=amount)
    return {"text": shown, "address": query.link(rows="all")}


def narrowed(dim: str, key: str) -> dict[str, str]:
    """Give the filters that keep an entity only; none where no filter can: uses that name no model, parts beside the stages."""
    if (dim == "model" and key == UNATTRIBUTED) or (dim == "stage" and key in INCLUDES):
        return {}
    if dim == PLACE:
        provider, region = key.split(SEPARATOR)
        return {"provider": provider, "region": region}
    return {dim: key}


def entity_name(dim: str, key: str) -> str:
    """Write an entity as people read it."""
    if dim == PLACE:
        provider, region = key.split(SEPARATOR)
        if provider == region == UNATTRIBUTED:
            return _("no provider named")
        return said("provider", provider) if region == UNATTRIBUTED else f"{said('provider', provider)}, {region}"
    return _("no model named") if dim == "model" and key == UNATTRIBUTED else said(dim, key)


def explanation(dim: str, key: str, query: Query) -> str:
    """Give the address of a figure's explanation: of a stage its electricity, beside which the other parts stand."""
    if dim == "stage":
        impact = f"{key if key in INCLUDES else query.filter.basis}_kg_co2e"
        return f"/explain/{query.link(impact=impact, **narrowed(dim, key))}"
    narrower = narrowed(dim, key)
    return f"/explain/{query.link(**narrower)}" if narrower else ""


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
    narrower = narrowed(dim, key)
    if not narrower:
        return ""
    if dim == "team":
        return f"/teams/{quote(key)}/{query.link(team=None)}"
    if dim == "model":
        return f"/models/{quote(key)}/{query.link(model=None)}"
    below = {"project": "/models/", PLACE: "/providers/", "stage": "/"}[dim]
    return below + query.link(**narrower)


def entity_frame(rows: list[Row], dim: str) -> pd.DataFrame:
    """Give the same table at full precision, units in the header; intervals where the rows have them."""
    names = {dim: [row.key for row in rows]}
    if dim == PLACE:
        names = {one: [narrowed(dim, row.key)[one] for row in rows] for one in ("provider", "region")}
    frame = pd.DataFrame(
        {
            **names,
            "total_kg_co2e": [row.kg.value for row in rows],
            "total_kg_co2e_low": [row.kg.low for row in rows],
            "total_kg_co2e_high": [row.kg.high for row in rows],
            "share": [row.share for row in rows],
            "previous_kg_co2e": [row.previous_kg for row in rows],
            "kg_co2e_per_1000_output_tokens": [row.per_1000_tokens_kg for row in rows],
            "evidence": [row.evidence for row in rows],
        }
    )
    if dim != "stage":
        return frame
    return frame.drop(columns=["total_kg_co2e_low", "total_kg_co2e_high", "kg_co2e_per_1000_output_tokens"])
