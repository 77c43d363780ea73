"""The notes of a result: stable codes, each with the sentence that pages and reports print."""

from typing import Final

TEXTS: Final = {
    # the method
    "no_method": "No measure of the record can be turned into an impact.",
    "unknown_model": "The model is not in the catalog and no parameters were given.",
    "unknown_hardware": "The hardware is not in the catalog and no power was given.",
    "unknown_instance": "The instance type is not in the catalog.",
    "hardware_variant_assumed": "The hardware's name fits several variants: the one with the highest power was taken.",
    "no_device_power": "The catalog knows no power for this hardware.",
    "idle_above_peak": "The idle power given is above the peak power: no power curve.",
    "no_instance_power": "The catalog knows no power for this instance type.",
    "no_peak_rate": "The catalog knows no dense 16-bit rate for this hardware.",
    "default_utilization": "The load is not known: the default of the lifecycle stage was used.",
    "power_from_accelerators": "The instance's power is that of its accelerators times the host factor.",
    "energy_not_metered": "The energy was modelled or stated by somebody else, not metered.",
    "energy_boundary_unknown": "The energy's boundary is not known: read as the whole node at its plug.",
    "no_output_tokens": "Output tokens are not known: only the prefill is counted.",
    "no_input_tokens": "Input tokens are not known: the prefill is left out.",
    "prefill_off": "Input tokens are not counted: the methodology has the prefill switched off.",
    "undisclosed_parameters": "The vendor does not disclose the model's size: an assumption with its range was used.",
    "no_seat_factor": "No published factor for a seat of this product.",
    "no_spend_factor": "No emission factor for this spend.",
    "reported_by_supplier": "The supplier's own figure, carried to the basis that it states.",
    "other_basis_not_reported": "The supplier reports one basis only; the other is not known.",
    # the place
    "no_zone": "Neither zone nor region is known.",
    "unknown_region": "The region is not in the catalog.",
    "unknown_zone": "The zone is not in the catalog.",
    "assumed_location": "The provider does not say where it ran: its assumed home grid was used.",
    "grid_country_average": "The zone has no factor of its own: the country's average was used.",
    "grid_world_average": "No zone with a factor is known: the world average was used.",
    "factor_later_than_use": "The only factor is of a later year than the use.",
    "no_grid_factor": "No grid factor, not even the world's.",
    "lifecycle_grid_factor": "The grid factor includes fuel supply and plants.",
    "co2_only_grid_factor": "The grid factor holds CO2 only, not the other gases.",
    "upstream_in_location": "The location-based factor holds the fuel's supply chain already.",
    "no_upstream_factor": "No factor for the fuel's supply chain of that zone and year.",
    "no_loss_factor": "Grid losses are not known and left out.",
    "losses_in_location": "The grid factor holds the grid's losses already.",
    "no_market_factor": "No market-based factor: market equals location.",
    # the site
    "default_pue": "The site's PUE is not known: the industry's default was used.",
    "no_wue": "The site's water use per kWh is not known.",
    "no_grid_water_factor": "The grid's water use per kWh is not known.",
    "site_water_reported": "On-site water is the record's own figure.",
    "off_site_water_missing": "Water of electricity generation is not in the figure.",
    "no_primary_energy_factor": "The grid's primary energy per kWh is not known.",
    "no_adpe_factor": "The grid's mineral use per kWh is not known.",
    # the hardware
    "no_hardware": "The record does not say which hardware ran for how long: no embodied share.",
    "no_embodied_factor": "No embodied emissions are known for this hardware.",
    "flat_embodied_factor": "No embodied emissions are known for this accelerator: a flat value was used.",
    "embodied_override_unused": "The embodied total given needs device or instance hours to be shared over.",
    "hardware_not_in_resources": "Primary energy and minerals hold the electricity only, not the hardware.",
}
"""Code to sentence. Codes are part of the contract and never change their meaning."""
