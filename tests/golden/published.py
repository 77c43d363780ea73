"""Evaluate published cases with the engine itself (docs/methodology, "Published cases").

What `quantify` can express goes through it, as a record with overrides or with a factor pack of the case's own rows; the
rest calls the functions that plans are made of, or those that wait for their caller. One function per method, each only a
translation of names: a formula written here would prove nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from core.quantification import embodied, hardware_models, intensity, training, units
from core.quantification.energy import device, services, tokens
from core.quantification.operational import defaults_of
from core.quantification.use import Context
from tests.golden import published_accounts  # fills the table
from tests.golden.engine import case_pack, emissions, published_methodology, quantified, shipped_pack, site_factors
from tests.golden.table import METHODS, Inputs, Outputs, UnknownMethod, evaluate, method
from tests.one_record import One

__all__ = ["UnknownMethod", "evaluate", "published_accounts"]


# --- energy and emissions ---


@method
def energy_to_emissions(inputs: Inputs) -> Outputs:
    one = _metered(inputs, inputs["energy_kwh"], inputs.get("boundary", "facility"))
    return {"facility_energy_kwh": one["energy_facility_kwh"], **emissions(inputs, one)}


def _metered(inputs: Inputs, energy_kwh: float, boundary: str, **factors: float) -> One:
    record = {"energy_kwh": energy_kwh, "energy_boundary": boundary}
    return quantified(record, factors=site_factors(inputs) | factors)


@method
def device_power(inputs: Inputs) -> Outputs:
    hours = inputs.get("device_hours")
    if hours is None:
        hours = inputs["device_count"] * inputs["hours"]
    one = _held(inputs, hours, inputs["power_w"], inputs.get("utilization", 1))
    energy = {"it_energy_kwh": one["energy_it_kwh"], "facility_energy_kwh": one["energy_facility_kwh"]}
    return {"device_hours": hours, **energy, **emissions(inputs, one)}


def _held(inputs: Inputs, hours: float, power_w: float, load: float = 1) -> One:
    """Quantify devices whose power rises from nothing: watts as published hold idle time already."""
    factors = {"device_tdp_w": power_w, "device_idle_w": 0, **site_factors(inputs)}
    return quantified({"device_hours": hours, "device_utilization": load}, factors=factors)


@method
def component_power(inputs: Inputs) -> Outputs:
    parts = {part["name"]: (part.get("count", 1), part["power_w"]) for part in inputs["components"]}
    total = hardware_models.node_power_w(list(parts.values()))
    shares = {name: hardware_models.node_power_w([part]) / total for name, part in parts.items()}
    out: Outputs = {"power_w_total": total, "shares": shares}
    if inputs.get("hours") is not None:
        out["it_energy_kwh"] = _held(inputs, inputs["hours"], total)["energy_it_kwh"]
    return out


@method
def training_flops(inputs: Inputs) -> Outputs:
    per = inputs.get("flop_per_param_token", training.FLOP_PER_PARAMETER_TOKEN)
    total = inputs.get("total_flop")
    if total is None:
        total = training.training_flop(inputs["params"], inputs["tokens"], per)
    # A device of 1 kW draws as many kWh as it runs hours.
    hours = _operations(inputs, total, power_w=units.W_PER_KW)["energy_it_kwh"]
    out: Outputs = {"total_flop": total, "device_hours": hours}
    if inputs.get("device_count") is not None:
        out["wall_days"] = hours / inputs["device_count"] / 24
    if inputs.get("power_w") is not None:
        out["facility_energy_kwh"] = _operations(inputs, total, inputs["power_w"])["energy_facility_kwh"]
    return out


def _operations(inputs: Inputs, total_flop: float, power_w: float) -> One:
    achieved = inputs.get("achieved_flop_per_s")
    rate, mfu = (inputs["peak_flop_per_s"], inputs["mfu"]) if achieved is None else (achieved, 1.0)
    chip = {
        "hardware_id": "chip",
        "name": "chip",
        "kind": "gpu",
        "peak_fp16_tflops": rate / 1e12,
        "fp16_basis": "tensor/matrix dense",
    }
    return quantified(
        {"flops": total_flop, "hardware": "chip"},
        factors={"device_tdp_w": power_w, "device_idle_w": 0, **site_factors(inputs)},
        pack=case_pack(hardware=[chip]),
        methodology=published_methodology(mfu_goodput=mfu * inputs.get("goodput", 1), flops_utilization=1.0),
    )


@method
def mfu(inputs: Inputs) -> Outputs:
    per = inputs.get("flop_per_param_token", training.FLOP_PER_PARAMETER_TOKEN)
    rate, peak, count = inputs["tokens_per_s"], inputs["peak_flop_per_s"], inputs["device_count"]
    return {"mfu": training.model_flop_utilization(inputs["params"], rate, peak, count, per)}


# --- cloud ---


def _machine(inputs: Inputs, hours: float, watts: tuple[float, float] = (0, 0), load: float = 1, **row: float) -> One:
    """
    Quantify an instance of a table of its own: watts of its CPU at rest and at full load, memory, accelerators.

    A service that keeps copies draws for as many hours more.
    """
    shape = {"provider": "case", "instance_type": "machine", "hardware_id": "chip", "watts_boundary": "CPU only"}
    memory = {"key": "memory", "value": inputs.get("kwh_per_gigabyte_hour", 0)}
    factors = site_factors(inputs)
    if row.get("accelerator_count"):
        factors |= {"device_idle_w": inputs["gpu_min_watts"], "device_tdp_w": inputs["gpu_max_watts"]}
    return quantified(
        {
            "instance_type": "machine",
            "instance_hours": hours * inputs.get("replication_factor", 1),
            "instance_utilization": load,
        },
        factors=factors,
        pack=case_pack(
            cloud_instances=[{**shape, "watts_idle": watts[0], "watts_100": watts[1], **row}],
            hardware=[{"hardware_id": "chip", "name": "chip", "kind": "gpu"}],
            calc_defaults=[memory],
        ),
    )


def _cloud(inputs: Inputs, one: One) -> Outputs:
    return {"facility_energy_kwh": one["energy_facility_kwh"], **emissions(inputs, one)}


@method
def cloud_compute(inputs: Inputs) -> Outputs:
    mean = inputs.get("average_watts")
    watts = (inputs["min_watts"], inputs["max_watts"]) if mean is None else (mean, mean)
    return _cloud(inputs, _machine(inputs, inputs["unit_hours"], watts, inputs.get("utilization_pct", 100) / 100))


@method
def cloud_memory(inputs: Inputs) -> Outputs:
    return _cloud(inputs, _machine(inputs, inputs["gigabyte_hours"], memory_gb=1))


@method
def cloud_storage(inputs: Inputs) -> Outputs:
    return _service(inputs, services.storage_energy_kwh(inputs["terabyte_hours"], inputs["wh_per_terabyte_hour"]))


@method
def cloud_network(inputs: Inputs) -> Outputs:
    return _service(inputs, services.network_energy_kwh(inputs["gigabytes"], inputs["kwh_per_gigabyte"]))


def _service(inputs: Inputs, it_energy_kwh: float) -> Outputs:
    return _cloud(inputs, _metered(inputs, it_energy_kwh * inputs.get("replication_factor", 1), "it"))


@method
def cloud_instance(inputs: Inputs) -> Outputs:
    vcpus = inputs["vcpus"]
    one = _machine(
        inputs,
        inputs["hours"],
        (vcpus * inputs["cpu_min_watts"], vcpus * inputs["cpu_max_watts"]),
        inputs["utilization_pct"] / 100,
        accelerator_count=inputs.get("gpu_count", 0),
        memory_gb=inputs.get("extra_memory_gb", 0),
    )
    parts = {"cpu": "instance_power", "gpu": "device_power", "memory": "memory_power"}
    energy = {f"{part}_energy_kwh": one.part("energy_facility_kwh", factor) for part, factor in parts.items()}
    return {**energy, **_cloud(inputs, one)}


@method
def power_curve_energy(inputs: Inputs) -> Outputs:
    """Let a CPU follow the curve; curves of other knots are read at the engine's."""
    knots, curve = [each / 100 for each in inputs["curve_pct"]], inputs["curve_factor"]
    load = inputs["utilization_pct"] / 100
    at_knots = tuple(device.interpolate(knot, knots, curve) for knot in device.KNOTS)
    share = inputs["vcpus_allocated"] / inputs["vcpus_total"]
    one = quantified(
        {
            "hardware": "chip",
            "device_hours": inputs["duration_s"] / units.S_PER_H * share,
            "device_utilization": load,
        },
        factors={"device_tdp_w": inputs["tdp_w"]},
        pack=case_pack(hardware=[{"hardware_id": "chip", "name": "chip", "kind": "cpu"}]),
        methodology=published_methodology(cpu_curve=at_knots),
    )
    return {"power_factor": device.interpolate(load, knots, curve), "it_energy_kwh": one["energy_it_kwh"]}


