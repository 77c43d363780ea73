"""The factor tables that can be read: their columns, keys, and what is possible in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from core.quantification.pack import FILE

PROVENANCE: Final = ("unit", "dataset", "source", "source_year", "licence")
"""Every row of every table says these."""

VERIFICATION: Final = ("verified", "transcribed", "compiler mapping", "unverified")

Range = tuple[float, float]
_UNLIMITED: Final = float("inf")
GRID_G: Final = (0.0, 2000.0)
"""g CO2e per kWh: oil shale alone is about 1,400; what is above 2,000 is another unit."""


@dataclass(frozen=True)
class Table:
    """
    What a table may hold.

    Attributes:
        key: columns that tell rows of one dataset apart.
        ranges: column of numbers to its lowest and highest possible value.
        required: further columns that may not be empty.
        optional: columns that editions may leave out.
        choice: columns of one choice, of which one row is ``preferred`` for any year; empty: nothing is preferred here.
        units: the only units that its numbers may have; empty: any.
        ordered: pairs of columns, the first never above the second.
        years: columns of years; a published fact lies in the past.
        named: columns that a factor's id gives after the file's name (`row_id`); empty: rows are no factors.
        about: one line for people.
    """

    about: str
    key: tuple[str, ...]
    ranges: Mapping[str, Range] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    choice: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    ordered: tuple[tuple[str, str], ...] = ()
    years: tuple[str, ...] = ("source_year",)
    named: tuple[str, ...] = ()

    @property
    def columns(self) -> frozenset[str]:
        """Return every column that the table may have."""
        named = {
            *PROVENANCE,
            *self.key,
            *self.ranges,
            *self.required,
            *self.optional,
            *self.years,
            "verification",
            "note",
        }
        return frozenset(
            named | {column for pair in self.ordered for column in pair} | set(self.choice) | _preferred(self)
        )

    @property
    def needed(self) -> frozenset[str]:
        """Return the columns that every edition has."""
        return frozenset({*PROVENANCE, *self.key, *self.ranges, *self.required, *self.choice} | _preferred(self))


def _preferred(table: Table) -> set[str]:
    return {"preferred"} if table.choice else set()


_ZONE: Final = ("zone_type", "country_alpha2", "country_alpha3", "scope2_method")
_WATTS: Final = (0.0, 20_000.0)

TABLES: Final[Mapping[str, Table]] = {
    "grid_intensity_annual": Table(
        about="Location-based electricity, by zone and year",
        key=("zone_id", "year", "boundary", "dataset"),
        ranges={"g_per_kwh": GRID_G, "year": (1990, _UNLIMITED)},
        required=("zone_name", "boundary", "basis", "gas_basis"),
        optional=_ZONE,
        choice=("zone_id", "year", "boundary"),
        units=("gCO2e/kWh", "gCO2/kWh"),
        years=("year", "source_year"),
        named=("zone_id", "year"),
    ),
    "grid_intensity_electricitymaps_odbl": Table(
        about="Electricity of balancing zones, imports traced (share-alike, optional)",
        key=("em_zone", "year"),
        ranges={
            "g_per_kwh": GRID_G,
            "year": (1990, _UNLIMITED),
            "renewable_pct": (0, 100),
            "carbon_free_pct": (0, 100),
        },
        required=("zone_id", "zone_name", "country_alpha2", "boundary", "basis"),
        optional=(*_ZONE, "country_level"),
        units=("gCO2e/kWh",),
        years=("year", "source_year"),
        named=("zone_id", "year"),
    ),
    "grid_residual_mix": Table(
        about="Market-based residual mixes",
        key=("zone_id", "year", "dataset"),
        ranges={"g_per_kwh": GRID_G, "year": (1990, _UNLIMITED)},
        required=("zone_name", "gas_basis", "boundary"),
        optional=_ZONE,
        choice=("zone_id", "year"),
        units=("gCO2e/kWh", "gCO2/kWh"),
        years=("year", "source_year"),
        named=("zone_id", "year"),
    ),
    "grid_water_resources": Table(
        about="Water, primary energy and minerals of electricity",
        key=("zone_id",),
        ranges={
            "g_per_kwh": GRID_G,
            "water_l_per_kwh": (0, 100),
            "primary_energy_mj_per_kwh": (0, 40),
            "adpe_kgsbeq_per_kwh": (0, 1e-3),
        },
        optional=("country_alpha3", "water_is_world_default", "pe_is_world_default"),
        units=("per kWh",),
        named=("zone_id",),
    ),
    "cloud_regions": Table(
        about="Cloud regions and the grid zones that they lie in",
        key=("provider", "region_code"),
        ranges={"latitude": (-90, 90), "longitude": (-180, 180)},
        required=("country_alpha2", "country_alpha3", "grid_zone_id"),
        optional=(
            *("provider_name", "region_name", "subdivision", "em_zone", "egrid_subregion", "watttime_region"),
            "cfe_region",
        ),
    ),
    "cloud_region_metrics": Table(
        about="PUE, water and market-based intensity that providers state",
        key=("provider", "region_code", "year", "metric", "dataset"),
        ranges={"value": (0, 2000), "year": (2000, _UNLIMITED)},
        required=("value",),
        years=("year", "source_year"),
        named=("provider", "region_code", "year", "metric"),
    ),
    "cloud_instances": Table(
        about="Instance types: shape, watts and embodied emissions",
        key=("provider", "instance_type", "dataset"),
        ranges={
            "vcpu": (0, 2000),
            "memory_gb": (0, 40_000),
            "accelerator_count": (0, 64),
            "accelerator_tdp_w_total": (0, 100_000),
            "watts_idle": _WATTS,
            "watts_10": _WATTS,
            "watts_50": _WATTS,
            "watts_100": _WATTS,
            "embodied_kgco2e": (0, 60_000),
            "embodied_server_kgco2e": (0, 100_000),
        },
        required=("class", "family"),
        optional=("cpu_platform", "platform_vcpu", "accelerator_name", "hardware_id", "watts_boundary"),
        choice=("provider", "instance_type"),
        ordered=(("watts_idle", "watts_10"), ("watts_10", "watts_50"), ("watts_50", "watts_100")),
        named=("provider", "instance_type"),
    ),
    "cloud_cpu_coefficients": Table(
        about="Watts per vCPU",
        key=("provider", "microarchitecture"),
        ranges={"min_watts_per_vcpu": (0.1, 10), "max_watts_per_vcpu": (0.5, 20), "gb_per_chip": (0, 10_000)},
        ordered=(("min_watts_per_vcpu", "max_watts_per_vcpu"),),
        units=("W per vCPU",),
    ),
    "hardware": Table(
        about="Accelerators and processors: power, memory and speed",
        key=("hardware_id",),
        ranges={
            "tdp_w": (1, 20_000),
            "idle_w": (0, 5_000),
            "memory_gb": (0.01, 10_000),
            "peak_fp16_tflops": (0.1, 100_000),
            "peak_fp8_tflops": (0.1, 200_000),
            "release_year": (1990, _UNLIMITED),
        },
        required=("vendor", "kind", "name"),
        optional=("form_factor", "aliases", "tdp_w_alt", "fp16_basis"),
        ordered=(("idle_w", "tdp_w"),),
        named=("hardware_id",),
    ),
    "fuels": Table(
        about="Fuels burnt on site: direct emissions",
        key=("fuel", "fuel_unit", "dataset"),
        ranges={"kg_co2e_per_unit": (0, 100)},
        required=("name", "kg_co2e_per_unit", "carrier", "gwp_set", "boundary"),
        units=("kg CO2e/L", "kg CO2e/kg", "kg CO2e/m3", "kg CO2e/kWh"),
        named=("fuel", "fuel_unit"),
    ),
    "refrigerants": Table(
        about="Global warming potentials of refrigerant gases",
        key=("gas", "gwp_set", "dataset"),
        ranges={"gwp100": (0, 30_000)},
        required=("gwp100",),
        optional=("aliases",),
        units=("kg CO2e/kg",),
        named=("gas",),
    ),
    "refrigerant_blends": Table(
        about="Composition of refrigerant blends by mass",
        key=("gas", "component", "dataset"),
        ranges={"mass_share": (0, 1)},
        required=("mass_share",),
        units=("kg/kg",),
    ),
    "waste_treatment": Table(
        about="Treatment of waste electronics",
        key=("waste", "treatment", "dataset"),
        ranges={"kg_co2e_per_t": (0, 10_000)},
        required=("name", "kg_co2e_per_t", "gwp_set"),
        units=("kg CO2e/t",),
        named=("waste", "treatment"),
    ),
    "hardware_embodied": Table(
        about="Embodied emissions of hardware",
        key=("hardware_id", "dataset"),
        ranges={"embodied_kgco2e": (0, 100_000)},
        required=("boundary", "embodied_kgco2e"),
        choice=("hardware_id",),
        units=("kgCO2e per device",),
        named=("hardware_id",),
    ),
    "cpu_tdp": Table(
        about="Thermal design power of CPUs",
        key=("cpu_name",),
        ranges={"tdp_w": (1, 2_000)},
        required=("cpu_vendor", "tdp_w"),
        units=("W",),
        named=("cpu_name",),
    ),
    "models": Table(
        about="Language models: parameters and speed",
        key=("provider", "model_name"),
        ranges={
            "params_total_b_min": (0.001, 100_000),
            "params_total_b_max": (0.001, 100_000),
            "params_active_b_min": (0.001, 100_000),
            "params_active_b_max": (0.001, 100_000),
            "output_tps": (0.1, 100_000),
            "ttft_s": (0, 600),
        },
        required=(
            *("architecture", "params_total_b_min", "params_total_b_max", "params_active_b_min", "params_active_b_max"),
            *("params_disclosed", "match_regex"),
        ),
        optional=("multimodal", "source_urls"),
        ordered=(
            ("params_total_b_min", "params_total_b_max"),
            ("params_active_b_min", "params_active_b_max"),
            ("params_active_b_max", "params_total_b_max"),
        ),
        named=("model_name",),
    ),
    "model_aliases": Table(
        about="Names under which gateways and clouds offer models",
        key=("alias", "dataset"),
        required=("provider", "model_name"),
        optional=("alias_system", "mode"),
    ),
    "provider_disclosures": Table(
        about="What providers disclose of their fleets",
        key=("provider", "metric", "reporting_year", "dataset"),
        ranges={"value": (0, 1e12), "reporting_year": (2000, _UNLIMITED)},
        required=("value",),
        optional=("period", "source_url"),
        choice=("provider", "metric", "reporting_year"),
        years=("reporting_year", "source_year"),
        named=("provider", "reporting_year", "metric"),
    ),
    "calc_defaults": Table(
        about="Calculation defaults",
        key=("key", "dataset"),
        ranges={},
        required=("value",),
        optional=("low", "high"),
        choice=("key",),
        named=("key",),
    ),
}
"""Table name to what it may hold. A table that is not here is read by nothing, so importing it would change nothing."""

METRIC_RANGES: Final[Mapping[str, Range]] = {
    "pue": (1.0, 20.0),
    "wue": (0.0, 100.0),
    "cfe_hourly": (0.0, 1.0),
    "cfe_annual": (0.0, 1.0),
    "cfe_hourly_fraction": (0.0, 1.0),
    "renewable_match_annual_fraction": (0.0, 1.0),
}
"""Metric of `cloud_region_metrics` and `provider_disclosures` (``pue_fleet`` begins with ``pue``) to its possible values."""

METRIC_UNITS: Final[Mapping[str, str]] = {
    "pue": "ratio",
    "wue": "L/kWh",
    "cfe_hourly": "fraction",
    "cfe_annual": "fraction",
    "market_based_intensity": "gCO2e/kWh",
}
"""Metric of `cloud_region_metrics` to the unit that its value is read in."""

PUE_DOUBTFUL: Final = 2.5
"""Above it a PUE is possible, and worth a second look (methodology 2.10)."""

SHARE_ALIKE: Final = ("ODbL", "ShareAlike", "Share-Alike", "BY-SA", "CC-BY-SA")
NOT_OPEN: Final = ("no open licence", "NonCommercial", "BY-NC", "All rights reserved")


def licence_kind(licence: str) -> str:
    """
    Tell what a licence asks for: ``share-alike``, ``restricted``, or ``open`` (attribution at most).

    >>> licence_kind("ODbL 1.0"), licence_kind("no open licence stated"), licence_kind("CC BY 4.0 (EEA)")
    ('share-alike', 'restricted', 'open')
    """
    folded = licence.casefold()
    if any(word.casefold() in folded for word in SHARE_ALIKE):
        return "share-alike"
    return "restricted" if any(word.casefold() in folded for word in NOT_OPEN) else "open"


def row_id(row: Mapping[str, str]) -> str | None:
    """
    Return what ids of factors made of a row begin with: ``grid_intensity_annual--eea:DE:2023``; None where rows are no factors.

    Args:
        row: of a `FactorPack`, with its file's name.
    """
    table = TABLES.get(row[FILE].partition("--")[0])
    if table is None or not table.named:
        return None
    return ":".join((row[FILE], *(row[column] for column in table.named)))


def rows_of_factor(factor_id: str, name: str) -> tuple[str, ...]:
    """
    Return the rows that a factor was made of, as `row_id` names them.

    >>> rows_of_factor("grid_water_resources--x:DE:water_l_per_kwh", "grid_water")
    ('grid_water_resources--x:DE',)
    >>> rows_of_factor("grid_intensity_annual--a:DE:2023 - grid_intensity_annual--b:DE:2023", "grid_upstream")
    ('grid_intensity_annual--a:DE:2023', 'grid_intensity_annual--b:DE:2023')
    """
    if name == "grid_upstream":
        return tuple(factor_id.split(" - "))
    if factor_id.startswith("grid_water_resources--"):
        return (factor_id.rpartition(":")[0],)
    return (factor_id.removesuffix(":embodied"),)
