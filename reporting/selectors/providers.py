"""Providers and regions: own energy and emissions of each place, and what is known of its grid, its cooling and its water."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd

from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.selectors import emissions
from core.accounting.selectors.place_factors import PLACE, PlaceFactor, place_factors
from reporting.selectors.overview import value_or_none


@dataclass(frozen=True)
class Known:
    """
    What is known of one quantity of a place, the mean weighed by its energy.

    Args:
        value, low, high: None where nothing was disclosed.
        assumed: the default that figures use in its place; None where none is used.
        factors: behind it, that of most energy first.
    """

    value: float | None
    low: float | None
    high: float | None
    assumed: float | None
    factors: tuple[PlaceFactor, ...]


@dataclass(frozen=True)
class PlaceRow:
    """
    A place: provider, region, grid zone and own site; None where nobody named one.

    Energy in kWh at the facility, emissions in kg CO2e of the electricity by both bases, water in L; None is not known.
    """

    provider: str | None
    region: str | None
    zone: str | None
    site: str | None
    hostings: list[str]
    energy_kwh: float | None
    location_kg: float | None
    market_kg: float | None
    water_l: float | None
    grid: Known
    pue: Known
    wue: Known


def places_of(organization_id: int, filtered: Filter, *, view: View | None) -> tuple[list[PlaceRow], datetime]:
    """Read every place of a filter: providers by their emissions, within one the regions by theirs."""
    asked = replace(filtered, by=(*PLACE, "hosting"), grain="total")
    result = emissions(organization_id, asked, bounds=False, view=view)
    factors = {} if view is None else place_factors(organization_id, view, asked)
    rows = []
    for key, own in result.rows.groupby(list(PLACE), dropna=False, sort=True):
        place = tuple(name_of(each) for each in key)
        behind = factors.get(place, [])
        rows.append(
            PlaceRow(
                provider=place[0],
                region=place[1],
                zone=place[2],
                site=place[3],
                hostings=sorted(own["hosting"].dropna().unique()),
                energy_kwh=_sum(own, "energy_facility_kwh"),
                location_kg=_sum(own, "location_kg_co2e"),
                market_kg=_sum(own, "market_kg_co2e"),
                water_l=_sum(own, "water_l"),
                grid=known([each for each in behind if each.name == "grid_location"]),
                pue=known([each for each in behind if each.name == "pue"]),
                wue=known([each for each in behind if each.name == "wue"]),
            )
        )
    whole: dict[str | None, float] = {}
    for row in rows:
        whole[row.provider] = whole.get(row.provider, 0.0) + (row.location_kg or 0.0)
    return sorted(
        rows, key=lambda row: (-whole[row.provider], row.provider or "", -(row.location_kg or 0.0), row.region or "")
    ), result.as_of


def name_of(value: object) -> str | None:
    """Read a name of a grouped row; null is nobody's."""
    return None if value is None or value != value else str(value)


def known(factors: Sequence[PlaceFactor]) -> Known:
    """Take the mean of what was disclosed, weighed by the energy that it is about; a default only where nothing was."""
    disclosed = [each for each in factors if each.disclosed]
    if disclosed:
        value, low, high = (_mean(disclosed, name) for name in ("value", "low", "high"))
        return Known(value, low, high, None, tuple(factors))
    return Known(None, None, None, _mean(factors, "value"), tuple(factors))


def _mean(factors: Sequence[PlaceFactor], name: str) -> float | None:
    weights = [each.energy_kwh for each in factors]
    if not factors:
        return None
    if sum(weights) <= 0:
        return float(getattr(factors[0], name))
    return float(sum(getattr(each, name) * each.energy_kwh for each in factors) / sum(weights))


def _sum(rows: pd.DataFrame, name: str) -> float | None:
    return value_or_none(rows[name].sum(min_count=1))
