"""Embodied hardware: the share of making it that a use takes (methodology section 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from core.quantification.energy.device import device_hardware
from core.quantification.energy.flops import hours_per_gflop, peak_rate, reached_share
from core.quantification.energy.tokens import hardware_per_s, serving_of, time_measures
from core.quantification.entries import Hardware, number
from core.quantification.factor import Factor, spread, with_gsd
from core.quantification.methods import Methodology
from core.quantification.operational import defaults_of
from core.quantification.overrides import override_factor
from core.quantification.pack import FILE, FactorPack, Row
from core.quantification.terms import UNIT, Product, Quantity
from core.quantification.use import Context, Use

EVIDENCE: Final = ("reviewed", "teardown", "bottom-up")
"""Kinds of embodied figures by their boundary's words, best first; flat values come last."""


def embodied_share(
    embodied_total: Quantity,
    hours_used: Quantity,
    lifetime_hours: Quantity,
    lifetime_utilization: float = 1.0,
    resource_share: float = 1.0,
) -> Quantity:
    """
    Return the share of making hardware that its reserved time and resources take, in the unit of the total.

    Args:
        embodied_total: cradle to gate. [kg CO2e, MJ, kg Sb-eq]
        hours_used, lifetime_hours: reserved, and expected in all. [h]
        lifetime_utilization: share of its life in which the hardware does useful work. [0..1]
        resource_share: reserved / all resources of the hardware. [0..1]

    Source: SCI, ISO/IEC 21031:2024; with utilization: Luccioni et al. 2022 (BLOOM).

    >>> round(embodied_share(1795.7, 24.0, 35040.0, 1.0, 1 / 96), 10)
    0.0128117865
    """
    return embodied_total * hours_used / (lifetime_hours * lifetime_utilization) * resource_share


@dataclass(frozen=True)
class Share:
    """One measure times coefficients that give an embodied impact."""

    measure: str
    impact: Product


@dataclass(frozen=True)
class Embodied:
    """
    Embodied shares of a use; ``kg`` is None where they cannot be known, with a note saying why.

    Attributes:
        pe, adpe: shares of primary energy and minerals; empty where only the electricity is known.
    """

    kg: tuple[Share, ...] | None
    pe: tuple[Share, ...] = ()
    adpe: tuple[Share, ...] = ()
    notes: tuple[str, ...] = ()


def embodied(use: Use, context: Context, energy_method: str | None) -> Embodied:
    """
    Choose the embodied shares of a use.

    Device hours of known hardware, instance hours of a known instance, the serving time of tokens, or the device
    hours behind operations; an override is the whole of it. Energy alone has no hardware: null with a note.
    """
    given = _override(use, context)
    if given is not None:
        return given
    unused = ("embodied_override_unused",) if "embodied_kg_co2e" in use.overrides else ()
    by_method: dict[str | None, tuple[Callable[[Use, Context], Embodied | None], ...]] = {
        "instance": (_instance, _device),
        "tokens": (_tokens,),
        "flops": (_flops,),
    }
    reasons: tuple[str, ...] = ()
    for rule in by_method.get(energy_method, (_device, _instance)):
        found = rule(use, context)
        if found is not None and found.kg is not None:
            return replace(found, notes=(*found.notes, *unused))
        reasons += found.notes if found is not None else ()
    return Embodied(None, notes=(*(reasons[:1] or ("no_hardware",)), *unused))


def _override(use: Use, context: Context) -> Embodied | None:
    total = override_factor("embodied_kg_co2e", use.overrides)
    lifetime = _lifetime(use, context)
    if total is None or lifetime is None:
        return None
    for column, measure in (("device_hours", "device_nh"), ("instance_hours", "instance_nh")):
        if column in use.present:
            share = embodied_share(Product.of(total), UNIT, Product.of(lifetime))
            return Embodied((Share(measure, share),), notes=("hardware_not_in_resources",))
    return None


