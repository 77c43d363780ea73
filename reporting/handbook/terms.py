"""Which page of the handbook explains what a figure is made of: methods, impacts, factors, notes."""

from __future__ import annotations

from typing import Final

METHODS: Final = {
    "measured": "measured",
    "device": "device",
    "instance": "instance",
    "tokens": "tokens",
    "flops": "flops",
    "seats": "seats",
    "spend": "spend",
    "reported": "reported",
    "none": "methods",
}

IMPACTS: Final = {
    "location_kg_co2e": "location",
    "market_kg_co2e": "market",
    "upstream_kg_co2e": "upstream",
    "embodied_kg_co2e": "embodied",
    "water_l": "water",
    "primary_energy_mj": "resources",
    "adpe_kg_sbeq": "resources",
}
"""Energy is explained by the page of its method."""

FACTORS: Final = {
    "accelerator_count": "instance",
    "adpe": "resources",
    "cached_saving": "tokens",
    "device_power": "device",
    "embodied": "embodied",
    "energy_scale": "scenarios",
    "grid_location": "location",
    "grid_losses": "upstream",
    "grid_market": "market",
    "grid_upstream": "upstream",
    "grid_water": "water",
    "host_factor": "boundaries",
    "instance_power": "instance",
    "lifetime": "embodied",
    "memory_beyond_cpu": "instance",
    "memory_power": "instance",
    "mfu": "flops",
    "peak_rate": "flops",
    "primary_energy": "resources",
    "pue": "pue",
    "reported": "reported",
    "sample_scale": "sampling",
    "seat": "seats",
    "spend": "spend",
    "token_energy": "tokens",
    "wue": "water",
    "fuel": "sites",
    "refrigerant": "sites",
    "waste_treatment": "bookings",
}

SPREAD: Final = "_spread"
"""Factors of this ending are 1 and make the interval only."""

NOTES: Final = {
    "scaled": "sampling",
    "sample_share_unreadable": "sampling",
    "no_method": "methods",
    "method_switched_off": "methods",
    "unknown_model": "missing",
    "unknown_hardware": "missing",
    "unknown_instance": "missing",
    "fine_tuned_model": "methods",
    "model_snapshot_assumed": "methods",
    "hardware_variant_assumed": "methods",
    "no_device_power": "device",
    "idle_above_peak": "device",
    "no_instance_power": "instance",
    "no_peak_rate": "flops",
    "default_utilization": "device",
    "power_from_accelerators": "instance",
    "energy_not_metered": "measured",
    "energy_boundary_unknown": "boundaries",
    "no_output_tokens": "tokens",
    "no_input_tokens": "tokens",
    "prefill_off": "tokens",
    "undisclosed_parameters": "tokens",
    "no_seat_factor": "seats",
    "no_spend_factor": "spend",
    "money_beside_use": "spend",
    "one_figure_for_both_bases": "seats",
    "reported_by_supplier": "reported",
    "other_basis_not_reported": "reported",
    "impact_out_of_range": "missing",
    "generated_exceeds_meter": "sites",
    "no_zone": "location",
    "unknown_region": "location",
    "unknown_zone": "location",
    "assumed_location": "location",
    "grid_country_average": "location",
    "hourly_grid_factor": "location",
    "monthly_grid_factor": "location",
    "grid_hours_filled": "location",
    "grid_world_average": "location",
    "factor_later_than_use": "location",
    "no_grid_factor": "location",
    "lifecycle_grid_factor": "location",
    "co2_only_grid_factor": "location",
    "upstream_in_location": "upstream",
    "no_upstream_factor": "upstream",
    "no_loss_factor": "upstream",
    "losses_in_location": "upstream",
    "no_market_factor": "market",
    "default_pue": "pue",
    "no_pue_factor": "pue",
    "no_wue": "water",
    "no_grid_water_factor": "water",
    "site_water_reported": "water",
    "off_site_water_missing": "water",
    "no_primary_energy_factor": "resources",
    "no_adpe_factor": "resources",
    "no_hardware": "embodied",
    "no_embodied_factor": "embodied",
    "flat_embodied_factor": "embodied",
    "embodied_override_unused": "embodied",
    "hardware_not_in_resources": "resources",
    "no_fuel_factor": "sites",
    "no_gwp": "sites",
    "no_treatment_factor": "bookings",
    "records_exceed_meter": "sites",
}
"""Code of `core.quantification.notes` to its page."""

HELP: Final = {
    "targets": "targets",
    "scenarios": "scenarios",
    "scenario_add": "scenarios",
    "scenario_change": "scenarios",
    "scenario_figures": "scenarios",
    "disclosures": "scopes",
    "disclosure_draft": "scopes",
    "quality": "data-quality",
    "explain": "methods",
    "factors": "location",
    "factor_table": "location",
    "own_factors": "uncertainty",
    "restatements": "restatement",
    "restatement": "restatement",
    "sites": "sites",
    "site": "sites",
    "register_upload": "sites",
    "bookings": "bookings",
    "changes": "restatement",
    "providers": "location",
}
"""Name of a product page's address to the page that its help opens."""


def page_of_factor(name: str) -> str:
    """
    Name the page of a factor; "" where none explains it.

    >>> page_of_factor("token_spread"), page_of_factor("pue")
    ('uncertainty', 'pue')
    """
    return "uncertainty" if name.endswith(SPREAD) else FACTORS.get(name, "")


def page_of_impact(impact: str, method: str) -> str:
    """
    Name the page of a formula: that of its impact; that of the method for energy.

    >>> page_of_impact("energy_it_kwh", "tokens"), page_of_impact("water_l", "tokens")
    ('tokens', 'water')
    """
    return IMPACTS.get(impact) or METHODS.get(method, "")


IN_YOUR_FIGURES: Final = {
    "location": "location_kg_co2e",
    "pue": "energy_facility_kwh",
    "upstream": "upstream_kg_co2e",
    "market": "market_kg_co2e",
    "embodied": "embodied_kg_co2e",
    "water": "water_l",
    "resources": "primary_energy_mj",
    "methods": "energy_it_kwh",
}
"""Page to the impact in whose explanation its formula stands with the reader's own numbers."""
