"""Files of gateways, usage APIs and seats through scrubber and adapter: rows and MB a second beside their decoder alone."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import msgspec
import pyarrow.csv
import pyarrow.parquet

from ingestion.sources import anthropic_usage, assistant_seats, langfuse, litellm, openai_usage, openrouter
from ingestion.sources.base import Context
from tests.benchmarks import memory
from tests.ingestion.sources.samples import PAYLOADS, requests

RECEIVED_AT = datetime(2026, 11, 22, 3, tzinfo=UTC)
RUNS = 5
ROWS = 20_000


Write = Callable[[int], bytes]


def sources() -> list[tuple[ModuleType, str, Write, int]]:
    """Give for each source, out of its sample: adapter, file name, what makes a body of so many rows, rows."""
    found: list[tuple[ModuleType, str, Write, int]] = [
        (adapter, name, _buckets(name), ROWS)
        for adapter, name in (
            (openai_usage, "openai/usage-completions-page1.json"),
            (anthropic_usage, "anthropic/usage-report-messages.json"),
        )
    ]
    items = json.loads((PAYLOADS / "openrouter" / "activity.json").read_text())["data"]
    seen = json.loads((PAYLOADS / "langfuse" / "observations-v2.json").read_text())["data"][1:]
    spent = json.loads((PAYLOADS / "litellm" / "spend-logs.json").read_text())
    events = [each for request in requests("litellm", "generic-api-1.106.2.jsonl") for each in json.loads(request.body)]
    seats = [{"month": "2026-10", "vendor": "v", "product": "p", "seats": 3}]
    found += [
        (openrouter, "activity.json", _page(items, "endpoint_id"), ROWS),
        (langfuse, "observations.json", _page(seen, "id"), ROWS),
        (litellm, "events.json", _list(events, "id"), 2_048),  # four full queues of a gateway
        (litellm, "spend-logs.json", _list(spent, "request_id"), ROWS),
        (litellm, "spend-logs.csv", _table(spent, "request_id"), ROWS),
        (assistant_seats, "seats.json", _list(seats, "team"), ROWS),
    ]
    return found


def _many(few: list[dict[str, Any]], key: str, rows: int) -> list[dict[str, Any]]:
    return [{**few[at % len(few)], key: f"{key}-{at}"} for at in range(rows)]


def _list(few: list[dict[str, Any]], key: str) -> Write:
    return lambda rows: json.dumps(_many(few, key, rows)).encode()


def _page(few: list[dict[str, Any]], key: str) -> Write:
    return lambda rows: json.dumps({"data": _many(few, key, rows)}).encode()


def _table(few: list[dict[str, Any]], key: str) -> Write:
    def write(rows: int) -> bytes:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(few[0]), extrasaction="ignore")
        writer.writeheader()
        for row in _many(few, key, rows):
            writer.writerow(
                {name: json.dumps(cell) if isinstance(cell, dict | list) else cell for name, cell in row.items()}
            )
        return text.getvalue().encode()

    return write


def _buckets(name: str) -> Write:
    page = json.loads((PAYLOADS / name).read_text())
    bucket = page["data"][0]

    def write(rows: int) -> bytes:
        results = [{**bucket["results"][at % 2], "model": f"m-{at}"} for at in range(rows)]
        return json.dumps({**page, "data": [{**bucket, "results": results}]}).encode()

    return write


def measure() -> list[dict[str, Any]]:
    """Measure each source."""
    return of_files(sources())


def of_files(
    found: list[tuple[ModuleType, str, Write, int]], part: int = 8, growth: tuple[int, ...] = memory.GROWTH
) -> list[dict[str, Any]]:
    """
    Measure rows and MB a second of each, and its peak memory as files grow.

    Args:
        found: as `sources` gives it.
        part: the smallest file of which memory is measured has so many times fewer rows.
        growth: multiples of it.
    """
    results: list[dict[str, Any]] = []
    for adapter, name, make, rows in found:
        body = make(rows)
        label = f"{adapter.NAME}:{name.rsplit('/')[-1].removesuffix('.json')}"
        ours, decoder = best(lambda: read(adapter, name, body, rows)), best(lambda: decode(name, body))  # noqa: B023
        beside = "msgspec, decode only" if "json" in name else "pyarrow, decode only"
        results += rates(label, rows, len(body), ours, decoder, beside) + peaks(
            label, adapter, name, make, rows // part, growth
        )
    return results


def rates(label: str, rows: int, size_bytes: int, ours_s: float, decoder_s: float, beside: str) -> list[dict[str, Any]]:
    """Give rows and MB a second beside the decoder's."""
    common = {"compared_with": beside, "ratio": decoder_s / ours_s, "runs": RUNS, "spread": None}
    return [
        {"name": f"{label} {what}", "value": amount / ours_s, "unit": unit, "compared_value": amount / decoder_s}
        | common
        for what, unit, amount in (("rows", "rows/s", rows), ("MB", "MB/s", size_bytes / 1e6))
    ]


def peaks(
    label: str, adapter: ModuleType, name: str, make: Write, rows: int, growth: tuple[int, ...] = memory.GROWTH
) -> list[dict[str, Any]]:
    """Measure the peak memory as files grow."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name.rsplit("/", maxsplit=1)[-1]
        found = memory.of_files(adapter.NAME, path, lambda path, rows: path.write_bytes(make(rows)), rows, growth)  # type: ignore[arg-type, return-value]
    return [each | {"name": f"{label} memory {each['name'].rsplit('_')[-1]}"} for each in found]


def decode(name: str, body: bytes) -> object:
    """Read what a body says and do nothing with it."""
    if name.endswith("jsonl"):
        return msgspec.json.Decoder().decode_lines(body)
    if name.endswith("json"):
        return msgspec.json.decode(body)
    if name.endswith("parquet"):
        return pyarrow.parquet.read_table(io.BytesIO(body), use_threads=False)
    return pyarrow.csv.read_csv(
        io.BytesIO(body),
        pyarrow.csv.ReadOptions(use_threads=False),
        pyarrow.csv.ParseOptions(newlines_in_values=True),
    )


def read(adapter: ModuleType, name: str, body: bytes, rows: int) -> None:
    """Scrub and parse as door and worker do."""
    file = hasattr(adapter, "scrub_file")
    clean = adapter.scrub_file(io.BytesIO(body)) if file else io.BytesIO(adapter.scrub(body, "", name))
    stored = clean.read()
    context = Context(RECEIVED_AT, {"max_age_days": 36500}, filename=name)
    received = rejected = 0
    for chunk in adapter.parse(io.BytesIO(stored), context):
        received += chunk.received
        rejected += len(chunk.rejected)
    if rejected or not received or received % rows:  # some formats make several records of a row
        raise RuntimeError(f"{adapter.NAME}: {received} of {rows} rows were read, {rejected} rejected")


def best(work: Callable[[], object]) -> float:
    """Give the median of some runs. [s]"""
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return median(times)
