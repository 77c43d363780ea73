"""Tables as downloads: CSV, and XLSX with a sheet that says what the figures are of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import pandas as pd
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from core.accounting.selectors import watermark
from reporting.disclosures.csv_tables import written
from reporting.exports import values, xlsx_bytes
from reporting.pages.asked import view_of
from reporting.query import Query

TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
CHOSEN_ELSEWHERE: Final = ("period", "from", "to", "cmp", "basis", "booking", "include", "as_of", "mass")


def file_asked(request: HttpRequest) -> str:
    """Name the kind of file that the address asks for in place of the page; "" for none."""
    wanted = request.GET.get("format", "")
    return wanted if wanted in TYPES else ""


def period_file(request: HttpRequest, table: pd.DataFrame, name: str, query: Query) -> HttpResponse:
    """Answer a table as a download, named after what it is and its period."""
    return table_file(request, table, f"{name}_{query.filter.from_day}_{query.filter.to_day}", query)


def table_file(request: HttpRequest, table: pd.DataFrame, name: str, query: Query | None = None) -> HttpResponse:
    """Answer a table as a download of a name without its ending."""
    columns = [values(table[column]) for column in table.columns]
    return lines_file(request, [list(table.columns), *(list(row) for row in zip(*columns, strict=True))], name, query)


def lines_file(
    request: HttpRequest, lines: Iterable[Sequence[object]], name: str, query: Query | None = None
) -> HttpResponse:
    """Answer lines, the header first, as the download that the address asks for: CSV where it asks for none."""
    kind = file_asked(request) or "csv"
    body = xlsx_bytes(lines, about(request, name, query)) if kind == "xlsx" else written(map(list, lines))
    response = HttpResponse(body, content_type=TYPES[kind])
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return response


def about(request: HttpRequest, name: str, query: Query | None) -> list[tuple[str, str]]:
    """Say what a table is of: organization, period, filters, what is counted, as of when, by which factors and method."""
    view = view_of(request)
    said = [(_("Organization"), request.organization.name), (_("Table"), name)]  # type: ignore[attr-defined]
    if query is not None:
        said += filters_of(query)
    pinned = query.pinned if query else None
    at = pinned["at"] if pinned and not pinned["gone"] else watermark(request.identity.organization_id)  # type: ignore[attr-defined]
    said += [
        (_("Figures as of"), stamp(at)),
        (_("Factor set"), view.factor_set.name if view else ""),
        (_("Methodology"), view.methodology if view else ""),
        (_("Address"), settings.BASE_URL + request.get_full_path()),
        (_("Written at"), stamp(datetime.now(UTC))),
    ]
    return said


def filters_of(query: Query) -> list[tuple[str, str]]:
    """Say what a query chooses, in the words of its address."""
    asked = query.filter
    said = [
        (_("Period"), _("{first} to {last}, UTC").format(first=asked.from_day, last=asked.to_day)),
        (_("Basis"), asked.basis),
        (_("Booking"), asked.booking),
        (_("Parts"), ", ".join(asked.include) or _("none")),
    ]
    if query.comparison is not None:
        first, last = query.comparison.from_day, query.comparison.to_day
        said.insert(1, (_("Compared with"), _("{first} to {last}, UTC").format(first=first, last=last)))
    return said + [(name, ", ".join(chosen)) for name, chosen in query.params.items() if name not in CHOSEN_ELSEWHERE]


def stamp(moment: datetime | None) -> str:
    """Write a time as RFC 3339 in UTC."""
    return "" if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
