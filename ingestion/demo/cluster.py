"""The agent of an owned GPU cluster in Frankfurt: hourly records of what it serves and trains, metered per node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec
import numpy as np

Rng = np.random.Generator

GPU_HARDWARE: Final = "NVIDIA H100 80GB HBM3"
NODE_FACTOR: Final = 1.32  # a node's power over that of its GPUs: the agent meters whole nodes
BASE: Final[dict[str, Any]] = {
    "hosting": "owned",
    "site": "fra-1",
    "zone": "DE",
    "account": "cluster-fra-1",
    "hardware": GPU_HARDWARE,
    "evidence": "measured",
    "energy_boundary": "it",
    "environment": "production",
}


@dataclass(frozen=True)
class Service:
    """A model that the cluster serves, and for whom."""

    model: str
    team: str
    project: str
    application: str
    task: str
    gpus: int
    daily_requests: int
    input_tokens: int  # per request
    output_tokens: int
    techniques: tuple[str, ...] = ()
    weekend: float = 0.55  # of a weekday's load
    yearly_growth: float = 0.35


@dataclass(frozen=True)
class Training:
    """A run that takes GPUs for some days; ``days_ago`` is its start."""

    run: str
    model: str
    stage: str
    project: str
    days_ago: int
    days: int
    gpus: int


SERVICES: Final = (
    Service("atlas-70b", "Search", "answers", "search", "answer", 16, 110_000, 2_900, 310),
    Service(
        "atlas-8b-int4", "Search", "ranking", "search", "rerank", 8, 640_000, 820, 24, ("quantized:int4",), weekend=0.7
    ),
    Service("atlas-70b", "Assistants", "support-copilot", "assistant", "summary", 8, 46_000, 3_800, 260),
)
TRAININGS: Final = (
    Training("atlas-70b-v2-pretrain", "atlas-70b", "training", "atlas", 352, 24, 64),
    Training("atlas-8b-distill", "atlas-8b-int4", "training", "atlas", 262, 12, 32),
    Training("atlas-70b-v3-ablation-a", "atlas-70b", "experimentation", "atlas", 214, 6, 32),
    Training("atlas-70b-v3-ablation-b", "atlas-70b", "experimentation", "atlas", 206, 5, 32),
    Training("atlas-70b-v3-pretrain", "atlas-70b", "training", "atlas", 170, 26, 64),
    Training("atlas-70b-v3-sft", "atlas-70b", "fine_tuning", "atlas", 138, 5, 32),
    Training("atlas-70b-v4-ablation-a", "atlas-70b", "experimentation", "atlas", 92, 7, 32),
    Training("atlas-70b-v4-pretrain", "atlas-70b", "training", "atlas", 64, 22, 64),
    Training("atlas-70b-v4-sft", "atlas-70b", "fine_tuning", "atlas", 36, 4, 32),
    Training("atlas-70b-v4-eval", "atlas-70b", "evaluation", "atlas", 30, 2, 16),
)


def payloads(now: datetime, first_day: date, rng: Rng) -> Iterator[bytes]:
    """Make one NDJSON body a month, up to the last full hour."""
    month: list[dict[str, Any]] = []
    current = (first_day.year, first_day.month)
    moment = datetime(first_day.year, first_day.month, first_day.day, tzinfo=UTC)
    last = now.replace(minute=0, second=0, microsecond=0)
    while moment < last:
        if (moment.year, moment.month) != current:
            yield lines(month)
            month, current = [], (moment.year, moment.month)
        age = (moment.date() - first_day).days
        days_ago = (now.date() - moment.date()).days
        month += [serving(service, moment, age, rng) for service in SERVICES]
        month += [training(run, moment, rng) for run in TRAININGS if run.days_ago - run.days < days_ago <= run.days_ago]
        moment += timedelta(hours=1)
    if month:
        yield lines(month)


def serving(service: Service, moment: datetime, age_days: int, rng: Rng) -> dict[str, Any]:
    """Make the hour of a served model: load by the hour of the day, idle power in the night."""
    share_of_day = 0.35 + 0.65 * np.sin(np.pi * ((moment.hour - 5) % 24) / 24) ** 2
    weekend = service.weekend if moment.weekday() >= 5 else 1.0
    growth = 1 + service.yearly_growth * age_days / 365
    load = float(share_of_day * weekend * rng.normal(1.0, 0.05))
    requests = max(0, int(service.daily_requests * growth * load / 24 / 0.675))
    utilization = float(np.clip(0.16 + 0.62 * load * min(growth, 1.3) / 1.3, 0.12, 0.97))
    # Serving became leaner: new kernels half a year ago, smaller batches merged since.
    watts_per_gpu = (92 + 470 * utilization) * (0.93 if age_days > 185 else 1.0)
    failed = int(rng.binomial(requests, 0.004)) if requests else 0
    return {
        **BASE,
        "record_id": f"fra-1:{service.team.lower()}:{service.model}:{service.application}:{moment:%Y-%m-%dT%H}",
        **interval(moment),
        "team": service.team,
        "project": service.project,
        "application": service.application,
        "task": service.task,
        "stage": "inference",
        "model": service.model,
        "techniques": list(service.techniques),
        "tier": "interactive",
        "requests": requests,
        "failed_requests": failed,
        "input_tokens": requests * service.input_tokens,
        "cached_input_tokens": int(requests * service.input_tokens * 0.22),
        "output_tokens": requests * service.output_tokens,
        "device_hours": float(service.gpus),
        "device_utilization": round(utilization, 4),
        "energy_kwh": round(service.gpus * watts_per_gpu * NODE_FACTOR / 1000, 6),
    }


def training(run: Training, moment: datetime, rng: Rng) -> dict[str, Any]:
    """Make an hour of a run: near full power, with dips while it writes checkpoints."""
    utilization = float(np.clip(rng.normal(0.93, 0.02), 0.7, 0.99)) if moment.hour % 8 else 0.55
    watts_per_gpu = 92 + 560 * utilization
    return {
        **BASE,
        "record_id": f"fra-1:{run.run}:{moment:%Y-%m-%dT%H}",
        **interval(moment),
        "team": "Foundation models",
        "project": run.project,
        "stage": run.stage,
        "model": run.model,
        "run": run.run,
        "environment": "research",
        "device_hours": float(run.gpus),
        "device_utilization": round(utilization, 4),
        "energy_kwh": round(run.gpus * watts_per_gpu * NODE_FACTOR / 1000, 6),
    }


def broken(now: datetime) -> bytes:
    """Make a body such as a hurried script sends: rows that will be found in quarantine, beside one that is fine."""
    moment = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    good = {**BASE, **interval(moment), "stage": "evaluation", "team": "Foundation models", "project": "atlas"}
    watt_hours = 41_800_000.0  # in Wh instead of kWh: more than any node can draw in an hour
    rows = [
        good | {"record_id": "nightly-eval:1", "energy_kwh": 41.8, "device_hours": 16.0},
        good
        | {
            "record_id": "nightly-eval:2",
            "energy_kwh": watt_hours,
            "labels": {"agent": "codecarbon"},
            "hosting": "on-prem",
        },
        good | {"record_id": "nightly-eval:3", "energy_kwh": -3.2},
        good
        | {
            "record_id": "nightly-eval:4",
            "energy_kwh": 40.2,
            "started_at": instant(now + timedelta(days=40)),
            "ended_at": instant(now + timedelta(days=40, hours=1)),
        },
        good | {"record_id": "nightly-eval:5", "energy_kwh": 39.9, "ended_at": instant(moment - timedelta(hours=1))},
        good | {"record_id": "nightly-eval:6", "energy": 41.1},
    ]
    return lines(rows)


def interval(moment: datetime) -> dict[str, str]:
    return {"started_at": instant(moment), "ended_at": instant(moment + timedelta(hours=1))}


def instant(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def lines(records: list[dict[str, Any]]) -> bytes:
    return b"\n".join(msgspec.json.encode(record) for record in records) + b"\n"
