"""The methodology versions: every setting that picks measures, methods and factors (methodology section 14)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

Interval = tuple[float, float, float]
"""Value, low, high."""

METHODS: Final = ("measured", "device", "instance", "tokens", "flops", "seats", "spend", "reported")
"""Every method, best first."""


@dataclass(frozen=True, eq=False)
class Methodology:
    """
    Hold the settings of one version; numbers are defaults of docs/methodology, with their section.

    An organization's own settings are a methodology of another version, which `methodology_of` reads. Two objects are equal
    only if they are one.
    """

    version: str = "2026.1"
    source: str = "Wattledger methodology 2026.1"

    methods: tuple[str, ...] = METHODS  # 1.3, best first; one that is left out is not used

    host_factor: Interval = (1.35, 1.15, 1.8)  # 1.2
    utilization: Mapping[str, float] = field(
        default_factory=lambda: {  # 2.2
            "training": 0.85,
            "fine_tuning": 0.85,
            "experimentation": 0.6,
            "evaluation": 0.6,
            "inference": 0.5,
            "data_preparation": 0.3,
        }
    )
    instance_utilization: float = 0.5  # 2.3
    idle_share_of_tdp: float = 0.12  # 2.2
    cpu_curve: tuple[float, float, float, float] = (0.12, 0.32, 0.75, 1.02)  # 2.2: share of TDP at 0/10/50/100 % load
    mfu_goodput: float = 0.33  # 2.5
    flops_utilization: float = 0.85  # 2.5

    batch_size: float = 64.0  # 2.4
    quantization_bits: float = 16.0
    prefill: bool = True
    cached_token_share: float = 0.1
    prefill_flop_per_s: float = 989e12
    prefill_mfu: float = 0.4
    prefill_watts: float = 0.85 * 700 + 150

    sampled_size_cv: float = 1.0  # docs/methodology/sampling.md: of the sizes of sampled records

    factor_max_age_years: int = 3  # 3.1

    server_embodied_kg: Interval = (2500.0, 1000.0, 5700.0)  # 4.2
    accelerators_per_node: float = 8.0
    flat_accelerator_embodied_kg: float = 150.0

    gsd: Mapping[str, float] = field(
        default_factory=lambda: {  # 9.2
            "measured": 1.05,
            "modelled_energy": 1.5,
            "stated_energy": 1.5,
            "device_observed": 1.2,
            "device_default": 1.3,
            "instance_observed": 1.3,
            "instance_default": 1.5,
            "tokens": 2.0,
            "tokens_undisclosed": 2.75,
            "flops": 1.5,
            "seats": 3.0,
            "spend": 3.0,
            "reported": 1.10,
            "pue_measured": 1.02,
            "pue_provider": 1.05,
            "pue_default": 1.15,
            "grid_exact": 1.05,
            "grid_country": 1.10,
            "grid_world": 1.5,
            "market": 1.10,
            "embodied_reviewed": 1.2,
            "embodied_model": 1.6,
            "wue": 1.3,
            "grid_water": 1.8,
            "adpe": 3.2,
        }
    )


METHODOLOGIES: Final = {"2026.1": Methodology()}
LATEST: Final = "2026.1"


class UnknownMethodology(ValueError):  # said in the words of the product
    """No such methodology version, or a setting of it that cannot be."""


def methodology_of(version: str | Methodology) -> Methodology:
    """
    Return a version's settings; settings are returned as they are.

    Args:
        version: a published version, with an organization's own settings after it, such as ``2026.1`` or
            ``2026.1 host_factor=1.3/1.2/1.5 methods=measured/device/tokens prefill=off utilization.training=0.9``. Settings
            are part of the version, so that every figure says what it follows from and can be made again from that alone.

    Raises:
        UnknownMethodology: there is no such version or setting, or a setting cannot be.

    >>> methodology_of("2026.1  prefill=off batch_size=32").version
    '2026.1 batch_size=32 prefill=off'
    """
    if isinstance(version, Methodology):
        return version
    named = _named(*_parts(version))
    return METHODOLOGIES.get(named) or _read(named)


def _parts(version: str) -> tuple[str, dict[str, str]]:
    """Split a version into the published one and its settings; those that change nothing are left out."""
    base, *settings = version.split() or [""]
    if base not in METHODOLOGIES:
        known = ", ".join(sorted(METHODOLOGIES))
        raise UnknownMethodology(f"no methodology {base!r}; known: {known}")
    method = METHODOLOGIES[base]
    texts: dict[str, str] = {}
    for setting in settings:
        name, sign, text = setting.partition("=")
        if not sign or name in texts:
            raise UnknownMethodology(f"{setting!r} is not name=value, each name once")
        texts[name] = setting_of(_with(method, name, text), name)
    return base, {name: text for name, text in texts.items() if text != setting_of(method, name)}


def _named(base: str, texts: Mapping[str, str]) -> str:
    return " ".join([base, *(f"{name}={text}" for name, text in sorted(texts.items()))])


@lru_cache(maxsize=256)
def _read(version: str) -> Methodology:
    """Return the settings of a version written in the one way there is; the same object each time."""
    base, texts = _parts(version)
    method = METHODOLOGIES[base]
    for name, text in texts.items():
        method = _with(method, name, text)
    return replace(method, version=version, source=f"Wattledger methodology {version}")


def _with(method: Methodology, name: str, text: str) -> Methodology:
    """Change one setting. Raises `UnknownMethodology` where it does not exist or cannot be."""
    if name not in setting_names(method):
        raise UnknownMethodology(f"no setting {name!r}; known: {', '.join(setting_names(method))}")
    whole, _, key = name.partition(".")
    try:
        value = SETTINGS[f"{whole}.*" if key else whole](text)
    except ValueError as error:
        raise UnknownMethodology(f"{name}={text}: {error}") from error
    changed = {**getattr(method, whole), key: value} if key else value
    return replace(method, **{whole: changed})  # type: ignore[arg-type]


def setting_names(method: Methodology) -> list[str]:
    """List what an organization may set, in the order of the methodology."""
    names: list[str] = []
    for name in SETTINGS:
        whole, _, key = name.partition(".")
        names += [f"{whole}.{each}" for each in getattr(method, whole)] if key else [whole]
    return names


def setting_of(method: Methodology, name: str) -> str:
    """
    Write a setting as a version has it.

    >>> setting_of(methodology_of("2026.1"), "host_factor"), setting_of(methodology_of("2026.1"), "gsd.spend")
    ('1.35/1.15/1.8', '3')
    """
    whole, _, key = name.partition(".")
    value = getattr(method, whole)[key] if key else getattr(method, whole)
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return "/".join(each if isinstance(each, str) else f"{each:.12g}" for each in value)
    return f"{value:.12g}"


# --- how settings are read --------------------------------------------------------------------------------------------


def _switch(text: str) -> bool:
    if text not in {"on", "off"}:
        raise ValueError("is on or off")
    return text == "on"


def _number(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = float(text)
        if not low <= value <= high:
            raise ValueError(f"is a number from {low:g} to {high:g}")
        return value

    return read


def _interval(low: float, high: float) -> Callable[[str], Interval]:
    def read(text: str) -> Interval:
        parts = [float(part) for part in text.split("/")]
        parts = parts * 3 if len(parts) == 1 else parts
        if len(parts) != 3 or not low <= parts[1] <= parts[0] <= parts[2] <= high:
            raise ValueError(f"is value/low/high with low <= value <= high, from {low:g} to {high:g}")
        return parts[0], parts[1], parts[2]

    return read


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise ValueError(f"is a whole number from {low} to {high}")
        return value

    return read


def _order(text: str) -> tuple[str, ...]:
    chosen = tuple(text.split("/"))
    if not set(chosen) <= set(METHODS) or len(set(chosen)) < len(chosen):
        raise ValueError(f"is some of {'/'.join(METHODS)}, each once, best first")
    return chosen


SETTINGS: Final[Mapping[str, Callable[[str], object]]] = {
    "methods": _order,
    "host_factor": _interval(1.0, 3.0),
    "utilization.*": _number(0.0, 1.0),
    "instance_utilization": _number(0.0, 1.0),
    "idle_share_of_tdp": _number(0.0, 1.0),
    "mfu_goodput": _number(0.01, 1.0),
    "flops_utilization": _number(0.0, 1.0),
    "prefill": _switch,
    "cached_token_share": _number(0.0, 1.0),
    "batch_size": _number(1.0, 4096.0),
    "quantization_bits": _number(1.0, 64.0),
    "sampled_size_cv": _number(0.0, 100.0),
    "factor_max_age_years": _whole(0, 50),
    "server_embodied_kg": _interval(0.0, 1e5),
    "accelerators_per_node": _number(1.0, 1024.0),
    "flat_accelerator_embodied_kg": _number(0.0, 1e5),
    "gsd.*": _number(1.0, 100.0),
}
"""What an organization may set, and how it is read (methodology section 14)."""
