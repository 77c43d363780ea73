"""What a dossier may hold of a provider: each figure with its unit, what could be behind it, and the question to ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Metric:
    """
    A figure or statement that providers are asked for.

    Args:
        label: in words; a message of the catalogue.
        question: to the provider; a message of the catalogue.
        unit: of its value; "" for a plain ratio or a number of things, ``text`` for what is no number.
        better: whether less of it is better, or more.
        least, most: possible values.
        aliases: its names in published tables.
    """

    label: str
    question: str
    unit: str
    better: str = "less"
    least: float = 0.0
    most: float = float("inf")
    aliases: tuple[str, ...] = ()

    @property
    def is_text(self) -> bool:
        """Tell whether it is a statement and no number."""
        return self.unit == "text"


METRICS: Final[Mapping[str, Metric]] = {
    "pue": Metric(
        "PUE", "Which PUE did the site have over the last full year, measured where and by which category of EN 50600-4-2?",
        "ratio", least=1.0, most=20.0, aliases=("pue_fleet",),
    ),
    "wue": Metric(
        "WUE", "How much water did the site use per kWh of IT energy over the last full year?",
        "L/kWh", most=100.0, aliases=("wue_fleet",),
    ),
    "carbon_free_hourly_share": Metric(
        "Carbon-free share, hour by hour",
        "Which share of the electricity was matched with carbon-free generation hour by hour, on the same grid?",
        "share", "more", most=1.0, aliases=("cfe_hourly_fraction",),
    ),
    "renewable_annual_share": Metric(
        "Renewable share, on the yearly sum",
        "Which share of the yearly electricity is covered by which instruments: type, volume, vintage and market of each?",
        "share", "more", most=1.0, aliases=("renewable_match_annual_fraction",),
    ),
    "market_g_co2e_per_kwh": Metric(
        "Market-based factor", "Which residual or supplier factor applies to the electricity, with which instruments?",
        "g CO2e/kWh", most=2000.0,
    ),
    "location_g_co2e_per_kwh": Metric(
        "Location-based factor", "Which location-based factor do you report for the region, of which edition?",
        "g CO2e/kWh", most=2000.0, aliases=("fleet_intensity_location_based",),
    ),
    "energy_per_request_wh": Metric(
        "Energy per request", "How much energy does a request take, of which model and length, with idle and host included?",
        "Wh", most=1e6, aliases=("energy_per_prompt",),
    ),
    "emissions_per_request_g": Metric(
        "Emissions per request", "What does a request emit, on which basis, with hardware and idle included?",
        "g CO2e", most=1e6, aliases=("emissions_per_prompt_market_based", "emissions_per_400_token_response"),
    ),
    "water_per_request_ml": Metric(
        "Water per request", "How much water does a request take, on site and for its electricity?",
        "mL", most=1e6, aliases=("water_per_prompt", "water_per_400_token_response"),
    ),
    "water_stress": Metric(
        "Water stress", "Which baseline water stress has the basin of the site, by Aqueduct?", "text",
    ),
    "heat_reuse_share": Metric(
        "Heat reused", "Which share of the site's energy is reused as heat outside of it?", "share", "more", most=1.0,
    ),
    "embodied_kg_per_server": Metric(
        "Embodied emissions of a server", "Which product carbon footprint have the servers, of which review?",
        "kg CO2e", most=1e6,
    ),
    "hardware_lifetime_years": Metric(
        "Lifetime of hardware", "How many years are servers and accelerators in use?", "years", "more", most=30.0,
    ),
    "ewaste_recovered_share": Metric(
        "E-waste reused or recycled", "Which share of decommissioned hardware is reused or recycled, by mass?",
        "share", "more", most=1.0,
    ),
    "certification": Metric(
        "Site certifications", "Which certificates has the site (ISO 14001, ISO 50001, EN 50600), until when?", "text", "more",
    ),
    "report_delay_months": Metric(
        "Delay of customer reports", "How many months after a month's end do customers see their emissions?", "months", most=60.0,
    ),
    "report_granularity": Metric(
        "Granularity of customer reports", "By what can customers split their emissions: service, region, project, hour?",
        "text", "more",
    ),
    "report_scope3": Metric(
        "Scope 3 in customer reports", "Do reports to customers hold scope 3, hardware included, by which standard?",
        "text", "more",
    ),
}  # fmt: skip
"""Metric to what it is; the order is that of dossiers and questionnaires."""

BY_ALIAS: Final[Mapping[str, str]] = {
    alias: name for name, metric in METRICS.items() for alias in (name, *metric.aliases)
}
"""Published name to metric."""

GRADES: Final[Mapping[str, str]] = {
    "assured": "third-party assured",
    "published": "published by the provider",
    "stated": "stated to us",
    "marketing": "marketing",
}
"""How good the evidence is, the best first; in words."""
