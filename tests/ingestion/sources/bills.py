"""FOCUS bills for tests: valid rows by default, one line for each thing that a test is about."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from ingestion.sources import focus
from ingestion.sources.base import Context, Parsed

PAYLOADS = Path(__file__).parents[2] / "payloads" / "focus"
AI_1_2, AI_1_3, REAL = (
    PAYLOADS / name for name in ("focus-1.2-ai.csv", "focus-1.3-ai.csv", "focus-1.0-real-subset.csv")
)
RECEIVED_AT = datetime(2026, 11, 25, 12, tzinfo=UTC)

TOKENS = {
    "BillingAccountId": "999988887777",
    "BillingCurrency": "EUR",
    "BillingPeriodStart": "2026-10-01T00:00:00Z",
    "ChargeCategory": "Usage",
    "ChargeClass": "",
    "ChargeDescription": "EUW1-NovaPro-input-tokens",
    "ChargePeriodStart": "2026-10-01T09:00:00Z",
    "ChargePeriodEnd": "2026-10-01T10:00:00Z",
    "CommitmentDiscountStatus": "",
    "ConsumedQuantity": "2",
    "ConsumedUnit": "1K tokens",
    "EffectiveCost": "0.5",
    "PricingQuantity": "",
    "PricingUnit": "",
    "ProviderName": "AWS",
    "RegionId": "eu-west-1",
    "ResourceId": "",
    "ServiceCategory": "AI and Machine Learning",
    "ServiceName": "Amazon Bedrock",
    "SkuId": "SKUIN",
    "SkuMeter": "Input Tokens",
    "SkuPriceDetails": "",
    "SubAccountId": "123456789012",
    "Tags": '{"team": "search"}',
}
MACHINE = {
    **TOKENS,
    "ChargeDescription": "$55.04 per On Demand Linux p5.48xlarge Instance Hour",
    "ConsumedQuantity": "1",
    "ConsumedUnit": "Hours",
    "EffectiveCost": "55.04",
    "ServiceCategory": "Compute",
    "ServiceName": "Amazon Elastic Compute Cloud",
    "SkuId": "P5",
    "SkuMeter": "BoxUsage:p5.48xlarge",
    "SkuPriceDetails": '{"InstanceType": "p5.48xlarge", "GpuCount": 8}',
}
STORAGE = {
    **TOKENS,
    "ChargeDescription": "$0.023 per GB - first 50 TB / month of storage used",
    "ConsumedUnit": "GB-Months",
    "ServiceCategory": "Storage",
    "ServiceName": "Amazon Simple Storage Service",
    "SkuId": "S3",
    "SkuMeter": "TimedStorage",
}


def bill(*rows: Mapping[str, str]) -> io.BytesIO:
    """Write rows as a FOCUS CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return io.BytesIO(text.getvalue().encode())


def parsed(stream: io.BytesIO, chunk_rows: int = 20_000, **setting: object) -> list[Parsed]:
    """Read a bill received on RECEIVED_AT."""
    return list(focus.parse(stream, Context(RECEIVED_AT, setting), chunk_rows))


def read(path: Path, **setting: object) -> list[Parsed]:
    """Read a sample received on RECEIVED_AT."""
    with path.open("rb") as stream:
        return list(focus.parse(stream, Context(RECEIVED_AT, setting)))


def records(*rows: Mapping[str, str], **setting: object) -> pd.DataFrame:
    """Give the records of some rows, with none rejected."""
    (chunk,) = parsed(bill(*rows), **setting)
    assert chunk.rejected == []
    return chunk.activity


def record(row: Mapping[str, str], **setting: object) -> pd.Series:
    """Give the one record of one row."""
    frame = records(row, **setting)
    assert len(frame) == 1
    return frame.iloc[0]


def activity_of(chunks: Iterable[Parsed]) -> pd.DataFrame:
    """Join the records of all chunks."""
    return pd.concat([chunk.activity for chunk in chunks], ignore_index=True)


def summed(chunks: Iterable[Parsed]) -> pd.DataFrame:
    """Sum records of equal id, as the ledger does: measures add up, dimensions are those of the first."""
    frame = activity_of(chunks)
    measures = [
        "input_tokens",
        "cached_input_tokens",
        "output_tokens",
        "instance_hours",
        "device_hours",
        "cost",
        "rows",
    ]
    dimensions = [name for name in frame.columns if name not in (*measures, "record_id", "row")]
    groups = frame.groupby("record_id", sort=True)
    together = groups[dimensions].first()
    for name in measures:
        together[name] = groups[name].sum(min_count=1)
    together["row"] = groups["row"].min()
    return together.reset_index()
