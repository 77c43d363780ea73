"""Electricity to emissions: PUE, location-based emissions, upstream fuel and grid losses (methodology 2.10, 3.1, 3.2)."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from core.quantification import units
from core.quantification.entries import API_PROVIDERS, Place, number
from core.quantification.factor import Factor, with_gsd
from core.quantification.grid_rows import yearly_grid_rows
from core.quantification.methods import Methodology
from core.quantification.pack import FILE, FactorPack, Row
from core.quantification.terms import Quantity

WORLD: Final = "WLD"
DIRECT: Final = "direct"
LIFECYCLE: Final = "lifecycle"
GRID_UNIT: Final = "g CO2e/kWh"

FLEET_OF: Final = {"aws": "Amazon Web Services", "azure": "Microsoft", "gcp": "Google", "oci": "Oracle"}
"""Cloud to its name in the provider disclosures."""


def facility_energy_kwh(it_energy_kwh: Quantity, pue: Quantity) -> Quantity:
    """
    Add cooling and power losses to IT energy.

    Args:
        it_energy_kwh: whole nodes at their plugs. [kWh]
        pue: facility / IT energy, at least 1. [1]

    Source: ISO/IEC 30134-2; methodology 2.10.

    >>> facility_energy_kwh(13.5, 1.2)
    16.2
    """
    return it_energy_kwh * pue


def it_of_facility_kwh(facility_energy_kwh: Quantity, pue: Quantity) -> Quantity:
    """
    Take cooling and power losses out of what a facility's meter shows.

    Args:
        facility_energy_kwh: at the site meter. [kWh]
        pue: facility / IT energy, at least 1. [1]

    Source: methodology 2.1.

    >>> round(it_of_facility_kwh(10.0, 1.2), 3)
    8.333
    """
    return facility_energy_kwh / pue


def it_energy_kwh(device_energy_kwh: Quantity, host_factor: Quantity) -> Quantity:
    """
    Add the rest of the node to what its accelerator or CPU package drew.

    Args:
        device_energy_kwh: NVML, RAPL and the like. [kWh]
        host_factor: node / device energy. [1]

    Source: methodology 1.2.

    >>> it_energy_kwh(10.0, 1.35)
    13.5
    """
    return device_energy_kwh * host_factor


def location_based_kg_co2e(facility_energy_kwh: Quantity, grid_g_co2e_per_kwh: Quantity) -> Quantity:
    """
    Weigh electricity by the average intensity of its grid.

    Args:
        facility_energy_kwh: at the site meter, PUE included. [kWh]
        grid_g_co2e_per_kwh: same shape, already chosen for each cell's zone and hour. [g CO2e/kWh]

    Returns:
        Same shape; linear in the energy, so it commutes with sums. [kg CO2e]

    Source: GHG Protocol Scope 2 Guidance (2015), location-based method.

    >>> location_based_kg_co2e(10.0, 400.0)
    4.0
    """
    return facility_energy_kwh * grid_g_co2e_per_kwh / units.G_PER_KG


def upstream_kg_co2e(facility_energy_kwh: Quantity, upstream_g_co2e_per_kwh: Quantity) -> Quantity:
    """
    Weigh electricity by what lies upstream of the stack: its fuel, or what the grid loses on the way.

    Args:
        facility_energy_kwh: at the site meter; for losses, the kWh lost on the way to it. [kWh]
        upstream_g_co2e_per_kwh: of the fuel, or of the energy that is lost. [g CO2e/kWh]

    Source: GHG Protocol Scope 3 Standard (2011), category 3; methodology 3.2.

    >>> upstream_kg_co2e(10.0, 34.6)
    0.346
    """
    return facility_energy_kwh * upstream_g_co2e_per_kwh / units.G_PER_KG


def fuel_g_per_kwh(lifecycle_g_per_kwh: float, direct_g_per_kwh: float) -> float:
    """
    Return what lies upstream of the stack: lifecycle less direct intensity of one zone and year, never below 0.

    Source: methodology 3.2.

    >>> round(fuel_g_per_kwh(363.6, 329.0), 6)
    34.6
    """
    return max(0.0, lifecycle_g_per_kwh - direct_g_per_kwh)


def loss_share(loss_fraction: float) -> float:
    """
    Return the kWh lost per kWh delivered, from losses as a fraction of generation.

    Source: methodology 3.2.

    >>> loss_share(0.2)
    0.25
    """
    if not 0.0 <= loss_fraction < 1.0:
        raise ValueError(f"grid losses are a fraction from 0 to below 1, not {loss_fraction}")
    return loss_fraction / (1.0 - loss_fraction)


@dataclass(frozen=True)
class Grid:
    """
    The grid factors of a place and year.

    Attributes:
        location: None where not even a world factor exists.
        fuel: upstream of the fuel; None where it cannot be known.
        losses_base: what grid losses multiply: direct and fuel, or the lifecycle factor.
        losses_inside: the factor holds losses already.
        match: of the location factor.
        series: id of an organization's own series that it comes from.
        hourly: that series has a factor for each hour; ``location`` is their mean.
    """

    location: Factor | None
    fuel: Factor | None
    losses_base: tuple[Factor, ...]
    losses_inside: bool
    match: str
    zone: str | None
    notes: tuple[str, ...]
    series: str | None = None
    hourly: bool = False


@lru_cache(maxsize=8)
def _grid_rows(pack: FactorPack) -> dict[str, dict[str, dict[int, Row]]]:
    """Index the preferred yearly rows: zone, boundary, year."""
    found: dict[str, dict[str, dict[int, Row]]] = {}
    for row in yearly_grid_rows(pack):
        if row["preferred"] == "True":
            years = found.setdefault(row["zone_id"], {}).setdefault(row["boundary"], {})
            years.setdefault(int(row["year"]), row)
    return found


@lru_cache(maxsize=100_000)
def choose_grid(
    pack: FactorPack, zones: tuple[tuple[str, str], ...], place_notes: tuple[str, ...], year: int, method: Methodology
) -> Grid:
    """
    Choose the location-based factor and what lies upstream of it (methodology 3.1 and 3.2).

    Args:
        zones: grid zones to try in turn with the match that each would be; the world stands behind them.
        year: of the use.
    """
    notes = list(place_notes)
    index = _grid_rows(pack)
    found = next(((zone, match) for zone, match in (*zones, (WORLD, "world")) if zone in index), None)
    if found is None:
        return Grid(None, None, (), losses_inside=False, match="world", zone=None, notes=(*notes, "no_grid_factor"))
    zone, match = found
    row = choose_year(index[zone], year, method.factor_max_age_years)
    if match == "world":
        notes.append("grid_world_average")
    elif match == "country":
        notes.append("grid_country_average")
    location = _grid_factor(row, "grid_location", float(row["g_per_kwh"]), match, year, method)
    if int(row["year"]) > year:
        notes.append("factor_later_than_use")
    if row["gas_basis"] == "CO2":
        notes.append("co2_only_grid_factor")
    inside = "contains losses" in row["note"] or "includes T&D losses" in row["note"]
    if inside:
        notes.append("losses_in_location")
    if row["boundary"] == LIFECYCLE:
        notes += ["lifecycle_grid_factor", "upstream_in_location"]
        fuel = replace(location, name="grid_upstream", value=0.0, low=0.0, high=0.0)
        return Grid(location, fuel, (location,), inside, match, zone, tuple(notes))
    upstream = _fuel(index[zone], row, match, year, method)
    if upstream is None:
        notes.append("no_upstream_factor")
        return Grid(location, None, (location,), inside, match, zone, tuple(notes))
    return Grid(location, upstream, (location, upstream), inside, match, zone, tuple(notes))


def _fuel(
    boundaries: dict[str, dict[int, Row]], direct: Row, match: str, year: int, method: Methodology
) -> Factor | None:
    """Return what lies upstream of a direct row: the lifecycle row of its zone and year, less it."""
    lifecycle = boundaries.get(LIFECYCLE, {}).get(int(direct["year"]))
    if lifecycle is None:
        return None
    value = fuel_g_per_kwh(float(lifecycle["g_per_kwh"]), float(direct["g_per_kwh"]))
    return replace(
        _grid_factor(lifecycle, "grid_upstream", value, match, year, method),
        id=f"{grid_id(lifecycle)} - {grid_id(direct)}",
    )


def published_fuel(pack: FactorPack, zones: Sequence[tuple[str, str]], year: int, method: Methodology) -> Factor | None:
    """
    Choose what lies upstream of the stack where the stack itself is known better: the fuel part of the published rows.

    Args:
        zones: grid zones to try in turn with the match that each would be.
        year: of the use. The newest direct row not after it, however old, with the lifecycle row of its year.
    """
    index = _grid_rows(pack)
    for zone, match in zones:
        rows = index.get(zone, {}).get(DIRECT)
        if rows:
            direct = rows[nearest_year(list(rows), year)]
            return _fuel(index[zone], direct, match, year, method)
    return None


def published_zones(pack: FactorPack) -> Set[str]:
    """Return the zones that have a published factor."""
    return _grid_rows(pack).keys()


def choose_year(boundaries: dict[str, dict[int, Row]], year: int, max_age_years: int) -> Row:
    """
    Choose a zone's row for a year of use: direct before lifecycle, the newest not after the use.

    A direct row more than ``max_age_years`` older than the use loses to a lifecycle row that is not. A later row is
    taken only where none is earlier, the nearest.
    """
    earlier = {name: max((y for y in rows if y <= year), default=None) for name, rows in boundaries.items()}
    direct, lifecycle = earlier.get(DIRECT), earlier.get(LIFECYCLE)
    if direct is not None and lifecycle is not None:
        stale = year - direct > max_age_years and year - lifecycle <= max_age_years
        return boundaries[LIFECYCLE][lifecycle] if stale else boundaries[DIRECT][direct]
    if direct is not None:
        return boundaries[DIRECT][direct]
    if lifecycle is not None:
        return boundaries[LIFECYCLE][lifecycle]
    name = DIRECT if DIRECT in boundaries else LIFECYCLE
    return boundaries[name][min(boundaries[name])]


def grid_id(row: Row) -> str:
    """Return the id of a yearly grid row."""
    return f"{row[FILE]}:{row['zone_id']}:{row['year']}"


def grid_gsd(match: str, age_years: int, method: Methodology) -> float:
    """Return the spread of a grid factor: this very zone and year, a country's or another year's, the world's."""
    if match in {"world", "provider"}:
        return method.gsd["grid_world"]
    return method.gsd["grid_exact" if match in {"exact", "region"} and age_years == 0 else "grid_country"]


