"""Cloud instance hours times the instance's power (methodology 2.3, after Cloud Carbon Footprint and Teads)."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

import pandas as pd

from core.quantification import units
from core.quantification.energy.device import Curve, curve_terms, device_curve, fixed_curve, straight_curve
from core.quantification.energy.measured import host_factor
from core.quantification.entries import Instance, number
from core.quantification.factor import Factor, spread
from core.quantification.operational import defaults_of
from core.quantification.pack import FILE, FactorPack, Row
from core.quantification.terms import Power
from core.quantification.use import Context, Energy, EnergyTerm, Refusal, Use

Numbers = float | pd.Series  # one value, or one row per cell

INSTANCE_HINGES: Final = ("instance_low_nh", "instance_middle_nh", "instance_high_nh")


def average_watts(min_w: Numbers, max_w: Numbers, load: Numbers) -> Numbers:
    """
    Return the power of a part between its watts at rest and at full load.

    Source: Cloud Carbon Footprint methodology.

    >>> average_watts(88.0, 732.0, 0.5)
    410.0
    """
    return min_w + load * (max_w - min_w)


def hours_energy_kwh(unit_hours: Numbers, watts: Numbers) -> Numbers:
    """
    Return the energy of parts (vCPUs, GPUs, whole machines) at a mean power.

    >>> hours_energy_kwh(24.0, 500.0)
    12.0
    """
    return unit_hours * watts / units.W_PER_KW


def memory_energy_kwh(gigabyte_hours: Numbers, kwh_per_gigabyte_hour: Numbers) -> Numbers:
    """
    Return the energy of memory beyond what a CPU's watts hold already.

    >>> round(memory_energy_kwh(90.0, 0.000392), 8)
    0.03528
    """
    return gigabyte_hours * kwh_per_gigabyte_hour


def storage_energy_kwh(terabyte_hours: Numbers, wh_per_terabyte_hour: Numbers) -> Numbers:
    """
    Return the energy of stored data, without the copies that a service keeps.

    >>> storage_energy_kwh(1000.0, 1.2)
    1.2
    """
    return terabyte_hours * wh_per_terabyte_hour / units.WH_PER_KWH


def network_energy_kwh(gigabytes: Numbers, kwh_per_gigabyte: Numbers) -> Numbers:
    """
    Return the energy of data carried between data centres.

    >>> network_energy_kwh(1000.0, 0.001)
    1.0
    """
    return gigabytes * kwh_per_gigabyte


def instance(use: Use, context: Context) -> Energy | Refusal:
    """
    Turn instance hours into energy.

    Watts of the whole instance stand alone. Watts of the CPU only take memory (beyond the CPU's own) and accelerators
    beside them. Where nobody published watts, the accelerators times the host factor stand for the whole, with a note.
    """
    method = context.method
    found = context.catalog.instance(use.instance_type, use.provider)
    if found is None:
        return Refusal("unknown_instance")
    observed = "instance_utilization" in use.present
    gsd = method.gsd["instance_observed" if observed else "instance_default"]
    width = (spread("instance_spread", gsd, method.source), 1)
    load = None if observed else method.instance_utilization
    notes: tuple[str, ...] = () if observed else ("default_utilization",)
    row = found.power_row
    terms: tuple[EnergyTerm, ...] = ()
    listed: tuple[Factor, ...] = ()
    if row is not None:
        curve = _instance_curve(found, row)
        terms = curve_terms(curve, "instance_nh", INSTANCE_HINGES, load, (width,))
        listed = (curve.factor,)
        if not found.covers_whole_machine:
            terms += _memory_terms(context, found, row, width)
    if not found.covers_whole_machine:
        accelerators = _accelerators(use, context, found)
        if accelerators is None and row is None:
            return Refusal("no_instance_power")
        if accelerators is not None:
            count, curve = accelerators
            inputs: tuple[Power, ...] = ((count, 1), width)
            if row is None:
                host = host_factor(method)
                inputs += ((host.fixed(), 1),)
                listed += (host,)
                notes += ("power_from_accelerators",)
            terms += curve_terms(curve, "instance_nh", INSTANCE_HINGES, load, inputs)
            listed += (curve.factor,)
    family = f"{found.provider}:{found.first('family')}"
    return Energy("instance", terms, 3 if observed else 4, family, listed=listed, notes=notes)


def _instance_curve(found: Instance, row: Row) -> Curve:
    idle, full = float(row["watts_idle"]), float(row["watts_100"])
    ten, half = number(row["watts_10"]), number(row["watts_50"])
    straight = straight_curve(idle, full)
    watts = straight if ten is None or half is None else (idle, ten, half, full)
    return fixed_curve(watts, _row_factor(found, row, "instance_power", full, "W", boundary=row["watts_boundary"]))


def _row_factor(found: Instance, row: Row, name: str, value: float, unit: str, **detail: str) -> Factor:
    return Factor(
        id=f"{row[FILE]}:{found.provider}:{found.name}",
        name=name,
        value=value,
        low=value,
        high=value,
        unit=unit,
        source=row["source"],
        valid_from=f"{row['source_year']}-01-01",
        match="exact",
        detail={"instance_type": found.name, **detail},
    )


@lru_cache(maxsize=8)
def _gigabytes_per_chip(pack: FactorPack) -> dict[tuple[str, str], float]:
    rows = pack.rows("cloud_cpu_coefficients")
    return {(row["provider"], row["microarchitecture"]): float(row["gb_per_chip"]) for row in rows}


def _memory_terms(context: Context, found: Instance, row: Row, width: tuple[Factor, int]) -> tuple[EnergyTerm, ...]:
    """Return the energy of memory beyond what the CPU's watts hold: one chip's share of the platform's vCPUs."""
    memory_gb, per_gb_hour = number(found.first("memory_gb")), defaults_of(context.pack).get("memory")
    if memory_gb is None or per_gb_hour is None:
        return ()
    chips = _gigabytes_per_chip(context.pack)
    known = [chips[found.provider, each] for each in row["cpu_platform"].split("|") if (found.provider, each) in chips]
    vcpus, platform = number(row["vcpu"]), number(row["platform_vcpu"])
    share = min(1.0, vcpus / platform) if vcpus is not None and platform else 0.0
    beyond = max(0.0, memory_gb - (sum(known) / len(known) * share if known else 0.0))
    if beyond == 0.0:
        return ()
    size = _row_factor(found, row, "memory_beyond_cpu", beyond, "GB")
    energy = replace(
        size,
        id=f"{per_gb_hour[FILE]}:memory",
        name="memory_power",
        value=float(per_gb_hour["value"]),
        low=float(per_gb_hour["value"]),
        high=float(per_gb_hour["value"]),
        unit=per_gb_hour["unit"],
        source=per_gb_hour["source"],
        match="default",
        detail={},
    )
    return (EnergyTerm("instance_nh", ((size, 1), (energy, 1), width)),)


def _accelerators(use: Use, context: Context, found: Instance) -> tuple[Factor, Curve] | None:
    count = number(found.first("accelerator_count"))
    hardware = context.catalog.hardware(found.first("hardware_id"))
    if not count or hardware is None:
        return None
    curve = device_curve(use, hardware, context.method)
    if curve is None or curve.watts[0] > curve.watts[-1]:
        return None
    return _row_factor(found, found.row, "accelerator_count", count, "1"), curve
