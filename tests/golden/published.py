"""Evaluate published cases with the engine's own functions (docs/methodology, "Published cases").

One function per method, each only a translation of names: a formula written here would prove nothing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

from core.quantification import (
    allocation,
    bounds,
    claims,
    convert,
    embodied,
    intensity,
    market,
    operational,
    targets,
    training,
    units,
    water,
)
from core.quantification.energy import device, flops, instance, tokens

Inputs = Mapping[str, Any]
Outputs = dict[str, Any]

METHODS: dict[str, Callable[[Inputs], Outputs]] = {}


class UnknownMethod(LookupError):  # noqa: N818  # said in the words of the product
    """A case of a method that this table does not know."""


def evaluate(method: str, inputs: Inputs) -> Outputs:
    """Return the outputs of a published method; raises `UnknownMethod` instead of passing over a case."""
    try:
        rule = METHODS[method]
    except KeyError:
        raise UnknownMethod(f"no published method {method!r}; known: {', '.join(sorted(METHODS))}") from None
    return rule({key: value for key, value in inputs.items() if key != "method"})


def method(rule: Callable[[Inputs], Outputs]) -> Callable[[Inputs], Outputs]:
    METHODS[rule.__name__] = rule
    return rule


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


@method
def mix_intensity(inputs: Inputs) -> Outputs:
    sources = [(source["share"], source["kg_per_kwh"]) for source in inputs["sources"]]
    return {"intensity_kg_per_kwh": intensity.mix_kg_per_kwh(sources, inputs.get("total"))}


@method
def cfe_net_intensity(inputs: Inputs) -> Outputs:
    grid, share = inputs["grid_intensity_kg_per_kwh"], inputs["cfe_fraction"]
    return {"net_intensity_kg_per_kwh": market.carbon_free_net_kg_per_kwh(grid, share)}


@method
def aggregate_intensity(inputs: Inputs) -> Outputs:
    items = [(item["emissions_kg"], item["units"]) for item in inputs["items"]]
    return {"ratio_of_sums": intensity.ratio_of_sums(items), "mean_of_ratios": intensity.mean_of_ratios(items)}


# --- market ---


@method
def market_based(inputs: Inputs) -> Outputs:
    instruments = [market.Instrument(**instrument) for instrument in inputs["instruments"]]
    covered = market.cover_consumption(
        inputs["consumption_kwh"],
        instruments,
        location_kg_per_kwh=inputs["location_intensity_kg_per_kwh"],
        residual_kg_per_kwh=inputs["residual_intensity_kg_per_kwh"],
        market=inputs.get("market"),
        reporting_year=inputs.get("reporting_year"),
    )
    rejected = [{"id": instrument, "reasons": list(reasons)} for instrument, reasons in covered.rejected]
    return {**dataclasses.asdict(covered), "rejected": rejected}


@method
def hourly_match(inputs: Inputs) -> Outputs:
    matched = market.match_hourly(
        load_kwh=inputs["load_kwh"],
        contracted_kwh=inputs["contracted_cfe_kwh"],
        grid_cfe_fraction=inputs["grid_cfe_fraction"],
        grid_kg_per_kwh=inputs["grid_intensity_kg_per_kwh"],
        residual_kg_per_kwh=inputs["residual_intensity_kg_per_kwh"],
    )
    return dataclasses.asdict(matched)


# --- training and development ---


@method
def training_breakeven(inputs: Inputs) -> Outputs:
    if inputs.get("training_kg") is not None:
        per_request = inputs["batch_emissions_kg"] / inputs["batch_requests"]
        return {"requests": training.break_even_requests(inputs["training_kg"], per_request)}
    upfront = training.total(inputs["upfront_kwh"])
    per_request = inputs["per_request_kwh"]
    per_request = training.total(per_request) if isinstance(per_request, list) else per_request
    return {"requests": training.break_even_requests(upfront, per_request)}


@method
def lifecycle_multiplier(inputs: Inputs) -> Outputs:
    share, multiplier = training.development_multiplier(inputs["final"], inputs["all"])
    return {"share": share, "multiplier": multiplier}


@method
def experiment_total(inputs: Inputs) -> Outputs:
    kg, run, total = inputs["single_run_kg"], inputs["single_run_hours"], inputs["total_hours"]
    return {"emissions_kg": training.scale_by_time(kg, run, total)}


@method
def scale_by_duration(inputs: Inputs) -> Outputs:
    energy, measured, target = inputs["energy_kwh"], inputs["measured_duration"], inputs["target_duration"]
    return {"energy_kwh": training.scale_by_time(energy, measured, target)}


@method
def amortize_training(inputs: Inputs) -> Outputs:
    spread = training.spread_training(inputs["training_kg"], inputs["window_days"], inputs["requests_per_day"])
    return {**dataclasses.asdict(spread), "per_request_kg": list(spread.per_request_kg)}


@method
def allocate_idle(inputs: Inputs) -> Outputs:
    active = {tenant["name"]: tenant["active_kwh"] for tenant in inputs["tenants"]}
    reserved = {tenant["name"]: tenant["reserved"] for tenant in inputs["tenants"]}
    return {"energy_kwh": dict(allocation.allocate_idle(inputs["idle_kwh"], active, reserved).energy_kwh)}


# --- equivalences, units, claims ---


@method
def equivalence(inputs: Inputs) -> Outputs:
    return {"count": convert.equivalence_count(inputs["emissions_kg"], inputs["kg_per_unit"])}


@method
def unit_convert(inputs: Inputs) -> Outputs:
    return {"value": convert.convert(inputs["value"], inputs["from"], inputs["to"])}


@method
def vehicle_factor(inputs: Inputs) -> Outputs:
    mile = convert.vehicle_kg_per_mile(inputs["kg_per_gallon"], inputs["miles_per_gallon"], inputs["co2_share"])
    yearly = {} if inputs.get("miles_per_year") is None else {"kg_per_year": mile * inputs["miles_per_year"]}
    return {"kg_per_mile": mile, **yearly}


@method
def implied_intensity(inputs: Inputs) -> Outputs:
    energy = inputs.get("energy_kwh")
    if energy is None:
        energy = device_power(inputs)["facility_energy_kwh"]
    least, most = claims.PLAUSIBLE_KG_PER_KWH
    implied = claims.implied_kg_per_kwh(inputs["claimed_emissions_kg"], energy)
    minimum, maximum = inputs.get("plausible_min", least), inputs.get("plausible_max", most)
    plausible = claims.is_plausible(implied, minimum=minimum, maximum=maximum)
    return {"implied_intensity_kg_per_kwh": implied, "plausible": plausible}


@method
def claim_ratio(inputs: Inputs) -> Outputs:
    computed = inputs["computed"]
    found: Any = evaluate(computed["method"], computed["inputs"])
    for step in computed["output"].split("."):
        found = found[int(step) if isinstance(found, list) else step]
    checked = claims.check_claim(inputs["claimed_value"], found, tolerance=inputs["tolerance"])
    return {"computed_value": checked.computed, "ratio": checked.ratio, "consistent": checked.consistent}


# --- targets ---


@method
def target_path(inputs: Inputs) -> Outputs:
    base, since = inputs["base_kg"], inputs["base_year"]
    target_year = inputs.get("target_year")
    reduction = targets.reduction_fraction(
        inputs["mode"],
        years=inputs["year"] - since,
        annual_rate=inputs.get("annual_rate"),
        target_reduction=inputs.get("target_reduction"),
        target_years=None if target_year is None else target_year - since,
    )
    out: Outputs = {"target_kg": targets.target_kg(base, reduction), "reduction_fraction": reduction}
    if inputs.get("actual_kg") is not None:
        gap = targets.gap_kg(inputs["actual_kg"], out["target_kg"])
        out |= {"gap_kg": gap, "on_track": gap <= 0}
    return out


@method
def base_year_recalc(inputs: Inputs) -> Outputs:
    events = [targets.Event(**event) for event in inputs["events"]]
    return dataclasses.asdict(targets.recalculate_base(inputs["base_kg"], events, threshold=inputs["threshold"]))


# --- uncertainty ---


@method
def lognormal_product(inputs: Inputs) -> Outputs:
    return bounds.lognormal_product(inputs["median"], inputs["gsds"])


@method
def lognormal_sum(inputs: Inputs) -> Outputs:
    return bounds.lognormal_sum([(item["median"], item["gsd"]) for item in inputs["items"]])


@method
def data_quality_score(inputs: Inputs) -> Outputs:
    items = [(item["emissions_kg"], item["score"]) for item in inputs["items"]]
    most = inputs.get("measured_max_score", 2)
    weighted, measured = bounds.data_quality_score(items, measured_max_score=most)
    return {"weighted_score": weighted, "measured_share": measured}
