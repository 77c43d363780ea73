"""Hypothesis strategies for the laws of the product: uses, cells and overrides that look like an organization's."""

from __future__ import annotations

import pandas as pd
from hypothesis import strategies as st

from core.quantification.activity import MASK_BITS, MEASURES
from core.quantification.use import USE_TEXT

STAGES = st.sampled_from(["training", "inference", "evaluation", "data_preparation"])

_PLACES = [
    {"hosting": "owned", "zone": "DE"},
    {"hosting": "owned", "zone": "US-CA"},
    {"hosting": "owned"},
    {"hosting": "colocated", "zone": "AU-NSW"},
    {"hosting": "cloud", "provider": "aws", "region": "eu-north-1"},
    {"hosting": "cloud", "provider": "gcp", "region": "us-central1"},
    {"hosting": "cloud", "provider": "azure", "region": "nowhere"},
    {"hosting": "api", "provider": "openai"},
    {"hosting": "api", "provider": "anthropic"},
]

_WORK: list[tuple[dict[str, str], tuple[str, ...]]] = [
    ({"energy_boundary": "device", "evidence": "measured"}, ("energy_kwh",)),
    ({"energy_boundary": "facility", "evidence": "measured"}, ("energy_kwh", "water_l")),
    ({"energy_boundary": "it", "hardware": "NVIDIA L4"}, ("energy_kwh", "device_hours")),
    ({"hardware": "NVIDIA H100 80GB HBM3"}, ("device_hours", "device_utilization")),
    ({"hardware": "NVIDIA H100 80GB HBM3"}, ("device_hours",)),
    ({"hardware": "Intel Xeon Platinum 8175M"}, ("device_hours", "device_utilization")),
    ({"hardware": "abacus"}, ("device_hours",)),
    ({"instance_type": "p4d.24xlarge"}, ("instance_hours", "instance_utilization")),
    ({"instance_type": "a2-highgpu-1g"}, ("instance_hours",)),
    ({"instance_type": "p5.48xlarge"}, ("instance_hours",)),
    ({"model": "gpt-4o-mini"}, ("requests", "input_tokens", "cached_input_tokens", "output_tokens")),
    ({"model": "meta-llama/Meta-Llama-3.1-8B-Instruct"}, ("input_tokens", "output_tokens", "generation_s")),
    ({"model": "claude-sonnet-4-6"}, ("output_tokens",)),
    ({"model": "nobody-knows-me"}, ("input_tokens", "output_tokens")),
    ({"hardware": "NVIDIA H100 80GB HBM3"}, ("flops",)),
    ({"reported_basis": "location"}, ("reported_kg_co2e",)),
    ({}, ("seat_months",)),
    ({}, ("cost",)),
]

_LARGEST = {
    "1": 10**7,
    "s": 10**6 * 10**9,
    "h": 10**4 * 10**9,
    "kWh": 10**5 * 10**12,
    "GFLOP": 10**14,
}


def mask_of(*columns: str) -> int:
    """Return the presence mask of activity columns."""
    return sum(1 << MASK_BITS[column] for column in columns)


@st.composite
def uses(draw: st.DrawFn) -> dict[str, object]:
    """Draw dimensions, presence mask and year of one series."""
    work, present = draw(st.sampled_from(_WORK))
    dimensions: dict[str, object] = dict.fromkeys(USE_TEXT)
    dimensions |= draw(st.sampled_from(_PLACES)) | work
    dimensions["stage"] = draw(STAGES)
    dimensions["techniques"] = draw(st.sampled_from([(), ("quantized:int4",)]))
    dimensions["mask"] = mask_of(*present)
    dimensions["year"] = draw(st.integers(2019, 2027))
    return dimensions


def measures_of(mask: int) -> st.SearchStrategy[dict[str, int]]:
    """Draw the integer measures that a mask allows; corrections make them negative."""
    strategies = {}
    for measure in MEASURES:
        largest = _LARGEST.get(measure.unit, 10**6)
        there = mask >> MASK_BITS[measure.source] & 1
        strategies[measure.column] = st.integers(-largest, largest) if there else st.just(0)
    return st.fixed_dictionaries(strategies)


@st.composite
def cells(draw: st.DrawFn, max_series: int = 4, max_cells: int = 5) -> pd.DataFrame:
    """Draw cells of a few series: dimensions, mask, year and integer measures, in any order."""
    rows = []
    for series in draw(st.lists(uses(), min_size=1, max_size=max_series)):
        for measures in draw(st.lists(measures_of(int(str(series["mask"]))), min_size=1, max_size=max_cells)):
            rows.append(series | measures)  # noqa: PERF401  # a comprehension would hide the draws
    return pd.DataFrame(draw(st.permutations(rows)))
