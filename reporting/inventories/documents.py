"""The formats of `disclose` by name."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from reporting import figures
from reporting.disclosures import Inventory, csv_tables, inventory_json, notices, workbook
from reporting.inventories import report_pdf
from reporting.inventories.draft import NO_ACTIVITY
from reporting.inventories.report_words import STAGES

Render = Callable[[Inventory], dict[str, bytes]]


def html(inventory: Inventory) -> dict[str, bytes]:
    """
    Render the one-page report, complete in itself but for the style sheet of the product.

    Always in English: who asks, and in which language, changes no byte.
    """
    with override("en"), figures.written_in("en"):
        text = render_to_string("reporting/disclosures/report.html", report(inventory))
    return {"report.html": text.encode()}


FORMATS: Final[dict[str, Render]] = {
    inventory_json.NAME: inventory_json.render,
    csv_tables.NAME: csv_tables.render,
    "html": html,
    report_pdf.NAME: report_pdf.render,
    workbook.NAME: workbook.render,
}


PLANNED: Final = (
    *(
        "esrs-e1",
        "esrs-e1-package",
        "esrs-e1-json",
        "vsme",
        "ifrs-s2",
        "gri",
        "cdp",
        "sb253",
        "secr",
        "eed",
    ),
    *("gpai", "model-card", "boamps", "sci", "sci-ai", "if-manifest", "pact", "carbon-txt", "evidence"),
)
"""Formats that have a name and are not written yet."""


def render(name: str, inventory: Inventory, language: str = "en") -> dict[str, bytes]:
    """
    Give the files of a format, by their path below the period's folder.

    Args:
        language: of the PDF, one of its LANGUAGES; every other format has one form.
    """
    return report_pdf.render(inventory, language) if name == report_pdf.NAME else FORMATS[name](inventory)


CONTENT_TYPES: Final = {
    ".json": "application/json",
    ".html": "text/html; charset=utf-8",
    ".pdf": "application/pdf",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".zip": "application/zip",
}


@dataclass(frozen=True)
class Handed:
    """A format as the one file that a browser or a program is given."""

    filename: str
    content_type: str
    content: bytes


def handed(files: dict[str, bytes], name: str) -> Handed:
    """Give one file as it is, several packed as one, the same bytes each time; ``name`` begins the file's own."""
    if len(files) == 1:
        ((path, content),) = files.items()
        return Handed(f"{name}-{path}", CONTENT_TYPES[PurePosixPath(path).suffix], content)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), content)
    return Handed(f"{name}.zip", CONTENT_TYPES[".zip"], packed.getvalue())


KINDS: Final = {
    "grid_location": _("Grid, location-based"),
    "grid_residual": _("Residual mix"),
    "pue": _("PUE"),
}


def report(inventory: Inventory) -> dict[str, Any]:
    """Give the context of the report: the inventory, its notices and the tables that it prints."""
    tables = csv_tables.tables(inventory)
    left_out = inventory["boundary"]["scope3_excluded"]
    return {
        "inventory": inventory,
        "notices": notices(inventory),
        "by_scope": tables["by_scope"][1:],
        "by_category": tables["by_category"][1:],
        "by_stage": stages(tables["by_stage"][1:]),
        "without_activity": [entry["category"] for entry in left_out if entry["reason"] == NO_ACTIVITY],
        "left_out": [entry for entry in left_out if entry["reason"] != NO_ACTIVITY],
        "factors": [
            factor | {"kind": KINDS[factor["kind"]]} for factor in inventory["factors"] if factor["kind"] in KINDS
        ],
    }


def stages(rows: list[list[object]]) -> list[dict[str, object]]:
    """Put the scopes of a stage side by side: one row a stage."""
    found: dict[str, dict[str, object]] = {}
    for stage, scope, method, tonnes, _unit in rows:
        column = f"scope2_{method}" if scope == "2" else f"scope{scope}"
        found.setdefault(str(stage), {"stage": STAGES[str(stage)]})[column] = tonnes
    return list(found.values())
