"""Measure fifty attribution rules over a hundred thousand series, beside the least that pandas and numpy could do for them.

The limit is to take every column that a rule looks at apart into distinct names once, and for each rule one pass over the
series for each condition and each dimension that it sets. Seconds are those of one core (CPU time). Run: ``python -m
tests.benchmarks attribute_series``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from core.quantification.activity import SERIES_TEXT
from core.quantification.attribution_rules import Condition, Rule, by_rules

SERIES = 100_000
RULES = 50
RUNS = 5


def series(rng: np.random.Generator) -> pd.DataFrame:
    """Make series as a large organization has them: 300 accounts, 2,000 namespaces, 20,000 workloads, half without a team."""
    frame = pd.DataFrame(dict.fromkeys(SERIES_TEXT), index=range(SERIES), dtype=object)
    namespaces = [f"ns-{number}" for number in rng.integers(0, 2_000, SERIES)]
    workloads = [f"job-{number}-of-a-team" for number in rng.integers(0, 20_000, SERIES)]
    return frame.assign(
        source_id=rng.integers(1, 12, SERIES),
        account=[f"{number:012d}" for number in rng.integers(0, 300, SERIES)],
        provider=rng.choice(["aws", "gcp", "azure", "openai"], SERIES),
        team=np.where(rng.random(SERIES) < 0.5, "reported", None),
        labels=[{"namespace": one, "workload": two} for one, two in zip(namespaces, workloads, strict=True)],
        day=20_600,
    )


def rules() -> list[Rule]:
    """Make rules of every kind; each sets two dimensions."""
    made = []
    for number in range(RULES):
        conditions = (
            Condition("account", "is", tuple(f"{each:012d}" for each in range(number * 6, number * 6 + 6))),
            Condition("label.namespace", "matches", (rf"ns-{number % 10}\d*",)),
            Condition("label.workload", "contains", (f"-{number}",)),
            Condition("provider", "is_not", ("openai",)),
        )
        made.append(Rule(conditions[number % 3 :: 2], {"team": f"Team {number}", "project": f"Project {number}"}))
    return made


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def limit(frame: pd.DataFrame) -> None:
    """Take four columns apart, and pass over the series four times for each rule."""
    labels = frame["labels"].tolist()
    columns = [frame["account"], frame["provider"]]
    columns += [pd.Series([each[name] for each in labels], dtype=object) for name in ("namespace", "workload")]
    codes = [pd.factorize(column)[0] for column in columns]
    decided = np.full(SERIES, -1)
    for number in range(RULES):
        met = np.zeros(30_000, dtype=bool)
        met[number] = True
        fits = met[codes[number % 4]] & met[codes[(number + 1) % 4]]
        for _ in range(2):
            decided[fits & (decided < 0)] = number


def measure() -> list[dict[str, object]]:
    """Return the figures as `make bench` writes them."""
    frame, listed = series(np.random.default_rng(3)), rules()
    runs: dict[str, list[float]] = {"rules": [], "limit": []}
    for _ in range(RUNS):
        runs["rules"].append(seconds(lambda: by_rules(frame, listed)))
        runs["limit"].append(seconds(lambda: limit(frame)))
    rate = {name: SERIES / statistics.median(times) for name, times in runs.items()}
    return [
        {
            "name": "attribute_series",
            "value": rate["rules"],
            "unit": "series/s",
            "compared_with": "columns taken apart and passed over",
            "compared_value": rate["limit"],
            "ratio": rate["rules"] / rate["limit"],
            "runs": RUNS,
            "spread": (max(runs["rules"]) - min(runs["rules"])) / statistics.median(runs["rules"]),
        }
    ]
