"""
Samples of NVIDIA's dcgm-exporter (4.x), made into records: energy counters by device and owner, split over MIG instances.

A counter that falls began anew, and counts from 0; the first sample is where counting starts. Each MIG instance repeats the
energy of its whole card, so the card counts once and is split by the instances' compute slices; what no instance holds
stays without an owner.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from core.quantification import units
from core.quantification.rejections import Rejection
from ingestion.sources.base import Context, natural_id, number_setting
from ingestion.sources.power import LONGEST_STEP_S
from ingestion.sources.prometheus_wire import Sample, is_stale

ENERGY: Final = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"  # mJ since the driver was loaded
POWER: Final = "DCGM_FI_DEV_POWER_USAGE"  # W
BUSY: Final = ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_DEV_GPU_UTIL")  # share, then percent

MJ_PER_J: Final = 1000
CARD_SLICES: Final = 7
"""Compute slices of a card that can be split (A100, H100 and later)."""
EMIT_EVERY_S: Final = 300.0
GAP_S: Final = 900.0
MOST_W: Final = 2000.0
"""No device draws more; beyond it a counter has slipped."""

SENTINELS: Final = (2**63 - 16 * 2**10, 140737488355328.0)
"""From the first on, and the four values from the second, DCGM says that there is no value."""


@dataclass
class Reading:
    """What is known of one device at one time: the card's counter or power, and who holds which part of it."""

    owners: dict[str, Mapping[str, str]] = field(default_factory=dict)  # MIG instance, "" for the whole card -> labels
    energy_mj: float | None = None
    power_w: float | None = None
    busy: dict[str, float] = field(default_factory=dict)  # metric -> share
    samples: int = 0  # of the metric that counts


@dataclass(frozen=True)
class Step:
    """The time between two readings of a device."""

    start_ms: int
    end_ms: int
    joules: float
    busy: float | None
    reading: Reading


@dataclass
class Result:
    """Records, rejections, and how many samples went into either."""

    records: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    used: int = 0


def is_absent(value: float) -> bool:
    """Tell values by which DCGM says that it has none."""
    return is_stale(value) or value >= SENTINELS[0] or 0 <= value - SENTINELS[1] <= 3 or value < 0


def read(samples: Iterable[Sample], context: Context) -> Result:
    """
    Make records of samples of any order; the same sample of a second replica, or sent again, counts once.

    Settings: `emit_every_s` (300), `account` (else the label cluster), `hosting` (owned).
    """
    devices: dict[tuple[str, str], dict[int, Reading]] = {}
    seen: set[tuple[str, str, str, str, int]] = set()
    for sample in samples:
        labels = sample.labels
        metric, uuid = labels.get("__name__", ""), labels.get("UUID", "")
        if metric not in (ENERGY, POWER, *BUSY) or not uuid or is_absent(sample.value):
            continue
        account = str(context.setting.get("account") or labels.get("cluster") or "")
        instance = labels.get("GPU_I_ID", "")
        key = (metric, account, uuid, instance, sample.at_ms)
        if key not in seen:
            seen.add(key)
            reading = devices.setdefault((account, uuid), {}).setdefault(sample.at_ms, Reading())
            _add(reading, metric, instance, sample)
    result = Result()
    for (account, uuid), readings in sorted(devices.items()):
        _device(account, uuid, readings, context, result)
    return result


def _add(reading: Reading, metric: str, instance: str, sample: Sample) -> None:
    if metric in BUSY:
        reading.busy[metric] = sample.value if metric == BUSY[0] else sample.value / 100
        return
    reading.owners[instance] = sample.labels
    if metric == ENERGY:
        reading.energy_mj = sample.value
    else:
        reading.power_w = sample.value


def _device(account: str, uuid: str, readings: Mapping[int, Reading], context: Context, result: Result) -> None:
    by_counter = any(reading.energy_mj is not None for reading in readings.values())
    window: list[Step] = []
    emit_ms = number_setting(context.setting, "emit_every_s", EMIT_EVERY_S) * 1000
    for step in _steps(readings, by_counter=by_counter):
        seconds = (step.end_ms - step.start_ms) / 1000
        if step.joules > MOST_W * seconds:
            detail = f"{step.joules:.0f} J in {seconds:.0f} s"
            rows = len(step.reading.owners)
            result.rejected.append(
                Rejection(1, _id(account, uuid, "", step.end_ms), ENERGY, "implausible_power", detail, rows=rows)
            )
            result.used += rows
            continue
        if window and _owners(window[-1]) != _owners(step):
            _emit(account, uuid, window, context, result, by_counter=by_counter)
            window = []
        window.append(step)
        if step.end_ms - window[0].start_ms >= emit_ms:
            _emit(account, uuid, window, context, result, by_counter=by_counter)
            window = []


