"""The demo's evaluations: the same open model at three hosts, and the assistant as it is at three places."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

MODEL: Final = "meta-llama/Meta-Llama-3.1-70B-Instruct"


def prices(input_usd: float, output_usd: float, currency: str = "EUR") -> list[dict[str, Any]]:
    """Write a price sheet by the million tokens."""
    return [
        {"unit": "input_tokens", "price": input_usd, "currency": currency},
        {"unit": "output_tokens", "price": output_usd, "currency": currency},
    ]


def evaluations(today: date) -> list[dict[str, Any]]:
    """Give what the command `evaluation` reads; whether it is frozen stands under ``freeze``."""
    return [
        {
            "freeze": True,
            "name": "Chat assistant, open model",
            "note": "Tender of the service desk: the same model at three hosts.",
            "workload": {"kind": "typical", "template": "chat", "year": today.year},
            "criteria": [
                {"subject": "emissions", "weight": 40, "at_most": 2000},
                {"subject": "cost", "weight": 40},
                {"subject": "claim:carbon_free_hourly_share", "weight": 10},
                {"subject": "rating:Support in German", "weight": 10, "full_at": 10},
            ],
            "offers": [
                {
                    "name": "Stockholm",
                    "provider": "aws",
                    "region": "eu-north-1",
                    "model": MODEL,
                    "prices": prices(0.99, 0.99),
                    "ratings": {"Support in German": 7},
                },
                {
                    "name": "Eemshaven",
                    "provider": "gcp",
                    "region": "europe-west4",
                    "model": MODEL,
                    "prices": prices(0.72, 0.72),
                    "ratings": {"Support in German": {"value": 8, "low": 7, "high": 9}},
                },
                {
                    "name": "Virginia",
                    "provider": "azure",
                    "region": "eastus",
                    "model": MODEL,
                    "prices": prices(0.52, 0.52),
                },
            ],
            "claims": [
                {
                    "supplier": "aws",
                    "metric": "certification",
                    "value": "ISO 14001, ISO 50001",
                    "boundary": "site Stockholm",
                    "document": "Certificate of the site",
                    "document_date": f"{today.year - 1}-03-01",
                    "expires_on": f"{today.year + 2}-02-28",
                    "grade": "assured",
                },
                {
                    "supplier": "azure",
                    "metric": "renewable_annual_share",
                    "value": 1.0,
                    "boundary": "fleet",
                    "document": "Sales presentation",
                    "document_date": f"{today.year}-02-01",
                    "grade": "marketing",
                },
            ],
        },
        {
            "freeze": False,
            "name": "Our requests elsewhere",
            "note": "All that was asked of models in the last complete quarter, as if it ran in one place.",
            "workload": {"kind": "own", "query": f"period={latest_quarter(today)}&hosting=api"},
            "criteria": [
                {"subject": "emissions", "weight": 60},
                {"subject": "water", "weight": 20},
                {"subject": "claim:pue", "weight": 20},
            ],
            "offers": [
                {"name": "As it is"},
                {"name": "All in Sweden", "provider": "azure", "region": "swedencentral"},
                {"name": "All in Belgium", "provider": "gcp", "region": "europe-west1"},
            ],
        },
    ]


def latest_quarter(today: date) -> str:
    """
    Name the last complete quarter.

    >>> latest_quarter(date(2026, 11, 26)), latest_quarter(date(2026, 2, 1))
    ('2026-Q3', '2025-Q4')
    """
    quarter = (today.month - 1) // 3
    return f"{today.year}-Q{quarter}" if quarter else f"{today.year - 1}-Q4"
