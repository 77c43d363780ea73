"""The business figures that stand, what they replaced, and the units that an organization has given itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date

from django.db.models import Exists, OuterRef, Q, QuerySet

from core.accounting.figures import Filter, Period
from core.accounting.selectors import emissions
from core.accounting.selectors.conditions import folded_teams_of
from core.accounting.small_groups import SMALL_GROUPS
from core.organizations.tenancy import organization_scope
from reporting.intensities.denominators import Figure, Key
from reporting.intensities.units import BUILT_IN, REVENUE, STANDARD, FunctionalUnit, functional_unit, revenue_unit
from reporting.models import DenominatorFigure


def figures(
    organization_id: int, *, replaced: bool = False, allowed: Mapping[str, tuple[str, ...]] | None = None
) -> QuerySet[DenominatorFigure]:
    """
    List figures, the newest period first.

    Args:
        replaced: also those that a later one took the place of, and withdrawals.
        allowed: what narrows the asker's view: only figures of exactly that team or project are theirs to see.
    """
    rows = DenominatorFigure.objects.filter(organization_id=organization_id)
    if not replaced:
        later = DenominatorFigure.objects.filter(organization_id=organization_id, replaces=OuterRef("pk"))
        rows = rows.filter(~Exists(later), value_in_units__isnull=False)
    if allowed:
        own = Q(pk__in=())
        for name, values in allowed.items():
            own |= Q(**{f"{name}__in": [value for value in values if value]})
        rows = rows.filter(own)
    return rows.order_by("-from_day", "series", "currency", "team", "project", "application", "-id")


def standing(organization_id: int, series: Iterable[str]) -> dict[tuple[Key, date, date], DenominatorFigure]:
    """Read the latest row of every figure of some series, withdrawn ones included, by what it is about and its days."""
    later = DenominatorFigure.objects.filter(organization_id=organization_id, replaces=OuterRef("pk"))
    rows = DenominatorFigure.objects.filter(~Exists(later), organization_id=organization_id, series__in=set(series))
    return {(key_of(row), row.from_day, row.to_day): row for row in rows}


def series_figures(organization_id: int, unit: FunctionalUnit, first: date, last: date) -> dict[Key, list[Figure]]:
    """Read the figures of a unit that touch a period (both days inclusive), by what they are narrowed to."""
    rows = figures(organization_id).filter(
        series=unit.series, currency=unit.currency, from_day__lte=last, to_day__gte=first
    )
    found: dict[Key, list[Figure]] = defaultdict(list)
    for row in rows:
        if row.value_in_units is not None:
            found[key_of(row)].append(Figure(row.from_day, row.to_day, row.value_in_units))
    return dict(found)


def key_of(row: DenominatorFigure) -> Key:
    """Say which series a row belongs to."""
    return Key(row.series, row.currency, row.team, row.project, row.application)


def without_records(organization_id: int, rows: Iterable[DenominatorFigure]) -> list[tuple[str, str, Period]]:
    """
    Find the teams, projects and applications of figures that no record of these figures' days has.

    Returns:
        dimension, name, and the days of all of its figures.
    """
    spans: dict[str, dict[str, Period]] = defaultdict(dict)
    for row in rows:
        key = key_of(row)
        if key.level and row.value_in_units is not None:
            before = spans[key.level].get(key.narrowed_to, Period(row.from_day, row.to_day))
            spans[key.level][key.narrowed_to] = Period(
                min(before.from_day, row.from_day), max(before.to_day, row.to_day)
            )
    with organization_scope(organization_id):
        folded = folded_teams_of(organization_id)
    found = []
    for level, names in spans.items():
        for period in dict.fromkeys(names.values()):
            asked = Filter(period.from_day, period.to_day, by=(level,))
            there = set(emissions(organization_id, asked, bounds=False).rows[level])
            members = there | folded if level == "team" and SMALL_GROUPS in there else there
            found += [(level, name, period) for name, own in names.items() if own == period and name not in members]
    return found


def own_units(organization_id: int) -> list[tuple[str, str]]:
    """List the units that the organization has named itself: name and what one is."""
    rows = figures(organization_id).exclude(series__in=STANDARD).order_by("series")
    return list(dict(rows.values_list("series", "unit_text")).items())


def unit_named(organization_id: int, name: str) -> FunctionalUnit:
    """Find a functional unit. Raises UnknownUnit, a ValueError that lists which there are."""
    return BUILT_IN[name] if name in BUILT_IN else functional_unit(name, own_units(organization_id))


def units(organization_id: int) -> list[FunctionalUnit]:
    """List the units that a page offers: those of records, runs and every series that has a figure."""
    rows = figures(organization_id).order_by("series", "currency").values_list("series", "currency", "unit_text")
    present = {(series, currency): text for series, currency, text in rows}
    offered = [unit for unit in BUILT_IN.values() if not unit.series or (unit.series, "") in present]
    offered += [revenue_unit(currency) for series, currency in present if series == REVENUE]
    own = [(series, text) for (series, _), text in present.items() if series not in STANDARD]
    return offered + [functional_unit(name, own) for name, _ in own]