def _grid_factor(row: Row, name: str, value: float, match: str, year: int, method: Methodology) -> Factor:
    age = year - int(row["year"])
    return with_gsd(
        factor_id=grid_id(row),
        name=name,
        value=value,
        gsd=grid_gsd(match, age, method),
        unit=GRID_UNIT if row["gas_basis"] == "CO2e" else "g CO2/kWh",
        source=row["source"],
        valid_from=f"{row['year']}-01-01",
        match=match,
        detail={
            "zone": row["zone_id"],
            "year": int(row["year"]),
            "age_years": age,
            "boundary": row["boundary"],
            "basis": row["basis"],
            "gas_basis": row["gas_basis"],
        },
    )


# --- what a provider's region or fleet states ---


@lru_cache(maxsize=8)
def _region_metrics(pack: FactorPack) -> dict[tuple[str, str, str], dict[int, Row]]:
    found: dict[tuple[str, str, str], dict[int, Row]] = {}
    for row in pack.rows("cloud_region_metrics"):
        key = (row["provider"], row["region_code"], row["metric"])
        found.setdefault(key, {}).setdefault(int(row["year"]), row)
    return found


@lru_cache(maxsize=8)
def _fleet_metrics(pack: FactorPack) -> dict[tuple[str, str], dict[int, Row]]:
    found: dict[tuple[str, str], dict[int, Row]] = {}
    for row in pack.rows("provider_disclosures"):
        if row["preferred"] == "True" and "withdraw" not in row["note"]:
            found.setdefault((row["provider"], row["metric"]), {}).setdefault(int(row["reporting_year"]), row)
    return found


