"""Cloud instance hours times the instance's power (methodology 2.3, after Cloud Carbon Footprint and Teads)."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

from core.quantification.energy.device import Curve, curve_energy, device_curve, fixed_curve, straight_curve
from core.quantification.energy.measured import host_factor
from core.quantification.entries import Instance, number
from core.quantification.factor import Factor, spread
from core.quantification.operational import defaults_of, it_energy_kwh
from core.quantification.pack import FILE, FactorPack, Row
from core.quantification.terms import Product, Quantity
from core.quantification.use import Context, Energy, EnergyTerm, Refusal, Use

INSTANCE_HINGES: Final = ("instance_low_nh", "instance_middle_nh", "instance_high_nh")


def memory_energy_kwh(gigabyte_hours: Quantity, kwh_per_gigabyte_hour: Quantity) -> Quantity:
    """
    Return the energy of memory beyond what a CPU's watts hold already.

    >>> round(memory_energy_kwh(90.0, 0.000392), 8)
    0.03528
    """
    return gigabyte_hours * kwh_per_gigabyte_hour


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
    width = Product.of(spread("instance_spread", gsd, method.source))
    load = None if observed else method.instance_utilization
    notes: tuple[str, ...] = () if observed else ("default_utilization",)
    row = found.power_row
    parts: tuple[tuple[str, Product], ...] = ()
    listed: tuple[Factor, ...] = ()
    if row is not None:
        curve = _instance_curve(found, row)
        parts = curve_energy(curve, "instance_nh", INSTANCE_HINGES, load)
        listed = (curve.factor,)
        if not found.covers_whole_machine:
            parts += _memory_energy(context, found, row)
    if not found.covers_whole_machine:
        accelerators = _accelerators(use, context, found)
        if accelerators is None and row is None:
            return Refusal("no_instance_power")
        if accelerators is not None:
            count, curve = accelerators
            drawn = curve_energy(curve, "instance_nh", INSTANCE_HINGES, load)
            drawn = tuple((measure, energy * Product.of(count)) for measure, energy in drawn)
            if row is None:
                host = host_factor(method)
                drawn = tuple((measure, it_energy_kwh(energy, Product.of(host.fixed()))) for measure, energy in drawn)
                listed += (host,)
                notes += ("power_from_accelerators",)
            parts += drawn
            listed += (curve.factor,)
    terms = tuple(EnergyTerm(measure, energy * width) for measure, energy in parts)
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


def _memory_energy(context: Context, found: Instance, row: Row) -> tuple[tuple[str, Product], ...]:
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
    return (("instance_nh", memory_energy_kwh(Product.of(size), Product.of(energy))),)


def _accelerators(use: Use, context: Context, found: Instance) -> tuple[Factor, Curve] | None:
    count = number(found.first("accelerator_count"))
    hardware = context.catalog.hardware(found.first("hardware_id"))
    if not count or hardware is None:
        return None
    curve = device_curve(use, hardware, context.method)
    if curve is None or curve.watts[0] > curve.watts[-1]:
        return None
    return _row_factor(found, found.row, "accelerator_count", count, "1"), curve