def _lifetime(use: Use, context: Context) -> Factor | None:
    """Return the hours that hardware is used for: the organization's own, else the pack's default."""
    own = override_factor("lifetime_h", use.overrides)
    if own is not None:
        return own
    row = defaults_of(context.pack).get("server.lifespan")
    if row is None:
        return None
    hours = float(row["value"])
    since = f"{row['source_year']}-01-01"
    row_id = f"{row[FILE]}:{row['key']}"
    return Factor(row_id, "lifetime", hours, hours, hours, "h", row["source"], since, "default")


def _device(use: Use, context: Context) -> Embodied | None:
    if "device_hours" not in use.present:
        return None
    hardware = device_hardware(use, context)
    if hardware is None:
        return None
    return _device_shares(use, hardware, context, "device_nh", UNIT)


def _flops(use: Use, context: Context) -> Embodied | None:
    hardware = device_hardware(use, context)
    peak = peak_rate(hardware) if hardware is not None else None
    if hardware is None or peak is None:
        return None
    return _device_shares(use, hardware, context, "gflop", hours_per_gflop(peak, reached_share(context.method)))


def _device_shares(use: Use, hardware: Hardware, context: Context, measure: str, hours: Product) -> Embodied:
    """Return the accelerator's own share and that of the server it sits in; ``hours`` are those of one of the measure."""
    lifetime = _lifetime(use, context)
    total, notes = device_total(hardware, context)
    if total is None or lifetime is None:
        return Embodied(None, notes=("no_embodied_factor",))
    server = server_share(context.method, context.method.accelerators_per_node)
    pe, adpe = _node_resources(context, "pe", "MJ"), _node_resources(context, "adpe", "kg Sb-eq")

    def shares(totals: tuple[Factor, ...]) -> tuple[Share, ...]:
        return tuple(Share(measure, embodied_share(Product.of(each), hours, Product.of(lifetime))) for each in totals)

    return Embodied(shares((total, server)), shares(pe), shares(adpe), notes)


def server_share(method: Methodology, accelerators: float) -> Factor:
    """Return the part of a server without its accelerators that each of them brings with it. [kg CO2e]"""
    value, low, high = (each / accelerators for each in method.server_embodied_kg)
    return Factor(
        id="methodology:server_embodied_kg",
        name="embodied",
        value=value,
        low=low,
        high=high,
        unit="kg CO2e",
        source=method.source,
        valid_from=None,
        match="default",
        detail={"of": "server without accelerators" + (", per accelerator" if accelerators > 1 else "")},
    )


def _node_resources(context: Context, kind: str, unit: str) -> tuple[Factor, ...]:
    """Return primary energy or minerals of an accelerator with its part of an eight-GPU server, if known."""
    defaults = defaults_of(context.pack)
    gpu, server = defaults.get(f"llm.gpu_embodied_{kind}"), defaults.get(f"llm.server_embodied_{kind}")
    if gpu is None or server is None:
        return ()
    value = float(gpu["value"]) + float(server["value"]) / context.method.accelerators_per_node
    total = with_gsd(
        factor_id=f"{gpu[FILE]}:{gpu['key']}",
        name="primary_energy" if kind == "pe" else "adpe",
        value=value,
        gsd=context.method.gsd["embodied_model" if kind == "pe" else "adpe"],
        unit=unit,
        source=gpu["source"],
        valid_from=f"{gpu['source_year']}-01-01",
        match="default",
        detail={"of": "accelerator with its part of the server"},
    )
    return (total,)


@lru_cache(maxsize=8)
def _device_rows(pack: FactorPack) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in pack.rows("hardware_embodied"):
        if "instance" not in row["boundary"]:
            found.setdefault(row["hardware_id"], []).append(row)
    return found