@lru_cache(maxsize=8)
def defaults_of(pack: FactorPack) -> dict[str, Row]:
    """Return the calculation defaults by key; the preferred row where a key has several."""
    rows = sorted(pack.rows("calc_defaults"), key=lambda row: row["preferred"] != "True")
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(row["key"], row)
    return found


def nearest_year(years: Sequence[int], year: int) -> int:
    """
    Return the newest year not after the use, else the earliest one.

    >>> nearest_year([2022, 2024], 2023), nearest_year([2022, 2024], 2020)
    (2022, 2022)
    """
    return max((each for each in years if each <= year), default=min(years))


@lru_cache(maxsize=100_000)
def stated_metric(
    pack: FactorPack,
    place: Place,
    hosting: str | None,
    provider: str | None,
    metric: str,
    name: str,
    year: int,
    gsd: float,
) -> Factor | None:
    """
    Choose what the provider states: of its region, of its API service, of its fleet, or the published default for it.

    Args:
        metric: ``pue``, ``wue`` or ``market_based_intensity`` (the last of a region only).
        name: of the factor that is made.
    """
    if hosting not in {"cloud", "api"}:
        return None
    vendor = API_PROVIDERS.get((provider or "").casefold()) if hosting == "api" else None
    if place.cloud is not None and place.region is not None:
        years = _region_metrics(pack).get((place.cloud, place.region, metric))
        if years:
            row = years[nearest_year(list(years), year)]
            key = f"{row['provider']}:{row['region_code']}:{row['year']}:{metric}"
            return _stated(row, key, row["value"], row["year"], "region", name, year, gsd)
    defaults = defaults_of(pack)
    own = defaults.get(f"api_provider.{vendor}.{metric}") if vendor else None
    if own is not None:
        factor = _stated(own, own["key"], own["value"], own["source_year"], "provider", name, None, gsd)
        low, high = number(own["low"]), number(own["high"])
        return factor if low is None or high is None else replace(factor, low=low, high=high)
    if place.cloud is not None:
        years = _fleet_metrics(pack).get((FLEET_OF.get(place.cloud, ""), f"{metric}_fleet"))
        if years:
            row = years[nearest_year(list(years), year)]
            key = f"{row['provider']}:{row['reporting_year']}:{row['metric']}"
            return _stated(row, key, row["value"], row["reporting_year"], "provider", name, year, gsd)
        general = defaults.get(f"{metric}.{place.cloud}")
        if general is not None:
            source_year = general["source_year"]
            return _stated(general, general["key"], general["value"], source_year, "provider", name, None, gsd)
    return None


