"""What a change of names or of coverage would do to figures, seen on recent days before anything is changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import pandas as pd
from django.db import connection

from core.accounting.columns import ENERGY_FACILITY
from core.accounting.derive import Derived
from core.accounting.models import View
from core.accounting.rows import hour_cells
from core.accounting.rules import Rules
from core.accounting.selectors.attribution import IN_TOTAL
from core.accounting.selectors.on_read import derived_on_read
from core.accounting.selectors.rules import rules_of
from core.accounting.selectors.views import current_view
from core.organizations.tenancy import organization_scope
from core.quantification.attribute import OwnAlias
from core.quantification.coverage import CROSS_CHECK, Link

DAYS: Final = 30
CELLS_AT_MOST: Final = 100_000
"""More than these are not derived while somebody waits: fewer days are looked at then."""
NEW_UNIT: Final = 2**31 - 1
"""The id of a coverage unit that is not made yet."""


@dataclass(frozen=True)
class RulesEffect:
    """
    Figures of the series concerned, over some days, before and after a change.

    Args:
        from_day, to_day: UTC, both included.
        records: of these series on these days.
        before_kg_co2e, after_kg_co2e: counted, location-based with upstream and embodied.
        before_without_figure, after_without_figure: counted records whose energy is not known.
        displaced_kg_co2e: that would become a cross-check by the change; below 0: that would count again.
    """

    from_day: date
    to_day: date
    records: int
    before_kg_co2e: float
    after_kg_co2e: float
    before_without_figure: int
    after_without_figure: int
    displaced_kg_co2e: float

    @property
    def change_kg_co2e(self) -> float:
        """Give what the change adds to the total."""
        return self.after_kg_co2e - self.before_kg_co2e


@dataclass(frozen=True)
class _Sums:
    kg: float
    cross_check_kg: float
    records: int
    without_figure: int


def alias_effect(organization_id: int, alias: OwnAlias) -> RulesEffect | None:
    """See what a name would change on the latest 30 days that report it; None where nothing does."""
    with organization_scope(organization_id):
        rules = rules_of(organization_id)
        others = [
            each
            for each in rules.aliases
            if (each.kind, each.reported.casefold(), each.valid_from)
            != (alias.kind, alias.reported.casefold(), alias.valid_from)
        ]
        with connection.cursor() as cursor:
            cursor.execute(
                f"select id, {alias.kind} from ledger_series where organization_id = %s and {alias.kind} is not null",
                [organization_id],
            )
            found = [series_id for series_id, name in cursor.fetchall() if name.casefold() == alias.reported.casefold()]
        return _effect(organization_id, rules, replace(rules, aliases=(*others, alias)), found)


def links_effect(organization_id: int, links: Sequence[Link]) -> RulesEffect | None:
    """
    See what linking sources to a unit would change on the latest 30 days on which all of them have figures.

    Args:
        links: to be made, in place of those of the same source and account; ``NEW_UNIT`` for a unit that is not made yet.
    """
    with organization_scope(organization_id):
        before = rules_of(organization_id)
        own = {(link.source_id, link.account) for link in links}
        kept = [link for link in before.links if (link.source_id, link.account) not in own]
        after = rules_of(organization_id, links=(*kept, *links))
        units = {link.unit_id for link in links}
        sources = {link.source_id for link in links}
        linked = sources | {link.source_id for link in kept if link.unit_id in units and link.unit_id is not None}
        with connection.cursor() as cursor:
            cursor.execute(
                "select id, source_id from ledger_series where organization_id = %s and source_id = any(%s)",
                [organization_id, sorted(linked)],
            )
            of_source: dict[int, list[int]] = {}
            for series_id, source_id in cursor.fetchall():
                of_source.setdefault(source_id, []).append(series_id)
        groups = [of_source.get(source_id, []) for source_id in sorted(sources)]
        return _effect(organization_id, before, after, [each for own in of_source.values() for each in own], groups)


def _effect(
    organization_id: int, before: Rules, after: Rules, series_ids: list[int], groups: Sequence[list[int]] = ()
) -> RulesEffect | None:
    """Derive the cells of some series twice; the days end with the latest on which every group has some."""
    view = current_view(organization_id)
    days = None if view is None else _days(organization_id, view.id, groups or [series_ids])
    if view is None or days is None:
        return None
    rows = _cells(organization_id, series_ids, *days)
    if rows.empty:
        return None
    was, will = (_sums(_derived(organization_id, view, rows, rules)) for rules in (before, after))
    return RulesEffect(
        from_day=_day(rows["day"].min()),
        to_day=days[1],
        records=int(rows["records"].sum()),
        before_kg_co2e=was.kg,
        after_kg_co2e=will.kg,
        before_without_figure=was.without_figure,
        after_without_figure=will.without_figure,
        displaced_kg_co2e=will.cross_check_kg - was.cross_check_kg,
    )


def _days(organization_id: int, view_id: int, groups: Sequence[Collection[int]]) -> tuple[date, date] | None:
    """Choose 30 days that end with the latest on which each group of series has figures."""
    latest = []
    for group in groups:
        with connection.cursor() as cursor:
            cursor.execute(
                "select max(d.day) from accounting_daily d join accounting_resolved_series r"
                " on r.organization_id = d.organization_id and r.id = d.resolved_id"
                " where d.organization_id = %s and d.view_id = %s and r.series_id = any(%s)",
                [organization_id, view_id, list(group)],
            )
            latest.append(cursor.fetchone()[0])
    if not latest or None in latest:
        return None
    return min(latest) - timedelta(days=DAYS - 1), min(latest)


def _cells(organization_id: int, series_ids: list[int], from_day: date, to_day: date) -> pd.DataFrame:
    """Read whole days of cells, fewer than asked for where they are too many."""
    ends_at = datetime.combine(to_day + timedelta(days=1), time(), UTC)
    with connection.cursor() as cursor:
        cursor.execute(
            "select (hour at time zone 'UTC')::date, count(*) from ledger_cell"
            " where organization_id = %s and hour >= %s and hour < %s and series_id = any(%s) group by 1 order by 1 desc",
            [organization_id, datetime.combine(from_day, time(), UTC), ends_at, series_ids],
        )
        first, cells = to_day, 0
        for day, count in cursor.fetchall():
            cells += count
            if cells > CELLS_AT_MOST and day != to_day:
                break
            first = day
    rows = hour_cells(organization_id, datetime.combine(first, time(), UTC), ends_at, series_ids)
    return rows.assign(day=rows["hour"] // 24)


def _derived(organization_id: int, view: View, rows: pd.DataFrame, rules: Rules) -> Derived:
    return derived_on_read(organization_id, view, rows, rules, whole=True)


def _sums(derived: Derived) -> _Sums:
    rows = derived.rows
    check = (derived.resolved["role"].to_numpy() == CROSS_CHECK)[rows["resolved"].to_numpy()]
    kg = sum(rows[impact.column].fillna(0).to_numpy(dtype=float) / impact.per_unit for impact in IN_TOTAL)
    records = rows["records"].to_numpy(dtype="int64")
    unknown = rows[ENERGY_FACILITY.column].isna().to_numpy(dtype=bool)
    figures: Any = kg
    return _Sums(
        kg=float(figures[~check].sum()),
        cross_check_kg=float(figures[check].sum()),
        records=int(records[~check].sum()),
        without_figure=int(records[~check & unknown].sum()),
    )


def _day(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=int(number))
