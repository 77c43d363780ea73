"""`csv`: the GHG Protocol inventory as one CSV for each table, in t CO2e and MWh."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from reporting.disclosures import Inventory, notices

NAME: Final = "csv"
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
TOTALS: Final = (
    ("scope1", "t CO2e"),
    ("scope2_location", "t CO2e"),
    ("scope2_market", "t CO2e"),
    ("scope3", "t CO2e"),
    ("total_location", "t CO2e"),
    ("total_market", "t CO2e"),
    ("energy_mwh", "MWh"),
    ("renewable_mwh", "MWh"),
    ("nuclear_mwh", "MWh"),
    ("fossil_mwh", "MWh"),
    ("water_m3", "m3"),
    ("ewaste_kg", "kg"),
)
BY_MIX: Final = ("renewable_mwh", "nuclear_mwh", "fossil_mwh")
GASES: Final = ("CO2", "CH4", "N2O", "HFC", "PFC", "SF6", "NF3")


def render(inventory: Inventory) -> dict[str, bytes]:
    """Give the files of this format by name."""
    return {f"csv/{name}.csv": written(rows) for name, rows in tables(inventory).items()}


def tables(inventory: Inventory) -> dict[str, list[list[object]]]:
    """Build every table as rows, the header first."""
    return {
        "summary": summary(inventory),
        "by_scope": by(inventory, ["scope", "scope2_method"]),
        "by_category": by(inventory, ["scope3_category"]),
        "by_stage": by(inventory, ["stage", "scope", "scope2_method"]),
        "by_gas": by_gas(inventory),
        "energy": listed(inventory["energy"], ["id", "site_id", "carrier", "origin", "mix", "mwh"], "MWh"),
        "instruments": listed(
            inventory["instruments"],
            ["id", "type", "mwh", "market", "vintage_start", "vintage_end", "emission_factor_kg_per_mwh"],
            "MWh; kg CO2e/MWh",
        ),
        "factors": factors(inventory),
        "exclusions": exclusions(inventory),
        "comparatives": comparatives(inventory),
    }


def summary(inventory: Inventory) -> list[list[object]]:
    rows: list[list[object]] = [["figure", "value", "unit"]]
    rows += [["notice", notice, ""] for notice in notices(inventory)]
    rows += [
        ["entity", inventory["entity"]["name"], ""],
        ["period_start", inventory["period"]["start"], ""],
        ["period_end", inventory["period"]["end"], ""],
        ["consolidation", inventory["boundary"]["consolidation"], ""],
        ["inventory_id", inventory["id"], ""],
        ["inventory_sha256", inventory["evidence"].get("sha256", ""), ""],
        ["software_version", inventory["evidence"]["software_version"], ""],
    ]
    totals, unknown = inventory["totals"], unknown_mix(inventory)
    return rows + [[name, totals[name], unit] for name, unit in TOTALS if name in totals and name not in unknown]


def unknown_mix(inventory: Inventory) -> set[str]:
    """Name the totals by mix that say 0 only because the mix of some energy is not known: missing is not zero."""
    if all(entry["mix"] != "unknown" for entry in inventory["energy"]):
        return set()
    return {name for name in BY_MIX if not Decimal(inventory["totals"].get(name, "0"))}


def by(inventory: Inventory, keys: list[str]) -> list[list[object]]:
    """Sum the lines over the given keys; lines that have none of the first key are left out."""
    sums: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for line in inventory["emissions"]:
        if line.get(keys[0]) is not None:
            sums[tuple(str(line.get(key, "")) for key in keys)] += Decimal(line["tco2e"])
    rows: list[list[object]] = [[*keys, "tco2e", "unit"]]
    return rows + [[*key, decimal_text(value), "t CO2e"] for key, value in sorted(sums.items())]


def by_gas(inventory: Inventory) -> list[list[object]]:
    """Sum the gases where factors give them; what exists only as CO2e is said to be so."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    only_co2e = Decimal(0)
    for line in inventory["emissions"]:
        if line.get("scope2_method") == "market":
            continue
        gases = line.get("gases_t")
        if not gases:
            only_co2e += Decimal(line["tco2e"])
        for gas, amount in (gases or {}).items():
            sums[gas] += Decimal(amount)
    rows: list[list[object]] = [["gas", "amount", "unit", "note"]]
    rows += [[gas, decimal_text(sums[gas]), "t", ""] for gas in GASES if gas in sums]
    rows.append(["CO2e", decimal_text(only_co2e), "t CO2e", "factors give CO2e only, no single gases"])
    return rows


def factors(inventory: Inventory) -> list[list[object]]:
    rows: list[list[object]] = [
        [
            "id",
            "kind",
            "value",
            "low",
            "high",
            "unit",
            "region",
            "title",
            "publisher",
            "version",
            "valid_from",
            "licence",
            "url",
        ]
    ]
    for factor in inventory["factors"]:
        source = factor["source"]
        rows.append(
            [
                *(factor.get(name) for name in ("id", "kind", "value", "low", "high", "unit", "region")),
                *(source.get(name) for name in ("title", "publisher")),
                *(factor.get(name) for name in ("version", "valid_from")),
                *(source.get(name) for name in ("licence", "url")),
            ]
        )
    return rows


def exclusions(inventory: Inventory) -> list[list[object]]:
    boundary = inventory["boundary"]
    rows: list[list[object]] = [["what", "scope3_category", "reason", "estimated_tco2e", "unit"]]
    rows += [
        [entry["what"], entry.get("scope3_category"), entry["reason"], entry.get("estimated_tco2e"), "t CO2e"]
        for entry in boundary["exclusions"]
    ]
    return rows + [
        ["scope 3 category", entry["category"], entry["reason"], None, "t CO2e"]
        for entry in boundary.get("scope3_excluded", [])
    ]


def comparatives(inventory: Inventory) -> list[list[object]]:
    rows: list[list[object]] = [["period_start", "period_end", "figure", "value", "unit", "restated", "reason"]]
    units = dict(TOTALS)
    for entry in inventory["comparatives"]:
        for name, value in entry["totals"].items():
            period = entry["period"]
            rows.append(
                [
                    period["start"],
                    period["end"],
                    name,
                    value,
                    units.get(name, ""),
                    entry["restated"],
                    entry.get("reason"),
                ]
            )
    return rows


def listed(entries: list[dict[str, object]], names: list[str], unit: str) -> list[list[object]]:
    return [[*names, "unit"], *([*(entry.get(name) for name in names), unit] for entry in entries)]


def decimal_text(value: Decimal) -> str:
    """
    Write a decimal without exponent and without idle zeros.

    >>> decimal_text(Decimal("1E+2")), decimal_text(Decimal("0.500"))
    ('100', '0.5')
    """
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def written(rows: Iterable[list[object]]) -> bytes:
    """Write rows as UTF-8 CSV; text that a spreadsheet would run as a formula is quoted with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow([safe(value) for value in row])
    return out.getvalue().encode()


def safe(value: object) -> object:
    """
    Neutralize formula injection; plain numbers stay numbers.

    >>> safe("=HYPERLINK(1)"), safe("-1.5"), safe(None)
    ("'=HYPERLINK(1)", '-1.5', '')
    """
    if value is None:
        return ""
    if not isinstance(value, str) or not value.startswith(FORMULA_STARTS):
        return value
    try:
        Decimal(value)
    except ArithmeticError:
        return f"'{value}"
    return value
