"""
An organization's own series of grid factors as plans take them: dated factors, and the hours behind a quarter's mean.

A month is one factor of its own. A quarter that is served hourly is one factor too, the mean of its hours, so plans stay few;
`Profile` has what each hour weighs against it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

from core.quantification.attribute import day_number
from core.quantification.bounds import gsd_interval
from core.quantification.factor import Factor
from core.quantification.grid_series import (
    HOURS_A_DAY,
    Floats,
    MonthFactor,
    Served,
    mean_of,
    month_after,
    quarter_after,
    quarter_name,
)
from core.quantification.operational import DIRECT, Grid, grid_gsd, published_fuel, published_zones
from core.quantification.overrides import Override
from core.quantification.own_factors import OwnFactor
from core.quantification.use import Context, Use

GRID_SERIES: Final = "grid_series"
"""Name under which a use is given the factor of an own series."""


@dataclass(frozen=True, eq=False)
class Profile:
    """
    The hours of a quarter against their mean.

    Args:
        factor_id: of the factor that is the mean.
        first_day: days since 1970.
        g_per_kwh: of each hour of the quarter, the missing ones filled.
        mean: of them.
    """

    factor_id: str
    first_day: int
    g_per_kwh: Floats
    mean: float

    @property
    def days(self) -> range:
        """Return the days of the quarter, since 1970."""
        return range(self.first_day, self.first_day + len(self.g_per_kwh) // HOURS_A_DAY)

    def weights(self, hours: npt.NDArray[np.int64], by_day: npt.NDArray[np.bool_]) -> Floats:
        """
        Return what hours weigh against the mean.

        Args:
            hours: since 1970, all in the quarter. [n]
            by_day: where the whole day is meant, of which each hour has 1/24. [n]
        """
        if self.mean == 0.0:
            return np.ones(len(hours))
        position = hours - self.first_day * HOURS_A_DAY
        days = self.g_per_kwh.reshape(-1, HOURS_A_DAY).mean(axis=1)
        weighed = np.where(by_day, days[position // HOURS_A_DAY], self.g_per_kwh[position])
        return np.asarray(weighed / self.mean)


def factors_of(served: Sequence[Served]) -> tuple[list[OwnFactor], dict[str, Profile]]:
    """Turn what quarters take into dated factors, and the profiles behind those that are hourly."""
    factors: list[OwnFactor] = []
    profiles: dict[str, Profile] = {}
    for each in served:
        if each.hourly is not None:
            mean = mean_of(each.hourly)
            factor = _factor(each, mean, each.quarter, quarter_after(each.quarter), quarter_name(each.quarter))
            factors.append(factor)
            profiles[factor.id] = Profile(factor.id, day_number(each.quarter), each.hourly, mean)
        for month in each.monthly or ():
            until, name = month_after(month.month), f"{month.month:%Y-%m}"
            factors.append(_factor(each, month.g_per_kwh, month.month, until, name, month))
    return factors, profiles


def _factor(
    served: Served, value: float, since: date, until: date, period: str, month: MonthFactor | None = None
) -> OwnFactor:
    if served.kind is None:
        raise ValueError(f"{served.zone} {period} is served by nothing.")
    content = served.fingerprint if month is None else hashlib.sha256(repr((month, served.kind)).encode()).hexdigest()
    detail: list[tuple[str, str | int | float | bool]] = [
        ("zone", served.zone),
        ("year", since.year),
        ("age_years", 0),
        ("period", period),
        ("granularity", served.granularity),
        ("boundary", served.kind.boundary),
        ("basis", served.kind.basis),
        ("gas_basis", served.kind.gas_basis),
    ]
    if month is None:
        detail += [("hours", served.hours), ("hours_missing", served.hours_missing)]
    else:
        detail.append(("origin", month.origin))
    if served.licences:
        detail.append(("licence", "; ".join(served.licences)))
    return OwnFactor(
        id=f"series:{served.zone}:{period}:{content[:12]}",
        name=GRID_SERIES,
        value=value,
        low=value,
        high=value,
        source="; ".join(served.sources if month is None else month.sources),
        valid_from=since,
        valid_to=until,
        where={"zone": served.zone},
        match="exact",
        detail=tuple(detail),
    )


def series_grid(use: Use, context: Context) -> Grid | None:
    """
    Return the grid by the organization's own series; None where it has none, or a finer zone has a published factor.

    A direct series keeps the published fuel part; a lifecycle one holds it (methodology 3.2).
    """
    given = use.overrides.get(GRID_SERIES)
    if given is None:
        return None
    detail = dict(given.detail)
    zone = str(detail["zone"])
    chain = _chain(use, context)
    at = next((position for position, (name, _) in enumerate(chain) if name == zone), None)
    if at is None or not published_zones(context.pack).isdisjoint(name for name, _ in chain[:at]):
        return None
    match = chain[at][1]
    location = _location(given, detail, match, context)
    if detail["boundary"] == DIRECT:
        fuel = published_fuel(context.pack, chain[at:], use.year, context.method)
    else:
        fuel = replace(location, name="grid_upstream", value=0.0, low=0.0, high=0.0)
    base = (location,) if fuel is None or fuel.value == 0.0 else (location, fuel)
    return Grid(
        location=location,
        fuel=fuel,
        losses_base=base,
        losses_inside=False,
        match=match,
        zone=zone,
        notes=_notes(detail, match, fuel, context),
        series=given.id,
        hourly=detail["granularity"] == "hourly",
    )


def _chain(use: Use, context: Context) -> list[tuple[str, str]]:
    """List the zones of a use, the finest first, with the match that each would be; first the zone as reported."""
    zones = context.place.zones
    reported = (use.zone or "").strip().upper()
    if not reported or any(name == reported for name, _ in zones):
        return list(zones)
    return [(reported, "exact"), *zones]


def _location(given: Override, detail: dict[str, str | int | float | bool], match: str, context: Context) -> Factor:
    low, high = gsd_interval(given.value, grid_gsd(match, 0, context.method))
    return Factor(
        id=given.id,
        name="grid_location",
        value=given.value,
        low=low,
        high=high,
        unit="g CO2e/kWh" if detail["gas_basis"] == "CO2e" else "g CO2/kWh",
        source=given.source,
        valid_from=given.valid_from,
        match=match,
        detail=detail,
    )


def _notes(
    detail: dict[str, str | int | float | bool], match: str, fuel: Factor | None, context: Context
) -> tuple[str, ...]:
    notes = list(context.place.notes)
    notes.append("hourly_grid_factor" if detail["granularity"] == "hourly" else "monthly_grid_factor")
    if detail.get("hours_missing"):
        notes.append("grid_hours_filled")
    if match == "country":
        notes.append("grid_country_average")
    if detail["gas_basis"] == "CO2":
        notes.append("co2_only_grid_factor")
    if detail["boundary"] != DIRECT:
        notes += ["lifecycle_grid_factor", "upstream_in_location"]
    elif fuel is None:
        notes.append("no_upstream_factor")
    return tuple(notes)
