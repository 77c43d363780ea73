"""Monthly FOCUS 1.2 bills: GPU machines of the vision team, tokens at two clouds, and what lies beside them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final

from ingestion.demo.bought import rng_for

PAYER: Final = "704188882001"
COLUMNS: Final = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "CommitmentDiscountStatus",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
]


def monthly(days: list[date]) -> Iterator[tuple[str, bytes]]:
    """Make one bill for each month of the days, as file name and content."""
    for start in sorted({day.replace(day=1) for day in days}):
        of_month = [day for day in days if day.replace(day=1) == start]
        out = io.StringIO()
        writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        for day in of_month:
            writer.writerows(day_of(day, days[0]))
        writer.writerows(monthly_charges(start))
        yield f"focus-{start:%Y-%m}.csv", out.getvalue().encode()


def day_of(day: date, first_day: date) -> list[dict[str, Any]]:
    """Make a day's rows: machines by the week's plan, tokens by the desk's load, storage and plain machines beside them."""
    rng = rng_for(day)
    age = (day - first_day).days
    weekend = day.weekday() >= 5
    rows = []
    machine_hours = round(float((4.0 if weekend else 22.0) * (1 + 0.2 * age / 365) * rng.uniform(0.8, 1.2)), 2)
    rows.append(
        usage(
            day,
            "AWS",
            "eu-central-1",
            "Amazon Elastic Compute Cloud",
            "Compute",
            "BoxUsage:p4d.24xlarge",
            machine_hours,
            "Hours",
            machine_hours * 19.6,
            {"team": "Vision research", "project": "defect-detection"},
            resource="i-0d1e5c7a",
            details={"InstanceType": "p4d.24xlarge", "GpuCount": 8},
        )
    )
    thousand = float((0.3 if weekend else 1.0) * (1 + 0.6 * age / 365) * rng.uniform(0.9, 1.1))
    for kind, meter, tokens in (
        ("input", "Input Tokens", 21_500 * thousand),
        ("output", "Output Tokens", 2_700 * thousand),
    ):
        rows.append(
            usage(
                day,
                "AWS",
                "eu-central-1",
                "Amazon Bedrock",
                "AI and Machine Learning",
                meter,
                round(tokens, 3),
                "1000 Tokens",
                tokens * (0.003 if kind == "input" else 0.015),
                {"team": "Assistants", "project": "contract-review", "application": "contracts"},
                description=f"EUC1-Claude4.6Sonnet-{kind}-tokens",
            )
        )
    desk = float((0.4 if weekend else 1.0) * rng.uniform(0.85, 1.15))
    for meter, tokens in (
        ("gpt 4.1 mini Inp glbl Tokens", 31e6 * desk),
        ("gpt 4.1 mini Outp glbl Tokens", 4.4e6 * desk),
    ):
        rows.append(
            usage(
                day,
                "Microsoft",
                "swedencentral",
                "Azure OpenAI",
                "AI and Machine Learning",
                meter,
                round(tokens),
                "Tokens",
                tokens / 1e6 * (0.4 if "Inp" in meter else 1.6),
                {"team": "Marketing", "CostCenter": "4410"},
            )
        )
    rows.append(
        usage(
            day,
            "AWS",
            "eu-central-1",
            "Amazon Simple Storage Service",
            "Storage",
            "TimedStorage-ByteHrs",
            8_200,
            "GB-Mo",
            6.3,
            {},
        )
    )
    rows.append(
        usage(
            day,
            "AWS",
            "eu-central-1",
            "Amazon Elastic Compute Cloud",
            "Compute",
            "BoxUsage:m6i.2xlarge",
            96,
            "Hours",
            44.2,
            {},
        )
    )
    rows.append(
        usage(
            day,
            "AWS",
            "eu-central-1",
            "Amazon Relational Database Service",
            "Databases",
            "InstanceUsage:db.r6g.xl",
            48,
            "Hours",
            26.9,
            {},
        )
    )
    return rows


def usage(
    day: date,
    provider: str,
    region: str,
    service: str,
    category: str,
    meter: str,
    quantity: float,
    unit: str,
    cost: float,
    tags: dict[str, str],
    *,
    description: str = "",
    resource: str = "",
    details: dict[str, Any] | None = None,
) -> dict[str, Any]:
    start = day.replace(day=1)
    following = (start + timedelta(days=32)).replace(day=1)
    money = f"{cost:.8f}"
    return {
        "BilledCost": money,
        "BillingAccountId": PAYER,
        "BillingAccountName": "Northwind AI",
        "BillingCurrency": "EUR",
        "BillingPeriodStart": f"{start}T00:00:00Z",
        "BillingPeriodEnd": f"{following}T00:00:00Z",
        "ChargeCategory": "Usage",
        "ChargeDescription": description or meter,
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": f"{day}T00:00:00Z",
        "ChargePeriodEnd": f"{day + timedelta(days=1)}T00:00:00Z",
        "ConsumedQuantity": quantity,
        "ConsumedUnit": unit,
        "ContractedCost": money,
        "EffectiveCost": money,
        "InvoiceIssuerName": provider,
        "ListCost": money,
        "PricingCategory": "Standard",
        "PricingQuantity": quantity,
        "PricingUnit": unit,
        "ProviderName": provider,
        "PublisherName": provider,
        "RegionId": region,
        "RegionName": region,
        "ResourceId": resource,
        "ServiceCategory": category,
        "ServiceName": service,
        "SkuId": meter.replace(" ", "-")[:40],
        "SkuMeter": meter,
        "SkuPriceDetails": json.dumps(details) if details else "",
        "SkuPriceId": meter.replace(" ", "-")[:40] + ".P",
        "SubAccountId": "704188882014" if provider == "AWS" else "f1d5c3aa-77b0-4a57-93c9-0f4c5d1c3e11",
        "SubAccountName": "ai-production",
        "Tags": json.dumps(tags),
    }


def monthly_charges(start: date) -> list[dict[str, Any]]:
    """Make what a bill carries beside usage: a tax line and a credit, which are cost and nothing else."""
    rows = []
    for category, service, cost in (("Tax", "Tax", 311.4), ("Credit", "Amazon Bedrock", -40.0)):
        row = usage(start, "AWS", "", service, "Other", "", 0, "", cost, {})
        rows.append(
            row
            | {
                "ChargeCategory": category,
                "ConsumedQuantity": "",
                "ConsumedUnit": "",
                "PricingQuantity": "",
                "PricingUnit": "",
                "SkuMeter": "",
                "ChargePeriodEnd": row["BillingPeriodEnd"],
                "PricingCategory": "",
            }
        )
    return rows
