"""Write Azure cost details of any size for tests and benchmarks: `python tests/payloads/azure/make_large.py PATH ROWS`."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

SAMPLE = Path(__file__).parent / "cost-details-actual.csv"
AI_SHARE = 6
"""One row in so many is of an AI service or accelerator machine."""


def write_cost_details(path: Path, rows: int) -> None:
    """
    Write a month: the rows of the sample on 28 days and many resources, five storage rows to each of them.

    Args:
        path: CSV file to write; the same arguments give the same bytes.
        rows: how many; each has a key of its own.
    """
    with SAMPLE.open(newline="") as file:
        sample = list(csv.DictReader(file))[:6]
    storage = {
        **sample[0],
        "MeterCategory": "Storage",
        "MeterSubCategory": "General Block Blob",
        "MeterName": "Hot LRS Data Stored",
        "ServiceFamily": "Storage",
        "UnitOfMeasure": "1 GB/Month",
    }
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(sample[0]))
        writer.writeheader()
        for number in range(rows):
            row = sample[number // AI_SHARE % len(sample)] if number % AI_SHARE == 0 else storage
            writer.writerow(
                {
                    **row,
                    "Date": f"10/{number % 28 + 1:02}/2026",
                    "ResourceId": f"{row['ResourceId']}-{number // 28}",
                    "Quantity": f"{number % 997}.{number % 7}",
                    "Cost": f"0.{number % 997:04}",
                }
            )


if __name__ == "__main__":
    write_cost_details(Path(sys.argv[1]), int(sys.argv[2]))
