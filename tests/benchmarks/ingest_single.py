"""Single CodeCarbon emissions at 8 concurrent clients: time to the 201, beside one bare durable insert each."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests.benchmarks.stage import Stage, stage
from tests.ingestion import live

CLIENTS = 8
POSTS = 150  # a client and run
RUNS = 5
GOAL_MS = 50.0


def measure() -> list[dict[str, Any]]:
    """Measure p95 of a post in milliseconds and posts a second, medians of 5 runs."""
    with stage() as on, live.web(on.folder, workers=2) as address:
        worker = live.worker(on.folder)
        try:
            run_id = announce(address, on.token)
            post_many(address, on.token, run_id, 20)  # connections, caches
            runs = [(bare_inserts(on), *post_many(address, on.token, run_id, POSTS)) for _ in range(RUNS)]
        finally:
            live.end(worker)
    bare, p95, rate = ([run[at] for run in runs] for at in range(3))
    return [
        result("ingest_single", p95, "ms p95", "bare insert", bare),
        result("ingest_single_goal", p95, "ms p95", "goal", [GOAL_MS] * RUNS),
        result("ingest_single_rate", rate, "posts/s", "goal", [1000.0] * RUNS),
    ]


def result(name: str, values: list[float], unit: str, compared_with: str, others: list[float]) -> dict[str, Any]:
    value, other = statistics.median(values), statistics.median(others)
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "compared_with": compared_with,
        "compared_value": other,
        "ratio": value / other,
        "runs": len(values),
        "spread": (max(values) - min(values)) / value,
    }


def connect(address: str) -> http.client.HTTPConnection:
    parts = urlsplit(address)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)


def send(connection: http.client.HTTPConnection, path: str, token: str, body: dict[str, Any]) -> Any:
    headers = {"Content-Type": "application/json", "x-api-token": token}
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 201:
        raise RuntimeError(f"{answer.status}: {content[:500]!r}")
    return json.loads(content)


def announce(address: str, token: str) -> str:
    body = {
        "timestamp": datetime.now(UTC).isoformat(),
        "experiment_id": "11111111-2222-4333-8444-555555555555",
        "cpu_model": "AMD EPYC",
        "tracking_mode": "process",
        "region": "eu-west-3",
        "provider": "aws",
    }
    return str(send(connect(address), "/codecarbon/runs", token, body)["id"])


def post_many(address: str, token: str, run_id: str, posts: int) -> tuple[float, float]:
    """Post from 8 clients at once; give p95 in milliseconds and posts a second."""

    def client(number: int) -> list[float]:
        connection, took = connect(address), []
        for at in range(posts):
            body = {
                "timestamp": (datetime.now(UTC) - timedelta(seconds=number)).isoformat(),
                "run_id": run_id,
                "duration": 15,
                "emissions_sum": 1e-6,
                "emissions_rate": 1e-7,
                "cpu_energy": 1e-5,
                "gpu_energy": 0.0,
                "ram_energy": 1e-6 + at * 1e-12,
                "energy_consumed": 1.1e-5 + at * 1e-12,
            }
            started = time.perf_counter()
            send(connection, "/codecarbon/emissions", token, body)
            took.append((time.perf_counter() - started) * 1000)
        return took

    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        took = sorted(each for part in clients.map(client, range(CLIENTS)) for each in part)
    return took[int(len(took) * 0.95)], len(took) / (time.perf_counter() - started)


def bare_inserts(on: Stage) -> float:
    """Insert single rows durably from 8 connections; give p95 in milliseconds."""

    def client(number: int) -> list[float]:
        took = []
        with psycopg.connect(on.app_url, autocommit=True) as connection:
            for at in range(POSTS):
                started = time.perf_counter()
                connection.execute(
                    "insert into ingestion_heartbeat (name, beaten_at) values (%s, now())"
                    " on conflict (name) do update set beaten_at = now()",
                    [f"bench {number} {at}"],
                )
                took.append((time.perf_counter() - started) * 1000)
        return took

    with ThreadPoolExecutor(CLIENTS) as clients:
        took = sorted(each for part in clients.map(client, range(CLIENTS)) for each in part)
    return took[int(len(took) * 0.95)]
