"""
`xlsx`: the datapoints of the standards as a workbook for the entity's own ESG suite, with the tables and sources behind them.

Values without formulas or macros; the same inventory gives the same bytes.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import xlsxwriter

from reporting.disclosures import Inventory, made_at, notices
from reporting.disclosures.csv_tables import FORMULA_STARTS, decimal_text, tables
from reporting.disclosures.datapoint_map import (
    OF_TOTAL,
    STANDARDS,
    Answer,
    Standard,
    answers,
    of_which,
    pointer_of,
)

NAME: Final = "xlsx"
FILE: Final = "report.xlsx"
OMITTED: Final = "omitted because "
LONGEST_CELL: Final = 32_000
WIDEST: Final = 46
LINE_HEIGHT: Final = 15
"""Of a line of text; rows are given their height, as not every program finds it. [points]"""
EXACT: Final = "exact value: "
TABLES: Final = {
    "summary": "Summary",
    "by_scope": "By scope",
    "by_category": "By category",
    "by_stage": "By stage",
    "by_gas": "By gas",
    "energy": "Energy",
    "instruments": "Instruments",
    "factors": "Factors",
    "exclusions": "Exclusions",
    "comparatives": "Comparatives",
}
NUMBERS: Final = {
    *("value", "low", "high", "tco2e", "mwh", "amount", "emission_factor_kg_per_mwh", "estimated_tco2e"),
    *("amount (unit beside it)", "records"),
}
"""Columns whose decimal strings are numbers; codes, versions and years elsewhere stay text."""

Row = Sequence[object]


def render(inventory: Inventory) -> dict[str, bytes]:
    """Give the files of this format by name."""
    return {FILE: workbook(inventory)}


def workbook(inventory: Inventory) -> bytes:
    """Write every sheet."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        book.set_properties(
            {
                "title": f"{inventory['entity']['name']}, {label(inventory)}: datapoints",
                "subject": ". ".join(notices(inventory)),
                "created": made_at(inventory).replace(tzinfo=None),
            }
        )
        styles = {
            "head": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
            "title": book.add_format({"bold": True, "font_size": 16}),
            "strong": book.add_format({"bold": True}),
            "notice": book.add_format({"bold": True, "bg_color": "#FFF3D6", "text_wrap": True, "valign": "top"}),
            "text": book.add_format({"text_wrap": True, "valign": "top"}),
            "number": book.add_format({"valign": "top"}),
            "omitted": book.add_format({"italic": True, "font_color": "#5B6676", "text_wrap": True, "valign": "top"}),
        }
        _cover(book, inventory, styles)
        for name, (note, rows) in sheets(inventory).items():
            _sheet(book, name, note, rows, styles)
    return buffer.getvalue()


def sheets(inventory: Inventory) -> dict[str, tuple[str, list[Row]]]:
    """Lay every sheet but the cover out: what is said above it, and its rows, the header first."""
    answered = {standard.key: answers(inventory, standard.key) for standard in STANDARDS}
    found: dict[str, tuple[str, list[Row]]] = {}
    for standard in STANDARDS:
        found[standard.name] = (standard.note, datapoints(inventory, standard, answered[standard.key]))
    found["Sources"] = (SOURCES_NOTE, sources(inventory, answered))
    found["Omitted"] = ("Every datapoint without a value, and why.", omitted(answered))
    for name, rows in tables(inventory).items():
        found[TABLES[name]] = ("", list(rows))
    return found


def datapoints(inventory: Inventory, standard: Standard, answered: Sequence[Answer]) -> list[Row]:
    """Lay a standard's datapoints out, one row each."""
    other = [standard.other] if standard.other else []
    element = ["element"] if any(each.point.element for each in answered) else []
    rows: list[Row] = [
        (standard.codes, *other, "name", "value", "unit", "inventory field", "corporate line", "note", *element)
    ]
    for each in answered:
        point = each.point
        name = f"{point.name}: {each.about}" if each.about else point.name
        rows.append(
            (
                point.code,
                *([point.other_code] if other else []),
                name,
                f"{OMITTED}{each.reason}" if each.value is None else each.value,
                each.unit,
                point.field,
                pointer_of(inventory, each),
                each.note,
                *([point.element] if element else []),
            )
        )
    return rows