@method
def log_power_curve(inputs: Inputs) -> Outputs:
    a, b, c, d = (inputs[name] for name in "abcd")
    return {"power_w": hardware_models.log_power_w(a, b, c, d, inputs["utilization_pct"])}


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

    mix = {name: value for name, value in inputs["mix"].items() if name != "zone"}
    active, total = at(inputs["active_params_b"]), at(inputs["total_params_b"])
    model = {"model_name": "model", "output_tps": inputs.get("tps"), "ttft_s": inputs.get("ttft_s")}
    sizes = {"params_active_b": active, "params_total_b": total}
    model |= {f"{name}_{bound}": size for name, size in sizes.items() for bound in ("min", "max")}
    grid = {
        "zone_id": "WOR",
        "adpe_kgsbeq_per_kwh": at(mix["adpe_kgsb_per_kwh"]),
        "primary_energy_mj_per_kwh": at(mix["pe_mj_per_kwh"]),
    }
    pack = case_pack(
        models=[{**model, "params_disclosed": "True"}], grid_water_resources=[grid], calc_defaults=_fit_rows(inputs)
    )
    method = published_methodology(
        batch_size=inputs.get("batch_size", 64), quantization_bits=inputs.get("quantization_bits", 16)
    )
    factors = {
        **site_factors({"pue": at(inputs["pue"]), "intensity_kg_per_kwh": at(mix["gwp_kg_per_kwh"])}),
        "wue_l_per_kwh": at(inputs["wue_site_l_per_kwh"]),
        "grid_water_l_per_kwh": at(mix["water_l_per_kwh"]),
    }
    record = {"model": "model", "output_tokens": inputs["output_tokens"], "requests": 1}
    one = quantified(record, factors=factors, pack=pack, methodology=method)
    serving = tokens.serving_of(one.plan.use, Context.of(one.plan.use, pack, method))
    assert serving is not None
    carried = tokens.time_measures(one.plan.use, serving)
    latency = math.fsum(one.measures[measure] * seconds(active) for measure, _, seconds in carried)
    if inputs.get("request_latency_s") is not None:
        latency = min(latency, inputs["request_latency_s"])
        one = quantified({**record, "generation_s": latency}, factors=factors, pack=pack, methodology=method)
    return {
        "gpu_count": serving.gpus(total),
        "latency_s": latency,
        "it_energy_kwh": one["energy_it_kwh"],
        "energy_kwh": one["energy_facility_kwh"],
        "gwp_usage_kg": one["location_kg_co2e"],
        "gwp_embodied_kg": one["embodied_kg_co2e"],
        "gwp_kg": one["location_kg_co2e"] + one["embodied_kg_co2e"],
        "adpe_kgsb": one["adpe_kg_sbeq"],
        "pe_mj": one["primary_energy_mj"],
        "water_l": one["water_l"],
    }


