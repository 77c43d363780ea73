"""Accelerator or CPU hours times power (methodology 2.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from core.quantification import units
from core.quantification.energy.measured import host_factor
from core.quantification.factor import Factor, spread
from core.quantification.methods import Methodology
from core.quantification.overrides import override_factor
from core.quantification.pack import FILE
from core.quantification.resolve import Hardware
from core.quantification.terms import Power
from core.quantification.use import Context, Energy, EnergyTerm, Refusal, Use

Numbers = float | pd.Series  # one value, or one row per cell

KNOTS: Final = (0.0, 0.1, 0.5, 1.0)
"""Loads at which a power curve is known: idle, 10, 50 and 100 %."""

DEVICE_HINGES: Final = ("device_low_nh", "device_middle_nh", "device_high_nh")


def device_energy_kwh(device_hours: Numbers, loaded_device_hours: Numbers, idle_w: Numbers, peak_w: Numbers) -> Numbers:
    """
    Return the energy of devices held, idle at ``idle_w`` and rising to ``peak_w`` with load.

    Args:
        device_hours: held, used or not. [h]
        loaded_device_hours: power-weighted: the sum of hours x load. [h]

    Source: methodology 2.2.

    >>> device_energy_kwh(800.0, 680.0, 84.0, 700.0)
    486.08
    """
    return (idle_w * device_hours + (peak_w - idle_w) * loaded_device_hours) / units.W_PER_KW


def interpolate(load: float, knots: Sequence[float], values: Sequence[float]) -> float:
    """
    Read a curve that is straight between its knots.

    >>> round(interpolate(0.01, (0.0, 0.1, 0.5, 1.0), (0.12, 0.32, 0.75, 1.02)), 9)
    0.14
    """
    if load <= knots[0]:
        return values[0]
    for left, right, below, above in zip(knots, knots[1:], values, values[1:], strict=False):
        if load <= right:
            return below + (above - below) * (load - left) / (right - left)
    return values[-1]


def log_power_w(a: float, b: float, c: float, d: float, load_percent: float) -> float:
    """
    Return a server CPU's power from its fitted consumption profile.

    Source: Boavizta; Xeon Platinum a 171.1813, b 0.0354, c 36.8953, d -10.1336.

    >>> round(log_power_w(171.1813, 0.0354, 36.8953, -10.1336, 50), 2)
    182.22
    """
    return a * math.log(b * (load_percent + c)) + d


@dataclass(frozen=True)
class Curve:
    """Watts at the knots 0, 10, 50 and 100 % load, with the row they come from."""

    watts: tuple[float, float, float, float]
    factor: Factor

    def at(self, load: float) -> Factor:
        """Return the watts at one load."""
        watts = interpolate(load, KNOTS, self.watts)
        return self._factor(watts, f"at {load:.0%} load", load=load)

    def idle(self) -> Factor:
        """Return the watts of a device that is held and does nothing."""
        return self._factor(self.watts[0], "idle", load=0.0)

    def slopes(self) -> tuple[Factor, Factor, Factor]:
        """Return the watts per unit of load between the knots; times hinge hours they give the energy exactly."""
        rises = [
            self._factor((above - below) / (right - left), f"per load from {left:.0%} to {right:.0%}")
            for left, right, below, above in zip(KNOTS, KNOTS[1:], self.watts, self.watts[1:], strict=False)
        ]
        return rises[0], rises[1], rises[2]

    def _factor(self, watts: float, of: str, **detail: float) -> Factor:
        return replace(
            self.factor, value=watts, low=watts, high=watts, detail={**self.factor.detail, "of": of, **detail}
        )


def straight_curve(idle_w: float, peak_w: float) -> tuple[float, float, float, float]:
    """
    Return the watts at the knots of a device whose power rises evenly with load.

    >>> straight_curve(100.0, 200.0)
    (100.0, 110.0, 150.0, 200.0)
    """
    rise = peak_w - idle_w
    return idle_w, idle_w + 0.1 * rise, idle_w + 0.5 * rise, peak_w


def device_curve(use: Use, hardware: Hardware | None, method: Methodology) -> Curve | None:
    """
    Return the power curve of a device: overrides first, else TDP and idle watts of the catalog.

    Idle watts that nobody knows are 12 % of TDP; CPUs follow the measured CPU curve as shares of TDP.
    """
    tdp = override_factor("device_tdp_w", use.overrides)
    idle = override_factor("device_idle_w", use.overrides)
    if tdp is None and hardware is not None and hardware.tdp_w is not None:
        row = hardware.row
        tdp = Factor(
            id=f"{row[FILE]}:{hardware.id}",
            name="device_power",
            value=hardware.tdp_w,
            low=hardware.tdp_w,
            high=hardware.tdp_w,
            unit="W",
            source=row["source"],
            valid_from=f"{row['source_year']}-01-01",
            match="exact",
            detail={"hardware": hardware.name},
        )
    if tdp is None:
        return None
    if idle is None and hardware is not None and hardware.is_cpu:
        low, ten, half, full = (share * tdp.value for share in method.cpu_curve)
        return Curve((low, ten, half, full), tdp)
    known_idle = hardware.idle_w if hardware is not None else None
    if idle is not None:
        idle_w = idle.value
    elif known_idle is not None and known_idle < tdp.value:
        idle_w = known_idle
    else:
        idle_w = method.idle_share_of_tdp * tdp.value
    detail = {**tdp.detail, "idle_w": idle_w, "tdp_w": tdp.value}
    return Curve(straight_curve(idle_w, tdp.value), replace(tdp, detail=detail))


def curve_terms(
    curve: Curve, hours: str, hinges: Sequence[str], load: float | None, inputs: tuple[Power, ...]
) -> tuple[EnergyTerm, ...]:
    """
    Turn a curve into terms: idle hours and hinge hours where the load was observed, else hours at a default load.

    Args:
        hours: measure of the hours held.
        hinges: measures of the hinge hours.
        load: default load, None where it was observed.
        inputs: further coefficients of every term.
    """
    per_kw = 1.0 / units.W_PER_KW
    if load is not None:
        return (EnergyTerm(hours, ((curve.at(load), 1), *inputs), per_kw),)
    rising = zip(hinges, curve.slopes(), strict=True)
    terms = [EnergyTerm(hours, ((curve.idle(), 1), *inputs), per_kw)]
    terms += [EnergyTerm(measure, ((slope, 1), *inputs), per_kw) for measure, slope in rising]
    return tuple(terms)


def device(use: Use, context: Context) -> Energy | Refusal:
    """Turn device hours into energy: known hardware, the accelerator of a known instance, or an override of its TDP."""
    method = context.method
    hardware = device_hardware(use, context)
    if hardware is None and "device_tdp_w" not in use.overrides:
        return Refusal("unknown_hardware")
    curve = device_curve(use, hardware, method)
    if curve is None:
        return Refusal("no_device_power")
    observed = "device_utilization" in use.present
    gsd = method.gsd["device_observed" if observed else "device_default"]
    width = spread("device_spread", gsd, method.source)
    host = host_factor(method)
    load = None if observed else default_load(use, method)
    terms = curve_terms(curve, "device_nh", DEVICE_HINGES, load, ((host.fixed(), 1), (width, 1)))
    family = hardware.id if hardware is not None else "override"
    notes = () if observed else ("default_utilization",)
    listed = (curve.factor, host)
    return Energy("device", terms, 3 if observed else 4, family, listed=listed, notes=notes)


def device_hardware(use: Use, context: Context) -> Hardware | None:
    """Return the hardware by its name, else the accelerator of the instance."""
    named = context.catalog.hardware(use.hardware)
    if named is not None:
        return named
    instance = context.catalog.instance(use.instance_type, use.provider)
    return context.catalog.hardware(instance.first("hardware_id")) if instance is not None else None


def default_load(use: Use, method: Methodology) -> float:
    """Return the load that a lifecycle stage is taken to have; the lowest of inference's where it is not known."""
    return method.utilization.get(use.stage or "inference", method.utilization["inference"])
