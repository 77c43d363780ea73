"""Accelerator or CPU hours times power (methodology 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from core.quantification import units
from core.quantification.energy.measured import host_factor
from core.quantification.entries import Hardware
from core.quantification.factor import Factor, spread
from core.quantification.methods import Methodology
from core.quantification.operational import it_energy_kwh
from core.quantification.overrides import override_factor
from core.quantification.pack import FILE
from core.quantification.terms import UNIT, Product, Quantity
from core.quantification.use import Context, Energy, EnergyTerm, Refusal, Use

KNOTS: Final = (0.0, 0.1, 0.5, 1.0)
"""Loads at which a power curve is known: idle, 10, 50 and 100 %."""

DEVICE_HINGES: Final = ("device_low_nh", "device_middle_nh", "device_high_nh")


def hours_energy_kwh(unit_hours: Quantity, watts: Quantity) -> Quantity:
    """
    Return the energy of devices, vCPUs or whole machines at a mean power.

    Args:
        unit_hours: hours times how many there are. [h]
        watts: of one. [W]

    Source: Patterson et al. 2021, section 2.5.

    >>> hours_energy_kwh(24.0, 500.0)
    12.0
    """
    return unit_hours * watts / units.W_PER_KW


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


Watts = tuple[float, float, float, float]
"""Watts at the knots."""


@dataclass(frozen=True)
class Curve:
    """
    Hold watts at the knots 0, 10, 50 and 100 % load, with the row they come from.

    Attributes:
        watts: the curve. [W]
        ends: the curves of an interval's lower and upper end; both are the curve where no interval is given. [W]
        factor: the row.
    """

    watts: Watts
    ends: tuple[Watts, Watts]
    factor: Factor

    def at(self, load: float) -> Factor:
        """Return the watts at one load."""
        value, *ends = (interpolate(load, KNOTS, watts) for watts in (self.watts, *self.ends))
        return self._factor(value, ends, f"at {load:.0%} load", load=load)

    def idle(self) -> Factor:
        """Return the watts of a device that is held and does nothing."""
        return self._factor(self.watts[0], [watts[0] for watts in self.ends], "idle", load=0.0)

    def slopes(self) -> tuple[Factor, Factor, Factor]:
        """Return the watts per unit of load between the knots; times hinge hours they give the energy exactly."""
        rises = []
        for position in range(3):
            left, right = KNOTS[position], KNOTS[position + 1]
            value, *ends = (
                (watts[position + 1] - watts[position]) / (right - left) for watts in (self.watts, *self.ends)
            )
            rises.append(self._factor(value, ends, f"per load from {left:.0%} to {right:.0%}"))
        return rises[0], rises[1], rises[2]

    def _factor(self, watts: float, ends: Sequence[float], of: str, **detail: float) -> Factor:
        low, high = max(0.0, min(watts, *ends)), max(watts, *ends)
        return replace(self.factor, value=watts, low=low, high=high, detail={**self.factor.detail, "of": of, **detail})


def fixed_curve(watts: Watts, factor: Factor) -> Curve:
    """Make a curve without an interval of its own."""
    return Curve(watts, (watts, watts), factor)


def straight_curve(idle_w: float, peak_w: float) -> Watts:
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
            match="default" if hardware.assumed_variant else "exact",
            detail={"hardware": hardware.name},
        )
    if tdp is None:
        return None
    peaks = (tdp.value, tdp.low, tdp.high)
    if idle is None and hardware is not None and hardware.is_cpu:
        value, low, high = (_cpu_watts(peak, method) for peak in peaks)
        return Curve(value, (low, high), tdp)
    idles = _idle_watts(idle, hardware, peaks, method)
    value, low, high = (straight_curve(rest, peak) for rest, peak in zip(idles, peaks, strict=True))
    detail = {**tdp.detail, "idle_w": idles[0], "tdp_w": tdp.value}
    return Curve(value, (low, high), replace(tdp, detail=detail))


def _cpu_watts(tdp_w: float, method: Methodology) -> Watts:
    idle, ten, half, full = method.cpu_curve
    return idle * tdp_w, ten * tdp_w, half * tdp_w, full * tdp_w


def _idle_watts(
    given: Factor | None, hardware: Hardware | None, peaks: tuple[float, float, float], method: Methodology
) -> tuple[float, float, float]:
    """Return idle watts for value, low and high of the peak: given, known, or the default share of it."""
    if given is not None:
        return given.value, given.low, given.high
    known = hardware.idle_w if hardware is not None else None
    if known is not None and known < peaks[1]:
        return known, known, known
    value, low, high = (method.idle_share_of_tdp * peak for peak in peaks)
    return value, low, high


def curve_energy(
    curve: Curve, hours: str, hinges: Sequence[str], load: float | None
) -> tuple[tuple[str, Product], ...]:
    """
    Turn a curve into energy: idle hours and hinge hours where the load was observed, else hours at a default load.

    Args:
        hours: measure of the hours held.
        hinges: measures of the hinge hours.
        load: default load, None where it was observed.

    Returns:
        ``(measure, kWh of one hour of it)``; the sum over the measures is the energy.
    """
    if load is not None:
        return ((hours, hours_energy_kwh(UNIT, Product.of(curve.at(load)))),)
    parts = [(hours, curve.idle()), *zip(hinges, curve.slopes(), strict=True)]
    return tuple((measure, hours_energy_kwh(UNIT, Product.of(watts))) for measure, watts in parts)


def device(use: Use, context: Context) -> Energy | Refusal:
    """Turn device hours into energy: known hardware, the accelerator of a known instance, or an override of its TDP."""
    method = context.method
    hardware = device_hardware(use, context)
    if hardware is None and "device_tdp_w" not in use.overrides:
        return Refusal("unknown_hardware")
    curve = device_curve(use, hardware, method)
    if curve is None:
        return Refusal("no_device_power")
    if curve.watts[0] > curve.watts[-1]:
        return Refusal("idle_above_peak")
    observed = "device_utilization" in use.present
    gsd = method.gsd["device_observed" if observed else "device_default"]
    width = Product.of(spread("device_spread", gsd, method.source))
    host = host_factor(method)
    load = None if observed else default_load(use, method)
    terms = tuple(
        EnergyTerm(measure, it_energy_kwh(drawn, Product.of(host.fixed())) * width)
        for measure, drawn in curve_energy(curve, "device_nh", DEVICE_HINGES, load)
    )
    family = hardware.id if hardware is not None else "override"
    notes = (*variant_notes(hardware), *(() if observed else ("default_utilization",)))
    listed = (curve.factor, host)
    return Energy("device", terms, 3 if observed else 4, family, listed=listed, notes=notes)


def variant_notes(hardware: Hardware | None) -> tuple[str, ...]:
    """Return the note of hardware whose variant was assumed."""
    return ("hardware_variant_assumed",) if hardware is not None and hardware.assumed_variant else ()


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