SOURCES_NOTE: Final = (
    "Every line of the inventory with the datapoints that contain it. A corporate line is the line of the entity's own"
    " inventory that already contains the figure."
)


def sources(inventory: Inventory, answered: dict[str, list[Answer]]) -> list[Row]:
    """List every line of emissions and energy: what it is made from, where it is contained."""
    containing: dict[str, list[str]] = defaultdict(list)
    for standard in STANDARDS:
        for answer in answered[standard.key]:
            code = f"{standard.name} {answer.point.code or answer.point.other_code}"
            for line in answer.lines:
                if code not in containing[line]:
                    containing[line].append(code)
    places = {site["id"]: site["name"] for site in inventory["boundary"]["sites"]}
    rows: list[Row] = [
        (
            *(
                "inventory line",
                "what",
                "scope",
                "scope 2 method",
                "category",
                "stage",
                "amount (unit beside it)",
                "unit",
            ),
            *(
                "low",
                "high",
                "evidence",
                "method",
                "site",
                "factors",
                "records",
                "lineage",
                "corporate line",
                "datapoints",
            ),
        )
    ]
    for line in inventory["emissions"]:
        of_total = [
            f"totals.{name}"
            for name, parts in OF_TOTAL.items()
            if not name.startswith("total_")
            and any(all(str(line.get(key)) == value for key, value in part.items()) for part in parts)
        ]
        rows.append(
            (
                *(line["id"], "emissions", str(line["scope"]), line.get("scope2_method")),
                *(line.get("scope3_category") and str(line["scope3_category"]), line["stage"], line["tco2e"], "t CO2e"),
                *(line.get("low"), line.get("high"), line.get("evidence"), line.get("method")),
                *(places.get(line.get("site_id", ""), line.get("site_id")), ", ".join(line.get("factor_ids", []))),
                *(line.get("record_count"), line.get("lineage"), _pointer(inventory, line["id"], of_total)),
                ", ".join(containing.get(line["id"], [])),
            )
        )
    for entry in inventory["energy"]:
        what = f"energy: {entry['carrier']}, {entry['origin']}, {entry['mix']}".replace("_", " ")
        measured = {True: "measured", False: "not measured"}.get(entry.get("measured", ""))
        rows.append(
            (
                *(entry["id"], what, None, None, None, None, entry["mwh"], "MWh", None, None, measured, None),
                *(places.get(entry["site_id"], entry["site_id"]), None, None, None),
                *(_pointer(inventory, entry["id"], ["totals.energy_mwh"]), ", ".join(containing.get(entry["id"], []))),
            )
        )
    return rows


def _pointer(inventory: Inventory, line: str, totals: list[str]) -> str:
    """Name the corporate line of a line: its own, else that of its total."""
    own = of_which(inventory, [line])
    return own if own != "not stated" or not totals else of_which(inventory, [totals[0], line])


def omitted(answered: dict[str, list[Answer]]) -> list[Row]:
    """List every datapoint without a value."""
    rows: list[Row] = [("standard", "datapoint", "name", "why")]
    rows += [
        (standard.name, each.point.code or each.point.other_code, each.point.name, each.reason)
        for standard in STANDARDS
        for each in answered[standard.key]
        if each.value is None
    ]
    return rows


def about(inventory: Inventory) -> list[tuple[str, str]]:
    """Say what the workbook is of."""
    period, boundary, evidence = inventory["period"], inventory["boundary"], inventory["evidence"]
    signed = [f"{each['decision']} by {each['who']} at {each['at']}" for each in evidence["approvals"]]
    return [
        ("organization", inventory["entity"]["name"]),
        ("period", f"{label(inventory)}: {period['start']} to {period['end']}, both days included, UTC"),
        ("status", inventory["status"].replace("_", " ")),
        ("boundary", boundary["description"]),
        ("consolidation", boundary["consolidation"].replace("_", " ")),
        ("decisions", "; ".join(signed) or "none"),
        ("inventory", inventory["id"]),
        ("supersedes", inventory.get("supersedes") or "nothing"),
        ("sha256 of the inventory", evidence.get("sha256") or "not hashed"),
        ("sha256 of the inventory before it", evidence.get("previous_sha256") or "none"),
        ("software", f"Wattledger {evidence['software_version']}"),
        (
            "rounding",
            "none: values are those of the inventory; a cell holds some 15 digits, longer ones are in the note",
        ),
        ("omitted", f"a datapoint without a value says '{OMITTED}...': what is missing is not zero"),
    ]


