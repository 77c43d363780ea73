"""Write Google Cloud's exports of any size for tests and benchmarks: `python tests/payloads/gcp/make_large.py PATH ROWS`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
AI_SHARE = 6
"""One row in so many is of an AI service or accelerator machine."""
PROJECTS = 500


def billing_rows(rows: int) -> Iterator[dict[str, Any]]:
    """Give rows of detailed usage cost: those of the sample by the hour, five storage rows to each of them."""
    sample = _sample("billing-export-resource.jsonl")
    sample = [row for row in sample if row["cost_type"] == "regular"]
    service = {"id": "95FF-2EF5-5EA1", "description": "Cloud Storage"}
    storage = {**sample[0], "service": service, "sku": {"id": "E5F0-6A5D-7BAD", "description": "Standard Storage"}}
    for number in range(rows):
        row = sample[number // AI_SHARE % len(sample)] if number % AI_SHARE == 0 else storage
        day, hour = number // 24 % 28 + 1, number % 24
        yield {
            **row,
            "usage_start_time": f"2026-10-{day:02} {hour:02}:00:00 UTC",
            "usage_end_time": f"2026-10-{day:02} {hour:02}:59:59 UTC",
            "project": {**row["project"], "id": f"project-{number // 672 % PROJECTS}"},
            "cost": number % 997 / 100,
            "usage": {**row["usage"], "amount": number % 997},
        }


def carbon_rows(rows: int) -> Iterator[dict[str, Any]]:
    """Give rows of the Carbon Footprint export: 500 projects, each with as many services as it takes."""
    sample = _sample("carbon-footprint.jsonl")
    for number in range(rows):
        row = sample[number % len(sample)]
        project, service = number % PROJECTS, number // PROJECTS
        yield {
            **row,
            "project": {"number": str(project), "id": f"project-{project}"},
            "service": {**row["service"], "id": f"{service:04X}-{service:04X}-{service:04X}"},
        }


def write_lines(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Write rows as newline-delimited JSON."""
    with path.open("w") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")


def _sample(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / name).read_text().splitlines()]


if __name__ == "__main__":
    write_lines(Path(sys.argv[1]), billing_rows(int(sys.argv[2])))
