"""Canonical records in every form that the native source reads, made for tests."""

from __future__ import annotations

import io
import json
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.sources import activity
from ingestion.sources.base import Parsed
from tests.ingestion.sources.samples import PAYLOADS, read

VALID = [json.loads(line) for line in (PAYLOADS / "activity" / "valid.jsonl").read_text().splitlines()]
INVALID = [json.loads(line) for line in (PAYLOADS / "activity" / "invalid.jsonl").read_text().splitlines()]

GOOD: dict[str, Any] = {
    "record_id": "r1",
    "started_at": "2026-11-22T01:00:00Z",
    "ended_at": "2026-11-22T02:00:00Z",
    "stage": "inference",
    "hosting": "api",
    "evidence": "modelled",
    "requests": 1,
    "input_tokens": 12,
}


def good(record_id: str, **changes: Any) -> dict[str, Any]:
    return {**GOOD, "record_id": record_id, **changes}


def array(*values: Any) -> bytes:
    return json.dumps(values).encode()


def lines(*values: Any) -> bytes:
    return b"\n".join(json.dumps(value).encode() for value in values)


def one(body: bytes, **context: Any) -> Parsed:
    [parsed] = read(activity, body, **context)
    return parsed


def table(*values: dict[str, Any]) -> pa.Table:
    typed = [
        {name: datetime.fromisoformat(value) if name.endswith("_at") else value for name, value in value.items()}
        for value in values
    ]
    return pa.Table.from_pylist(typed)


def parquet(source: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(source, buffer)
    return buffer.getvalue()


def arrow(source: pa.Table) -> bytes:
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, source.schema) as writer:
        writer.write_table(source)
    return buffer.getvalue()


def csv(*rows: str, header: str = "record_id,started_at,ended_at,stage,hosting,evidence,requests,energy_kwh") -> bytes:
    return "\r\n".join([header, *rows]).encode()


def csv_row(record_id: str, *cells: str) -> str:
    return ",".join([record_id, "2026-11-22T01:00:00Z", "2026-11-22T02:00:00Z", "inference", "api", "modelled", *cells])
