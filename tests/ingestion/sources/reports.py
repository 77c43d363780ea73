"""AWS Cost and Usage Reports for tests: valid rows by default, one line for each thing that a test is about."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from ingestion.sources import aws_cur2
from ingestion.sources.base import Context, Parsed
from tests.ingestion.sources.bills import RECEIVED_AT

PAYLOADS = Path(__file__).parents[2] / "payloads" / "aws"
FIRST, SECOND = PAYLOADS / "cur2-delivery-1.csv", PAYLOADS / "cur2-delivery-2.csv"

BEDROCK = {
    "identity_line_item_id": "l1",
    "bill_billing_entity": "AWS",
    "bill_payer_account_id": "999988887777",
    "bill_billing_period_start_date": "2026-10-01 00:00:00.000",
    "line_item_usage_account_id": "123456789012",
    "line_item_line_item_type": "Usage",
    "line_item_usage_start_date": "2026-10-01 09:00:00.000",
    "line_item_usage_end_date": "2026-10-01 10:00:00.000",
    "line_item_product_code": "AmazonBedrock",
    "line_item_usage_type": "EUW1-NovaPro-input-tokens",
    "line_item_operation": "InvokeModelInference",
    "line_item_resource_id": "",
    "line_item_usage_amount": "2",
    "line_item_currency_code": "USD",
    "line_item_unblended_cost": "0.5",
    "line_item_line_item_description": "$0.0008 per 1K input tokens",
    "line_item_iam_principal": "",
    "product_region_code": "eu-west-1",
    "product_instance_type": "",
    "product_servicecode": "AmazonBedrock",
    "product": "{}",
    "pricing_unit": "1K tokens",
    "split_line_item_parent_resource_id": "",
    "resource_tags": '{"user_team": "search"}',
}
MACHINE = {
    **BEDROCK,
    "line_item_product_code": "AmazonEC2",
    "line_item_usage_type": "USE1-BoxUsage:p4d.24xlarge",
    "line_item_operation": "RunInstances",
    "line_item_usage_amount": "1",
    "line_item_unblended_cost": "32.77",
    "line_item_line_item_description": "$32.77 per On Demand Linux p4d.24xlarge Instance Hour",
    "line_item_resource_id": "arn:aws:ec2:us-east-1:123456789012:instance/i-0fed1",
    "product_region_code": "us-east-1",
    "product_instance_type": "p4d.24xlarge",
    "product_servicecode": "AmazonEC2",
    "pricing_unit": "Hrs",
}
STORAGE = {
    **BEDROCK,
    "line_item_product_code": "AmazonS3",
    "line_item_usage_type": "EUW1-TimedStorage-ByteHrs",
    "line_item_operation": "StandardStorage",
    "line_item_line_item_description": "$0.023 per GB",
    "product_servicecode": "AmazonS3",
    "pricing_unit": "GB-Mo",
}

LEGACY = {
    "bill": "bill/",
    "identity": "identity/",
    "line_item": "lineItem/",
    "pricing": "pricing/",
    "product": "product/",
    "split_line_item": "splitLineItem/",
}


def report(*rows: Mapping[str, str]) -> io.BytesIO:
    """Write rows as a CSV of CUR 2.0."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return io.BytesIO(text.getvalue().encode())


def legacy(row: Mapping[str, str], separator: str = "/") -> dict[str, str]:
    """Write a row of CUR 2.0 as the legacy report does: families and camel case, one column for each tag and property."""
    old: dict[str, str] = {}
    for name, value in row.items():
        if name == "resource_tags":
            old |= {
                f"resourceTags{separator}{key.replace('user_', 'user:')}": tag
                for key, tag in json.loads(value or "{}").items()
            }
        elif name == "product":
            old |= {
                f"product{separator}{_camel(key, capital=True)}": each
                for key, each in json.loads(value or "{}").items()
            }
        else:
            family = max((each for each in LEGACY if name.startswith(f"{each}_")), key=len)
            capital = family in ("bill", "identity", "line_item", "split_line_item")
            old[
                f"{LEGACY[family].rstrip('/')}{separator}{_camel(name.removeprefix(f'{family}_'), capital=capital)}"
            ] = value
    return old


def _camel(name: str, *, capital: bool) -> str:
    first, *others = name.split("_")
    return (first.capitalize() if capital else first) + "".join(each.capitalize() for each in others)


def as_parquet(rows: list[dict[str, str]]) -> io.BytesIO:
    """Write rows as Data Exports does: typed times and numbers, maps as maps."""
    columns = {}
    for name in rows[0]:
        values = [row[name] or None for row in rows]
        if name.endswith("_date"):
            columns[name] = pa.array(pd.to_datetime(pd.Series(values)), pa.timestamp("ms"))
        elif name in ("line_item_usage_amount", "line_item_unblended_cost"):
            columns[name] = pa.array([None if value is None else float(value) for value in values])
        elif name in ("resource_tags", "product"):
            pairs = [None if value is None else list(json.loads(value).items()) for value in values]
            columns[name] = pa.array(pairs, pa.map_(pa.string(), pa.string()))
        else:
            columns[name] = pa.array(values, pa.string())
    stream = io.BytesIO()
    pa.parquet.write_table(pa.table(columns), stream, row_group_size=3)
    stream.seek(0)
    return stream


def parsed(stream: io.BytesIO, chunk_rows: int = 20_000, **setting: object) -> list[Parsed]:
    """Read a report received on RECEIVED_AT."""
    return list(aws_cur2.parse(stream, Context(RECEIVED_AT, setting), chunk_rows))


def records(*rows: Mapping[str, str], **setting: object) -> pd.DataFrame:
    """Give the records of some rows, with none rejected."""
    (chunk,) = parsed(report(*rows), **setting)
    assert chunk.rejected == []
    return chunk.activity


def record(row: Mapping[str, str], **setting: object) -> pd.Series:
    """Give the one record of one row."""
    frame = records(row, **setting)
    assert len(frame) == 1
    return frame.iloc[0]
