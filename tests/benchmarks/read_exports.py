"""
Files of records, bills, statements and trackers through scrubber and adapter: rows and MB a second beside their decoder alone,
memory as they grow. CodeCarbon's bodies hold one measurement each, so many are read one after the other.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet

from ingestion.sources import (
    activity,
    aws_carbon,
    codecarbon,
    codecarbon_csv,
    codecarbon_http_output,
    focus,
    monthly_totals,
)
from ingestion.sources.base import Context, finish_drafts
from tests.benchmarks import memory, read_usage
from tests.benchmarks.read_usage import RECEIVED_AT, Write
from tests.ingestion.sources.samples import PAYLOADS, requests
from tests.payloads.focus.make_large import write_focus_csv

ROWS = 20_000
GROUP = 1_000
"""Bodies of single measurements that a worker reads together."""


def sources() -> list[tuple[ModuleType, str, Write, int]]:
    """Give for each source: adapter, file name, what makes a body of so many rows, rows."""
    records = [json.loads(line) for line in (PAYLOADS / "activity" / "valid.jsonl").read_text().splitlines()]
    whole = {key: value for key, value in records[0].items() if key not in ("labels", "flags")}
    return [
        (activity, "records.jsonl", _lines(whole), ROWS),
        (activity, "records.csv", _table(list(whole), whole, "record_id"), ROWS),
        (activity, "records.parquet", _parquet(whole), ROWS),
        (focus, "bill.csv", _bill, ROWS),
        (
            aws_carbon,
            "carbon.csv",
            _repeated(PAYLOADS / "aws" / "carbon-emissions-export.csv", "product_code"),
            ROWS,
        ),
        (codecarbon_csv, "emissions.csv", _repeated(PAYLOADS / "codecarbon" / "emissions-3.3.2.csv", "run_id"), ROWS),
        (monthly_totals, "totals.csv", _repeated(PAYLOADS / "monthly_totals" / "totals.csv", "Team"), ROWS),
    ]


def _numbered(row: dict[str, Any], key: str, rows: int) -> Iterator[dict[str, Any]]:
    return ({**row, key: f"{at:012}"} for at in range(rows))


def _lines(row: dict[str, Any]) -> Write:
    return lambda rows: b"".join(msgspec.json.encode(each) + b"\n" for each in _numbered(row, "record_id", rows))


def _table(names: list[str], row: dict[str, Any], key: str) -> Write:
    def write(rows: int) -> bytes:
        text = io.StringIO()
        writer = csv.DictWriter(text, names)
        writer.writeheader()
        writer.writerows(_numbered(row, key, rows))
        return text.getvalue().encode()

    return write


def _repeated(path: Path, key: str) -> Write:
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        row = next(reader)
    return _table(list(row), row, key)


def _parquet(row: dict[str, Any]) -> Write:
    def write(rows: int) -> bytes:
        into = io.BytesIO()
        pyarrow.parquet.write_table(pa.Table.from_pylist(list(_numbered(row, "record_id", rows))), into)
        return into.getvalue()

    return write


def _bill(rows: int) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bill.csv"
        write_focus_csv(path, rows)
        return path.read_bytes()


# --- bodies of one measurement ----------------------------------------------------------------------------------------


def emissions(rows: int) -> tuple[Context, list[bytes]]:
    """Give the bodies of a run's emissions and what is known of the run."""
    recorded = list(requests("codecarbon", "api-3.3.2-private-infra.jsonl"))
    run = next(each for each in recorded if each.path.endswith("/runs"))
    emission = json.loads(next(each for each in recorded if each.path.endswith("/emissions")).body)
    known = {emission["run_id"]: codecarbon.read_run(run.body)}
    bodies = [msgspec.json.encode({**emission, "duration": 15 + at / 1000}) for at in range(rows)]
    return Context(RECEIVED_AT, known=known), bodies


def outputs(rows: int) -> tuple[Context, list[bytes]]:
    """Give bodies of the HTTP output, each of a run of its own."""
    with (PAYLOADS / "codecarbon" / "emissions-3.3.2.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    value = {name: float(text) if _is_number(text) else text for name, text in row.items()}
    return Context(RECEIVED_AT), [msgspec.json.encode(each) for each in _numbered(value, "run_id", rows)]


BODIES: dict[ModuleType, Callable[[int], tuple[Context, list[bytes]]]] = {
    codecarbon: emissions,
    codecarbon_http_output: outputs,
}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_bodies(adapter: ModuleType, context: Context, bodies: list[bytes]) -> None:
    """Scrub and read bodies in groups, as door and worker do."""
    written = 0
    for start in range(0, len(bodies), GROUP):
        stored = [adapter.scrub(body, "application/json", "emissions") for body in bodies[start : start + GROUP]]
        if hasattr(adapter, "read"):
            written += len(finish_drafts([(adapter.read(body, context), context) for body in stored]).activity)
        else:
            written += sum(len(each.activity) for body in stored for each in adapter.parse(io.BytesIO(body), context))
    if written != len(bodies):
        raise RuntimeError(f"{adapter.NAME}: {written} of {len(bodies)} rows were read")


STREAM = """
import sys
from ingestion.sources import registry
from tests.benchmarks import read_exports as bench
adapter, rows = registry.adapter(sys.argv[1]), int(sys.argv[2])
context, bodies = bench.BODIES[adapter](bench.GROUP)
for _ in range(rows // bench.GROUP):
    bench.read_bodies(adapter, context, bodies)
print(bench.memory.own_peak_mb())
"""


def measure() -> list[dict[str, Any]]:
    """Measure each source."""
    results = read_usage.of_files(sources(), 1, (1, 4))  # tables are read in chunks of 20,000 rows, so no fewer
    for adapter, make in BODIES.items():
        context, bodies = make(2 * GROUP)
        ours = read_usage.best(lambda: read_bodies(adapter, context, bodies))  # noqa: B023
        decoder = read_usage.best(lambda: [msgspec.json.decode(body) for body in bodies])  # noqa: B023
        size = sum(map(len, bodies))
        results += read_usage.rates(adapter.NAME, len(bodies), size, ours, decoder, "msgspec, decode only")
        results += memory.grown(
            f"{adapter.NAME} memory",
            lambda times: memory.printed(STREAM, adapter.NAME, times * GROUP)[0],  # noqa: B023
            (1, 4),
        )
    return results
