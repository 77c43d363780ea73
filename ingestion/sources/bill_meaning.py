"""What the texts of a bill row mean: its rule of `ai_services.csv`, the units, the model or machine behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Final

from ingestion.sources import ai_services, meters
from ingestion.sources.own_units import meant
from ingestion.sources.service_rules import Rulebook
from ingestion.sources.vocabulary import provider_slug

_PROVIDERS: Final[Mapping[str, str]] = {
    "microsoft azure": "azure",
    "google cloud platform": "gcp",
    "oracle cloud infrastructure": "oci",
    "amazon web services, inc.": "aws",
}
_NAMES_MACHINES: Final = re.compile(r"virtual machine|machine learning|kubernetes|\bbatch\b|databricks", re.IGNORECASE)
_STAGES: Final = (
    ("training", re.compile(r"\btrain", re.IGNORECASE)),
    ("inference", re.compile(r"\b(?:inference|predictions?|serving|endpoints?)\b", re.IGNORECASE)),
    ("experimentation", re.compile(r"\b(?:notebooks?|workbench)\b", re.IGNORECASE)),
)
_US: Final = re.compile(r"us(?:gov|dod|\d|$)")
_JOB: Final = re.compile(r"(?:training|processing|transform)-job/(?P<job>.+)$")
_PASSING: Final = re.compile(
    r"^(?:i-[0-9a-z]+|ocid1?\..*|(?=.*\d)[0-9a-f-]{8,}|.*_[0-9a-f]{6,}|.*-[0-9a-f]{8,})$", re.IGNORECASE
)
"""Names of single machines and of nodes of scale sets: too many, too short-lived to be a dimension."""


@dataclass(frozen=True)
class Meaning:
    """
    What one distinct combination of a row's texts means.

    Args:
        rule: the rule that decided.
        service: name for counts, the bill's own.
        provider: slug of who runs the hardware; None when the bill does not say.
        service_provider: slug of who sells the service, where that is somebody else.
        measure: of `ai_services.MEASURES`.
        consumed_scale, pricing_scale: tokens or hours in one unit of each quantity; NaN for a unit that no table knows.
        gpu_count: accelerators of one machine; NaN when not stated.
        stage: None where neither rule nor texts say it.
        global_routing: the provider may have run it in any region.
        data_zone: it ran somewhere in the region's part of the world.
        characters: tokens were estimated from characters.
    """

    rule: ai_services.Rule
    service: str
    provider: str | None
    service_provider: str | None
    measure: str
    consumed_scale: float
    pricing_scale: float
    model: str | None
    hardware: str | None
    instance_type: str | None
    gpu_count: float
    tier: str | None
    stage: str | None
    global_routing: bool
    data_zone: bool
    characters: bool


def understand(
    *,
    rules: Rulebook,
    host: str | None,
    seller: str | None,
    service: str | None,
    category: str | None,
    meter_texts: Sequence[str],
    details: str | None,
    instance: str | None,
    consumed_unit: str | None,
    pricing_unit: str | None,
    described_unit: str | None,
    family: str | None,
    reserved_unused: bool,
) -> Meaning:
    """
    Read the texts of a row once per distinct combination.

    Args:
        rules: of the source.
        host: who runs the hardware; seller: who sells the service.
        service, category: as billed.
        meter_texts: what says what was metered, most telling first.
        details: JSON object of the price's properties (`InstanceType`, `GpuCount`, ...).
        instance: machine type stated beside them.
        consumed_unit, pricing_unit: of the two quantities.
        described_unit: the provider's own unit of the consumed quantity, where the billed one only counts.
        family: what groups the meter.
        reserved_unused: the row is a capacity reservation that stood idle.
    """
    seller_slug = _slug(seller)
    provider = _slug(host) or seller_slug
    properties = _properties(details)
    gpu_count = _count(properties.get("gpucount"))
    machine = _machine(provider, service, properties, instance, meter_texts)
    meter = " | ".join(meter_texts)
    billed_units = [unit for unit in dict.fromkeys((consumed_unit, pricing_unit)) if unit]
    rule = rules.classify(
        provider=provider or "",
        service=" | ".join(text for text in (service, category) if text),
        meter=" | ".join([*meter_texts, *billed_units]),
        instance=(machine or "") + ("+gpu" if gpu_count > 0 else ""),
    )
    consumed_unit, pricing_unit = meant(consumed_unit, rules.units), meant(pricing_unit, rules.units)
    billed_units = [unit for unit in dict.fromkeys((*billed_units, consumed_unit, pricing_unit)) if unit]
    tokens = rule.measure in ai_services.TOKEN_MEASURES
    says = (
        meters.read_token_meter(provider or "", service or "", meter_texts, family) if rule.hosting == "api" else None
    )
    if tokens:
        consumed_scale = meters.token_scale(consumed_unit, meter, described_unit)
        pricing_scale = meters.token_scale(pricing_unit, meter)
    else:
        consumed_scale, pricing_scale = meters.hour_scale(consumed_unit, meter), meters.hour_scale(pricing_unit, meter)
    return Meaning(
        rule=rule,
        service=service or "(no service)",
        provider=provider,
        service_provider=seller_slug if seller_slug != provider else None,
        measure="idle_instance_hours" if reserved_unused and rule.measure == "instance_hours" else rule.measure,
        consumed_scale=_or_nan(consumed_scale),
        pricing_scale=_or_nan(pricing_scale),
        model=says.model if says else None,
        hardware=meters.accelerator(meter_texts) if rule.measure == "device_hours" else None,
        instance_type=machine if not tokens else None,
        gpu_count=gpu_count,
        tier=says.tier if says else None,
        stage=rule.stage or _stage(meter),
        global_routing=says is not None and says.global_routing,
        data_zone=says is not None and says.data_zone,
        characters=tokens and "character" in " ".join([meter, *billed_units]).lower(),
    )


def region_of(name: str | None) -> tuple[str | None, bool]:
    """
    Give the region code of a bill's region and whether it says that any region may have served.

    >>> [region_of(name) for name in ("EU-West-1", "East US", "Global", "US East (N. Virginia)", "Unassigned", None)]
    [('eu-west-1', False), ('eastus', False), (None, True), (None, False), (None, False), (None, False)]
    """
    code = "".join((name or "").lower().split())
    if code in ("global", "allregions"):
        return None, True
    is_code = re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", code) is not None
    return (code if is_code and code not in ("unassigned", "unknown", "external") else None), False


def geography_of(region: str | None) -> str:
    """
    Name the data zone around a region: `us`, `eu`, or `data_zone` when the region does not say.

    >>> geography_of("eastus2"), geography_of("swedencentral"), geography_of(None)
    ('us', 'eu', 'data_zone')
    """
    if not region:
        return "data_zone"
    return "us" if _US.search(region) else "eu"


def account_of(name: str | None) -> str | None:
    """
    Give an account's id: of paths (Azure) the last part in lower case.

    >>> account_of("/subscriptions/64E355D7-997C"), account_of("123456789012")
    ('64e355d7-997c', '123456789012')
    """
    return name.rstrip("/").rsplit("/", 1)[-1].lower() if name and "/" in name else name


def resource_of(name: str | None, resource_id: str | None) -> tuple[str | None, str | None]:
    """
    Give a resource's lasting name and, for jobs, their run.

    Names of single machines pass too quickly to be a dimension and are left out.

    >>> resource_of(None, "/subscriptions/5f/providers/Microsoft.CognitiveServices/accounts/aoai-search")
    ('aoai-search', None)
    >>> resource_of(None, "arn:aws:sagemaker:eu-west-1:123456789012:training-job/bert-17")
    (None, 'bert-17')
    >>> resource_of(None, "arn:aws:ec2:us-east-1:123456789012:instance/i-0a1")
    (None, None)
    """
    if found := _JOB.search(resource_id or ""):
        return None, found["job"][:200]
    last = name or (resource_id or "").rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1]
    return (last if last and _PASSING.match(last) is None else None), None


def _slug(name: str | None) -> str | None:
    return _PROVIDERS.get((name or "").lower()) or provider_slug(name)


def _machine(
    provider: str | None,
    service: str | None,
    properties: Mapping[str, object],
    instance: str | None,
    meter_texts: Sequence[str],
) -> str | None:
    stated = properties.get("instancetype") or properties.get("servicetype") or instance
    if isinstance(stated, str) and stated.strip():
        return meters.plain_type(stated.strip())
    if provider == "azure" and _NAMES_MACHINES.search(service or "") is None:
        return None  # disks, gateways and models have names like sizes of machines (P10, S1)
    return meters.instance_type(provider or "", meter_texts)


def _properties(details: str | None) -> dict[str, object]:
    """Read a JSON object with keys in lower case; details that are none say nothing."""
    try:
        value = json.loads(details) if details else None
    except (ValueError, RecursionError):
        return {}
    return {key.lower().removeprefix("x_"): each for key, each in value.items()} if isinstance(value, dict) else {}


def _count(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return nan
    try:
        count = float(value)
    except ValueError:
        return nan
    return count if isfinite(count) and count >= 0 else nan


def _stage(meter: str) -> str | None:
    return next((stage for stage, pattern in _STAGES if pattern.search(meter)), None)


def _or_nan(value: float | None) -> float:
    return nan if value is None else value
