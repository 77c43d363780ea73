"""Two factor sets side by side: what changed, and what of one's own figures rests on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.accounting.selectors import FactorUse, current_view, factor_uses
from core.factors import selectors
from core.factors.models import FactorSet
from core.organizations.access import requires
from core.organizations.policy import Action
from core.organizations.tenancy import organization_scope
from core.quantification.factor_differences import RowChange, TableDifference, difference_of
from core.quantification.factor_tables import TABLES, row_id
from core.quantification.pack import FILE, Row
from reporting import figures
from reporting.factor_query import read_factor_query
from reporting.pages.asked import period_name, today
from reporting.pages.files import file_asked, lines_file

MOST_ROWS: Final = 100


@dataclass(frozen=True)
class Changed:
    """A changed row with what of the period rests on its old value, and by how much its largest change would move that."""

    table: str
    change: RowChange
    use: FactorUse | None

    @property
    def effect_kg(self) -> float | None:
        """Return kg x percent: what the period would change by if nothing else did; None where nothing rests on the row."""
        if self.use is None or self.use.kg_co2e is None:
            return None
        percents = [value.percent for value in self.change.values if value.percent is not None]
        return self.use.kg_co2e * max(percents, key=abs) / 100.0 if percents else None


@require_safe
@requires(Action.SEE_OWN_TEAM)
def factor_diff(request: HttpRequest) -> HttpResponse:
    """Compare two sets: summary by table, then changed values, those that move the own figures most first."""
    identity = request.identity  # type: ignore[attr-defined]
    with organization_scope(identity.organization_id):
        view = current_view(identity.organization_id)
    sets = list(selectors.factor_sets())
    first, second, errors = _chosen(request, sets, view.factor_set if view else None)
    context: dict[str, Any] = {
        "title": _("Compare factor sets"),
        "sets": sets,
        "first": first,
        "second": second,
        "query_errors": errors,
    }
    if first is None or second is None or first.id == second.id:
        return render(request, "reporting/factor_diff.html", context)
    differences = difference_of(selectors.pack_of(first.content_hash), selectors.pack_of(second.content_hash))
    if file_asked(request):
        return _file(request, differences, first, second)
    query = read_factor_query(
        request.GET,
        identity=identity,
        today=today(),
        fiscal_start=request.organization.fiscal_year_start_month,  # type: ignore[attr-defined]
    )
    uses = factor_uses(identity.organization_id, view, query.period) if view and view.factor_set_id == first.id else {}
    changed = _ranked(differences, uses)
    scale = figures.scale_for("mass", [each.effect_kg for each in changed])
    return render(
        request,
        "reporting/factor_diff.html",
        {
            **context,
            "period": period_name(query.period, query.label),
            "differences": [
                {"difference": each, "about": TABLES[each.table].about if each.table in TABLES else ""}
                for each in differences
            ],
            "changed": [_listed(each, scale) for each in changed[:MOST_ROWS]],
            "all_changed": len(changed),
            "unit": scale.unit,
            "measured": bool(uses),
            "rows": [
                {"table": each.table, "added": _few(each.added), "removed": _few(each.removed), "difference": each}
                for each in differences
                if each.added or each.removed
            ],
            "csv": f"?a={first.content_hash}&b={second.content_hash}&format=csv",
            "swap": f"?a={second.content_hash}&b={first.content_hash}",
        },
    )


def _chosen(
    request: HttpRequest, sets: list[FactorSet], in_use: FactorSet | None
) -> tuple[FactorSet | None, FactorSet | None, list[str]]:
    """Read the two sets; default: the one in use against the newest other."""
    errors: list[str] = []

    def of(key: str, default: FactorSet | None) -> FactorSet | None:
        name = request.GET.get(key, "").replace("\0", "")
        if not name:
            return default
        try:
            return selectors.factor_set_of(name)
        except selectors.NoFactorSet as error:
            errors.append(str(error))
            return default

    first = of("a", in_use or (sets[-1] if sets else None))
    others = [each for each in sets if first is not None and each.id != first.id]
    return first, of("b", others[0] if others else None), errors


def _ranked(differences: list[TableDifference], uses: Mapping[str, FactorUse]) -> list[Changed]:
    """Rank changed rows by their effect on own figures, then by how much they changed."""
    changed = [
        Changed(each.table, change, uses.get(row_id(change.old_row) or ""))
        for each in differences
        for change in each.changed
    ]
    return sorted(changed, key=lambda each: (-abs(each.effect_kg or 0.0), -each.change.largest_percent, each.table))


def _listed(each: Changed, scale: figures.Scale) -> dict[str, Any]:
    return {
        "table": each.table,
        "key": " ".join(each.change.key.values()),
        "values": [
            {
                "column": value.column,
                "old": value.old or "–",
                "new": value.new or "–",
                "percent": None if value.percent is None else figures.percent(value.percent / 100.0, sign=True),
            }
            for value in each.change.values
        ],
        "effect": figures.number(each.effect_kg, scale, sign=True) if each.effect_kg is not None else "",
        "editions": [each.change.old_row[FILE], each.change.new_row[FILE]],
    }


def _few(rows: tuple[Row, ...]) -> list[str]:
    """Name the first rows by what they are about."""
    return [" ".join(value for value in _subject(row) if value) for row in rows[:20]]


def _subject(row: Row) -> list[str]:
    table = TABLES.get(row[FILE].partition("--")[0])
    columns = (table.choice or table.key) if table else tuple(row)[:3]
    return [row.get(column, "") for column in columns if column != "dataset"]


def _file(
    request: HttpRequest, differences: list[TableDifference], first: FactorSet, second: FactorSet
) -> HttpResponse:
    """Write every difference: one line for each changed column, one for each row that only one set has."""
    lines: list[list[object]] = [
        ["table", "what", "key", "column", "old", "new", "percent", "old_edition", "new_edition"]
    ]
    for each in differences:
        for change in each.changed:
            key = " ".join(change.key.values())
            editions = [change.old_row[FILE], change.new_row[FILE]]
            lines.extend(
                [each.table, "changed", key, value.column, value.old, value.new, value.percent, *editions]
                for value in change.values
            )
        lines += [
            [each.table, "removed", " ".join(_subject(row)), "", "", "", "", row[FILE], ""] for row in each.removed
        ]
        lines += [[each.table, "added", " ".join(_subject(row)), "", "", "", "", "", row[FILE]] for row in each.added]
    return lines_file(request, lines, f"factors_{first.content_hash[7:15]}_{second.content_hash[7:15]}")