def _steps(readings: Mapping[int, Reading], *, by_counter: bool) -> Iterator[Step]:
    before: tuple[int, Reading] | None = None
    for at_ms, reading in sorted(readings.items()):
        value = reading.energy_mj if by_counter else reading.power_w
        if value is None:
            continue
        if before is not None:
            start_ms, earlier = before
            busy = next((reading.busy[name] for name in BUSY if name in reading.busy), None)
            joules = _counted(earlier, reading) if by_counter else _integrated(earlier, reading, at_ms - start_ms)
            if joules is not None:
                yield Step(start_ms, at_ms, joules, busy, reading)
        before = (at_ms, reading)


def _counted(earlier: Reading, reading: Reading) -> float:
    before, after = earlier.energy_mj or 0.0, reading.energy_mj or 0.0
    return (after - before if after >= before else after) / MJ_PER_J


def _integrated(earlier: Reading, reading: Reading, length_ms: int) -> float | None:
    seconds = length_ms / 1000
    return None if seconds > LONGEST_STEP_S else ((earlier.power_w or 0.0) + (reading.power_w or 0.0)) / 2 * seconds


def _owners(step: Step) -> list[tuple[str, str | None, str | None]]:
    return sorted((instance, *_owner(labels)) for instance, labels in step.reading.owners.items())


def _owner(labels: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Name namespace and pod, by Prometheus' own names where it had to rename them, else by older ones."""
    namespace = labels.get("exported_namespace") or labels.get("namespace") or labels.get("pod_namespace")
    pod = labels.get("exported_pod") or labels.get("pod") or labels.get("pod_name")
    return namespace or None, pod or None


def _emit(
    account: str, uuid: str, window: Sequence[Step], context: Context, result: Result, *, by_counter: bool
) -> None:
    joules = sum(step.joules for step in window)
    hours = sum(step.end_ms - step.start_ms for step in window) / 1000 / units.S_PER_H
    start_ms, end_ms = window[0].start_ms, window[-1].end_ms
    busy = [step.busy for step in window if step.busy is not None]
    flags = [] if by_counter else ["power_integrated"]
    if any(step.end_ms - step.start_ms > GAP_S * 1000 for step in window):
        flags.append("gap")
    owners = window[-1].reading.owners
    shares = {instance: slices(labels) / CARD_SLICES for instance, labels in owners.items() if instance}
    parts: list[tuple[str, float, Mapping[str, str]]] = [
        (instance, shares.get(instance, 1.0), labels)
        for instance, labels in sorted(owners.items())
        if instance or not shares
    ]
    rest = 1 - sum(shares.values()) if shares else 0.0
    if rest > 1e-9:
        some = next(iter(owners.values()))
        parts.append(("rest", rest, {"modelName": some.get("modelName", "")}))
    for instance, share, labels in parts:
        namespace, pod = _owner(labels)
        rows = 0 if instance == "rest" else len(window)
        result.used += rows
        result.records.append(
            {
                "row": 1,
                "rows": rows,
                "record_id": _id(account, uuid, instance, end_ms),
                "started_at": _utc(start_ms),
                "ended_at": _utc(end_ms),
                "account": account or None,
                "team": namespace,
                "hosting": context.setting.get("hosting") or "owned",
                "evidence": "measured",
                "hardware": labels.get("modelName") or None,
                "device_hours": hours * share,
                "device_utilization": min(sum(busy) / len(busy), 1.0) if busy else None,
                "energy_kwh": joules * share / units.J_PER_KWH,
                "energy_boundary": "device",
                "labels": {"pod": pod} if pod else {},
                "flags": [*flags, *(["mig_split"] if shares else [])],
            }
        )


def slices(labels: Mapping[str, str]) -> int:
    """
    Read the compute slices of a MIG profile.

    >>> slices({"GPU_I_PROFILE": "3g.40gb"}), slices({"GPU_I_PROFILE": "1c.2g.20gb"}), slices({})
    (3, 2, 7)
    """
    found = re.search(r"(\d)g\.", labels.get("GPU_I_PROFILE", ""))
    return min(int(found[1]), CARD_SLICES) if found else CARD_SLICES


def _id(account: str, uuid: str, instance: str, at_ms: int) -> str:
    return natural_id("dcgm", account, uuid, *([instance] if instance else []), at_ms)


def _utc(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
