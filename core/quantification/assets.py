"""Hardware that is bought and retired: categories 2 and 5 as they are disclosed (methodology 4.4, 4.5, 8.1)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from core.quantification import units
from core.quantification.embodied import device_total, server_share
from core.quantification.factor import Factor, with_gsd
from core.quantification.methods import Methodology
from core.quantification.pack import FILE, FactorPack
from core.quantification.resolve import catalog_of
from core.quantification.use import Context, Use

SERVER: Final = "server"
"""The name of a server without accelerators in the register; accelerators bring their part of one with them."""

TREATMENT_GSD: Final = 1.5
"""Spread of a treatment factor: it holds transport of an average distance, not this one."""


def purchased_kg_co2e(count: float, kg_co2e_each: float) -> float:
    """
    Book hardware whole in the period of its purchase.

    Args:
        count: units bought.
        kg_co2e_each: cradle to gate of one, its part of the server included. [kg CO2e]

    Source: GHG Protocol Scope 3 Standard (2011), category 2: not amortised.

    >>> purchased_kg_co2e(8, 164.0 + 2500.0 / 8)
    3812.0
    """
    return count * kg_co2e_each


def disposed_kg_co2e(mass_kg: float, kg_co2e_per_t: float) -> float:
    """
    Weigh retired hardware by what its treatment emits.

    Args:
        mass_kg: of all units together. [kg]
        kg_co2e_per_t: of the treatment. [kg CO2e/t]

    Source: GHG Protocol Scope 3 Standard (2011), category 5, waste-type-specific method.

    >>> round(disposed_kg_co2e(500.0, 4.68568), 5)
    2.34284
    """
    return mass_kg / units.KG_PER_T * kg_co2e_per_t


def embodied_of(hardware: str, pack: FactorPack, method: Methodology) -> tuple[tuple[Factor, ...], tuple[str, ...]]:
    """
    Return what making one unit emits, as factors that add up [kg CO2e], and notes.

    An accelerator counts with its part of the server it sits in, as its amortised share does (methodology 4.2), so that
    both bookings speak of the same total. ``server`` is the server without accelerators alone.

    Returns:
        No factor where the catalog does not know the name, or no source its footprint; the note says which.
    """
    if hardware.strip().casefold() == SERVER:
        return (server_share(method, accelerators=1.0),), ()
    found = catalog_of(pack).hardware(hardware)
    if found is None:
        return (), ("unknown_hardware",)
    total, notes = device_total(found, _context(pack, method))
    if total is None:
        return (), ("no_embodied_factor",)
    return (total, server_share(method, method.accelerators_per_node)), notes


@lru_cache(maxsize=8)
def treatments(pack: FactorPack) -> dict[str, Factor]:
    """Index the treatments of waste electronics that the tables know [kg CO2e/t]; the newest edition of each."""
    rows = [row for row in pack.rows("waste_treatment") if row["verification"] != "unverified"]
    found = {}
    for row in sorted(rows, key=lambda row: int(row["source_year"])):
        found[row["treatment"]] = with_gsd(
            factor_id=f"{row[FILE]}:{row['waste']}:{row['treatment']}",
            name="waste_treatment",
            value=float(row["kg_co2e_per_t"]),
            gsd=TREATMENT_GSD,
            unit=row["unit"],
            source=row["source"],
            valid_from=f"{row['source_year']}-01-01",
            match="default",
            detail={"treatment": row["name"], "gwp_set": row["gwp_set"], "year": int(row["source_year"])},
        )
    return found


def _context(pack: FactorPack, method: Methodology) -> Context:
    """Make the context in which a device is looked up: no place matters for what was made elsewhere."""
    nowhere = Use(
        stage=None,
        hosting="owned",
        provider=None,
        region=None,
        zone=None,
        model=None,
        hardware=None,
        instance_type=None,
        evidence=None,
        energy_boundary=None,
        reported_basis=None,
        techniques=(),
        present=frozenset(),
        year=0,
    )
    return Context.of(nowhere, pack, method)
