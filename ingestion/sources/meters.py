"""
What the texts of a bill's meters say: unit, model, service level, routing, machine and accelerator.

Cloud providers write these facts into names of meters, each in its own way; the spellings below are those of
AWS usage types, Azure meter names, Google SKU descriptions and Oracle product names. Nothing is guessed: a text
that says nothing gives None. Every function is asked once per distinct text, never per row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# --- units ------------------------------------------------------------------------------------------------------------

_MULTIPLES: Final = {"": 1, "k": 10**3, "thousand": 10**3, "m": 10**6, "million": 10**6, "b": 10**9, "billion": 10**9}
_MULTIPLE: Final = "(k|m|b|thousand|million|billion)"
_TOKENS: Final = re.compile(rf"^([\d,]*)\s*{_MULTIPLE}?\s*(?:(?:input|output|cached)\s+)?tokens?$")
_BLOCK: Final = re.compile(rf"^([\d,]+)\s*{_MULTIPLE}?$|^{_MULTIPLE}$")
_TOKENS_IN_METER: Final = re.compile(
    rf"\b([\d,]*)\s*{_MULTIPLE}\s+(?:(?:input|output|cached|cache)\s+)?tokens?\b", re.I
)
_UNITS: Final = frozenset({"count", "units", "unit", "each"})
_HOURS: Final = re.compile(
    r"^([\d,]*)\s*(?:(?:gpu|chip|instance|unit)[ -])?(hours?|hrs?|h|minutes?|mins?|seconds?|secs?|s)$"
)
_HOUR_IN_METER: Final = re.compile(r"\b(?:per|1|an?)\s+(?:[\w.-]+\s+){0,6}hours?\b|/\s*h(?:ou)?r\b", re.I)

CHARACTERS_PER_TOKEN: Final = 4
"""For Google's older meters in characters; Google's own rule of thumb, flagged `characters`."""


def token_scale(unit: str | None, meter: str, described: str | None = None) -> float | None:
    """
    Give how many tokens one unit of quantity is, or None for a unit that no table knows.

    Args:
        unit: as billed.
        meter: text of the token meter, which decides for units that only count (`Units`, `count`).
        described: the provider's own unit beside a unit that only counts (Azure: `1K`); a block named by the meter wins.

    >>> [token_scale(unit, "Input Tokens") for unit in ("Tokens", "1000 Tokens", "1K tokens", "1M Tokens", "10K", "GB")]
    [1.0, 1000.0, 1000.0, 1000000.0, 10000.0, None]
    >>> token_scale("Units", "GPT 5 Mini Inpt Glbl 1M Tokens"), token_scale("Units", "gpt-4o Inp glbl Tokens")
    (1000000.0, None)
    >>> token_scale("Units", "gpt-4o Inp glbl Tokens", "1K")
    1000.0
    """
    text = " ".join((unit or "").lower().split())
    characters = "character" in text or "character" in meter.lower()
    text = text.replace("characters", "tokens").replace("character", "token")
    scale = _token_scale(text, meter)
    if scale is None and text in _UNITS and described:
        scale = _token_scale(" ".join(described.lower().split()), meter)
    return scale / CHARACTERS_PER_TOKEN if scale is not None and characters else scale


def _token_scale(text: str, meter: str) -> float | None:
    if found := _TOKENS.match(text):
        return _number(found[1]) * _MULTIPLES[found[2] or ""]
    if found := _BLOCK.match(text):
        return _number(found[1]) * _MULTIPLES[found[2] or found[3] or ""]
    if text in _UNITS:
        if found := _TOKENS_IN_METER.search(meter):
            return _number(found[1]) * _MULTIPLES[found[2].lower()]
        return 1.0 if text == "count" else None
    return None


def hour_scale(unit: str | None, meter: str) -> float | None:
    """
    Give how many hours one unit of quantity is, or None for a unit that no table knows.

    >>> [hour_scale(unit, "BoxUsage:p5.48xlarge") for unit in ("Hours", "Hrs", "1 Hour", "100 Hours", "Units", "GB Hours")]
    [1.0, 1.0, 1.0, 100.0, None, None]
    >>> hour_scale("Units", "$1.624 per On Demand Linux g5.4xlarge Instance Hour"), hour_scale("seconds", "") * 7200
    (1.0, 2.0)
    """
    text = " ".join((unit or "").lower().split())
    if found := _HOURS.match(text):
        per_hour = {"h": 1, "m": 60, "s": 3600}[found[2][0]]
        return _number(found[1]) / per_hour
    if text in _UNITS and _HOUR_IN_METER.search(meter):
        return 1.0
    return None


def _number(text: str | None) -> float:
    digits = (text or "").replace(",", "")
    return float(digits) if digits else 1.0


# --- model, service level, routing ------------------------------------------------------------------------------------

_CACHED: Final = "cached|cache|cachd|cach|cchd|cched|cd|caching|cacheread|cachewrite"
_DIRECTION: Final = rf"(?:batch ?)?(?:inp|inpt|input|outp|outpt|opt|output|prompt|completion)|{_CACHED}"
_SCOPE: Final = "glbl|gl|global|regnl|regional|data ?zone|dzone|dzn|dz|cross[ -]region|mantle"
_LEVEL: Final = "batch|pp|priority|flex|fl|latency|std|reserved|shortco|longco|shco|loco"
_STOP_WORDS: Final = (
    rf"{_DIRECTION}|{_SCOPE}|{_LEVEL}|provisioned\w*|model ?units?|customi[sz]ation|rft|training|tokens?|1[km]|tuning"
)
_GCP_STOP_WORDS: Final = rf"{_STOP_WORDS}|ga|thinking|text|image|audio|video|predictions"
_STOP: Final = re.compile(rf"(?:^|(?<=[\s_-]))(?:{_STOP_WORDS})(?=$|[\s_-])", re.IGNORECASE)
_GCP_STOP: Final = re.compile(rf"(?:^|(?<=[\s_-]))(?:{_GCP_STOP_WORDS})(?=$|[\s_-])", re.IGNORECASE)
_DIRECTED: Final = re.compile(
    rf"(?:^|(?<=[\s_-]))(?:{_DIRECTION}|provisioned\w*|model ?units?|customi[sz]ation|tokens?)(?=$|[\s_-])", re.I
)
_REGION_PREFIX: Final = re.compile(r"^(?:[A-Z]{2,4}\d|EU)-(?:mantle-)?")
_MARKETPLACE: Final = re.compile(r"^(?P<model>.+?)\s*\(Amazon Bedrock Edition\)$", re.IGNORECASE)
_GLOBAL: Final = re.compile(r"(?:^|[\s_-])(?:glbl|gl|global)(?=$|[\s_-])", re.IGNORECASE)
_DATA_ZONE: Final = re.compile(r"(?:^|[\s_-])(?:data ?zone|dzone|dzn|dz)(?=$|[\s_-])", re.IGNORECASE)
_TIERS: Final = (
    ("batch", re.compile(r"(?:^|[\s_-])batch(?=$|[\s_-]|inp|outp)", re.IGNORECASE)),
    ("standard", re.compile(r"(?:^|[\s_-])(?:flex|fl)(?=$|[\s_-])", re.IGNORECASE)),
    ("interactive", re.compile(r"(?:^|[\s_-])(?:pp|priority|latency[ -]optimi[sz]ed)(?=$|[\s_-])", re.IGNORECASE)),
)


_BARE_VERSION: Final = re.compile(r"[vrk]?\d", re.IGNORECASE)
_FAMILIES: Final = {
    "deepseek": "DeepSeek",
    "mistral": "Mistral",
    "grok": "Grok",
    "kimi": "Kimi",
    "phi": "Phi",
    "llama": "Llama",
    "qwen": "Qwen",
    "cohere": "Command",
    "openai": "gpt",
}


@dataclass(frozen=True)
class TokenMeter:
    """What a token meter says beside its direction; None where it says nothing."""

    model: str | None
    tier: str | None
    global_routing: bool
    data_zone: bool


def read_token_meter(provider: str, service: str, texts: Sequence[str], family: str | None = None) -> TokenMeter:
    """
    Read model, service level and routing out of a token meter's texts, most telling first.

    Args:
        provider: slug of who runs the model.
        service: name of the service.
        texts: of the meter.
        family: what groups the meter (Azure's subcategory); names the family of models that the meter gives by version.

    >>> read_token_meter("azure", "Foundry Models", ["5.6 sol ShortCo Cd Inp Std Gl 1M Tokens"], "Azure OpenAI GPT5").model
    'gpt 5.6 sol'
    >>> read_token_meter("aws", "Amazon Bedrock", ["Input Tokens", "EUW1-Claude4.6Sonnet-input-tokens"]).model
    'Claude4.6Sonnet'
    >>> read_token_meter("azure", "Azure OpenAI", ["gpt 4.1 mini Inp glbl Tokens"])
    TokenMeter(model='gpt 4.1 mini', tier=None, global_routing=True, data_zone=False)
    >>> read_token_meter("gcp", "Vertex AI", ["Gemini 2.5 Flash Lite Text Input Batch - Predictions"])
    TokenMeter(model='Gemini 2.5 Flash Lite', tier='batch', global_routing=False, data_zone=False)
    """
    together = " ".join(texts)
    tier = next((name for name, pattern in _TIERS if pattern.search(together)), None)
    return TokenMeter(
        model=_with_family(_model(provider, service, texts), f"{family or ''} {service}"),
        tier=tier,
        global_routing=_GLOBAL.search(together) is not None,
        data_zone=_DATA_ZONE.search(together) is not None,
    )


def _model(provider: str, service: str, texts: Sequence[str]) -> str | None:
    if found := _MARKETPLACE.match(service):
        return found["model"]
    stop_words = _GCP_STOP if provider == "gcp" else _STOP
    for text in texts:
        for part in [_REGION_PREFIX.sub("", text)] if provider == "aws" else text.split(" - "):
            candidate = _model_before_direction(part, stop_words)
            if candidate is not None:
                return candidate
    return None


def _with_family(model: str | None, family: str) -> str | None:
    """Put the family's name before a bare version (`5.6 sol`, `V4 Pro`): the version alone names no model."""
    if model is None or _BARE_VERSION.match(model) is None:
        return model
    return next((f"{name} {model}" for word, name in _FAMILIES.items() if word in family.lower()), model)


def _model_before_direction(text: str, stop_words: re.Pattern[str]) -> str | None:
    if "$" in text or "|" in text or _DIRECTED.search(text) is None:
        return None  # a price or a sentence, not a meter
    stop = stop_words.search(text)
    name = text[: stop.start()].strip(" -_:.") if stop else ""
    return name or None


# --- machines ---------------------------------------------------------------------------------------------------------

_AWS_TYPE: Final = re.compile(
    r"\b(?:ml\.)?([a-z]+\d+[a-z0-9-]*\.(?:\d*x?(?:large|medium|small)|nano|micro|metal(?:-\w+)?))\b", re.I
)
_GCP_TYPE: Final = re.compile(r"\b((?:a[234]x?|g[24]|ct\w+|[cenmt]\d[a-z]?)-[a-z]+-[\w]+)\b", re.IGNORECASE)
_OCI_TYPE: Final = re.compile(r"\b((?:BM|VM)\.[\w.-]+)", re.IGNORECASE)
_AZURE_ARM: Final = re.compile(r"\b(Standard_\w+)\b", re.IGNORECASE)
_AZURE_SIZE: Final = re.compile(
    r"(?:^| - |/)([A-Z]{1,3}\d+(?:-\d+)?[a-z]*(?: (?:[A-Z]+\d+[A-Z]*|T4))?(?: v\d+)?)(?= |$|/)"
)
_INSTANCE_TYPE: Final = {"aws": _AWS_TYPE, "gcp": _GCP_TYPE, "oci": _OCI_TYPE}

_GPU: Final = re.compile(
    r"(?:nvidia|amd)\s+(?:tesla\s+)?([a-z]+\d+\w*(?:\s+(?:mega|ultra|plus))?(?:\s+\d+\s?gb)?)", re.IGNORECASE
)
_TPU: Final = re.compile(r"\btpu[\s-]?(v\d+\w*)\b", re.IGNORECASE)
_OCI_GPU: Final = re.compile(r"\bgpu\d?\s*-\s*([a-z]+\d+\w*)", re.IGNORECASE)


def instance_type(provider: str, texts: Sequence[str]) -> str | None:
    """
    Find the machine type in a meter's texts, as the provider's interface spells it.

    >>> instance_type("aws", ["$1.624 per On Demand Linux g5.4xlarge Instance Hour"])
    'g5.4xlarge'
    >>> instance_type("aws", ["EUW1-Train:ml.g5.12xlarge"]), instance_type("azure", ["NC40ads H100 v5"])
    ('g5.12xlarge', 'Standard_NC40ads_H100_v5')
    """
    for text in texts:
        found = _azure_type(text) if provider == "azure" else _first(_INSTANCE_TYPE.get(provider), text)
        if found is not None:
            return plain_type(found)
    return None


def plain_type(name: str) -> str:
    """Take SageMaker's `ml.` off a type: the machine is the same."""
    return name[3:] if name.startswith("ml.") else name


def _azure_type(text: str) -> str | None:
    if arm := _first(_AZURE_ARM, text):
        return arm
    size = _first(_AZURE_SIZE, text)
    return None if size is None else "Standard_" + size.replace(" ", "_")


def accelerator(texts: Sequence[str]) -> str | None:
    """
    Find the accelerator's name in a meter's texts.

    >>> accelerator(["Nvidia H100 80GB GPU attached to Spot Preemptible VMs running in europe-west4"])
    'NVIDIA H100 80GB'
    >>> accelerator(["TPU-v5p chip hour"]), accelerator(["Load Balancer"])
    ('TPU v5p', None)
    """
    for text in texts:
        if found := _first(_GPU, text):
            return f"{'AMD' if re.search('amd', text, re.I) else 'NVIDIA'} {' '.join(found.split())}"
        if found := _first(_TPU, text):
            return f"TPU {found.lower()}"
        if found := _first(_OCI_GPU, text):
            return found
    return None


def _first(pattern: re.Pattern[str] | None, text: str) -> str | None:
    found = pattern.search(text) if pattern is not None else None
    return found[1] if found else None
