"""
Weights & Biases: the `system` stream of a run's history as JSON lines; power of each device is integrated.

The lines do not name their run, so the connection does (`run`). A run is a snapshot: a longer history replaces it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import msgspec

from core.quantification import records
from core.quantification.rejections import Rejection
from ingestion.sources.base import Context, Parsed, UnreadablePayload, finish, natural_id
from ingestion.sources.byte_streams import open_maybe_compressed
from ingestion.sources.mlflow import power_record

NAME: Final = "wandb"
SNAPSHOT: Final = True

DROPPED: Final = "Everything of a line but its time and the numbers of the system stream."
"""What never reaches the inbox, in words for the privacy page."""

POWER: Final = re.compile(r"^system\.gpu\.\d+\.powerWatts$")
SYSTEM: Final = re.compile(r"^system\.[\w.]+$")


def detect(head: bytes, filename: str) -> str | None:
    """Recognize the system stream by its times and names."""
    first = head.lstrip().split(b"\n", 1)[0]
    return "W&B system metrics" if b'"_timestamp"' in first and b'"system.' in first else None


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Keep of each line the time and the system's numbers. Raises UnreadablePayload when no line is JSON."""
    lines = [_line(line) for line in body.splitlines() if line.strip()]
    if not any(isinstance(line, dict) for line in lines):
        raise UnreadablePayload("The file holds no JSON lines. Export the run's history of stream=system.")
    return b"\n".join(msgspec.json.encode(_scrubbed(line)) for line in lines)


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """Read the lines of one run."""
    run = context.setting.get("run")
    if not isinstance(run, str) or not run:
        raise UnreadablePayload("The lines do not say their run. Set `run` at the source to its id.")
    devices: dict[str, list[tuple[float, float]]] = {}
    rejected: list[Rejection] = []
    received = used = 0
    for line in open_maybe_compressed(stream):
        if not line.strip():
            continue
        received += 1
        value = _line(line)
        at_s = value.get("_timestamp") if isinstance(value, dict) else None
        if not isinstance(at_s, int | float) or not 0 < at_s < 2**33:
            rejected.append(Rejection(received, None, "_timestamp", "bad_field", "the line has no time in seconds"))
            continue
        samples = {key: watts for key, watts in value.items() if POWER.match(key) and _is_power(watts)}
        used += bool(samples)
        for key, watts in samples.items():
            devices.setdefault(key, []).append((float(at_s), float(watts)))
    record = power_record(devices)
    if record is not None:
        identity = natural_id("wandb", run)
        record |= {"row": 1, "rows": used, "record_id": identity, "snapshot": identity, "run": run, "hosting": "owned"}
    kept = used if record is not None else 0
    yield finish(
        records.to_activity([record] if record else []),
        context,
        received=received,
        rejected=rejected,
        outside=received - len(rejected) - kept,
        fallback={"stage": "experimentation"},
    )


def _is_power(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _line(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _scrubbed(line: Any) -> dict[str, Any]:
    if not isinstance(line, dict):
        return {}
    return {
        key: value
        for key, value in line.items()
        if isinstance(value, int | float) and (key in ("_timestamp", "_runtime") or SYSTEM.match(key))
    }
