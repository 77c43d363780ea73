"""Reads of an organization's own grid series, and of what each quarter of a zone takes. Inside the organization's scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Literal, cast

import numpy as np

from core.factors.models import GridChoice, GridSeries, GridSeriesMonth
from core.quantification.grid_series import Floats, Granularity, Kind, Series, Served, quarters_of, serve

Choice = tuple[str, Granularity, date | None]
"""Zone, granularity, first quarter (None: every one)."""


@dataclass(frozen=True)
class ListedSeries:
    """An import as pages and commands list it; ``removed`` says why it was taken back, None while it stands."""

    id: int
    zone: str
    resolution: str
    boundary: str
    basis: str
    gas_basis: str
    source: str
    licence: str
    values: int
    first_month: date
    last_month: date
    imported_at: datetime
    removed: str | None


def grid_series(organization_id: int) -> list[ListedSeries]:
    """List every import by zone, the newest first, those that were taken back too."""
    rows = GridSeries.objects.filter(organization_id=organization_id).prefetch_related("months", "removals")
    found = []
    for row in rows.order_by("zone", "-id"):
        months = sorted(each.month for each in row.months.all())
        removal = next(iter(row.removals.all()), None)
        found.append(
            ListedSeries(
                id=row.id,
                zone=row.zone,
                resolution=row.resolution,
                boundary=row.boundary,
                basis=row.basis,
                gas_basis=row.gas_basis,
                source=row.source,
                licence=row.licence,
                values=row.values_count,
                first_month=months[0],
                last_month=months[-1],
                imported_at=row.imported_at,
                removed=None if removal is None else removal.reason,
            )
        )
    return found


def grid_choices(organization_id: int) -> tuple[Choice, ...]:
    """Read what the organization chose, the oldest first."""
    rows = GridChoice.objects.filter(organization_id=organization_id).order_by("id")
    return tuple(cast("list[Choice]", list(rows.values_list("zone", "granularity", "first_quarter"))))


def standing_series(organization_id: int, zone: str | None = None) -> tuple[Series, ...]:
    """Read the imports that stand, of one zone or of all, the oldest first."""
    return tuple(_series(organization_id, series_id) for series_id in _standing_ids(organization_id, zone))


@lru_cache(maxsize=256)
def _series(organization_id: int, series_id: int) -> Series:
    """Read an import with its values. Kept by the process: it never changes."""
    row = GridSeries.objects.get(organization_id=organization_id, id=series_id)
    months = GridSeriesMonth.objects.filter(organization_id=organization_id, series_id=series_id).order_by("month")
    values: dict[date, Floats] = {each.month: np.array(each.g_per_kwh, dtype=np.float64) for each in months}
    return Series(
        id=row.id,
        zone=row.zone,
        kind=Kind(row.boundary, row.basis, row.gas_basis),
        source=row.source,
        licence=row.licence,
        resolution=cast('Literal["hourly", "monthly"]', row.resolution),
        months=values,
    )


def chosen_for(choices: Sequence[Choice], zone: str, quarter: date) -> Granularity:
    """Return what was chosen for a quarter of a zone: by the newest choice that holds for it; yearly where none does."""
    for own, granularity, first in reversed(choices):
        if own == zone and (first is None or first <= quarter):
            return granularity
    return "yearly"


def served_quarters(organization_id: int, zone: str | None = None) -> tuple[Served, ...]:
    """Say what every quarter takes in which some standing series has a value, by zone and quarter."""
    return _served(organization_id, _standing_ids(organization_id, zone), grid_choices(organization_id))


def served_in_use(organization_id: int) -> tuple[Served, ...]:
    """Return those quarters that own series serve. One look where nobody chose anything but the published factors."""
    choices = grid_choices(organization_id)
    if all(granularity == "yearly" for _, granularity, _ in choices):
        return ()
    served = _served(organization_id, _standing_ids(organization_id, None), choices)
    return tuple(each for each in served if each.granularity != "yearly")


def _standing_ids(organization_id: int, zone: str | None) -> tuple[int, ...]:
    rows = GridSeries.objects.filter(organization_id=organization_id, removals__isnull=True)
    if zone is not None:
        rows = rows.filter(zone=zone)
    return tuple(rows.order_by("id").values_list("id", flat=True))


@lru_cache(maxsize=64)
def _served(organization_id: int, series_ids: tuple[int, ...], choices: tuple[Choice, ...]) -> tuple[Served, ...]:
    """Serve every quarter. Kept by the process: imports and choices, once made, never change."""
    by_zone: dict[str, list[Series]] = {}
    for series_id in series_ids:
        series = _series(organization_id, series_id)
        by_zone.setdefault(series.zone, []).append(series)
    return tuple(
        serve(own, zone, quarter, chosen_for(choices, zone, quarter))
        for zone, own in sorted(by_zone.items())
        for quarter in quarters_of(own)
    )
