"""
The same requests through the `ecologits` package's own computation, call by call, and through `quantify` as one frame.

EcoLogits gets the ready arguments of `compute_llm_impacts`, ours a frame with the names as they are reported. `_first` makes
every plan anew, as a process does once. Seconds are those of one core (CPU time), so that others on the machine count less.
Run: ``python -m tests.benchmarks quantify_vs_ecologits``.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from ecologits.impacts.llm import compute_llm_impacts

from core.factors.pack import load_pack
from core.quantification.methods import Methodology
from core.quantification.plan import make_plan
from core.quantification.quantify import quantify
from tests.peers import ecologits
from tests.strategies import mask_of

REQUESTS = 1_000_000
CALLS_OF_THEIRS = 2_000  # of the same requests, the first ones: all would take minutes
RUNS = 3
GOAL = 1_000
SETTINGS = dataclasses.replace(Methodology(), version="2026.1, prefill off", prefill=False)


def made() -> tuple[pd.DataFrame, list[ecologits.Request]]:
    """Make requests to all models that EcoLogits knows, with answers of 1 to 4,000 tokens: the frame, and the first ones."""
    rng = np.random.default_rng(7)
    known = list(ecologits.every_model(0))
    chosen, tokens = rng.integers(len(known), size=REQUESTS), rng.integers(1, 4_000, size=REQUESTS)
    names = pd.DataFrame({"provider": [each.provider for each in known], "model": [each.model for each in known]})
    frame = names.iloc[chosen].reset_index(drop=True)
    frame = frame.assign(
        stage="inference",
        hosting="api",
        evidence="modelled",
        requests=1,
        output_tokens=tokens,
        mask=mask_of("requests", "output_tokens"),
        year=2026,
    )
    pairs = zip(chosen[:CALLS_OF_THEIRS], tokens, strict=False)
    return frame, [dataclasses.replace(known[at], output_tokens=int(count)) for at, count in pairs]


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def measure() -> list[dict[str, Any]]:
    """Return calls a second of both, medians of the runs, and refuse to time what does not agree."""
    frame, requests = made()
    arguments = [request.arguments() for request in requests]
    pack = load_pack()
    check(frame, requests, pack)

    def theirs() -> None:
        for each in arguments:
            compute_llm_impacts(**each)

    def first() -> None:
        make_plan.cache_clear()
        quantify(frame, pack, SETTINGS)

    runs: dict[str, list[float]] = {"theirs": [], "first": [], "again": []}
    for _ in range(RUNS):
        runs["theirs"].append(CALLS_OF_THEIRS / seconds(theirs))
        runs["first"].append(REQUESTS / seconds(first))
        runs["again"].append(REQUESTS / seconds(lambda: quantify(frame, pack, SETTINGS)))
    rate = {name: statistics.median(values) for name, values in runs.items()}
    return [
        {
            "name": f"quantify_vs_ecologits{suffix}",
            "value": rate[name],
            "unit": "calls/s",
            "compared_with": f"ecologits, same requests, same run (goal {GOAL:,} times)",
            "compared_value": rate["theirs"],
            "ratio": rate[name] / rate["theirs"],
            "runs": RUNS,
            "spread": (max(runs[name]) - min(runs[name])) / rate[name],
        }
        for name, suffix in (("again", ""), ("first", "_first"))
    ]


def check(frame: pd.DataFrame, requests: list[ecologits.Request], pack: Any) -> None:
    """Compare the energy of one request to each of some models with a single size and PUE: the same work, not less."""
    energy = quantify(frame.head(200), pack, SETTINGS).impacts["energy_facility_kwh"]
    compared = 0
    for request, ours in zip(requests, energy, strict=False):
        low, high = ecologits.ends(ecologits.compute(request))["energy_facility_kwh"]
        if low == high:
            compared += 1
            if abs(ours - low) > 0.01 * low:
                raise RuntimeError(f"{request} is {ours} kWh here, {low} by EcoLogits")
    if not compared:
        raise RuntimeError("no request could be compared")
