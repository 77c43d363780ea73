"""The words of an inventory as people read them: codes of the document in the language of the report."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from reporting.inventories.draft import NO_ACTIVITY, NOT_ENTERED

Words = dict[str, Promise]

CATEGORIES: Final = {
    1: _("purchased goods and services"),
    2: _("capital goods"),
    3: _("fuel- and energy-related activities"),
    4: _("upstream transportation and distribution"),
    5: _("waste generated in operations"),
    6: _("business travel"),
    7: _("employee commuting"),
    8: _("upstream leased assets"),
    9: _("downstream transportation and distribution"),
    10: _("processing of sold products"),
    11: _("use of sold products"),
    12: _("end-of-life treatment of sold products"),
    13: _("downstream leased assets"),
    14: _("franchises"),
    15: _("investments"),
}
TOTALS: Final[Words] = {
    "scope1": _("Scope 1"),
    "scope2_location": _("Scope 2, location-based"),
    "scope2_market": _("Scope 2, market-based"),
    "scope3": _("Scope 3"),
    "total_location": _("Total, location-based"),
    "total_market": _("Total, market-based"),
    "energy_mwh": _("Energy of own operations"),
    "renewable_mwh": _("of it renewable"),
    "nuclear_mwh": _("of it nuclear"),
    "fossil_mwh": _("of it fossil"),
    "water_m3": _("Water"),
    "ewaste_kg": _("Electronic waste"),
    "biogenic_scope1": _("Biogenic CO2 beside scope 1"),
    "biogenic_scope2": _("Biogenic CO2 beside scope 2"),
    "biogenic_scope3": _("Biogenic CO2 beside scope 3"),
}
STATUS: Final[Words] = {
    "draft": _("Draft, not approved"),
    "in_review": _("Draft, in review, not approved"),
    "approved": _("Approved"),
    "published": _("Approved and published"),
    "superseded": _("Superseded by a later inventory"),
}
CONSOLIDATION: Final[Words] = {
    "operational_control": _("operational control"),
    "financial_control": _("financial control"),
    "equity_share": _("equity share"),
}
STAGES: Final[Words] = {
    "training": _("Training"),
    "experiments": _("Experiments"),
    "inference": _("Inference"),
    "facility": _("Facility overhead"),
    "embodied": _("Embodied hardware"),
    "end_of_life": _("End of life"),
    "upstream_energy": _("Upstream of electricity"),
    "other": _("Other"),
}
METHODS: Final[Words] = {
    "measured": _("measured"),
    "modelled": _("modelled"),
    "supplier": _("supplier's own figure"),
    "average_data": _("average data"),
    "spend": _("from spend"),
}
EVIDENCE: Final[Words] = {
    "measured": _("measured"),
    "modelled": _("modelled"),
    "stated": _("stated"),
    "assumed": _("assumed"),
}
FACTORS: Final[Words] = {
    "grid_location": _("Grid, location-based"),
    "grid_residual": _("Residual mix"),
    "supplier": _("Supplier's electricity"),
    "instrument": _("Contractual instrument"),
    "upstream": _("Upstream of electricity"),
    "embodied": _("Embodied hardware"),
    "fuel": _("Fuel"),
    "refrigerant": _("Refrigerant"),
    "cloud_provider": _("Cloud provider's own figure"),
    "api_model": _("Energy of a model's tokens"),
    "pue": _("PUE"),
    "water": _("Water"),
}
CARRIERS: Final[Words] = {
    "electricity": _("electricity"),
    "heat": _("heat"),
    "steam": _("steam"),
    "cooling": _("cooling"),
    "fuel_coal": _("coal"),
    "fuel_oil": _("oil"),
    "fuel_gas": _("natural gas"),
    "fuel_other_fossil": _("other fossil fuel"),
    "fuel_renewable": _("renewable fuel"),
}
ORIGINS: Final[Words] = {"purchased": _("purchased"), "self_generated": _("self-generated"), "fuel": _("fuel")}
MIXES: Final[Words] = {
    "renewable": _("renewable"),
    "nuclear": _("nuclear"),
    "fossil": _("fossil"),
    "unknown": _("not known"),
}
SITES: Final[Words] = {
    "owned": _("owned"),
    "leased": _("leased"),
    "colocation": _("colocation"),
    "cloud": _("cloud"),
    "api": _("AI service"),
}
INSTRUMENTS: Final[Words] = {
    "eac_unbundled": _("certificate, unbundled"),
    "eac_bundled": _("certificate, bundled"),
    "ppa": _("power purchase agreement"),
    "supplier_tariff": _("supplier's tariff"),
    "self_generation": _("self-generation"),
    "residual_mix": _("residual mix"),
}
QUALITIES: Final[Words] = {
    "attributes_conveyed": _("conveys no rate"),
    "sole_claim": _("no sole claim"),
    "retired": _("not retired"),
    "vintage_ok": _("vintage too far off"),
    "same_market": _("another market"),
}
"""What is wrong with an instrument that fails a criterion."""
ROLES: Final[Words] = {"preparer": _("Preparer"), "reviewer": _("Reviewer"), "approver": _("Approver")}
DECISIONS: Final[Words] = {"submitted": _("submitted"), "approved": _("approved"), "rejected": _("rejected")}
KINDS_OF_TARGET: Final[Words] = {"absolute": _("absolute"), "intensity": _("intensity")}
OUTSIDE: Final[Words] = {
    "avoided": _("Avoided emissions"),
    "credits": _("Carbon credits"),
    "removals": _("Removals"),
}
REASONS: Final[Words] = {
    NO_ACTIVITY: _("no AI activity"),
    NOT_ENTERED[2]: _("no purchase of hardware has been entered; the amortised share is not an inventory figure"),
    NOT_ENTERED[4]: _("inside the footprint of bought hardware"),
    NOT_ENTERED[5]: _("no retirement of hardware has been entered"),
}
"""Reasons that the product gives itself; others stand as they were written."""


def say(words: Words, code: object) -> str:
    """Say a code in words; one that is not known as it is, and nothing for nothing."""
    if code is None:
        return ""
    return str(words.get(str(code), code))
