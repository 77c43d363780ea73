"""Files of gateways, usage APIs and seats through scrubber and adapter: rows and MB a second beside their decoder alone."""

from __future__ import annotations

import copy
import io
import json
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median
from types import ModuleType
from typing import Any

import msgspec

from ingestion.sources import anthropic_usage, assistant_seats, langfuse, litellm, openai_usage, openrouter
from ingestion.sources.base import Context
from tests.ingestion.sources.samples import PAYLOADS, requests

RECEIVED_AT = datetime(2026, 11, 22, 3, tzinfo=UTC)
RUNS = 5
ROWS = 20_000


def bodies() -> list[tuple[ModuleType, str, bytes, int]]:
    """Make a body of many rows for each source out of its sample: adapter, file name, bytes, rows."""
    found = []
    for adapter, name in (
        (openai_usage, "openai/usage-completions-page1.json"),
        (anthropic_usage, "anthropic/usage-report-messages.json"),
    ):
        page = json.loads((PAYLOADS / name).read_text())
        results = page["data"][0]["results"]
        many = [{**results[at % 2], "model": f"m-{at}"} for at in range(ROWS)]
        found.append(
            (adapter, name, json.dumps({**page, "data": [{**page["data"][0], "results": many}]}).encode(), ROWS)
        )
    items = json.loads((PAYLOADS / "openrouter" / "activity.json").read_text())["data"]
    many = [{**items[at % 3], "endpoint_id": str(at)} for at in range(ROWS)]
    found.append((openrouter, "activity.json", json.dumps({"data": many}).encode(), ROWS))
    seen = json.loads((PAYLOADS / "langfuse" / "observations-v2.json").read_text())["data"][1:]
    many = [{**seen[at % 3], "id": f"obs-{at}"} for at in range(ROWS)]
    found.append((langfuse, "observations.json", json.dumps({"data": many}).encode(), ROWS))
    events = [each for request in requests("litellm", "generic-api-1.106.2.jsonl") for each in json.loads(request.body)]
    many = [{**copy.copy(events[at % 6]), "id": f"call-{at}"} for at in range(2_048)]  # four full queues of a gateway
    found.append((litellm, "events.json", json.dumps(many).encode(), len(many)))
    rows = json.loads((PAYLOADS / "litellm" / "spend-logs.json").read_text())
    many = [{**rows[at % 6], "request_id": f"call-{at}"} for at in range(ROWS)]
    found.append((litellm, "spend-logs.json", json.dumps(many).encode(), ROWS))
    seats = [{"month": "2026-10", "vendor": "v", "product": "p", "team": f"t{at}", "seats": 3} for at in range(ROWS)]
    found.append((assistant_seats, "seats.json", json.dumps(seats).encode(), ROWS))
    return found


def measure() -> list[dict[str, Any]]:
    """Measure each source: rows and MB a second, and MB of memory for each MB of the file, at its peak."""
    results: list[dict[str, Any]] = []
    for adapter, name, body, rows in bodies():
        label = f"{adapter.NAME}:{name.rsplit('/')[-1].removesuffix('.json')}"
        ours, decoder = best(lambda: read(adapter, name, body, rows)), best(lambda: msgspec.json.decode(body))  # noqa: B023
        tracemalloc.start()
        read(adapter, name, body, rows)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        common = {"compared_with": "msgspec, decode only", "ratio": decoder / ours, "runs": RUNS, "spread": None}
        results += [
            {
                "name": f"{label} rows",
                "value": rows / ours,
                "unit": "rows/s",
                "compared_value": rows / decoder,
                **common,
            },
            {
                "name": f"{label} MB",
                "value": len(body) / 1e6 / ours,
                "unit": "MB/s",
                "compared_value": len(body) / 1e6 / decoder,
                **common,
            },
            {"name": f"{label} memory", "value": peak / len(body), "unit": "MB per MB", "runs": 1},
        ]
    return results


def read(adapter: ModuleType, name: str, body: bytes, rows: int) -> None:
    """Scrub and parse as door and worker do."""
    stored = adapter.scrub(body, "application/json", name)
    received = sum(each.received for each in adapter.parse(io.BytesIO(stored), Context(RECEIVED_AT, filename=name)))
    if received != rows:
        raise RuntimeError(f"{adapter.NAME}: {received} of {rows} rows were read")


def best(work: Callable[[], object]) -> float:
    """Give the median of some runs. [s]"""
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return median(times)
