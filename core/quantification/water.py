"""Water, primary energy and minerals of electricity (methodology section 5)."""

from __future__ import annotations

from functools import lru_cache

from core.quantification.entries import Place
from core.quantification.factor import Factor, with_gsd
from core.quantification.methods import Methodology
from core.quantification.operational import stated_metric
from core.quantification.pack import FILE, FactorPack, Row
from core.quantification.resolve import Catalog, catalog_of
from core.quantification.terms import Quantity

_WORLD_ROW = "WOR"


def site_water_l(it_energy_kwh: Quantity, wue_l_per_kwh: Quantity) -> Quantity:
    """
    Return the water a site consumes for cooling, per kWh of its IT.

    Args:
        it_energy_kwh: IT energy, not facility energy. [kWh]
        wue_l_per_kwh: water usage effectiveness of The Green Grid. [L/kWh]

    >>> site_water_l(10.0, 0.2)
    2.0
    """
    return it_energy_kwh * wue_l_per_kwh


def grid_water_l(facility_energy_kwh: Quantity, ewif_l_per_kwh: Quantity) -> Quantity:
    """
    Return the water that generating the electricity consumes.

    Args:
        facility_energy_kwh: with PUE, once. [kWh]
        ewif_l_per_kwh: energy water intensity factor: consumption, not withdrawal. [L/kWh]

    Source: Li et al. 2023 (arXiv 2304.03271), without their second multiplication by PUE.

    >>> grid_water_l(10.0, 3.0)
    30.0
    """
    return facility_energy_kwh * ewif_l_per_kwh


def grid_resources(facility_energy_kwh: Quantity, resources_per_kwh: Quantity) -> Quantity:
    """
    Return the primary energy or minerals behind electricity, in the unit of the factor.

    Args:
        facility_energy_kwh: with PUE, once. [kWh]
        resources_per_kwh: of the grid. [MJ/kWh, kg Sb-eq/kWh]

    >>> grid_resources(10.0, 9.5)
    95.0
    """
    return facility_energy_kwh * resources_per_kwh


def choose_wue(
    pack: FactorPack, place: Place, hosting: str | None, provider: str | None, year: int, method: Methodology
) -> Factor | None:
    """Choose the site's water use per IT kWh as the provider states it; None where nobody does."""
    return stated_metric(pack, place, hosting, provider, "wue", "wue", year, method.gsd["wue"])


@lru_cache(maxsize=8)
def _rows(pack: FactorPack) -> dict[str, Row]:
    return {row["zone_id"]: row for row in pack.rows("grid_water_resources")}


@lru_cache(maxsize=100_000)
def choose_resources(pack: FactorPack, zone: str | None, match: str, method: Methodology) -> dict[str, Factor]:
    """
    Choose water, primary energy and minerals per kWh of the country that a grid zone lies in, else of the world.

    Returns:
        Factors under ``grid_water`` [L/kWh], ``primary_energy`` [MJ/kWh] and ``adpe`` [kg Sb-eq/kWh].
    """
    rows = _rows(pack)
    country = _country(catalog_of(pack), zone)
    row = rows.get(country, rows.get(_WORLD_ROW))
    if row is None:
        return {}
    known = row["zone_id"] != _WORLD_ROW
    found = {}
    for name, column, unit, gsd, default_flag in (
        ("grid_water", "water_l_per_kwh", "L/kWh", method.gsd["grid_water"], "water_is_world_default"),
        ("primary_energy", "primary_energy_mj_per_kwh", "MJ/kWh", None, "pe_is_world_default"),
        ("adpe", "adpe_kgsbeq_per_kwh", "kg Sb-eq/kWh", method.gsd["adpe"], None),
    ):
        if not row[column]:
            continue
        own = known and (default_flag is None or row[default_flag] != "True")
        fits = ("exact" if zone == country and match == "exact" else "country") if own else "world"
        fits = match if own and match == "provider" else fits
        found[name] = with_gsd(
            factor_id=f"{row[FILE]}:{row['zone_id']}:{column}",
            name=name,
            value=float(row[column]),
            gsd=gsd or method.gsd["grid_world" if fits in {"world", "provider"} else "grid_country"],
            unit=unit,
            source=row["source"],
            valid_from=f"{row['source_year']}-01-01",
            match=fits,
            detail={"zone": row["zone_id"], "year": int(row["source_year"])},
        )
    return found


def _country(catalog: Catalog, zone: str | None) -> str:
    if zone is None:
        return _WORLD_ROW
    return catalog.country_of.get(zone) or zone
