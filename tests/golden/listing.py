"""
The table of published cases in docs/methodology/published-cases.md: what was published, what the engine gives, and whether
it is within the tolerance. `.venv/bin/python -m tests.golden.listing` renews it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
CASES: Final = ROOT / "tests/golden/published_cases.csv"
PAGE: Final = ROOT / "docs/methodology/published-cases.md"
START: Final = "## Cases by kind\n"
HEAD: Final = "| case | output | published | computed | tolerance | result |\n|---|---|---:|---:|---:|---|\n"
KINDS: Final = {
    "training": "Training",
    "inference": "Inference",
    "lifecycle": "Beyond the final run",
    "device": "Power of devices",
    "flops": "Operations",
    "cloud": "Cloud",
    "embodied": "Embodied hardware",
    "grid": "Grids",
    "market": "Market-based",
    "water": "Water",
    "sci": "Software carbon intensity",
    "target": "Targets and base years",
    "equivalence": "Units and equivalences",
    "audit": "Claims that do not fit their inputs, and some that do",
    "analytic": "Closed forms",
}
"""Kind of case to its heading, in the order of the page."""


def listing(cases: Sequence[Mapping[str, str]]) -> str:
    """
    Write the cases, one table a kind, in the order of the file.

    Raises:
        KeyError: a case is of a kind without a heading.
    """
    rows: dict[str, str] = dict.fromkeys(KINDS.values(), "")
    for case in cases:
        rows[KINDS[case["kind"]]] += _row(case)
    return START + "".join(f"\n### {heading}\n\n{HEAD}{text}" for heading, text in rows.items() if text)


def _row(case: Mapping[str, str]) -> str:
    from tests.golden.published import evaluate

    inputs, expected = json.loads(case["inputs_json"]), json.loads(case["expected_json"])
    tolerance = float(case["tolerance"].partition(";")[0])
    got = evaluate(inputs["method"], inputs)
    outputs = [(name, value, _at(got, name)) for name, value in _leaves(expected)]
    agreeing = sum(within(value, found, tolerance) for _, value, found in outputs)
    name, published, computed = outputs[0]
    result = "agrees" if agreeing == len(outputs) == 1 else f"{agreeing} of {len(outputs)} agree"
    cells = [
        f"`{case['case_id']}` {case['source']}",
        name,
        _shown(published),
        _shown(computed),
        f"{tolerance:g}",
        result,
    ]
    return f"| {' | '.join(cells)} |\n"


def _leaves(expected: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(expected, Mapping):
        for key, value in expected.items():
            yield from _leaves(value, f"{path}.{key}" if path else key)
    elif isinstance(expected, list):
        for position, value in enumerate(expected):
            yield from _leaves(value, f"{path}.{position}")
    else:
        yield path, expected


def _at(got: Any, path: str) -> Any:
    for key in path.split("."):
        got = got[int(key)] if isinstance(got, list | tuple) else got[key]
    return got


def within(expected: Any, got: Any, tolerance: float) -> bool:
    """Compare one value: numbers by the tolerance of their case, everything else exactly."""
    if isinstance(expected, bool | str) or expected is None:
        return bool(got == expected)
    allowed = 1e-6 if expected == 0 else tolerance * abs(expected) + 1e-11
    return bool(abs(got - expected) <= allowed)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, str):
        return value or "null"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.5g}"


def read_cases() -> list[dict[str, str]]:
    """Read the cases that the project ships."""
    with CASES.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def main() -> None:
    """Renew the table."""
    import django

    django.setup()
    before, _, _ = PAGE.read_text(encoding="utf-8").partition(START)
    PAGE.write_text(before + listing(read_cases()), encoding="utf-8")


if __name__ == "__main__":
    main()
