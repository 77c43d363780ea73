"""Write FOCUS 1.2 bills of any size for tests and benchmarks: `python tests/payloads/focus/make_large.py PATH ROWS`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv

BLOCK_ROWS = 20_000


@dataclass(frozen=True)
class Kind:
    """One sort of row: its share of the file, its texts, a mean quantity and a price of one unit."""

    share: float
    provider: str
    service: str
    category: str
    meter: str
    description: str
    unit: str
    pricing_unit: str
    details: str
    quantity: float
    price: float


KINDS = (
    Kind(
        0.22,
        "AWS",
        "Amazon Elastic Compute Cloud",
        "Compute",
        "DataTransfer",
        "$0.000 per GB - data transfer in per month",
        "GB",
        "GB",
        "",
        0.4,
        0.01,
    ),
    Kind(
        0.16,
        "AWS",
        "Amazon Elastic Compute Cloud",
        "Compute",
        "BoxUsage:m7i.2xlarge",
        "$0.4032 per On Demand Linux m7i.2xlarge Instance Hour",
        "Hours",
        "Hours",
        '{"InstanceType": "m7i.2xlarge"}',
        1.0,
        0.4032,
    ),
    Kind(
        0.14,
        "AWS",
        "Amazon Simple Storage Service",
        "Storage",
        "TimedStorage",
        "$0.023 per GB - first 50 TB / month of storage used",
        "GB-Months",
        "GB-Months",
        "",
        1.3,
        0.023,
    ),
    Kind(
        0.09,
        "AWS",
        "Elastic Load Balancing",
        "Networking",
        "LCUUsage",
        "$0.008 per used Application load balancer capacity unit-hour",
        "LCU-Hours",
        "LCU-Hours",
        "",
        0.1,
        0.008,
    ),
    Kind(
        0.1,
        "Microsoft",
        "Storage Accounts",
        "Storage",
        "Hot LRS Write Operations",
        "Tiered Block Blob - Hot LRS - Write Operations - EU North",
        "Units",
        "Units",
        "",
        3.0,
        0.05,
    ),
    Kind(
        0.06,
        "Microsoft",
        "Azure Machine Learning",
        "AI and Machine Learning",
        "Standard Data Processed",
        "Load Balancer - Standard Data Processed",
        "GB",
        "GB",
        "",
        0.2,
        0.005,
    ),
    Kind(
        0.06,
        "Google Cloud",
        "Compute Engine",
        "Compute",
        "N2 Instance Core running in Belgium",
        "N2 Instance Core running in Belgium",
        "seconds",
        "hour",
        "",
        3600.0,
        1e-05,
    ),
    Kind(
        0.05,
        "AWS",
        "Amazon Bedrock",
        "AI and Machine Learning",
        "Input Tokens",
        "EUW1-Claude4.6Sonnet-input-tokens",
        "1K tokens",
        "1K tokens",
        "",
        812.5,
        0.003,
    ),
    Kind(
        0.05,
        "AWS",
        "Amazon Bedrock",
        "AI and Machine Learning",
        "Output Tokens",
        "EUW1-Claude4.6Sonnet-output-tokens",
        "1K tokens",
        "1K tokens",
        "",
        96.25,
        0.015,
    ),
    Kind(
        0.02,
        "Microsoft",
        "Azure OpenAI",
        "AI and Machine Learning",
        "gpt 4.1 mini Inp glbl Tokens",
        "Azure OpenAI - gpt 4.1 mini Inp glbl Tokens",
        "Tokens",
        "1M Tokens",
        "",
        250000.0,
        4e-07,
    ),
    Kind(
        0.02,
        "Google Cloud",
        "Vertex AI",
        "AI and Machine Learning",
        "Gemini 2.5 Flash GA Text Input - Predictions",
        "Gemini 2.5 Flash GA Text Input - Predictions",
        "count",
        "count",
        "",
        120000.0,
        3e-07,
    ),
    Kind(
        0.02,
        "AWS",
        "Amazon Elastic Compute Cloud",
        "Compute",
        "BoxUsage:p5.48xlarge",
        "$55.04 per On Demand Linux p5.48xlarge Instance Hour",
        "Hours",
        "Hours",
        '{"InstanceType": "p5.48xlarge", "GpuCount": 8}',
        1.0,
        55.04,
    ),
    Kind(
        0.01,
        "AWS",
        "Amazon SageMaker",
        "AI and Machine Learning",
        "Train:ml.g5.12xlarge",
        "$7.09 per Training ml.g5.12xlarge hour in EU (Ireland)",
        "Hrs",
        "Hrs",
        "",
        1.0,
        7.09,
    ),
)
REGIONS = {
    "AWS": ("eu-west-1", "us-east-1", "eu-central-1", "us-west-2"),
    "Microsoft": ("swedencentral", "westeurope", "eastus2"),
    "Google Cloud": ("europe-west1", "europe-west4", "us-central1"),
}
TEAMS = (
    "search",
    "support",
    "research",
    "nlp",
    "vision",
    "platform",
    "risk",
    "mobile",
    "growth",
    "ads",
    "data",
    "core",
)
ENVIRONMENTS = ("prod", "dev", "staging")
ACCOUNTS, APPS_OF_ACCOUNT = 40, 5
COLUMNS = (
    *(
        "AvailabilityZone",
        "BilledCost",
        "BillingAccountId",
        "BillingAccountName",
        "BillingAccountType",
        "BillingCurrency",
    ),
    *("BillingPeriodEnd", "BillingPeriodStart", "CapacityReservationId", "CapacityReservationStatus", "ChargeCategory"),
    *("ChargeClass", "ChargeDescription", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart"),
    *("CommitmentDiscountCategory", "CommitmentDiscountId", "CommitmentDiscountName", "CommitmentDiscountQuantity"),
    *(
        "CommitmentDiscountStatus",
        "CommitmentDiscountType",
        "CommitmentDiscountUnit",
        "ConsumedQuantity",
        "ConsumedUnit",
    ),
    *("ContractedCost", "ContractedUnitPrice", "EffectiveCost", "InvoiceId", "InvoiceIssuerName", "ListCost"),
    *("ListUnitPrice", "PricingCategory", "PricingCurrency", "PricingQuantity", "PricingUnit", "ProviderName"),
    *("PublisherName", "RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory"),
    *("ServiceName", "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId"),
    *("SubAccountName", "SubAccountType", "Tags"),
)


def write_focus_csv(path: Path, rows: int, seed: int = 0, month: datetime = datetime(2026, 10, 1, tzinfo=UTC)) -> None:
    """
    Write a bill of one month: hourly rows of 40 sub-accounts with 5 applications each, about one in six of AI services.

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
    kind = random.choice(len(KINDS), size, p=[each.share for each in KINDS])
    hour = random.integers(0, 30 * 24, size)
    account = random.integers(0, ACCOUNTS, size)
    quantity = np.round(np.array([each.quantity for each in KINDS])[kind] * random.uniform(0.5, 1.5, size), 4)
    cost = np.round(quantity * np.array([each.price for each in KINDS])[kind], 11)
    app = account * APPS_OF_ACCOUNT + random.integers(0, APPS_OF_ACCOUNT, size)
    tags = [_tags(each) for each in range(ACCOUNTS * APPS_OF_ACCOUNT)]
    hours = [(month + timedelta(hours=each)).strftime("%Y-%m-%dT%H:%M:%SZ") for each in range(30 * 24 + 1)]
    following = (month + timedelta(days=32)).replace(day=1)
    kinds = [KINDS[each] for each in kind.tolist()]
    providers = [each.provider for each in kinds]
    zones = [
        REGIONS[provider][each % len(REGIONS[provider])]
        for provider, each in zip(providers, account.tolist(), strict=True)
    ]
    amounts, costs = [f"{each:.12f}" for each in quantity.tolist()], [f"{each:.11f}" for each in cost.tolist()]
    columns = {
        "BilledCost": costs,
        "BillingAccountId": ["999988887777"] * size,
        "BillingAccountName": ["Example Org"] * size,
        "BillingAccountType": ["BillingAccount"] * size,
        "BillingCurrency": ["EUR"] * size,
        "BillingPeriodEnd": [following.strftime("%Y-%m-%dT%H:%M:%SZ")] * size,
        "BillingPeriodStart": [month.strftime("%Y-%m-%dT%H:%M:%SZ")] * size,
        "ChargeCategory": ["Usage"] * size,
        "ChargeDescription": [each.description for each in kinds],
        "ChargeFrequency": ["Usage-Based"] * size,
        "ChargePeriodStart": [hours[each] for each in hour.tolist()],
        "ChargePeriodEnd": [hours[each + 1] for each in hour.tolist()],
        "ConsumedQuantity": amounts,
        "ConsumedUnit": [each.unit for each in kinds],
        "ContractedCost": costs,
        "EffectiveCost": costs,
        "InvoiceIssuerName": providers,
        "ListCost": costs,
        "PricingCategory": ["Standard"] * size,
        "PricingCurrency": ["EUR"] * size,
        "PricingQuantity": amounts,
        "PricingUnit": [each.pricing_unit for each in kinds],
        "ProviderName": providers,
        "PublisherName": providers,
        "RegionId": zones,
        "RegionName": zones,
        "ResourceId": [
            f"arn:example:resource/{number:012d}/app-{each}"
            for number, each in zip(numbers.tolist(), app.tolist(), strict=True)
        ],
        "ResourceName": [f"app-{each}" for each in app.tolist()],
        "ServiceCategory": [each.category for each in kinds],
        "ServiceName": [each.service for each in kinds],
        "SkuId": [f"SKU{each:04d}" for each in kind.tolist()],
        "SkuMeter": [each.meter for each in kinds],
        "SkuPriceDetails": [each.details for each in kinds],
        "SkuPriceId": [f"SKU{each:04d}.JRTCKXETXF" for each in kind.tolist()],
        "SubAccountId": [f"1234567890{each:02d}" for each in account.tolist()],
        "SubAccountName": [f"account {each}" for each in account.tolist()],
        "SubAccountType": ["Account"] * size,
        "Tags": [tags[each] for each in app.tolist()],
    }
    table = pa.table({name: columns.get(name, pa.nulls(size, pa.string())) for name in COLUMNS})
    pa.csv.write_csv(table, file, pa.csv.WriteOptions(include_header=False))


def _tags(app: int) -> str:
    """An account belongs to one team and environment, and has a few applications."""
    account = app // APPS_OF_ACCOUNT
    team, environment = TEAMS[account % len(TEAMS)], ENVIRONMENTS[account % len(ENVIRONMENTS)]
    return f'{{"team": "{team}", "environment": "{environment}", "application": "app-{app}"}}'


if __name__ == "__main__":
    write_focus_csv(Path(sys.argv[1]), int(sys.argv[2]))
