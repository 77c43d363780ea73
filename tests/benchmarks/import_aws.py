"""
Cost and Usage Reports: rows/s and MB/s of the adapter, beside Arrow's decoder alone on the same file in the same run.

The scrubber is measured twice: on a report that names nobody, and on one that has to be written anew.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from ingestion.sources import aws_cur2
from ingestion.sources.base import Context
from tests.benchmarks import memory
from tests.payloads.aws.make_large import write_report

ROWS = 200_000
RUNS = 3
RECEIVED_AT = datetime(2026, 11, 25, tzinfo=UTC)


def measure() -> list[dict[str, Any]]:
    """Measure the best of a few runs of each."""
    with tempfile.TemporaryDirectory() as folder:
        path, personal = Path(folder) / "cur.csv", Path(folder) / "personal.csv"
        write_report(path, ROWS)
        personal.write_bytes(path.read_bytes().replace(b":role/app-", b":user/jane-"))
        size_mb = path.stat().st_size / 1e6
        decode_s, decode_spread = best(lambda: decode(path))
        found = []
        for name, work in (
            ("import_aws_cur2", lambda: parse(path)),
            ("scrub_aws_cur2_of_nobody", lambda: scrub(path)),
            ("scrub_aws_cur2_of_people", lambda: scrub(personal)),
        ):
            seconds, spread = best(work)
            common = {"compared_with": "pyarrow.csv, one thread", "ratio": decode_s / seconds, "runs": RUNS}
            rates = (("rows/s", ROWS), ("MB/s", size_mb))
            found += [
                {"name": name, "value": amount / seconds, "unit": unit, "compared_value": amount / decode_s}
                | common
                | {"spread": max(spread, decode_spread)}
                for unit, amount in rates
            ]
        found += memory.of_files("aws_cur2", path, write_report, ROWS // 4, (1, 4))
    return found


def best(work: Callable[[], None]) -> tuple[float, float]:
    """Time a piece of work a few times: the shortest in seconds, and how much longer the longest took as a share."""
    took = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return min(took), max(took) / min(took) - 1


def decode(path: Path) -> None:
    """Cut the file into cells, as texts, and do nothing with them."""
    reading = pa.csv.ReadOptions(use_threads=False)
    names = pa.csv.open_csv(path).schema.names
    texts = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    rows = sum(batch.num_rows for batch in pa.csv.open_csv(path, read_options=reading, convert_options=texts))
    if rows != ROWS:
        raise RuntimeError(f"{rows} rows decoded")


def parse(path: Path) -> None:
    """Read the report into activity tables."""
    with path.open("rb") as stream:
        rows = sum(chunk.received for chunk in aws_cur2.parse(stream, Context(RECEIVED_AT)))
    if rows != ROWS:
        raise RuntimeError(f"{rows} rows read")


def scrub(path: Path) -> None:
    """Read what would be kept of the report."""
    with path.open("rb") as stream, aws_cur2.scrub_file(stream) as kept:
        while kept.read(1024 * 1024):
            pass
