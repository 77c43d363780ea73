"""Measure `quantify` on a million cells of three thousand series, beside the least that numpy could do for them.

The limit is one gather and one multiplication for each measure that is there and each of the 27 output columns, on the
same rows in the same run. Seconds are those of one core (CPU time). `_first` makes every plan anew. Run: ``python -m
tests.benchmarks quantify_cells``.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from core.factors.pack import load_pack
from core.quantification.activity import MASK_BITS, MEASURE_COLUMNS
from core.quantification.plan import make_plan
from core.quantification.quantify import COLUMNS, quantify

CELLS = 1_000_000
SERIES = 3_000
RUNS = 3
ACCELERATORS = ("NVIDIA H100 80GB HBM3", "NVIDIA A100-SXM4-80GB", "NVIDIA L4", "Tesla T4")
TOKENS = ("requests", "input_tokens", "cached_input_tokens", "output_tokens")


def series(pack, rng: np.random.Generator) -> pd.DataFrame:
    """Make series as a large organization has them: seven in ten token use, two devices in clouds, one a meter."""
    models = [row["model_name"] for row in pack.rows("models")]
    regions = [(row["provider"], row["region_code"]) for row in pack.rows("cloud_regions")]
    rows = []
    for number in range(SERIES):
        if number % 10 < 7:
            model = models[rng.integers(len(models))]
            provider = ("openai", "anthropic", "mistralai")[number % 3]
            rows.append({"hosting": "api", "provider": provider, "model": model, "mask": mask(*TOKENS)})
        elif number % 10 < 9:
            provider, region = regions[rng.integers(len(regions))]
            place = {"hosting": "cloud", "provider": provider, "region": region}
            rows.append(
                place | {"hardware": ACCELERATORS[number % 4], "mask": mask("device_hours", "device_utilization")}
            )
        else:
            zone = ("DE", "FR", "US-CA")[number % 3]
            rows.append({"hosting": "owned", "zone": zone, "energy_boundary": "device", "mask": mask("energy_kwh")})
    return pd.DataFrame(rows).assign(stage="inference", year=2026, series_id=range(SERIES))


def mask(*columns: str) -> int:
    return sum(1 << MASK_BITS[column] for column in columns)


def cells(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Spread the cells over the series and fill the measures that each series has."""
    frame = rows.iloc[rng.integers(0, SERIES, CELLS)].reset_index(drop=True)
    kinds = frame["mask"].to_numpy()
    for name in MEASURE_COLUMNS:
        frame[name] = np.int64(0)
    for kind, names, largest in (
        (mask(*TOKENS), TOKENS, 10**6),
        (mask("device_hours", "device_utilization"), [n for n in MEASURE_COLUMNS if n.startswith("device")], 10**11),
        (mask("energy_kwh"), ("energy_pkwh",), 10**14),
    ):
        for name in names:
            frame[name] = np.where(kinds == kind, rng.integers(0, largest, CELLS), 0)
    return frame


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def limit(frame: pd.DataFrame, code: np.ndarray) -> None:
    """Do the arithmetic alone: four measures, each gathered and multiplied for 27 columns, in blocks that fit a cache."""
    table = np.random.default_rng(0).random((SERIES, len(COLUMNS)))
    out = np.empty((CELLS, len(COLUMNS)))
    measures = [frame[name].to_numpy() for name in TOKENS]
    for start in range(0, CELLS, 4096):
        block = slice(start, start + 4096)
        total = np.zeros((len(code[block]), len(COLUMNS)))
        for values in measures:
            total += table[code[block]] * values[block].astype(float)[:, None]
        out[block] = total


def measure() -> list[dict[str, object]]:
    """Return the figures as `make bench` writes them."""
    rng = np.random.default_rng(7)
    pack = load_pack()
    frame = cells(series(pack, rng), rng)
    code = quantify(frame, pack).code
    runs: dict[str, list[float]] = {"first": [], "again": [], "limit": []}
    for _ in range(RUNS):
        make_plan.cache_clear()
        runs["first"].append(seconds(lambda: quantify(frame, pack)))
        runs["again"].append(seconds(lambda: quantify(frame, pack)))
        runs["limit"].append(seconds(lambda: limit(frame, code)))
    rate = {name: CELLS / statistics.median(times) for name, times in runs.items()}
    return [
        {
            "name": f"quantify_cells{suffix}",
            "value": rate[name],
            "unit": "cells/s",
            "compared_with": "the multiplications alone in numpy, same run",
            "compared_value": rate["limit"],
            "ratio": rate[name] / rate["limit"],
            "runs": RUNS,
            "spread": (max(runs[name]) - min(runs[name])) / statistics.median(runs[name]),
        }
        for name, suffix in (("again", ""), ("first", "_first"))
    ]


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
