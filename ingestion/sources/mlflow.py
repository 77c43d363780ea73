"""
MLflow: answers of `runs/search` and `metrics/get-history` of its REST API (3.17).

Power that the client samples (`system/gpu_0_power_usage_watts`) is integrated. A number that people log themselves counts
as energy only where the connection names it (`energy_metric`, in kWh). A run is a snapshot: a later answer replaces it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

import msgspec

from core.quantification import records
from core.quantification.prose import brief
from core.quantification.rejections import Rejection
from ingestion.sources.base import Context, Parsed, UnreadablePayload, finish, natural_id
from ingestion.sources.byte_streams import open_maybe_compressed
from ingestion.sources.power import integrate
from ingestion.sources.vocabulary import attribution_of

NAME: Final = "mlflow"
SNAPSHOT: Final = True

DROPPED: Final = (
    "Everything of a run but its ids, state and times, its metrics, and the tags for team, project, environment and"
    " application: users, names, parameters and places of artifacts are dropped."
)
"""What never reaches the inbox, in words for the privacy page."""

POWER: Final = re.compile(r"^system/gpu_\d+_power_usage_watts$")
INFO: Final = ("run_id", "experiment_id", "status", "start_time", "end_time")
FALLBACK: Final = {"stage": "experimentation"}


class _Point(msgspec.Struct):
    key: str
    value: float | None
    timestamp: int  # ms


class _Tag(msgspec.Struct):
    key: str
    value: str = ""


class _Info(msgspec.Struct):
    run_id: str
    experiment_id: str | None = None
    status: str | None = None
    start_time: int | None = None  # ms
    end_time: int | None = None


class _Data(msgspec.Struct):
    metrics: list[_Point] = []
    tags: list[_Tag] = []


class _Run(msgspec.Struct):
    info: _Info
    data: _Data


class _Answer(msgspec.Struct):
    runs: list[msgspec.Raw] | None = None
    metrics: list[msgspec.Raw] | None = None


def detect(head: bytes, filename: str) -> str | None:
    """Recognize an answer by the fields around its numbers."""
    if head.lstrip()[:1] != b"{" or b'"timestamp"' not in head or b'"step"' not in head:
        return None
    return "MLflow runs" if b'"runs"' in head and b'"run_id"' in head else "MLflow metric history"


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Keep what is read. Raises UnreadablePayload when the body is no such answer."""
    answer = _read(body)
    if answer.runs is None:
        points = [_point(raw) for raw in answer.metrics or ()]
        return msgspec.json.encode({"metrics": brief(points)})
    return msgspec.json.encode({"runs": brief([_scrubbed_run(raw) for raw in answer.runs])})


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """Read one answer. The setting `run` names the run of a bare history, which does not say it."""
    answer = _read(open_maybe_compressed(stream).read())
    if answer.runs is None:
        yield _history(answer.metrics or [], context)
    else:
        yield _runs(answer.runs, context)


def _runs(runs: list[msgspec.Raw], context: Context) -> Parsed:
    read: list[dict[str, Any]] = []
    rejected: list[Rejection] = []
    outside = 0
    wanted = context.setting.get("energy_metric")
    for row, raw in enumerate(runs, 1):
        try:
            run = msgspec.json.decode(raw, type=_Run)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            field, detail = records.explain(str(error))
            rejected.append(Rejection(row, None, field, "bad_field", detail))
            continue
        logged = [point for point in run.data.metrics if point.key == wanted and point.value is not None]
        if not logged or run.info.start_time is None or run.info.end_time is None:
            outside += 1
            continue
        energy_kwh = max(logged, key=lambda point: point.timestamp).value
        read.append({"row": row, **_record(run, energy_kwh)})
    return finish(
        records.to_activity(read), context, received=len(runs), rejected=rejected, outside=outside, fallback=FALLBACK
    )


def _record(run: _Run, energy_kwh: float | None) -> dict[str, Any]:
    found = attribution_of({tag.key: tag.value for tag in run.data.tags})
    experiment = run.info.experiment_id
    return {
        **{name: found.get(name) for name in ("team", "project", "environment", "application")},
        **_of_run(run.info.run_id),
        "account": f"exp:{experiment}" if experiment else None,
        "started_at": _utc(run.info.start_time or 0),
        "ended_at": _utc(run.info.end_time or 0),
        "evidence": "modelled",
        "energy_kwh": energy_kwh,
        "energy_boundary": "it",
    }


