"""A bill of 200,000 rows through upload and worker: memory, rows a second, and progress that only grows."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.stage import stage
from tests.ingestion import live
from tests.payloads.focus.make_large import write_focus_csv

ROWS = 200_000
GOAL_MB = 500.0

PANDAS = """
import resource, sys, time
import pandas as pd
started = time.perf_counter()
frame = pd.read_csv(sys.argv[1])
frame.groupby(["SubAccountId", "ServiceName", "ChargePeriodStart"])[["ConsumedQuantity", "EffectiveCost"]].sum()
print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def measure() -> list[dict[str, Any]]:
    """Measure the worker's peak memory in MB and rows a second, beside pandas reading the same file whole."""
    with stage() as on, live.web(on.folder) as address:
        path = on.folder / "bill.csv"
        write_focus_csv(path, ROWS)
        worker = live.worker(on.folder)
        try:
            peak = PeakMemory(worker.pid)
            counts, seconds = import_file(address, on.token, path)
            peak_mb = peak.stop()
        finally:
            live.end(worker)
        if counts["received"] != ROWS:
            raise RuntimeError(f"not all rows were read: {counts}")
        said = subprocess.run([sys.executable, "-c", PANDAS, str(path)], capture_output=True, text=True, check=True)
    pandas_s, pandas_mb = (float(part) for part in said.stdout.split())
    common: dict[str, Any] = {"runs": 1, "spread": None}
    rows_per_s, pandas_rows_per_s = ROWS / seconds, ROWS / pandas_s
    return [
        {
            "name": "import_focus_memory",
            "value": peak_mb,
            "unit": "MB peak",
            "compared_with": "goal",
            "compared_value": GOAL_MB,
            "ratio": peak_mb / GOAL_MB,
            **common,
        },
        {
            "name": "import_focus",
            "value": rows_per_s,
            "unit": "rows/s",
            "compared_with": "pandas, read only",
            "compared_value": pandas_rows_per_s,
            "ratio": rows_per_s / pandas_rows_per_s,
            **common,
        },
        {
            "name": "import_focus_memory_pandas",
            "value": peak_mb,
            "unit": "MB peak",
            "compared_with": "pandas, read only",
            "compared_value": pandas_mb,
            "ratio": peak_mb / pandas_mb,
            **common,
        },
    ]


def import_file(address: str, token: str, path: Path) -> tuple[dict[str, int], float]:
    """Upload a file and follow its batch until it is done; fail when any count ever falls."""
    sent = subprocess.run(
        ["curl", "-sS", "-H", f"Authorization: Bearer {token}", "-F", f"file=@{path}", f"{address}/api/v1/imports"],
        capture_output=True,
        check=True,
    )
    batch = json.loads(sent.stdout)["batch"]
    started, before = time.perf_counter(), {}
    while True:
        request = urllib.request.Request(  # noqa: S310  # an address of ours
            f"{address}/api/v1/batches/{batch}", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            state = json.loads(answer.read())
        if any(state["counts"][name] < count for name, count in before.items()):
            raise RuntimeError(f"a count fell: {before} to {state['counts']}")
        before = state["counts"]
        if state["state"] in ("done", "failed"):
            if state["state"] == "failed":
                raise RuntimeError(state["log"])
            return before, time.perf_counter() - started
        time.sleep(0.1)


class PeakMemory:
    """Watches the resident memory of a process's children, each by itself."""

    def __init__(self, pid: int) -> None:
        self._process, self._peak, self._stopped = psutil.Process(pid), 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stopped.wait(0.05):
            for child in self._process.children(recursive=True):
                try:
                    self._peak = max(self._peak, child.memory_info().rss)
                except psutil.Error:
                    continue

    def stop(self) -> float:
        """Give the largest of any child. [MB]"""
        self._stopped.set()
        self._thread.join()
        return self._peak / 1e6
