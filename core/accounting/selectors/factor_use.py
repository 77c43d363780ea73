"""What rests on each factor: kWh and kg of a period, from the plans that its rows were derived by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db import connection

from core.accounting.columns import EMBODIED, ENERGY_FACILITY, LOCATION, UPSTREAM
from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.selectors.conditions import conditions, folded_teams_of, unfolded
from core.organizations.tenancy import organization_scope
from core.quantification.factor_tables import rows_of_factor

_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "grid_location": ("location",),
    "grid_upstream": ("upstream",),
    "grid_losses": ("upstream",),
    "grid_market": ("market",),
    "embodied": ("embodied",),
    **dict.fromkeys(("wue", "grid_water", "primary_energy", "adpe"), ()),
}
"""What a factor takes part in, by what it is used as; all others (power, PUE, tokens) in electricity and its upstream."""

_ELECTRICITY: Final = ("location", "upstream")


@dataclass(frozen=True)
class FactorUse:
    """
    What a factor took part in.

    Attributes:
        names: what it was used as, of `core.quantification.factor.NAMES`.
        kg_co2e: emissions that it is a multiplicand of: location-based, upstream and embodied; market-based only where it
            is used for nothing else. Factors multiply each other, so these do not add up to a total. None where the factor
            is about water or resources, or nothing was calculated.
        energy_kwh: facility energy of the same rows.
    """

    names: tuple[str, ...]
    kg_co2e: float | None
    energy_kwh: float | None
    records: int


def factor_uses(organization_id: int, view: View, asked: Filter) -> dict[str, FactorUse]:
    """
    Add up what rests on each factor.

    Args:
        view: whose plans count.
        asked: period and dimensions; grouping, basis and booking do not matter here.

    Returns:
        By the row's id, see `core.quantification.factor_tables.row_id`; constants of the methodology by the factor's. A factor
        made of two rows (lifecycle less direct) is under both.
    """
    with organization_scope(organization_id):
        where, values = conditions(organization_id, unfolded(asked, folded_teams_of(organization_id)))
        with connection.cursor() as cursor:
            cursor.execute(
                "with sums as (select r.plan_id, sum(d.records)::bigint as records,"
                f" sum(d.{ENERGY_FACILITY.column})::float8 / {ENERGY_FACILITY.per_unit} as kwh,"
                f" sum(d.{LOCATION.column})::float8 / {LOCATION.per_unit} as location,"
                f" sum(d.{UPSTREAM.column})::float8 / {UPSTREAM.per_unit} as upstream,"
                f" sum(d.{EMBODIED.column})::float8 / {EMBODIED.per_unit} as embodied"
                " from accounting_daily d"
                " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
                " where d.organization_id = %s and d.view_id = %s and d.day >= %s and d.day <= %s"
                f" and {where} group by 1)"
                " select f.id, f.name, sum(s.records)::bigint, sum(s.kwh), sum(s.location), sum(s.upstream),"
                " sum(s.embodied), sum(s.kwh * f.value / 1000)"
                " from sums s join accounting_plan p on p.organization_id = %s and p.id = s.plan_id"
                " cross join lateral (select e->>'id' as id, e->>'name' as name, max((e->>'value')::float8) as value"
                " from jsonb_array_elements(p.factors) e group by 1, 2) f group by 1, 2",
                [organization_id, view.id, asked.from_day, asked.to_day, *values, organization_id],
            )
            rows = cursor.fetchall()
    found: dict[str, list[_Use]] = {}
    for factor_id, name, records, kwh, location, upstream, embodied, market in rows:
        parts = {"location": location, "upstream": upstream, "embodied": embodied, "market": market}
        used = {part: parts[part] for part in _PARTS.get(name, _ELECTRICITY) if parts[part] is not None}
        for one in rows_of_factor(factor_id, name):
            found.setdefault(one, []).append(_Use(name, records, kwh, used))
    return {factor_id: _together(uses) for factor_id, uses in found.items()}


@dataclass(frozen=True)
class _Use:
    """One factor used as one thing: kg by part."""

    name: str
    records: int
    energy_kwh: float | None
    kg: Mapping[str, float]


def _together(uses: list[_Use]) -> FactorUse:
    """Join what a factor was used as: the same kWh lie under each, so of a part the largest counts, once."""
    largest: dict[str, float] = {}
    for use in uses:
        for part, kg in use.kg.items():
            largest[part] = max(kg, largest.get(part, kg))
    total = sum(kg for part, kg in largest.items() if part != "market" or len(largest) == 1)
    energies = [use.energy_kwh for use in uses if use.energy_kwh is not None]
    return FactorUse(
        names=tuple(sorted(use.name for use in uses)),
        kg_co2e=total if largest else None,
        energy_kwh=max(energies) if energies else None,
        records=max(use.records for use in uses),
    )
