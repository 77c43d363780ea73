"""What the parts of a printed inventory share: tables of text, sums of lines and their ranges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from reporting import figures
from reporting.disclosures import Inventory
from reporting.disclosures.csv_tables import decimal_text
from reporting.disclosures.datapoint_map import NOT_STATED, of_which
from reporting.templatetags.figures import printed

Line = Mapping[str, Any]
Range = tuple[Decimal, Decimal]
NO_RANGE: Final = "–"


def table(labels: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Iterable[int] = ()) -> dict[str, Any]:
    """Lay a table out for `listing`; ``numbers`` are the columns that stand to the right."""
    right = frozenset(numbers)
    return {
        "columns": [{"label": label, "number": at in right} for at, label in enumerate(labels)],
        "rows": [list(row) for row in rows],
    }


def sum_of(lines: Iterable[Line]) -> Decimal:
    """Add lines up. [t CO2e]"""
    return sum((Decimal(line["tco2e"]) for line in lines), Decimal(0))


def range_of(lines: Iterable[Line]) -> Range | None:
    """Add the ends of the lines' ranges up; None where one of them has no range, or there is no line."""
    low, high, any_line = Decimal(0), Decimal(0), False
    for line in lines:
        if line.get("low") is None or line.get("high") is None:
            return None
        low, high, any_line = low + Decimal(line["low"]), high + Decimal(line["high"]), True
    return (low, high) if any_line else None


def said(value: Decimal) -> str:
    """Print an amount as every table of the report does."""
    return printed(decimal_text(value))


def range_said(found: Range | None) -> str:
    """Print a range, or that there is none."""
    return f"{said(found[0])}{figures.DASH}{said(found[1])}" if found else NO_RANGE


def lines_by(lines: Iterable[Line], key: Callable[[Line], Any]) -> dict[Any, list[Line]]:
    """Sort lines into groups, in the order in which they come."""
    found: dict[Any, list[Line]] = defaultdict(list)
    for line in lines:
        found[key(line)].append(line)
    return dict(found)


def counted_once(inventory: Inventory) -> list[Line]:
    """List the lines of the location-based total: each activity once."""
    return [line for line in inventory["emissions"] if line.get("scope2_method") != "market"]


def pointer_said(inventory: Inventory, names: list[str]) -> str:
    """Name the line of the entity's own inventory that contains a figure."""
    found = of_which(inventory, names)
    return _("not stated") if found == NOT_STATED else found


def day_said(day: str) -> str:
    """
    Write a day of the document in words.

    >>> day_said("2026-09-30")
    '30 September 2026'
    """
    return date_format(date.fromisoformat(day), "j. F Y" if get_language() == "de" else "j F Y")


def moment_said(moment: str) -> str:
    """Write a moment of the document in words, to the minute, in UTC."""
    at = datetime.fromisoformat(moment)
    return f"{day_said(at.date().isoformat())}, {at:%H:%M} UTC"


def share_said(part: Decimal, whole: Decimal) -> str:
    """Print a share of a whole."""
    return figures.percent(float(part / whole)) if whole else NO_RANGE
