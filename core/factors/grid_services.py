"""
Writes of an organization's own grid series and of which granularity it wants.

They take effect where days are derived again: `core.accounting.services` has the same verbs, which see to it.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import numpy as np
from django.db import connection

from core.factors.grid_selectors import standing_series
from core.factors.models import GridChoice, GridSeries, GridSeriesMonth, GridSeriesRemoval
from core.locks import GRID_SERIES_LOCK
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from core.quantification.grid_series import GRANULARITIES, Kind, quarter_name, quarter_of
from core.quantification.grid_series_file import SeriesFile

BOUNDARIES: Final = ("lifecycle", "direct")
BASES: Final = ("consumption", "production")
GAS_BASES: Final = ("CO2e", "CO2")


class GridSeriesError(Exception):
    """
    A series or choice that cannot be; the message says why.

    Attributes:
        field: what to mend: zone, boundary, basis, gas_basis, source, granularity, first_quarter, id, reason.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def import_grid_series(
    *,
    organization_id: int,
    file: SeriesFile,
    zone: str,
    boundary: str,
    source: str,
    basis: str = "consumption",
    gas_basis: str = "CO2e",
    licence: str = "",
) -> GridSeries:
    """
    Enter a file of factors. Where an older import has a value for the same hour or month, this one's goes before it.

    Args:
        zone: as the catalog names it.

    Raises:
        GridSeriesError: its kind is none, or another than that of what stands for one of its quarters; no source.
    """
    given = (("boundary", boundary, BOUNDARIES), ("basis", basis, BASES), ("gas_basis", gas_basis, GAS_BASES))
    for field, value, known in given:
        if value not in known:
            raise GridSeriesError(field, f"{value!r} is not one of {', '.join(known)}.")
    if not source.strip():
        raise GridSeriesError("source", "Say where the numbers come from: an auditor will ask.")
    with organization_scope(organization_id):
        lock_grid_series(organization_id)
        _refuse_other_kind(organization_id, zone, Kind(boundary, basis, gas_basis), file)
        series = GridSeries.objects.create(
            organization_id=organization_id,
            zone=zone,
            resolution=file.resolution,
            boundary=boundary,
            basis=basis,
            gas_basis=gas_basis,
            source=source.strip(),
            licence=licence.strip(),
            values_count=file.values,
        )
        GridSeriesMonth.objects.bulk_create(
            GridSeriesMonth(
                organization_id=organization_id,
                series_id=series.id,
                month=month,
                g_per_kwh=[None if np.isnan(value) else value for value in values.tolist()],
            )
            for month, values in sorted(file.months.items())
        )
        record_event(
            organization_id=organization_id,
            action="import_grid_series",
            object_type="grid_series",
            object_id=series.id,
            after={**_described(series), "from": min(file.months).isoformat(), "to": max(file.months).isoformat()},
        )
    return series


def choose_granularity(
    *, organization_id: int, zone: str, granularity: str, first_quarter: date | None = None
) -> GridChoice:
    """
    Say which granularity a zone's quarters shall take, where the data covers it; the newest word counts.

    Args:
        first_quarter: first day of the first quarter that it is for; None: every one.
    """
    if granularity not in GRANULARITIES:
        raise GridSeriesError("granularity", f"{granularity!r} is not one of {', '.join(GRANULARITIES)}.")
    if first_quarter is not None and first_quarter != quarter_of(first_quarter):
        raise GridSeriesError("first_quarter", f"{first_quarter} is not the first day of a quarter.")
    with organization_scope(organization_id):
        lock_grid_series(organization_id)
        if not GridSeries.objects.filter(organization_id=organization_id, zone=zone).exists():
            raise GridSeriesError("zone", f"There is no series of {zone}: import one first.")
        choice = GridChoice.objects.create(
            organization_id=organization_id, zone=zone, granularity=granularity, first_quarter=first_quarter
        )
        record_event(
            organization_id=organization_id,
            action="choose_grid_granularity",
            object_type="grid_zone",
            object_id=zone,
            after={
                "granularity": granularity,
                "first_quarter": None if first_quarter is None else quarter_name(first_quarter),
            },
        )
    return choice


def remove_grid_series(*, organization_id: int, series_id: int, reason: str) -> GridSeries:
    """Take back an import that was wrong. It stays to be read; what it went before holds again."""
    if not reason.strip():
        raise GridSeriesError("reason", "Say why the series is taken back.")
    with organization_scope(organization_id):
        lock_grid_series(organization_id)
        series = GridSeries.objects.filter(organization_id=organization_id, id=series_id).first()
        if series is None:
            raise GridSeriesError("id", "There is no grid series of that id.")
        if GridSeriesRemoval.objects.filter(organization_id=organization_id, series_id=series_id).exists():
            raise GridSeriesError("id", f"Grid series {series_id} was taken back already.")
        GridSeriesRemoval.objects.create(organization_id=organization_id, series_id=series_id, reason=reason.strip())
        record_event(
            organization_id=organization_id,
            action="remove_grid_series",
            object_type="grid_series",
            object_id=series_id,
            before=_described(series),
            reason=reason.strip(),
        )
    return series


def _refuse_other_kind(organization_id: int, zone: str, kind: Kind, file: SeriesFile) -> None:
    """A quarter of direct factors with hours or months of lifecycle ones among them would be neither."""
    own = {quarter_of(month) for month in file.months}
    for other in standing_series(organization_id, zone):
        shared = sorted(own & {quarter_of(month) for month in other.months})
        if shared and other.kind != kind:
            says = f"{other.kind.boundary}, {other.kind.basis}, {other.kind.gas_basis}"
            raise GridSeriesError(
                "boundary",
                f"Series {other.id} of {zone} is another kind ({says}) and has values in {quarter_name(shared[0])} too: a"
                " quarter has one kind. Remove that one first, or import other quarters.",
            )


def _described(series: GridSeries) -> dict[str, Any]:
    names = ("zone", "resolution", "boundary", "basis", "gas_basis", "source", "licence")
    return {**{name: getattr(series, name) for name in names}, "values": series.values_count}


def lock_grid_series(organization_id: int) -> None:
    """Keep other changes of an organization's series off until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", [GRID_SERIES_LOCK, organization_id])