def _history(metrics: list[msgspec.Raw], context: Context) -> Parsed:
    run = context.setting.get("run")
    if not isinstance(run, str) or not run:
        raise UnreadablePayload("A metric history does not say its run. Set `run` at the source to its id.")
    rejected: list[Rejection] = []
    devices: dict[str, list[tuple[float, float]]] = {}
    outside = 0
    for row, raw in enumerate(metrics, 1):
        try:
            point = msgspec.json.decode(raw, type=_Point)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            field, detail = records.explain(str(error))
            rejected.append(Rejection(row, None, field, "bad_field", detail))
            continue
        if POWER.match(point.key) and point.value is not None and point.value >= 0:
            devices.setdefault(point.key, []).append((point.timestamp / 1000, point.value))
        else:
            outside += 1
    record = power_record(devices)
    kept = 0
    if record is not None:
        kept = sum(map(len, devices.values()))
        record |= {"row": 1, "rows": kept, **_of_run(run)}
    return finish(
        records.to_activity([record] if record else []),
        context,
        received=len(metrics),
        rejected=rejected,
        outside=len(metrics) - len(rejected) - kept,
        fallback=FALLBACK,
    )


def power_record(devices: dict[str, list[tuple[float, float]]]) -> dict[str, Any] | None:
    """
    Make the part of a record that samples of power say: device -> (time, power). [s, W]

    Returns None where no two samples lie near enough to each other.
    """
    parts = [integrate(samples) for samples in devices.values()]
    covered_s = sum(part.covered_s for part in parts)
    if not covered_s:
        return None
    times = [at for samples in devices.values() for at, _ in samples]
    return {
        "started_at": datetime.fromtimestamp(min(times), UTC),
        "ended_at": datetime.fromtimestamp(max(times), UTC),
        "evidence": "measured",
        "device_hours": covered_s / 3600,
        "energy_kwh": sum(part.energy_kwh for part in parts),
        "energy_boundary": "device",
        "flags": ["power_integrated", *(["gap"] if any(part.gaps for part in parts) else [])],
    }


def _of_run(run: str) -> dict[str, Any]:
    identity = natural_id("mlflow", run)
    return {"record_id": identity, "snapshot": identity, "run": run, "hosting": "owned"}


def _scrubbed_run(raw: msgspec.Raw) -> dict[str, Any]:
    run = msgspec.json.decode(raw)
    info, data = (_object(run, name) for name in ("info", "data"))
    tags = [tag for tag in data.get("tags") or () if isinstance(tag, dict) and isinstance(tag.get("key"), str)]
    return {
        "info": {name: info[name] for name in INFO if isinstance(info.get(name), str | int)},
        "data": {
            "metrics": [_plain_point(point) for point in data.get("metrics") or ()],
            "tags": [
                {"key": tag["key"], "value": str(tag.get("value", ""))}
                for tag in tags
                if attribution_of({tag["key"]: str(tag.get("value", ""))})
            ],
        },
    }


def _object(value: Any, name: str) -> dict[str, Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _point(raw: msgspec.Raw) -> dict[str, Any]:
    return _plain_point(msgspec.json.decode(raw))


def _plain_point(point: Any) -> dict[str, Any]:
    if not isinstance(point, dict):
        return {}
    key = {"key": point["key"]} if isinstance(point.get("key"), str) else {}
    return key | {
        name: point[name] for name in ("value", "timestamp", "step") if isinstance(point.get(name), int | float)
    }


def _utc(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _read(body: bytes) -> _Answer:
    try:
        body.decode()  # what is decoded later is not looked at by the decoder
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadablePayload(f"The file is no answer of MLflow's REST API: {error}. Save it as it is.") from error
    if answer.runs is None and answer.metrics is None:
        raise UnreadablePayload(
            "The file holds neither runs nor metrics. Save the answer of MLflow's REST API as it is."
        )
    return answer
