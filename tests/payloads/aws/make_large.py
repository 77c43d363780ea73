"""Write AWS Cost and Usage Reports of any size for tests and benchmarks: `python tests/payloads/aws/make_large.py PATH ROWS`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv

BLOCK_ROWS = 20_000

# share, product code, usage type, operation, instance type, unit, mean amount, price
KINDS = (
    (0.28, "AmazonEC2", "EUW1-DataTransfer-Out-Bytes", "RunInstances", "", "GB", 0.4, 0.01),
    (0.20, "AmazonEC2", "EUW1-BoxUsage:m7i.2xlarge", "RunInstances", "m7i.2xlarge", "Hrs", 1.0, 0.4032),
    (0.20, "AmazonS3", "EUW1-TimedStorage-ByteHrs", "StandardStorage", "", "GB-Mo", 1.3, 0.023),
    (0.15, "AWSELB", "EUW1-LCUUsage", "LoadBalancing:Application", "", "LCU-Hrs", 0.1, 0.008),
    (0.07, "AmazonBedrock", "EUW1-NovaPro-input-tokens", "InvokeModelInference", "", "1K tokens", 812.5, 0.0008),
    (0.06, "AmazonBedrock", "EUW1-NovaPro-output-tokens", "InvokeModelInference", "", "1K tokens", 96.25, 0.0032),
    (0.02, "AmazonEC2", "EUW1-BoxUsage:p5.48xlarge", "RunInstances", "p5.48xlarge", "Hrs", 1.0, 55.04),
    (0.02, "AmazonSageMaker", "EUW1-Train:ml.g5.12xlarge", "RunInstance", "ml.g5.12xlarge", "Hrs", 0.75, 7.09),
)
ACCOUNTS = 40
COLUMNS = (
    *(
        "identity_line_item_id",
        "identity_time_interval",
        "bill_bill_type",
        "bill_billing_entity",
        "bill_payer_account_id",
    ),
    *("bill_billing_period_start_date", "bill_billing_period_end_date", "line_item_usage_account_id"),
    *("line_item_line_item_type", "line_item_usage_start_date", "line_item_usage_end_date", "line_item_product_code"),
    *("line_item_usage_type", "line_item_operation", "line_item_availability_zone", "line_item_resource_id"),
    *("line_item_usage_amount", "line_item_currency_code", "line_item_unblended_rate", "line_item_unblended_cost"),
    *("line_item_line_item_description", "line_item_iam_principal", "product_product_family", "product_region_code"),
    *("product_instance_type", "product_servicecode", "product", "pricing_unit", "pricing_term"),
    *("split_line_item_parent_resource_id", "split_line_item_split_usage", "resource_tags", "cost_category"),
)


def write_report(path: Path, rows: int, seed: int = 0, month: datetime = datetime(2026, 10, 1, tzinfo=UTC)) -> None:
    """
    Write a report of one month: hourly rows of 40 accounts, one in six of AI services.

    Args:
        path: CSV file to write; the same arguments give the same bytes.
        rows: how many; each has a key of its own.
        seed: of everything random.
        month: its first instant, UTC.
    """
    random = np.random.default_rng(seed)
    with path.open("wb") as file:
        file.write((",".join(COLUMNS) + "\n").encode())
        for start in range(0, rows, BLOCK_ROWS):
            _write_block(file, np.arange(start, min(start + BLOCK_ROWS, rows)), random, month)


def _write_block(file: BinaryIO, numbers: np.ndarray, random: np.random.Generator, month: datetime) -> None:
    size = len(numbers)
    kinds = [KINDS[at] for at in random.choice(len(KINDS), size, p=[each[0] for each in KINDS]).tolist()]
    hour, account = random.integers(0, 30 * 24, size).tolist(), random.integers(0, ACCOUNTS, size).tolist()
    amounts = [
        round(kind[6] * each, 4) for kind, each in zip(kinds, random.uniform(0.5, 1.5, size).tolist(), strict=True)
    ]
    hours = [(month + timedelta(hours=each)).strftime("%Y-%m-%d %H:%M:%S.000") for each in range(30 * 24 + 1)]
    following = (month + timedelta(days=32)).replace(day=1)
    columns = {
        "identity_line_item_id": [f"li{number:012d}" for number in numbers.tolist()],
        "bill_bill_type": ["Anniversary"] * size,
        "bill_billing_entity": ["AWS"] * size,
        "bill_payer_account_id": ["999988887777"] * size,
        "bill_billing_period_start_date": [hours[0]] * size,
        "bill_billing_period_end_date": [following.strftime("%Y-%m-%d %H:%M:%S.000")] * size,
        "line_item_usage_account_id": [f"1234567890{each:02d}" for each in account],
        "line_item_line_item_type": ["Usage"] * size,
        "line_item_usage_start_date": [hours[each] for each in hour],
        "line_item_usage_end_date": [hours[each + 1] for each in hour],
        "line_item_product_code": [kind[1] for kind in kinds],
        "line_item_usage_type": [kind[2] for kind in kinds],
        "line_item_operation": [kind[3] for kind in kinds],
        "line_item_resource_id": [f"arn:aws:example:::{number:012d}/app-{number % 200}" for number in numbers.tolist()],
        "line_item_usage_amount": [f"{amount:.4f}" for amount in amounts],
        "line_item_currency_code": ["USD"] * size,
        "line_item_unblended_cost": [f"{amount * kind[7]:.10f}" for amount, kind in zip(amounts, kinds, strict=True)],
        "line_item_line_item_description": [f"${kind[7]} per {kind[5]}" for kind in kinds],
        "line_item_iam_principal": [
            f"arn:aws:iam::1234567890{each:02d}:role/app-{each}" if kind[1] == "AmazonBedrock" else None
            for each, kind in zip(account, kinds, strict=True)
        ],
        "product_region_code": ["eu-west-1"] * size,
        "product_instance_type": [kind[4] or None for kind in kinds],
        "product_servicecode": [kind[1] for kind in kinds],
        "product": [f'{{"product_name": "{kind[1]}"}}' for kind in kinds],
        "pricing_unit": [kind[5] for kind in kinds],
        "pricing_term": ["OnDemand"] * size,
        "resource_tags": [f'{{"user_team": "team-{each % 12}", "user_environment": "prod"}}' for each in account],
        "cost_category": ["{}"] * size,
    }
    table = pa.table({name: columns.get(name, pa.nulls(size, pa.string())) for name in COLUMNS})
    pa.csv.write_csv(table, file, pa.csv.WriteOptions(include_header=False))


if __name__ == "__main__":
    write_report(Path(sys.argv[1]), int(sys.argv[2]))
