"""What is bought: a provider's usage export, the gateway in front of it (the same calls again), and experiments on a laptop."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import numpy as np

from ingestion.demo.cluster import Rng, instant, lines

# project, model, requests on a weekday, input and output tokens of a request
CALLS: Final = (
    ("proj_support", "gpt-4.1-mini-2025-04-14", 21_000, 1_900, 240),
    ("proj_support", "gpt-4.1-2025-04-14", 3_400, 2_600, 410),
    ("proj_marketing", "gpt-4o-2024-11-20", 1_250, 900, 720),
)
GATEWAY_PROJECT: Final = "proj_support"


def calls(day: date, first_day: date, rng: Rng) -> list[dict[str, Any]]:
    """Make a day's calls by project and model; the support desk moved from the large to the small model in spring."""
    age = (day - first_day).days
    found = []
    for project, model, weekday_requests, input_tokens, output_tokens in CALLS:
        moved = 0.45 if model == "gpt-4.1-2025-04-14" and age > 150 else 1.0
        weekend = 0.35 if day.weekday() >= 5 else 1.0
        requests = int(weekday_requests * moved * weekend * (1 + 0.5 * age / 365) * rng.normal(1, 0.06))
        found.append(
            {
                "project_id": project,
                "model": model,
                "requests": requests,
                "input_tokens": requests * input_tokens,
                "cached": int(requests * input_tokens * 0.31),
                "output_tokens": requests * output_tokens,
            }
        )
    return found


def usage_exports(days: list[date], by_day: dict[date, list[dict[str, Any]]]) -> Iterator[bytes]:
    """Make the provider's pages of completions usage, one file a quarter."""
    for start in range(0, len(days), 92):
        buckets = []
        for day in days[start : start + 92]:
            begin = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
            buckets.append(
                {
                    "object": "bucket",
                    "start_time": begin,
                    "end_time": begin + 86_400,
                    "results": [result(call) for call in by_day[day]],
                }
            )
        yield msgspec.json.encode({"object": "page", "data": buckets, "has_more": False, "next_page": None})


def result(call: dict[str, Any]) -> dict[str, Any]:
    return {
        "object": "organization.usage.completions.result",
        "input_tokens": call["input_tokens"],
        "output_tokens": call["output_tokens"],
        "input_cached_tokens": call["cached"],
        "input_audio_tokens": 0,
        "output_audio_tokens": 0,
        "num_model_requests": call["requests"],
        "project_id": call["project_id"],
        "user_id": None,
        "api_key_id": None,
        "model": call["model"],
        "batch": False,
        "service_tier": "default",
    }


def gateway(days: list[date], by_day: dict[date, list[dict[str, Any]]]) -> bytes:
    """
    Make the gateway's own daily records of the support desk's calls: the same activity that the provider's export holds.

    This is the deliberate overlap of the demo. Its coverage unit says that the provider's export counts.
    """
    records = []
    for day in days:
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
        for call in by_day[day]:
            if call["project_id"] != GATEWAY_PROJECT:
                continue
            records.append(
                {
                    "record_id": f"gateway:{day}:{call['model']}",
                    "started_at": instant(moment),
                    "ended_at": instant(moment + timedelta(days=1)),
                    "stage": "inference",
                    "hosting": "api",
                    "evidence": "modelled",
                    "provider": "openai",
                    "account": "gateway-eu",
                    "team": "Support",
                    "project": "helpdesk",
                    "application": "helpdesk",
                    "model": call["model"],
                    "requests": call["requests"],
                    "input_tokens": call["input_tokens"],
                    "cached_input_tokens": call["cached"],
                    "output_tokens": call["output_tokens"],
                }
            )
    return lines(records)


def experiments(now: datetime, rng: Rng) -> bytes:
    """Make the emissions.csv of a data scientist's workstation: CodeCarbon runs over the year."""
    out = io.StringIO()
    names = [
        "timestamp",
        "project_name",
        "run_id",
        "experiment_id",
        "duration",
        "emissions",
        "emissions_rate",
        "cpu_power",
        "gpu_power",
        "ram_power",
        "cpu_energy",
        "gpu_energy",
        "ram_energy",
        "energy_consumed",
        "water_consumed",
        "country_name",
        "country_iso_code",
        "region",
        "cloud_provider",
        "cloud_region",
        "os",
        "python_version",
        "codecarbon_version",
        "cpu_count",
        "cpu_model",
        "gpu_count",
        "gpu_model",
        "longitude",
        "latitude",
        "ram_total_size",
        "tracking_mode",
        "cpu_utilization_percent",
        "gpu_utilization_percent",
        "ram_utilization_percent",
        "ram_used_gb",
        "on_cloud",
        "pue",
        "wue",
    ]
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    for number in range(140):
        ended = now - timedelta(days=float(rng.uniform(0.5, 364)), hours=float(rng.uniform(0, 8)))
        duration_s = float(rng.lognormal(8.4, 0.7))
        hours = duration_s / 3600
        cpu, gpu, ram = (float(rng.normal(mean, spread)) for mean, spread in ((95, 10), (410, 30), (20, 1)))
        energy_kwh = (cpu + gpu + ram) * hours / 1000
        writer.writerow(
            {
                "timestamp": f"{ended:%Y-%m-%dT%H:%M:%S}",
                "project_name": "retrieval-lab",
                "run_id": str(UUID(bytes=hashlib.sha256(f"demo run {number}".encode()).digest()[:16], version=4)),
                "experiment_id": "6a1f3d52-0b7e-4c1d-9a55-1f0e8f3b7c21",
                "duration": repr(duration_s),
                "emissions": repr(energy_kwh * 0.334),
                "emissions_rate": repr(energy_kwh * 0.334 / duration_s),
                "cpu_power": repr(cpu),
                "gpu_power": repr(gpu),
                "ram_power": repr(ram),
                "cpu_energy": repr(cpu * hours / 1000),
                "gpu_energy": repr(gpu * hours / 1000),
                "ram_energy": repr(ram * hours / 1000),
                "energy_consumed": repr(energy_kwh),
                "water_consumed": "0.0",
                "country_name": "Germany",
                "country_iso_code": "DEU",
                "region": "HE",
                "os": "Linux-6.8.0-x86_64",
                "python_version": "3.12.4",
                "codecarbon_version": "3.3.2",
                "cpu_count": "32",
                "cpu_model": "AMD Ryzen Threadripper PRO 5975WX",
                "gpu_count": "1",
                "gpu_model": "1 x NVIDIA RTX A6000",
                "longitude": "8.7",
                "latitude": "50.1",
                "ram_total_size": "256",
                "tracking_mode": "machine",
                "on_cloud": "N",
                "pue": "1.0",
                "wue": "0",
            }
        )
    return out.getvalue().encode()


def rng_for(day: date) -> Rng:
    """Seed a day's randomness by the day, so that tomorrow's demo tells the same past."""
    return np.random.default_rng(day.toordinal())