def _stated(row: Row, key: str, value: str, since: str, match: str, name: str, year: int | None, gsd: float) -> Factor:
    detail: dict[str, str | int | float | bool] = {"year": int(since)}
    if year is not None:
        detail["age_years"] = year - int(since)
    return with_gsd(
        factor_id=f"{row[FILE]}:{key}",
        name=name,
        value=float(value),
        gsd=gsd,
        unit=row["unit"].replace("gCO2e", "g CO2e").replace("ratio", "1"),
        source=row["source"],
        valid_from=f"{since}-01-01",
        match=match,
        detail=detail,
    )


def choose_pue(
    pack: FactorPack, place: Place, hosting: str | None, provider: str | None, year: int, method: Methodology
) -> tuple[Factor | None, tuple[str, ...]]:
    """
    Choose the PUE: the provider's region, its fleet, else the on-premise default (methodology 2.10).

    A measured site is an override and never comes here.
    """
    stated = stated_metric(pack, place, hosting, provider, "pue", "pue", year, method.gsd["pue_provider"])
    if stated is not None:
        return stated, ()
    row = defaults_of(pack).get("pue.on_premise")
    if row is None:
        return None, ("no_pue_factor",)
    gsd = method.gsd["pue_default"]
    return _stated(row, row["key"], row["value"], row["source_year"], "default", "pue", None, gsd), ("default_pue",)