def label(inventory: Inventory) -> str:
    """Name the period as the inventory does."""
    period = inventory["period"]
    return str(period.get("label") or f"{period['start']} to {period['end']}")


# --- Cells ------------------------------------------------------------------------------------------------------------


def _cover(book: Any, inventory: Inventory, styles: dict[str, Any]) -> None:
    sheet = book.add_worksheet("Cover")
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 32, styles["text"])
    sheet.set_column(1, 1, 96, styles["text"])
    sheet.write_string(0, 0, f"Emissions of AI activities, {label(inventory)}", styles["title"])
    row = 2
    for notice in notices(inventory):
        sheet.merge_range(row, 0, row, 1, notice, styles["notice"])
        row += 1
    row += 1
    for name, text in about(inventory):
        sheet.write_string(row, 0, name, styles["strong"])
        sheet.write_string(row, 1, quoted(text), styles["text"])
        row += 1
    row += 1
    sheet.write_string(row, 0, "sheets", styles["strong"])
    for name in [*(standard.name for standard in STANDARDS), "Sources", "Omitted", *TABLES.values()]:
        sheet.write_url(row, 1, f"internal:'{name}'!A1", string=name)
        row += 1
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)


def _sheet(book: Any, name: str, note: str, rows: Sequence[Row], styles: dict[str, Any]) -> None:
    """Write a table below a line that says what it is; what is not known is an empty cell."""
    sheet = book.add_worksheet(name)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    if note:
        sheet.write_string(0, 0, note)
    top = 2 if note else 0
    sheet.freeze_panes(top + 1, 1)
    sheet.repeat_rows(top)
    head = [str(each) for each in rows[0]]
    widths = [width_of(text, [row[column] for row in rows[1:]]) for column, text in enumerate(head)]
    for column, text in enumerate(head):
        sheet.set_column(column, column, widths[column])
        sheet.write_string(top, column, text, styles["head"])
    sheet.set_row(top, height_of(head, widths))
    for at, row in enumerate(rows[1:], start=top + 1):
        inexact = ""
        sheet.set_row(at, height_of(row, widths))
        for column, value in enumerate(row):
            number = number_of(value, head[column])
            if number is not None:
                sheet.write_number(at, column, float(number), styles["number"])
                if not held(number):
                    inexact = EXACT + decimal_text(number)
            elif value is not None and value != "":
                style = "omitted" if str(value).startswith(OMITTED) else "text"
                sheet.write_string(at, column, quoted(str(value))[:LONGEST_CELL], styles[style])
        if inexact and "note" in head:
            noted = str(row[head.index("note")] or "")
            sheet.write_string(at, head.index("note"), "; ".join(filter(None, (noted, inexact))), styles["text"])


def width_of(head: str, values: Sequence[object]) -> int:
    """Choose a column's width: that of its longest text, within reason."""
    longest = max((len(str(value)) for value in values if value is not None), default=8)
    return min(max(longest + 2, 12, len(head) // 2 + 2), WIDEST)


def height_of(row: Row, widths: Sequence[int]) -> int:
    """Choose a row's height by the lines that its longest text wraps to, within what a program shows."""
    lines = [-(-len(str(value)) * 11 // (10 * width)) for value, width in zip(row, widths, strict=True) if value]
    return LINE_HEIGHT * min(max(lines, default=1), 20)


def number_of(value: object, column: str) -> Decimal | None:
    """Tell the number in a cell; None where it is text or nothing."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if column in NUMBERS and isinstance(value, str):
        try:
            return Decimal(value)
        except InvalidOperation:
            return None
    return None


def held(number: Decimal) -> bool:
    """
    Tell whether a cell, a float, holds a number to its last digit.

    >>> held(Decimal("0.1")), held(Decimal("123456789.123456789"))
    (True, False)
    """
    return Decimal(repr(float(number))) == number


def quoted(text: str) -> str:
    """
    Quote text that a spreadsheet would take for a formula once it is typed anew.

    >>> quoted("=1+1"), quoted("no"), quoted("-1.5")
    ("'=1+1", 'no', "'-1.5")
    """
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
