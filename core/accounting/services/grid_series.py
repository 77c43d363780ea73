"""Writes of own grid series: the days of exactly those quarters whose factors changed are marked to be derived again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from core.accounting.selectors import current_view
from core.accounting.services.market_rates import mark_years
from core.accounting.services.marks import mark_days
from core.factors import grid_services
from core.factors.grid_selectors import served_quarters
from core.factors.grid_services import GridSeriesError
from core.factors.instrument_selectors import vintage_years
from core.factors.models import GridChoice, GridSeries
from core.factors.selectors import NoFactorSet, pack_of, shipped_factor_set
from core.organizations.tenancy import organization_scope
from core.quantification.grid_series import PUBLISHED, quarter_after
from core.quantification.grid_series_file import SeriesFile
from core.quantification.resolve import catalog_of


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
    """Enter a file of factors, as `core.factors.grid_services.import_grid_series`, and derive what changes again."""
    with organization_scope(organization_id):
        named = zone_named(organization_id, zone)
        with _changes_marked(organization_id, named):
            return grid_services.import_grid_series(
                organization_id=organization_id,
                file=file,
                zone=named,
                boundary=boundary,
                source=source,
                basis=basis,
                gas_basis=gas_basis,
                licence=licence,
            )


def choose_granularity(
    *, organization_id: int, zone: str, granularity: str, first_quarter: date | None = None
) -> GridChoice:
    """Say what a zone's quarters shall take, as `core.factors.grid_services.choose_granularity`, and derive them again."""
    with organization_scope(organization_id):
        named = zone_named(organization_id, zone)
        with _changes_marked(organization_id, named):
            return grid_services.choose_granularity(
                organization_id=organization_id, zone=named, granularity=granularity, first_quarter=first_quarter
            )


def remove_grid_series(*, organization_id: int, series_id: int, reason: str) -> GridSeries:
    """Take an import back, as `core.factors.grid_services.remove_grid_series`, and derive what changes again."""
    with organization_scope(organization_id):
        series = GridSeries.objects.filter(organization_id=organization_id, id=series_id).first()
        with _changes_marked(organization_id, "" if series is None else series.zone):
            return grid_services.remove_grid_series(organization_id=organization_id, series_id=series_id, reason=reason)


def zone_named(organization_id: int, zone: str) -> str:
    """Name a zone as the catalog does; one that it knows nothing of, not even the country that it lies in, is refused."""
    code = zone.strip().upper()
    view = current_view(organization_id)
    try:
        factor_set = view.factor_set if view is not None else shipped_factor_set()
    except NoFactorSet as error:
        raise GridSeriesError("zone", str(error)) from error
    place = catalog_of(pack_of(factor_set.content_hash)).place(hosting=None, provider=None, region=None, zone=code)
    if not place.zones:
        raise GridSeriesError("zone", f"The zone {zone!r} is not in the catalog: zones are listed on the factors page.")
    finest, match = place.zones[0]
    return finest if match == "exact" else code


@contextmanager
def _changes_marked(organization_id: int, zone: str) -> Iterator[None]:
    """Mark the days of the quarters that take other factors afterwards than before."""
    grid_services.lock_grid_series(organization_id)
    before = {each.quarter: each.fingerprint for each in served_quarters(organization_id, zone)}
    yield
    after = {each.quarter: each.fingerprint for each in served_quarters(organization_id, zone)}
    quarters = before.keys() | after.keys()
    changed = sorted(each for each in quarters if before.get(each, PUBLISHED) != after.get(each, PUBLISHED))
    if changed:
        mark_years(organization_id, vintage_years(organization_id))  # it may weigh what no record covers
        mark_days(
            organization_id,
            "exists (select from unnest(%s::date[], %s::date[]) as q (first, after)"
            " where d.day >= q.first and d.day < q.after)",
            [changed, [quarter_after(quarter) for quarter in changed]],
        )
