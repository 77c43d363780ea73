"""
python -m tests.benchmarks [NAME]: run the benchmarks, print one table, keep it in var/bench/latest.json.

A benchmark is a module of this package with ``measure() -> list of {name, value, unit, compared_with, compared_value, ratio,
runs, spread}``; its name is the module's.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.benchmarks import results_of

NAMES = (
    "quantify_cells",
    "quantify_vs_ecologits",
    "ingest_single",
    "import_focus",
    "import_aws",
    "attribute_series",
    "ingest_otlp",
    "import_azure_gcp",
    "read_usage",
    "read_exports",
    "pages",
    "scenario",
)
COLUMNS = ("name", "value", "unit", "compared_with", "compared_value", "ratio", "runs", "spread")


def main(chosen: list[str]) -> int:
    """Run the chosen benchmarks, all by default, each in a process of its own; 1 if one fails, 2 for a name that there is not."""
    unknown = [name for name in chosen if name not in NAMES]
    if unknown:
        print(f"No benchmark is called {', '.join(unknown)}; there are {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    results, failed = [], []
    for name in chosen or NAMES:
        try:
            results += measured(name)
        except Exception:  # noqa: BLE001  (what the others measured is told all the same)
            traceback.print_exc()
            failed.append(name)
    print("  ".join(f"{column:>14}" for column in COLUMNS))
    for result in results:
        print("  ".join(f"{said(result.get(column)):>14}" for column in COLUMNS))
    folder = Path(os.environ.get("BENCH_DIR", "var/bench"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "latest.json").write_text(json.dumps(results, indent=1) + "\n")
    if failed:
        print(f"Failed: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


def measured(name: str) -> list[dict[str, Any]]:
    """Run one benchmark in a process of its own, so that none meets what another left behind."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(results_of, name).result()


def said(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else "" if value is None else str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