def _fit_rows(inputs: Inputs) -> list[Mapping[str, object]]:
    """Return the shipped coefficients of the token method, with a case's own in their place."""
    given = {_COEFFICIENTS.get(name, name): value for name, value in inputs.get("coefficients", {}).items()}
    own = {tokens.FIT_KEYS[name]: {"value": value} for name, value in given.items()}
    rows = defaults_of(shipped_pack())
    return [{**rows[key], **own.get(key, {})} for key in tokens.FIT_KEYS.values()]


@method
def request_stack(inputs: Inputs) -> Outputs:
    stack = intensity.request_stack(
        list(inputs["components_wh"].items()),
        overhead=inputs.get("overhead_component"),
        wue_l_per_kwh=inputs.get("wue_site_l_per_kwh"),
    )
    out: Outputs = {"energy_wh": stack.energy_wh, "requests_per_kwh": stack.requests_per_kwh}
    overrides = {"market": "market_g_co2e_per_kwh", "location": "grid_g_co2e_per_kwh"}
    for basis, override in overrides.items():
        grams_per_kwh = inputs.get(f"intensity_{basis}_g_per_kwh")
        if grams_per_kwh is not None:
            one = _metered({}, stack.energy_wh / units.WH_PER_KWH, "facility", **{override: grams_per_kwh})
            grams = one[f"{basis}_kg_co2e"] * units.G_PER_KG
            out[f"scope2_{basis}_g"] = grams
            out[f"total_{basis}_g"] = grams + inputs.get("scope1_3_g", 0)
    if stack.water_ml is not None:
        out["water_ml"] = stack.water_ml
    return out