def device_total(hardware: Hardware, context: Context) -> tuple[Factor | None, tuple[str, ...]]:
    """
    Return the embodied total of one accelerator; the interval spans all sources where there are two or more.

    Preferred: the vendor's reviewed footprint, a teardown, a bottom-up model, a flat value. An accelerator that no
    source knows takes the flat value of Cloud Carbon Footprint, with a note; a CPU stays unknown.
    """
    rows = _device_rows(context.pack).get(hardware.id, [])
    method = context.method
    if not rows:
        if not hardware.is_accelerator:
            return None, ()
        flat = with_gsd(
            factor_id="methodology:flat_accelerator_embodied_kg",
            name="embodied",
            value=method.flat_accelerator_embodied_kg,
            gsd=method.gsd["embodied_model"],
            unit="kg CO2e",
            source="Cloud Carbon Footprint, flat value per additional GPU",
            valid_from=None,
            match="default",
        )
        return flat, ("flat_embodied_factor",)
    ranked = sorted(rows, key=lambda row: (row["preferred"] != "True", _evidence(row), row[FILE]))
    best = ranked[0]
    reviewed = "reviewed" in best["boundary"]
    factor = with_gsd(
        factor_id=f"{best[FILE]}:{hardware.id}",
        name="embodied",
        value=float(best["embodied_kgco2e"]),
        gsd=method.gsd["embodied_reviewed" if reviewed else "embodied_model"],
        unit="kg CO2e",
        source=best["source"],
        valid_from=f"{best['source_year']}-01-01",
        match="exact",
        detail={"hardware": hardware.name, "boundary": best["boundary"]},
    )
    return _spanning(factor, [float(row["embodied_kgco2e"]) for row in rows]), ()


def _spanning(factor: Factor, values: Sequence[float]) -> Factor:
    return factor if len(values) < 2 else replace(factor, low=min(values), high=max(values))


def _evidence(row: Row) -> int:
    return next((rank for rank, word in enumerate(EVIDENCE) if word in row["boundary"]), len(EVIDENCE))


def _instance(use: Use, context: Context) -> Embodied | None:
    if "instance_hours" not in use.present:
        return None
    found = context.catalog.instance(use.instance_type, use.provider)
    lifetime = _lifetime(use, context)
    if found is None or lifetime is None:
        return None
    known = [(row, kg) for row in found.rows if (kg := number(row["embodied_kgco2e"])) is not None]
    if not known:
        return Embodied(None, notes=("no_embodied_factor",))
    row, kg = known[0]
    factor = with_gsd(
        factor_id=f"{row[FILE]}:{found.provider}:{found.name}:embodied",
        name="embodied",
        value=kg,
        gsd=context.method.gsd["embodied_model"],
        unit="kg CO2e",
        source=row["source"],
        valid_from=f"{row['source_year']}-01-01",
        match="exact",
        detail={"instance_type": found.name},
    )
    factor = _spanning(factor, [each for _, each in known])
    share = embodied_share(Product.of(factor), UNIT, Product.of(lifetime))
    return Embodied((Share("instance_nh", share),), notes=("hardware_not_in_resources",))


def _tokens(use: Use, context: Context) -> Embodied | None:
    serving = serving_of(use, context)
    if serving is None:
        return None
    fit, batch, method = serving.fit, serving.batch_size, context.method

    def shares(name: str, unit: str, server_total: float, gpu_total: float, gsd: float) -> tuple[Share, ...]:
        width = Product.of(spread(f"{name}_spread", gsd, method.source))
        made = []
        for measure, per, seconds in time_measures(use, serving):

            def formula(active_b: float, total_b: float, seconds: Callable[[float], float] = seconds) -> float:
                return seconds(active_b) * hardware_per_s(serving.gpus(total_b), batch, server_total, gpu_total, fit)

            made.append(Share(measure, Product.of(serving.factor(name, f"{unit}/{per}", formula)) * width))
        return tuple(made)

    model_gsd = method.gsd["embodied_model"]
    return Embodied(
        kg=shares("embodied", "kg CO2e", fit.server_embodied_kg, fit.gpu_embodied_kg, model_gsd),
        pe=shares("primary_energy", "MJ", fit.server_embodied_pe, fit.gpu_embodied_pe, model_gsd),
        adpe=shares("adpe", "kg Sb-eq", fit.server_embodied_adpe, fit.gpu_embodied_adpe, method.gsd["adpe"]),
    )
