"""Floating-point operations of training, by the share of peak that runs reach (methodology 2.5)."""

from __future__ import annotations

import pandas as pd

from core.quantification import units
from core.quantification.energy.device import device_curve, device_hardware, variant_notes
from core.quantification.energy.measured import host_factor
from core.quantification.entries import Hardware
from core.quantification.factor import Factor, spread
from core.quantification.pack import FILE
from core.quantification.terms import Power
from core.quantification.use import Context, Energy, EnergyTerm, Refusal, Use

Numbers = float | pd.Series  # one value, or one row per cell

FLOP_PER_PARAMETER_TOKEN = 6.0


def training_flop(
    parameters: Numbers, tokens: Numbers, flop_per_param_token: float = FLOP_PER_PARAMETER_TOKEN
) -> Numbers:
    """
    Return the operations of training all parameters once over the tokens: forward 2, backward 4.

    Args:
        parameters: active ones. [1]
        tokens: of training data, repetitions included. [1]

    >>> training_flop(1e9, 1e9)
    6e+18
    """
    return flop_per_param_token * parameters * tokens


def flop_device_hours(total_flop: Numbers, achieved_flop_per_s: Numbers) -> Numbers:
    """
    Return the device hours at a rate that one device really achieves: peak x MFU x goodput.

    >>> flop_device_hours(3.6e18, 1e15)
    1.0
    """
    return total_flop / achieved_flop_per_s / units.S_PER_H


def model_flop_utilization(
    parameters: float,
    tokens_per_s: float,
    peak_flop_per_s: float,
    device_count: float,
    flop_per_param_token: float = FLOP_PER_PARAMETER_TOKEN,
) -> float:
    """
    Return MFU: useful operations over the peak of all devices.

    Source: PaLM (Chowdhery et al. 2022), appendix B.

    >>> round(model_flop_utilization(540.35e9, 238_300, 275e12, 6144), 3)
    0.457
    """
    return flop_per_param_token * parameters * tokens_per_s / (peak_flop_per_s * device_count)


def flops(use: Use, context: Context) -> Energy | Refusal:
    """Turn operations into device hours at the default share of peak, then into energy at the device's power."""
    method = context.method
    hardware = device_hardware(use, context)
    if hardware is None:
        return Refusal("unknown_hardware")
    hours = hours_per_gflop(hardware, context)
    if hours is None:
        return Refusal("no_peak_rate")
    curve = device_curve(use, hardware, method)
    if curve is None:
        return Refusal("no_device_power")
    if curve.watts[0] > curve.watts[-1]:
        return Refusal("idle_above_peak")
    host = host_factor(method)
    width = spread("flops_spread", method.gsd["flops"], method.source)
    watts = curve.at(method.flops_utilization)
    inputs = (*hours, (watts, 1), (host.fixed(), 1), (width, 1))
    term = EnergyTerm("gflop", inputs, constant=gflop_constant() / units.W_PER_KW)
    listed = (curve.factor, host, hours[1][0])
    return Energy(
        "flops", (term,), 4, hardware.id, listed=listed, notes=(*variant_notes(hardware), "default_utilization")
    )


def gflop_constant() -> float:
    """Return the constant that turns GFLOP over FLOP/s into hours."""
    return units.FLOP_PER_GFLOP / units.S_PER_H


def hours_per_gflop(hardware: Hardware, context: Context) -> tuple[Power, Power] | None:
    """Return what device hours divide by: the dense 16-bit peak rate and the share of it that training reaches."""
    if hardware.peak_flop_per_s is None:
        return None
    rate, share, row = hardware.peak_flop_per_s, context.method.mfu_goodput, hardware.row
    peak = Factor(
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
    mfu = Factor("methodology:mfu_goodput", "mfu", share, share, share, "1", context.method.source, None, "default")
    return (peak, -1), (mfu, -1)
