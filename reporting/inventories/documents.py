"""The formats of `disclose` by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.template.loader import render_to_string

from reporting.disclosures import Inventory, csv_tables, inventory_json, notices

Render = Callable[[Inventory], dict[str, bytes]]


def html(inventory: Inventory) -> dict[str, bytes]:
    """Render the one-page report, complete in itself but for the style sheet of the product."""
    return {"report.html": render_to_string("reporting/disclosures/report.html", report(inventory)).encode()}


FORMATS: Final[dict[str, Render]] = {
    inventory_json.NAME: inventory_json.render,
    csv_tables.NAME: csv_tables.render,
    "html": html,
}


def render(name: str, inventory: Inventory) -> dict[str, bytes]:
    """Give the files of a format, by their path below the period's folder."""
    return FORMATS[name](inventory)


def report(inventory: Inventory) -> dict[str, Any]:
    """Give the context of the report: the inventory, its notices and the tables that it prints."""
    tables = csv_tables.tables(inventory)
    return {
        "inventory": inventory,
        "notices": notices(inventory),
        "by_scope": tables["by_scope"][1:],
        "by_category": tables["by_category"][1:],
        "by_stage": tables["by_stage"][1:],
        "factors": [
            factor
            for factor in inventory["factors"]
            if factor["kind"] in {"grid_location", "grid_residual", "pue", "cloud_provider"}
        ],
    }
