"""Evaluate published cases with the engine's own functions (docs/methodology, "Published cases").

One function per method, each only a translation of names: a formula written here would prove nothing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from core.quantification import (
    embodied,
    intensity,
    operational,
    units,
    water,
)
from core.quantification.energy import device, flops, instance, tokens
from tests.golden import published_accounts  # fills the table
from tests.golden.table import METHODS, Inputs, Outputs, UnknownMethod, evaluate, method

__all__ = ["UnknownMethod", "evaluate", "published_accounts"]


# --- energy and emissions ---


def _emissions(inputs: Inputs, facility_kwh: float) -> Outputs:
    names = {"intensity_kg_per_kwh": "emissions_kg", "net_intensity_kg_per_kwh": "net_emissions_kg"}
    return {
        output: operational.location_based_kg_co2e(facility_kwh, inputs[name] * units.G_PER_KG)
        for name, output in names.items()
        if inputs.get(name) is not None
    }


@method
def energy_to_emissions(inputs: Inputs) -> Outputs:
    energy, pue = inputs["energy_kwh"], inputs.get("pue", 1)
    facility = operational.facility_energy_kwh(energy, pue) if inputs.get("boundary") == "it" else energy
    return {"facility_energy_kwh": facility, **_emissions(inputs, facility)}


@method
def device_power(inputs: Inputs) -> Outputs:
    hours = inputs.get("device_hours")
    if hours is None:
        hours = inputs["device_count"] * inputs["hours"]
    it = device.device_energy_kwh(hours, hours * inputs.get("utilization", 1), 0.0, inputs["power_w"])
    facility = operational.facility_energy_kwh(it, inputs.get("pue", 1))
    energy = {"device_hours": hours, "it_energy_kwh": it, "facility_energy_kwh": facility}
    return {**energy, **_emissions(inputs, facility)}


@method
def component_power(inputs: Inputs) -> Outputs:
    watts = {part["name"]: part["power_w"] * part.get("count", 1) for part in inputs["components"]}
    total = math.fsum(watts.values())
    out: Outputs = {"power_w_total": total, "shares": {name: each / total for name, each in watts.items()}}
    if inputs.get("hours") is not None:
        out["it_energy_kwh"] = instance.hours_energy_kwh(inputs["hours"], total)
    return out


@method
def training_flops(inputs: Inputs) -> Outputs:
    per = inputs.get("flop_per_param_token", flops.FLOP_PER_PARAMETER_TOKEN)
    total = inputs.get("total_flop")
    if total is None:
        total = flops.training_flop(inputs["params"], inputs["tokens"], per)
    rate = inputs.get("achieved_flop_per_s")
    if rate is None:
        rate = inputs["peak_flop_per_s"] * inputs["mfu"]
    hours = flops.flop_device_hours(total, rate * inputs.get("goodput", 1))
    out: Outputs = {"total_flop": total, "device_hours": hours}
    if inputs.get("device_count") is not None:
        out["wall_days"] = hours / inputs["device_count"] / 24
    if inputs.get("power_w") is not None:
        it = device.device_energy_kwh(hours, hours, 0.0, inputs["power_w"])
        out["facility_energy_kwh"] = operational.facility_energy_kwh(it, inputs.get("pue", 1))
    return out


@method
def mfu(inputs: Inputs) -> Outputs:
    per = inputs.get("flop_per_param_token", flops.FLOP_PER_PARAMETER_TOKEN)
    rate, peak, count = inputs["tokens_per_s"], inputs["peak_flop_per_s"], inputs["device_count"]
    return {"mfu": flops.model_flop_utilization(inputs["params"], rate, peak, count, per)}


# --- cloud ---


def _cloud(inputs: Inputs, it_kwh: float) -> Outputs:
    facility = operational.facility_energy_kwh(it_kwh, inputs.get("pue", 1)) * inputs.get("replication_factor", 1)
    return {"facility_energy_kwh": facility, **_emissions(inputs, facility)}


@method
def cloud_compute(inputs: Inputs) -> Outputs:
    watts = inputs.get("average_watts")
    if watts is None:
        watts = instance.average_watts(inputs["min_watts"], inputs["max_watts"], inputs["utilization_pct"] / 100)
    return _cloud(inputs, instance.hours_energy_kwh(inputs["unit_hours"], watts))


@method
def cloud_memory(inputs: Inputs) -> Outputs:
    return _cloud(inputs, instance.memory_energy_kwh(inputs["gigabyte_hours"], inputs["kwh_per_gigabyte_hour"]))


@method
def cloud_storage(inputs: Inputs) -> Outputs:
    return _cloud(inputs, instance.storage_energy_kwh(inputs["terabyte_hours"], inputs["wh_per_terabyte_hour"]))


@method
def cloud_network(inputs: Inputs) -> Outputs:
    return _cloud(inputs, instance.network_energy_kwh(inputs["gigabytes"], inputs["kwh_per_gigabyte"]))


@method
def cloud_instance(inputs: Inputs) -> Outputs:
    hours, load, pue = inputs["hours"], inputs["utilization_pct"] / 100, inputs.get("pue", 1)

    def facility(it_kwh: float) -> float:
        return operational.facility_energy_kwh(it_kwh, pue)

    def part(count: float, least: float, most: float) -> float:
        return facility(instance.hours_energy_kwh(count * hours, instance.average_watts(least, most, load)))

    cpu = part(inputs["vcpus"], inputs["cpu_min_watts"], inputs["cpu_max_watts"])
    gpu = part(inputs.get("gpu_count", 0), inputs.get("gpu_min_watts", 0), inputs.get("gpu_max_watts", 0))
    gigabyte_hours = inputs.get("extra_memory_gb", 0) * hours
    memory = facility(instance.memory_energy_kwh(gigabyte_hours, inputs.get("kwh_per_gigabyte_hour", 0)))
    total = cpu + gpu + memory
    energy = {"cpu_energy_kwh": cpu, "gpu_energy_kwh": gpu, "memory_energy_kwh": memory, "facility_energy_kwh": total}
    return {**energy, **_emissions(inputs, total)}


@method
def power_curve_energy(inputs: Inputs) -> Outputs:
    knots = [each / 100 for each in inputs["curve_pct"]]
    factor = device.interpolate(inputs["utilization_pct"] / 100, knots, inputs["curve_factor"])
    share = inputs["vcpus_allocated"] / inputs["vcpus_total"]
    hours = inputs["duration_s"] / units.S_PER_H
    return {"power_factor": factor, "it_energy_kwh": instance.hours_energy_kwh(hours * share, factor * inputs["tdp_w"])}


@method
def log_power_curve(inputs: Inputs) -> Outputs:
    a, b, c, d = (inputs[name] for name in "abcd")
    return {"power_w": device.log_power_w(a, b, c, d, inputs["utilization_pct"])}


# --- tokens ---

_COEFFICIENTS = {"a_l": "latency_active", "b_l": "latency_batch", "c_l": "latency_base"}


@method
def llm_token(inputs: Inputs) -> Outputs:
    low, high = (_request(inputs, end) for end in ("min", "max"))
    return {name: low[name] if low[name] == high[name] else {"min": low[name], "max": high[name]} for name in low}


def _request(inputs: Inputs, end: str) -> dict[str, float]:
    """Evaluate one end of every range."""

    def at(value: Any) -> float:
        return float(value[end] if isinstance(value, Mapping) else value)

    given = {_COEFFICIENTS.get(name, name): value for name, value in inputs.get("coefficients", {}).items()}
    fit = dataclasses.replace(tokens.Fit(), **given)
    batch, mix = inputs.get("batch_size", 64), inputs["mix"]
    active = at(inputs["active_params_b"])
    gpus = tokens.gpu_count(at(inputs["total_params_b"]), inputs.get("quantization_bits", 16), fit)
    latency = inputs["output_tokens"] * tokens.token_seconds(active, batch, fit, inputs.get("tps"))
    latency += inputs.get("ttft_s", 0)
    if inputs.get("request_latency_s") is not None:
        latency = min(latency, inputs["request_latency_s"])
    gpu_kwh = gpus * inputs["output_tokens"] * tokens.token_wh(active, batch, fit) / units.WH_PER_KWH
    it = latency * tokens.server_kwh_per_s(gpus, batch, fit) + gpu_kwh
    facility = operational.facility_energy_kwh(it, at(inputs["pue"]))
    usage = operational.location_based_kg_co2e(facility, at(mix["gwp_kg_per_kwh"]) * units.G_PER_KG)

    def hardware(server: float, gpu: float) -> float:
        return latency * tokens.hardware_per_s(gpus, batch, server, gpu, fit)

    made = hardware(fit.server_embodied_kg, fit.gpu_embodied_kg)
    site = water.site_water_l(it, at(inputs["wue_site_l_per_kwh"]))
    return {
        "gpu_count": gpus,
        "latency_s": latency,
        "it_energy_kwh": it,
        "energy_kwh": facility,
        "gwp_usage_kg": usage,
        "gwp_embodied_kg": made,
        "gwp_kg": usage + made,
        "adpe_kgsb": facility * at(mix["adpe_kgsb_per_kwh"])
        + hardware(fit.server_embodied_adpe, fit.gpu_embodied_adpe),
        "pe_mj": facility * at(mix["pe_mj_per_kwh"]) + hardware(fit.server_embodied_pe, fit.gpu_embodied_pe),
        "water_l": site + water.grid_water_l(facility, at(mix["water_l_per_kwh"])),
    }


@method
def request_stack(inputs: Inputs) -> Outputs:
    stack = intensity.request_stack(
        list(inputs["components_wh"].items()),
        overhead=inputs.get("overhead_component"),
        wue_l_per_kwh=inputs.get("wue_site_l_per_kwh"),
    )
    out: Outputs = {"energy_wh": stack.energy_wh, "requests_per_kwh": stack.requests_per_kwh}
    kwh = stack.energy_wh / units.WH_PER_KWH
    for basis in ("market", "location"):
        grams_per_kwh = inputs.get(f"intensity_{basis}_g_per_kwh")
        if grams_per_kwh is not None:
            grams = operational.location_based_kg_co2e(kwh, grams_per_kwh) * units.G_PER_KG
            out[f"scope2_{basis}_g"] = grams
            out[f"total_{basis}_g"] = grams + inputs.get("scope1_3_g", 0)
    if stack.water_ml is not None:
        out["water_ml"] = stack.water_ml
    return out


# --- embodied ---


@method
def embodied_share(inputs: Inputs) -> Outputs:
    share = inputs.get("resource_share", 1)
    if inputs.get("resources_used") is not None:
        share = inputs["resources_used"] / inputs["resources_total"]

    def of(hours: float) -> float:
        lifetime, load = inputs["lifetime_hours"], inputs.get("lifetime_utilization", 1)
        return embodied.embodied_share_kg(inputs["embodied_total_kg"], hours, lifetime, load, share)

    return {"embodied_kg": of(inputs["hours_used"]), "embodied_kg_per_hour": of(1)}


@method
def embodied_division(inputs: Inputs) -> Outputs:
    return {"embodied_kg_per_unit": embodied.embodied_share_kg(inputs["embodied_total_kg"], 1, inputs["units"])}


@method
def server_embodied_linear(inputs: Inputs) -> Outputs:
    parts = [(inputs.get(part, 0), inputs.get(f"per_{part}_kg", 0)) for part in ("ssd", "hdd", "gpu")]
    total = embodied.server_embodied_kg(
        inputs["baseline_kg"],
        vcpus=inputs.get("vcpus", 1),
        per_vcpu_kg=inputs.get("per_vcpu_kg", 0),
        memory_gb=inputs.get("memory_gb", 16),
        per_gb_kg=inputs.get("per_gb_kg", 0),
        parts=parts,
    )
    ratio = inputs.get("usage_ratio", 1)
    share = embodied.embodied_share_kg(total, inputs["duration_s"], inputs["lifetime_s"], 1.0, ratio)
    return {"total_embodied_kg": total, "embodied_kg": share}


@method
def chip_area_embodied(inputs: Inputs) -> Outputs:
    by_component = {
        part["name"]: embodied.embodied_share_kg(
            embodied.die_impact(part["amount"], part["kg_per_amount"], 0.0, part["count"]),
            inputs["hours"],
            inputs["lifetime_hours"],
        )
        for part in inputs["components"]
    }
    return {"by_component_kg": by_component, "embodied_kg": math.fsum(by_component.values())}


@method
def die_embodied(inputs: Inputs) -> Outputs:
    count, size = inputs.get("units", 1), inputs["size"]
    out = {"embodied_kg": embodied.die_impact(size, inputs["kg_per_size"], inputs["base_kg"], count)}
    if inputs.get("mj_per_size") is not None:
        out["primary_energy_mj"] = embodied.die_impact(size, inputs["mj_per_size"], inputs["base_mj"], count)
    return out


# --- intensity, water, mixes ---


@method
def sci(inputs: Inputs) -> Outputs:
    components = []
    for part in inputs["components"]:
        facility = operational.facility_energy_kwh(part.get("energy_kwh", 0), part.get("pue", 1))
        grams_per_kwh = part.get("intensity_kg_per_kwh", 0) * units.G_PER_KG
        kg = operational.location_based_kg_co2e(facility, grams_per_kwh) + part.get("operational_kg", 0)
        components.append(intensity.Component(kg, part.get("embodied_kg", 0), part.get("share", 1)))
    carbon = intensity.system_kg(components)
    return {"carbon_kg": carbon, "sci_kg_per_unit": intensity.sci_kg_per_unit(carbon, inputs["functional_units"])}


@method
def water_(inputs: Inputs) -> Outputs:
    pue, it = inputs.get("pue", 1), inputs.get("it_energy_kwh")
    if it is None:
        it = operational.it_of_facility_kwh(inputs["facility_energy_kwh"], pue)
    facility = inputs.get("facility_energy_kwh")
    if facility is None:
        facility = operational.facility_energy_kwh(it, pue)
    onsite = water.site_water_l(it, inputs["wue_site_l_per_kwh"])
    offsite = water.grid_water_l(facility, inputs["ewif_l_per_kwh"])
    return {"onsite_l": onsite, "offsite_l": offsite, "total_l": onsite + offsite}


METHODS["water"] = METHODS.pop("water_")
