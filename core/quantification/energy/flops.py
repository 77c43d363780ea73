"""Floating-point operations of training, by the share of peak that runs reach (methodology 2.5)."""

from __future__ import annotations

from core.quantification import units
from core.quantification.energy.device import device_curve, device_hardware, hours_energy_kwh, variant_notes
from core.quantification.energy.measured import host_factor
from core.quantification.entries import Hardware
from core.quantification.factor import Factor, spread
from core.quantification.methods import Methodology
from core.quantification.operational import it_energy_kwh
from core.quantification.pack import FILE
from core.quantification.terms import Product, Quantity
from core.quantification.use import Context, Energy, EnergyTerm, Refusal, Use


def flop_device_hours(total_flop: Quantity, achieved_flop_per_s: Quantity) -> Quantity:
    """
    Return the device hours at a rate that one device really achieves: peak x MFU x goodput.

    >>> flop_device_hours(3.6e18, 1e15)
    1.0
    """
    return total_flop / achieved_flop_per_s / units.S_PER_H


def flops(use: Use, context: Context) -> Energy | Refusal:
    """Turn operations into device hours at the default share of peak, then into energy at the device's power."""
    method = context.method
    hardware = device_hardware(use, context)
    if hardware is None:
        return Refusal("unknown_hardware")
    peak = peak_rate(hardware)
    if peak is None:
        return Refusal("no_peak_rate")
    curve = device_curve(use, hardware, method)
    if curve is None:
        return Refusal("no_device_power")
    if curve.watts[0] > curve.watts[-1]:
        return Refusal("idle_above_peak")
    host, mfu = host_factor(method), reached_share(method)
    width = Product.of(spread("flops_spread", method.gsd["flops"], method.source))
    drawn = hours_energy_kwh(hours_per_gflop(peak, mfu), Product.of(curve.at(method.flops_utilization)))
    term = EnergyTerm("gflop", it_energy_kwh(drawn, Product.of(host.fixed())) * width)
    notes = (*variant_notes(hardware), "default_utilization")
    return Energy("flops", (term,), 4, hardware.id, listed=(curve.factor, host, mfu), notes=notes)


def hours_per_gflop(peak: Factor, mfu: Factor) -> Product:
    """Return the device hours of 10^9 operations."""
    return flop_device_hours(Product(constant=units.FLOP_PER_GFLOP), Product.of(peak, mfu))


def peak_rate(hardware: Hardware) -> Factor | None:
    """Return the dense 16-bit peak rate; None where the catalog does not know it."""
    if hardware.peak_flop_per_s is None:
        return None
    rate, row = hardware.peak_flop_per_s, hardware.row
    return Factor(
        id=f"{row[FILE]}:{hardware.id}",
        name="peak_rate",
        value=rate,
        low=rate,
        high=rate,
        unit="FLOP/s",
        source=row["source"],
        valid_from=f"{row['source_year']}-01-01",
        match="exact",
        detail={"hardware": hardware.name},
    )


def reached_share(method: Methodology) -> Factor:
    """Return the share of the peak rate that training reaches."""
    share = method.mfu_goodput
    return Factor("methodology:mfu_goodput", "mfu", share, share, share, "1", method.source, None, "default")
