"""Possible rows of factor tables, to be changed by one cell, and tables made of them."""

from __future__ import annotations

import csv
import io

GRID = {
    "zone_id": "DE",
    "zone_type": "country",
    "country_alpha2": "DE",
    "country_alpha3": "DEU",
    "zone_name": "Germany",
    "year": "2025",
    "g_per_kwh": "329.0",
    "unit": "gCO2e/kWh",
    "gas_basis": "CO2e",
    "boundary": "direct",
    "basis": "production",
    "scope2_method": "location",
    "dataset": "new",
    "preferred": "True",
    "source": "Agency, 2026 edition",
    "source_year": "2026",
    "licence": "CC BY 4.0",
    "verification": "verified",
    "note": "",
}
METRIC = {
    "provider": "aws",
    "region_code": "eu-west-1",
    "year": "2025",
    "metric": "pue",
    "value": "1.1",
    "unit": "ratio",
    "dataset": "new",
    "source": "Provider, 2026",
    "source_year": "2026",
    "licence": "facts",
    "verification": "verified",
    "note": "",
}
REGION = {
    "provider": "aws",
    "region_code": "eu-west-1",
    "country_alpha2": "IE",
    "country_alpha3": "IRL",
    "latitude": "53",
    "longitude": "-6",
    "grid_zone_id": "DE",
    "dataset": "new",
    "source": "Provider",
    "source_year": "2026",
    "unit": "n/a",
    "licence": "facts",
    "verification": "verified",
    "note": "",
}
DEFAULT = {
    "key": "pue.on_premise",
    "value": "1.58",
    "low": "1.2",
    "high": "2.0",
    "unit": "ratio",
    "dataset": "new",
    "preferred": "True",
    "source": "Survey",
    "source_year": "2026",
    "licence": "facts",
    "verification": "verified",
    "note": "",
}


def table(*rows: dict[str, str]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()
