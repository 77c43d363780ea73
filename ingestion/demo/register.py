"""The register of the demo's own hall: a year of meters, gensets, refrigerant, and hardware that came and went."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from typing import Any, Final

from core.accounting.figures import Filter
from core.accounting.selectors import emissions
from core.accounting.services import add_register_entries, add_site
from core.catalog.selectors import site_of
from core.organizations.tenancy import organization_scope
from ingestion.demo.cluster import BASE

SITE: Final = BASE["site"]
PUE_BY_MONTH: Final = (1.21, 1.21, 1.22, 1.24, 1.27, 1.31, 1.33, 1.33, 1.29, 1.25, 1.22, 1.21)
"""January to December: cooling follows the weather."""
WATER_L_PER_KWH: Final = (0.02, 0.02, 0.04, 0.09, 0.16, 0.27, 0.34, 0.33, 0.21, 0.09, 0.04, 0.02)
NOT_IN_RECORDS: Final = 1.06
"""What the racks draw over what the agent reports: switches, storage, idle spares."""


def enter(organization_id: int, today: date) -> None:
    """
    Name the hall and enter what its operator would have: only complete months, by what the agent has reported.

    Does nothing where the hall is there: it was entered whole, or not at all.
    """
    with organization_scope(organization_id):
        if site_of(organization_id, SITE) is None:
            add_site(organization_id=organization_id, slug=SITE, name="Frankfurt hall 1", country="DE", zone="DE")
            add_register_entries(organization_id=organization_id, rows=entries(organization_id, today), today=today)


def entries(organization_id: int, today: date) -> list[dict[str, Any]]:
    """List what is entered: readings of a year, gensets, a leak, a purchase and a retirement."""
    rows = [
        *meters(it_kwh_by_month(organization_id, today), today),
        {
            "kind": "fuel",
            "date": day(today, 75),
            "fuel": "diesel",
            "fuel_l": 420,
            "source": "genset test, delivery note 5512",
        },
        {
            "kind": "fuel",
            "date": day(today, 260),
            "fuel": "diesel",
            "fuel_l": 390,
            "source": "genset test, delivery note 5287",
        },
        {"kind": "refrigerant", "date": day(today, 98), "gas": "R-410A", "gas_kg": 3.2, "source": "service report 118"},
        {"kind": "purchase", "date": day(today, 110), "hardware": "NVIDIA H100", "count": 16, "source": "invoice 2231"},
        {
            "kind": "retirement",
            "date": day(today, 88),
            "hardware": "NVIDIA V100",
            "count": 32,
            "mass_kg": 610,
            "treatment": "recycling",
            "source": "certificate of the recycler",
        },
    ]
    return [{"site": SITE, **row} for row in rows]


def meters(it_kwh: dict[date, float], today: date) -> list[dict[str, Any]]:
    """Read the meters of each complete month; the latest water bill has not come yet."""
    rows: list[dict[str, Any]] = []
    months = [month for month in sorted(it_kwh) if _last(month) < today]
    for month in months:
        it = round(it_kwh[month] * NOT_IN_RECORDS)
        at = {"date": f"{month:%Y-%m}"}
        facility = round(it * PUE_BY_MONTH[month.month - 1])
        rows.append(
            {**at, "kind": "meter_reading", "facility_kwh": facility, "it_kwh": it, "source": "meters UV-1 and PDU sum"}
        )
        if month != months[-1]:
            water = round(it * WATER_L_PER_KWH[month.month - 1])
            rows.append({**at, "kind": "water", "water_l": water, "source": "bill of the waterworks"})
    return rows


def it_kwh_by_month(organization_id: int, today: date) -> dict[date, float]:
    """Add up what the agent has reported of the hall, by month; months that it saw whole."""
    asked = Filter(today - timedelta(days=366), today, dims={"site": (SITE,)}, grain="month")
    rows = emissions(organization_id, asked, bounds=False).rows
    found: dict[date, float] = dict(zip(rows["start"].dt.date, rows["energy_it_kwh"], strict=True))
    return {month: kwh for month, kwh in found.items() if month != min(found)}


def day(today: date, ago: int) -> str:
    """Name the day some days ago."""
    return (today - timedelta(days=ago)).isoformat()


def _last(month: date) -> date:
    return month.replace(day=monthrange(month.year, month.month)[1])
