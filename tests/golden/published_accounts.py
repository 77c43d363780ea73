"""Published methods of electricity mixes, contracts, training, claims, targets and uncertainty."""

from __future__ import annotations

import dataclasses
from typing import Any

from core.quantification import (
    allocation,
    bounds,
    claims,
    convert,
    data_quality,
    instruments,
    intensity,
    targets,
    training,
)
from tests.golden.table import METHODS, Inputs, Outputs, evaluate, method


@method
def mix_intensity(inputs: Inputs) -> Outputs:
    sources = [(source["share"], source["kg_per_kwh"]) for source in inputs["sources"]]
    return {"intensity_kg_per_kwh": intensity.mix_kg_per_kwh(sources, inputs.get("total"))}


@method
def cfe_net_intensity(inputs: Inputs) -> Outputs:
    grid, share = inputs["grid_intensity_kg_per_kwh"], inputs["cfe_fraction"]
    return {"net_intensity_kg_per_kwh": instruments.carbon_free_net_kg_per_kwh(grid, share)}


@method
def aggregate_intensity(inputs: Inputs) -> Outputs:
    items = [(item["emissions_kg"], item["units"]) for item in inputs["items"]]
    return {"ratio_of_sums": intensity.ratio_of_sums(items), "mean_of_ratios": intensity.mean_of_ratios(items)}


# --- market ---


@method
def market_based(inputs: Inputs) -> Outputs:
    contracted = [instruments.Instrument(**instrument) for instrument in inputs["instruments"]]
    covered = instruments.cover_consumption(
        inputs["consumption_kwh"],
        contracted,
        location_kg_per_kwh=inputs["location_intensity_kg_per_kwh"],
        residual_kg_per_kwh=inputs["residual_intensity_kg_per_kwh"],
        market=inputs.get("market"),
        reporting_year=inputs.get("reporting_year"),
    )
    rejected = [{"id": instrument, "reasons": list(reasons)} for instrument, reasons in covered.rejected]
    return {**dataclasses.asdict(covered), "rejected": rejected}


@method
def hourly_match(inputs: Inputs) -> Outputs:
    matched = instruments.match_hourly(
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
        energy = METHODS["device_power"](inputs)["facility_energy_kwh"]
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
    weighted, measured = data_quality.data_quality_score(items, measured_max_score=most)
    return {"weighted_score": weighted, "measured_share": measured}
