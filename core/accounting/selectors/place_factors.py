"""The factors that a period's electricity was weighed by, place by place: grid, PUE, WUE, each with its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import connection

from core.accounting.columns import ENERGY_FACILITY
from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.selectors.conditions import conditions, folded_teams_of, unfolded
from core.accounting.selectors.emissions import rows_table
from core.organizations.tenancy import organization_scope

PLACE: Final = ("provider", "region", "zone", "site")
NAMES: Final = ("grid_location", "pue", "wue")
OF_THE_REGISTER: Final = "register:"

Place = tuple[str | None, ...]


@dataclass(frozen=True)
class PlaceFactor:
    """
    One factor of a place.

    Args:
        name: of ``NAMES``.
        id, source: of its row.
        value, low, high: in `unit`.
        match: how well it fits, of `core.quantification.factor.MATCHES`.
        energy_kwh: facility energy that it is about.
    """

    name: str
    id: str
    value: float
    low: float
    high: float
    unit: str
    source: str
    match: str
    energy_kwh: float

    @property
    def disclosed(self) -> bool:
        """Tell whether somebody said it of this place; a default of the methodology was said of none."""
        return self.match != "default" or self.id.startswith(OF_THE_REGISTER)


def place_factors(organization_id: int, view: View, asked: Filter) -> dict[Place, list[PlaceFactor]]:
    """
    List the factors of each place that has activity, those of most energy first.

    Args:
        view: whose plans count.
        asked: period and dimensions; grouping, basis and booking do not matter here.

    Returns:
        By provider, region, zone and site; None where nobody named one.
    """
    table, day = rows_table(asked)
    place = ", ".join(f"r.{name}" for name in PLACE)
    with organization_scope(organization_id):
        where, values = conditions(organization_id, unfolded(asked, folded_teams_of(organization_id)))
        with connection.cursor() as cursor:
            cursor.execute(
                f"with sums as (select {place}, r.plan_id, coalesce(sum(d.{ENERGY_FACILITY.column}), 0)::float8"
                f" / {ENERGY_FACILITY.per_unit} as kwh from {table} d"
                " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
                f" where d.organization_id = %s and d.view_id = %s and d.{day} >= %s and d.{day} <= %s and {where}"
                " group by 1, 2, 3, 4, 5)"
                " select s.provider, s.region, s.zone, s.site, e->>'name', e->>'id', (e->>'value')::float8,"
                " (e->>'low')::float8, (e->>'high')::float8, e->>'unit', e->>'source', e->>'match', sum(s.kwh)"
                " from sums s join accounting_plan p on p.organization_id = %s and p.id = s.plan_id"
                " cross join lateral jsonb_array_elements(p.factors) e where e->>'name' = any(%s)"
                " group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 order by sum(s.kwh) desc, 6",
                [organization_id, view.id, asked.from_day, asked.to_day, *values, organization_id, list(NAMES)],
            )
            rows = cursor.fetchall()
    found: dict[Place, list[PlaceFactor]] = {}
    for row in rows:
        found.setdefault(tuple(row[: len(PLACE)]), []).append(PlaceFactor(*row[len(PLACE) :]))
    return found
