"""A subscription seen twice: its monthly Azure bill, and the log of the LiteLLM gateway that most of its calls pass."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec

from ingestion.demo.bought import rng_for

SUBSCRIPTION: Final = "9d3b52f0-5c1e-4b0a-8a57-2f6e0c9a7d11"
RESOURCE: Final = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/ai/providers/Microsoft.CognitiveServices/accounts/translate"
)
TEAM: Final = "Assistants"
PROJECT: Final = "translations"
MODEL: Final = "gpt-4.1-mini"
INPUT_TOKENS: Final = 40_000
"""Of a call, which is about a long document; its answer has a third."""
CALLS: Final = 30
"""Of a weekday, as the bill sees them."""
LOGGED_DAYS: Final = 60
LOGGED_CALLS: Final = 24
"""Lines of the log a day."""
LOGGED_SHARE: Final = 0.8
"""Part of the tokens that went through the gateway; the rest was called beside it."""


def monthly(days: list[date]) -> Iterator[tuple[str, bytes]]:
    """Make one bill for each month of the days, as file name and content."""
    for start in sorted({day.replace(day=1) for day in days}):
        out = io.StringIO()
        rows = [row for day in days if day.replace(day=1) == start for row in lines_of(day)]
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        yield f"azure-{start:%Y-%m}.csv", out.getvalue().encode()


def tokens_of(day: date) -> tuple[int, int]:
    """Give the input and output tokens of a day."""
    load = (0.25 if day.weekday() >= 5 else 1.0) * float(rng_for(day).uniform(0.85, 1.15))
    calls = int(CALLS * load)
    return calls * INPUT_TOKENS, calls * INPUT_TOKENS // 3


def lines_of(day: date) -> list[dict[str, str]]:
    """Make a day's lines of the bill, in thousands of tokens."""
    first = day.replace(day=1)
    last = (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    meters = zip(("Inp", "Outp"), tokens_of(day), (0.0004, 0.0016), strict=True)
    return [
        {
            "BillingAccountId": "8611537",
            "BillingPeriodStartDate": f"{first:%m/%d/%Y}",
            "BillingPeriodEndDate": f"{last:%m/%d/%Y}",
            "SubscriptionId": SUBSCRIPTION,
            "Date": f"{day:%m/%d/%Y}",
            "Product": f"Cognitive Services - gpt 4.1 mini {meter} regnl Tokens",
            "MeterId": f"5b1d8c1e-0000-4000-8000-00000000{len(meter):04d}",
            "MeterCategory": "Cognitive Services",
            "MeterSubCategory": "Azure OpenAI",
            "MeterName": f"gpt 4.1 mini {meter} regnl Tokens",
            "Quantity": f"{tokens / 1000:.3f}",
            "Cost": f"{tokens / 1000 * price:.6f}",
            "BillingCurrency": "EUR",
            "ResourceLocation": "East US 2",
            "ConsumedService": "Microsoft.CognitiveServices",
            "ResourceId": RESOURCE,
            "AdditionalInfo": "",
            "Tags": f'"team": "{TEAM}","project": "{PROJECT}"',
            "CostCenter": "4420",
            "UnitOfMeasure": "1K",
            "ResourceGroup": "ai",
            "ChargeType": "Usage",
            "PricingModel": "OnDemand",
        }
        for meter, tokens, price in meters
    ]


def spend_log(days: list[date]) -> bytes:
    """Make the gateway's log of the latest days, as its API gives it."""
    return msgspec.json.encode([line for day in days[-LOGGED_DAYS:] for line in calls_of(day)])


def calls_of(day: date) -> Iterator[dict[str, Any]]:
    """Make a day's lines of the log, over the hours of work."""
    input_tokens, output_tokens = (int(tokens * LOGGED_SHARE) // LOGGED_CALLS for tokens in tokens_of(day))
    for number in range(LOGGED_CALLS):
        started = datetime(day.year, day.month, day.day, 7, tzinfo=UTC) + timedelta(minutes=25 * number)
        name = hashlib.sha256(f"{day} {number}".encode()).hexdigest()[:24]
        yield {
            "request_id": f"chatcmpl-{name}",
            "call_type": "acompletion",
            "spend": input_tokens * 4e-7 + output_tokens * 1.6e-6,
            "total_tokens": input_tokens + output_tokens,
            "prompt_tokens": input_tokens,
            "completion_tokens": output_tokens,
            "startTime": f"{started:%Y-%m-%dT%H:%M:%S}.000Z",
            "endTime": f"{started + timedelta(seconds=40):%Y-%m-%dT%H:%M:%S}.000Z",
            "model": MODEL,
            "custom_llm_provider": "azure",
            "metadata": {"user_api_key_team_alias": TEAM, "user_api_key_project_alias": PROJECT},
            "status": "success",
            "team_id": "team-assistants",
        }
