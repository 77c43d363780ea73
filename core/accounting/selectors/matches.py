"""What reported names were taken for, how sure that is, and how much rests on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from core.accounting.columns import ENERGY_FACILITY, LOCATION
from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.selectors.conditions import conditions, folded_teams_of, unfolded
from core.catalog.models import AliasKind
from core.catalog.selectors import aliases
from core.organizations.tenancy import organization_scope
from core.quantification.activity import MASK_BITS
from core.quantification.attribute import OwnAlias
from core.quantification.matching import KINDS, Match, match_name
from core.quantification.pack import FactorPack
from core.quantification.resolve import Catalog, catalog_of

LOOK_AT: Final = ("none", "guess")
"""How sure a match is that somebody should look at, the worst first."""

_NEEDS_NO_PLACE: Final = ("cost", "reported_kg_co2e")
"""Measures that become kilograms without electricity: what has nothing else needs no grid."""

_ORDER: Final = {"none": 0, "guess": 1, "sure": 2, "exact": 3}


@dataclass(frozen=True)
class NameMatch:
    """
    A reported name and what it was taken for.

    Attributes:
        kind: model, hardware, instance_type, region or zone.
        reported: None where a series says neither region nor zone.
        matched_to: by the catalog's name; None: not known.
        by: how, a key of `core.quantification.matching.CONFIDENCE`.
        confidence: exact, sure, guess or none.
        records, energy_kwh, location_kg_co2e: of the period; None where nothing could be calculated.
        without_figure: records whose energy is not known.
        series: how many distinct series report it.
    """

    kind: str
    reported: str | None
    provider: str | None
    matched_to: str | None
    by: str
    confidence: str
    records: int
    without_figure: int
    energy_kwh: float | None
    location_kg_co2e: float | None
    series: int

    @property
    def takes_alias(self) -> bool:
        """Say whether an alias can set it right."""
        return self.reported is not None and self.kind in AliasKind.values

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        names = ("kind", "reported", "provider", "matched_to", "by", "confidence", "records", "without_figure")
        return {name: getattr(self, name) for name in (*names, "energy_kwh", "location_kg_co2e", "series")}


def name_matches(organization_id: int, view: View, pack: FactorPack, asked: Filter) -> list[NameMatch]:
    """
    List the names that counted series of a period report, the least sure first, then by the records that have no figure.

    Args:
        pack: of the view's factor set.
        asked: period and dimensions.
    """
    with organization_scope(organization_id):
        own = {
            (alias.kind, alias.reported.casefold()): alias
            for alias in aliases(organization_id)
            if _in_force(alias, asked)
        }
        where, values = conditions(organization_id, unfolded(asked, folded_teams_of(organization_id)))
        rows = [
            (kind, row)
            for kind in KINDS
            for row in _reported(kind, where, [organization_id, view.id, asked.from_day, asked.to_day, *values])
        ]
    catalog = catalog_of(pack)
    found = [_matched(kind, row, catalog, own) for kind, row in rows]
    return sorted(found, key=_urgency)


def _urgency(each: NameMatch) -> tuple[int, int, int, str, str]:
    return _ORDER[each.confidence], -each.without_figure, -each.records, each.kind, each.reported or ""


def _in_force(alias: OwnAlias, asked: Filter) -> bool:
    """Say whether an alias holds on some day of the period; of several the one that began last wins, as in derive."""
    begins = alias.valid_from is None or alias.valid_from <= asked.to_day
    return begins and (alias.valid_to is None or alias.valid_to > asked.from_day)


def _reported(kind: str, where: str, values: list[Any]) -> list[tuple[Any, ...]]:
    """
    Add up rows by the reported name and what its meaning depends on; for zones also those that report no place.

    A place is missed only where energy is known, or a measure is there that energy could follow from.
    """
    said = f"s.{kind} is not null"
    if kind == "zone":
        physical = sum(1 << bit for name, bit in MASK_BITS.items() if name not in _NEEDS_NO_PLACE)
        needed = f"s.mask & {physical} <> 0 or d.{ENERGY_FACILITY.column} is not null"
        said = f"{said} or s.region is null and ({needed})"
    with connection.cursor() as cursor:
        cursor.execute(
            f"select s.{kind}, s.provider, s.hosting, sum(d.records)::bigint,"
            f" coalesce(sum(d.records) filter (where d.{ENERGY_FACILITY.column} is null), 0)::bigint,"
            f" sum(d.{ENERGY_FACILITY.column})::float8 / {ENERGY_FACILITY.per_unit},"
            f" sum(d.{LOCATION.column})::float8 / {LOCATION.per_unit}, count(distinct s.id)"
            " from accounting_daily d"
            " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
            " join ledger_series s on s.organization_id = d.organization_id and s.id = r.series_id"
            " where d.organization_id = %s and d.view_id = %s and d.day >= %s and d.day <= %s"
            f" and {where} and ({said}) group by 1, 2, 3",
            values,
        )
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _matched(kind: str, row: tuple[Any, ...], catalog: Catalog, own: dict[tuple[str, str], OwnAlias]) -> NameMatch:
    reported, provider, hosting, records, without_figure, kwh, kg, series = row
    alias = own.get((kind, reported.casefold())) if reported is not None else None
    meant = reported if alias is None else alias.resolves_to
    provider_alias = own.get(("provider", provider.casefold())) if provider is not None else None
    meant_provider = provider if provider_alias is None else provider_alias.resolves_to
    match = match_name(catalog, kind, meant, provider=meant_provider, hosting=hosting)
    if alias is not None and match.matched_to is not None:
        match = Match(kind, match.matched_to, "own_alias")
    return NameMatch(
        kind=kind,
        reported=reported,
        provider=provider,
        matched_to=match.matched_to,
        by=match.by,
        confidence=match.confidence,
        records=records,
        without_figure=without_figure,
        energy_kwh=kwh,
        location_kg_co2e=kg,
        series=series,
    )
