"""
Azure and Google Cloud exports through their adapters: rows and MB a CPU second beside the decoder, memory as files grow.

Each is read in a process of its own, by the adapter and by what decodes its bytes (pyarrow's CSV reader, msgspec line by
line), of which the rest can take no more than all.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks import memory
from tests.payloads.azure.make_large import write_cost_details
from tests.payloads.gcp.make_large import billing_rows, carbon_rows, write_lines

AZURE_ITEMS = Path(__file__).parents[1] / "payloads" / "azure" / "carbon-item-details.json"

ADAPTER = """
import sys, time
from datetime import UTC, datetime
from ingestion.sources import registry
from ingestion.sources.base import Context
adapter = registry.adapter(sys.argv[1])
setting = {"reported_basis": "location", "month": "2026-10"}
started = time.process_time()
with open(sys.argv[2], "rb") as stream:
    rows = sum(chunk.received for chunk in adapter.parse(stream, Context(datetime(2026, 11, 22, tzinfo=UTC), setting)))
print(time.process_time() - started, rows)
"""
CSV = """
import sys, time
import pyarrow.csv
started = time.process_time()
for batch in pyarrow.csv.open_csv(sys.argv[2], pyarrow.csv.ReadOptions(use_threads=False)):
    pass
print(time.process_time() - started)
"""
LINES = """
import sys, time
import msgspec
decoder = msgspec.json.Decoder()
started = time.process_time()
with open(sys.argv[2], "rb") as stream:
    for line in stream:
        decoder.decode(line)
print(time.process_time() - started)
"""


def measure() -> list[dict[str, Any]]:
    """Measure every adapter on a large file, and its peak memory on one four times as large."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name, write, rows, decoder, what in SOURCES:
            path = Path(folder) / name
            write(path, rows)
            results += _measure(name, path, rows, decoder, what)
            results += memory.of_files(name, path, write, rows, (1, 4))
            path.unlink()
    return results


def _measure(name: str, path: Path, rows: int, decoder: str, what: str) -> list[dict[str, Any]]:
    seconds, _ = memory.printed(ADAPTER, name, path)
    (decoder_s,) = memory.printed(decoder, name, path)
    common: dict[str, Any] = {"compared_with": what, "ratio": decoder_s / seconds, "runs": 1, "spread": None}
    size_mb = path.stat().st_size / 1e6
    return [
        {
            "name": f"read_{name}{suffix}",
            "value": amount / seconds,
            "unit": unit,
            "compared_value": amount / decoder_s,
            **common,
        }
        for suffix, unit, amount in (("", "rows/CPU s", rows), ("_bytes", "MB/CPU s", size_mb))
    ]


PAGE_ITEMS = 5_000
"""The most that the API gives in one answer."""


def _write_items(path: Path, rows: int) -> None:
    """Write the answers of a report that has so many items, one a line."""
    answer = json.loads(AZURE_ITEMS.read_text())
    item = answer["value"][0]
    with path.open("w") as lines:
        for start in range(0, rows, PAGE_ITEMS):
            numbers = range(start, min(start + PAGE_ITEMS, rows))
            page = [{**item, "resourceId": f"{item['resourceId']}-{number}"} for number in numbers]
            lines.write(json.dumps({**answer, "value": page}) + "\n")


SOURCES: tuple[tuple[str, Callable[[Path, int], None], int, str, str], ...] = (
    ("azure_cost", write_cost_details, 100_000, CSV, "pyarrow, decode only"),
    ("gcp_billing", lambda path, rows: write_lines(path, billing_rows(rows)), 100_000, LINES, "msgspec, decode only"),
    ("gcp_carbon", lambda path, rows: write_lines(path, carbon_rows(rows)), 20_000, LINES, "msgspec, decode only"),
    ("azure_carbon", _write_items, 20_000, LINES, "msgspec, decode only"),
)