# --- embodied ---


@method
def embodied_share(inputs: Inputs) -> Outputs:
    """Quantify a whole device; the engine knows no part of one and no idle life, so these call its formula."""
    total, hours, lifetime = (inputs[name] for name in ("embodied_total_kg", "hours_used", "lifetime_hours"))
    share, load = inputs.get("resource_share", 1), inputs.get("lifetime_utilization", 1)
    if inputs.get("resources_used") is not None:
        share = inputs["resources_used"] / inputs["resources_total"]

    def of(hours: float) -> float:
        if share == load == 1:
            factors = {"embodied_kg_co2e": total, "lifetime_h": lifetime, "device_tdp_w": 1}
            return quantified({"device_hours": hours}, factors=factors)["embodied_kg_co2e"]
        return embodied.embodied_share(total, hours, lifetime, load, share)

    return {"embodied_kg": of(hours), "embodied_kg_per_hour": of(1)}


@method
def embodied_division(inputs: Inputs) -> Outputs:
    whole_life = embodied.embodied_share(inputs["embodied_total_kg"], 1, 1, resource_share=1 / inputs["units"])
    return {"embodied_kg_per_unit": whole_life}


@method
def server_embodied_linear(inputs: Inputs) -> Outputs:
    parts = [(inputs.get(part, 0), inputs.get(f"per_{part}_kg", 0)) for part in ("ssd", "hdd", "gpu")]
    total = hardware_models.server_embodied_kg(
        inputs["baseline_kg"],
        vcpus=inputs.get("vcpus", 1),
        per_vcpu_kg=inputs.get("per_vcpu_kg", 0),
        memory_gb=inputs.get("memory_gb", 16),
        per_gb_kg=inputs.get("per_gb_kg", 0),
        parts=parts,
    )
    ratio = inputs.get("usage_ratio", 1)
    share = embodied.embodied_share(total, inputs["duration_s"], inputs["lifetime_s"], 1.0, ratio)
    return {"total_embodied_kg": total, "embodied_kg": share}


@method
def chip_area_embodied(inputs: Inputs) -> Outputs:
    by_component = {
        part["name"]: embodied.embodied_share(
            hardware_models.die_impact(part["amount"], part["kg_per_amount"], 0.0, part["count"]),
            inputs["hours"],
            inputs["lifetime_hours"],
        )
        for part in inputs["components"]
    }
    return {"by_component_kg": by_component, "embodied_kg": math.fsum(by_component.values())}


@method
def die_embodied(inputs: Inputs) -> Outputs:
    count, size = inputs.get("units", 1), inputs["size"]
    out = {"embodied_kg": hardware_models.die_impact(size, inputs["kg_per_size"], inputs["base_kg"], count)}
    if inputs.get("mj_per_size") is not None:
        out["primary_energy_mj"] = hardware_models.die_impact(size, inputs["mj_per_size"], inputs["base_mj"], count)
    return out


# --- intensity, water ---


@method
def sci(inputs: Inputs) -> Outputs:
    components = []
    for part in inputs["components"]:
        kg = part.get("operational_kg", 0)
        if part.get("energy_kwh") is not None:
            own = {"intensity_kg_per_kwh": 0, **part}
            kg += _metered(own, part["energy_kwh"], "it")["location_kg_co2e"]
        components.append(intensity.Component(kg, part.get("embodied_kg", 0), part.get("share", 1)))
    carbon = intensity.system_kg(components)
    return {"carbon_kg": carbon, "sci_kg_per_unit": intensity.sci_kg_per_unit(carbon, inputs["functional_units"])}


@method
def water_(inputs: Inputs) -> Outputs:
    boundary = "it" if inputs.get("it_energy_kwh") is not None else "facility"
    rates = {"wue_l_per_kwh": inputs["wue_site_l_per_kwh"], "grid_water_l_per_kwh": inputs["ewif_l_per_kwh"]}
    one = _metered(inputs, inputs[f"{boundary}_energy_kwh"], boundary, **rates)
    site, grid = one.part("water_l", "wue"), one.part("water_l", "grid_water")
    return {"onsite_l": site, "offsite_l": grid, "total_l": one["water_l"]}


METHODS["water"] = METHODS.pop("water_")
