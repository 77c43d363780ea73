"""The methodology versions: every setting that picks measures, methods and factors (methodology section 14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

Interval = tuple[float, float, float]
"""Value, low, high."""


@dataclass(frozen=True, eq=False)
class Methodology:
    """
    Hold the settings of one version; numbers are defaults of docs/methodology, with their section.

    An organization's own settings are a methodology of another version, made with ``dataclasses.replace``. Two objects
    are equal only if they are one.
    """

    version: str = "2026.1"
    source: str = "Wattledger methodology 2026.1"

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
    """No such methodology version."""


def methodology_of(version: str | Methodology) -> Methodology:
    """Return a version's settings; settings are returned as they are."""
    if isinstance(version, Methodology):
        return version
    try:
        return METHODOLOGIES[version]
    except KeyError:
        known = ", ".join(sorted(METHODOLOGIES))
        raise UnknownMethodology(f"no methodology {version!r}; known: {known}") from None
