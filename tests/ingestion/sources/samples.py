"""Recorded payloads and the sums that an importer must reach from them (their `expected.json`)."""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ingestion.sources.base import Adapter, Context, Parsed

PAYLOADS = Path(__file__).parents[2] / "payloads"

RECEIVED_AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
"""After every recording, by minutes."""


@dataclass(frozen=True)
class Request:
    """One request of a recording."""

    path: str
    body: bytes
    headers: dict[str, str]
    line: dict[str, Any]


def requests(source: str, file: str) -> Iterator[Request]:
    """Read a recording; bodies are unpacked."""
    for text in (PAYLOADS / source / file).read_text().splitlines():
        line = json.loads(text)
        headers = {name.lower(): value for name, value in line["headers"].items()}
        if "body_base64" in line:
            body = base64.b64decode(line["body_base64"])
        else:
            body = line["body_text"].encode() if "body_text" in line else json.dumps(line.get("body", "")).encode()
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        yield Request(line["path"], body, headers, line)


def expected(source: str, name: str) -> list[Any]:
    """Give the entries of an `expected.json` for one source, as test parameters; a file sent twice is the ledger's."""
    entries = json.loads((PAYLOADS / source / "expected.json").read_text())
    found = [
        pytest.param(entry, id="+".join(entry["files"]) + f"-{entry['setting'].get('count', '')}")
        for entry in entries
        if entry.get("source") == name and "kind" not in entry and len(set(entry["files"])) == len(entry["files"])
    ]
    assert found, f"{source}/expected.json says nothing of {name}"
    return found


def read(adapter: Any, body: bytes, **context: Any) -> list[Parsed]:
    """Scrub and parse a body as a door and the worker would."""
    module: Adapter = adapter
    given = Context(**{"received_at": RECEIVED_AT, **context})
    stored = module.scrub(body, given.content_type, given.filename)
    return list(module.parse(io.BytesIO(stored), given))


def activity_of(parsed: list[Parsed]) -> pd.DataFrame:
    """Join the rows of all chunks; an id that comes again is a duplicate."""
    return pd.concat([each.activity for each in parsed], ignore_index=True).drop_duplicates("record_id")


def check(frame: pd.DataFrame, entry: dict[str, Any]) -> None:
    """Hold the sums of an entry's checks against the rows."""
    for each in entry["checks"]:
        rows = frame
        for column, value in each["where"].items():
            rows = rows[rows[column].isna() if value is None else rows[column] == value]
        for measure, value in each["sum"].items():
            assert float(rows[measure].sum()) == pytest.approx(value, rel=entry["tolerance"], abs=0), (
                each["where"],
                measure,
            )
