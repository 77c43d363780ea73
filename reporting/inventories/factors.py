"""Factors in the words of an inventory."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from core.factors.sources import Source
from reporting.disclosures.csv_tables import decimal_text

KIND: Final = {
    "grid_location": "grid_location",
    "grid_upstream": "upstream",
    "embodied": "embodied",
    "pue": "pue",
    "wue": "water",
    "grid_water": "water",
    "token_energy": "api_model",
    "fuel": "fuel",
    "refrigerant": "refrigerant",
}
METHODOLOGY_SINCE: Final = "2026-01-01"
"""First day of the methodology that holds the constants without a publication of their own."""


def factor_entry(factor: dict[str, Any], sources: Mapping[str, Source]) -> dict[str, Any] | None:
    """
    Write a factor as `quantify` prints it in the words of ``inventory.schema.json``.

    Args:
        sources: of the factor set, by dataset; they give publisher, licence and address.

    Returns None for names that an inventory has no kind for (power curves of devices): they stand in the evidence only.
    """
    table, _, key = str(factor["id"]).partition(":")
    kind = market_kind(table) if factor["name"] == "grid_market" else KIND.get(factor["name"])
    if kind is None:
        return None
    source = sources.get(table.partition("--")[2])
    known = {"licence": source.licence, "url": source.url} if source else {}
    entry: dict[str, Any] = {
        "id": factor["id"],
        "kind": kind,
        "value": text(factor["value"]),
        "unit": factor["unit"],
        "source": {
            "title": factor["source"] or "Wattledger methodology",
            "publisher": source.publisher if source else factor["source"] or "Wattledger",
            "table": table,
            **{name: value for name, value in known.items() if value},
        },
        "version": str(factor.get("edition") or factor.get("year") or factor["valid_from"] or METHODOLOGY_SINCE),
        "valid_from": factor["valid_from"] or METHODOLOGY_SINCE,
        "valid_to": None,
        "low": text(factor["low"]),
        "high": text(factor["high"]),
    }
    place = factor.get("zone") or (" ".join(key.split(":")[:2]) if table.startswith("cloud_region_metrics") else "")
    entry |= {"gwp_set": factor["gwp_set"]} if factor.get("gwp_set") else {}
    return entry | ({"region": place} if place else {})


def market_kind(table: str) -> str | None:
    """
    Tell a residual mix from a provider's own statement; a grid average that stands in for both is listed as what it is.

    >>> market_kind("grid_residual_mix--au-nga-residual"), market_kind("grid_intensity_annual--eea")
    ('grid_residual', None)
    """
    kinds = {"grid_residual_mix": "grid_residual", "cloud_region_metrics": "cloud_provider"}
    return kinds.get(table.partition("--")[0])


def text(value: float | None) -> str | None:
    """
    Write a number as a decimal string, without exponent.

    >>> text(329.0), text(1.5e-7), text(None)
    ('329', '0.00000015', None)
    """
    return None if value is None else decimal_text(Decimal(repr(float(value))))
