"""What the demo organization has bought for its cluster's electricity: guarantees of origin, and a solar PPA by the hour."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

CERTIFICATES: Final = 90  # of 1 MWh, a year
SOLAR_PEAK_KW: Final = 55.0
REGISTRY: Final = "HKNR (UBA)"


def instruments(today: date) -> list[dict[str, Any]]:
    """List the instruments of the year before and of the present one, as `add_instruments` takes them."""
    return [
        guarantees(today.year - 1, min(today, date(today.year, 3, 20)), 640_001),
        guarantees(today.year, max(date(today.year, 1, 1), today - timedelta(days=20)), 871_001),
        solar(today.year, datetime(today.year, today.month, today.day, tzinfo=UTC)),
    ]


def guarantees(year: int, retired_on: date, serial: int) -> dict[str, Any]:
    """Make wind certificates of a year, retired."""
    return {
        "type": "certificate",
        "kind": "GO",
        "energy_kwh": CERTIFICATES * 1000,
        "intensity_g_per_kwh": 0,
        "market": "AIB",
        "vintage": str(year),
        "carbon_free": "yes",
        "technology": "wind",
        "retired_on": retired_on.isoformat(),
        "registry": REGISTRY,
        "serial_first": f"DE-WIND-{serial}",
        "serial_last": f"DE-WIND-{serial + CERTIFICATES - 1}",
        "document": f"Retirement statement {year}",
    }


def solar(year: int, until: datetime) -> dict[str, Any]:
    """Make the PPA of a park: what it has generated this year, hour by hour."""
    moment, hours = datetime(year, 1, 1, tzinfo=UTC), []
    while moment < max(until, datetime(year, 1, 2, tzinfo=UTC)):
        hours.append((moment.isoformat(), f"{generated_kwh(moment):.3f}"))
        moment += timedelta(hours=1)
    return {
        "type": "contract",
        "kind": "PPA",
        "energy_kwh": math.ceil(sum(float(kwh) for _, kwh in hours)) + 1,
        "intensity_g_per_kwh": 0,
        "market": "DE",
        "vintage": str(year),
        "carbon_free": "yes",
        "technology": "solar",
        "pool": "site:fra-1",
        "reference": "PPA-2031",
        "document": "Power purchase agreement Lausitz 4",
        "hours": hours,
    }


def generated_kwh(moment: datetime) -> float:
    """Follow the sun at 50 degrees north: long days and a high sun in June, short ones in December."""
    season = math.cos(2 * math.pi * (moment.timetuple().tm_yday - 172) / 365)  # 1 in June, -1 in December
    half_day_h = 6.0 + 2.0 * season
    away_h = abs(moment.hour + 0.5 - 11.3)
    if away_h >= half_day_h:
        return 0.0
    return SOLAR_PEAK_KW * (0.62 + 0.38 * season) * math.cos(math.pi / 2 * away_h / half_day_h)
