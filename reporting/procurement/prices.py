"""Price sheets: what a provider charges for what, and what a workload comes to by it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reporting.procurement.answers import NOT_COMPARABLE, NOT_KNOWN, Answer, ProcurementError

UNITS: Final = {
    "input_tokens": 1_000_000.0,
    "cached_input_tokens": 1_000_000.0,
    "output_tokens": 1_000_000.0,
    "requests": 1_000.0,
    "device_hours": 1.0,
    "instance_hours": 1.0,
    "seat_months": 1.0,
    "workload": 1.0,
}
"""What can have a price, and for how many of it prices are usually quoted; ``workload`` is a flat price for all of it."""

CHARGED_FOR: Final = ("input_tokens", "output_tokens", "device_hours", "instance_hours", "seat_months")
"""Amounts that somebody charges for unless a flat price or one by the request covers the workload."""

COLUMNS: Final = ("unit", "per", "price", "currency")
MOST_LINES: Final = 50
MOST_PRICE: Final = 1e12


@dataclass(frozen=True)
class Price:
    """One line: ``price`` in ``currency`` for ``per`` of a unit."""

    unit: str
    per: float
    price: float
    currency: str


def cost_of(amounts: Mapping[str, float], prices: Sequence[Price]) -> tuple[Answer, str]:
    """
    Add up what a workload costs by a price sheet.

    Input tokens from a cache are charged as input where the sheet has no price of their own for them.

    Args:
        amounts: of the workload, by name.

    Returns:
        The cost, and its currency; not known where something that the workload holds has no price.

    >>> sheet = [Price("input_tokens", 1e6, 2.5, "USD"), Price("output_tokens", 1e6, 10.0, "USD")]
    >>> cost_of({"input_tokens": 4e6, "output_tokens": 1e6}, sheet)[0].value
    20.0
    """
    if not prices:
        return Answer(state=NOT_KNOWN, why="no_prices"), ""
    if len({each.currency for each in prices}) > 1:
        return Answer(state=NOT_KNOWN, why="several_currencies"), ""
    currency = prices[0].currency
    rates = {each.unit: each for each in prices}
    held = {**amounts, "workload": 1.0}
    cached = min(held.get("cached_input_tokens", 0.0), held.get("input_tokens", 0.0))
    if "cached_input_tokens" in rates:
        held["input_tokens"] = held.get("input_tokens", 0.0) - cached
    covered = "workload" in rates or ("requests" in rates and held.get("requests"))
    missing = [name for name in CHARGED_FOR if held.get(name) and name not in rates]
    if not covered and (missing or not any(held.get(name) for name in rates)):
        return Answer(state=NOT_KNOWN, why="no_price", detail=", ".join(missing)), currency
    return Answer(
        value=math.fsum(held.get(name, 0.0) * each.price / each.per for name, each in rates.items())
    ), currency


def comparable(costs: Sequence[tuple[Answer, str]]) -> tuple[list[Answer], str]:
    """
    Compare costs in one currency: that of most offers. Nothing is converted, a rate of the day would decide the tender.

    Returns:
        The costs, not comparable where they are in another currency, and the currency.
    """
    known = [currency for answer, currency in costs if answer.is_known]
    if not known:
        return [answer for answer, _ in costs], ""
    chosen = max(dict.fromkeys(known), key=known.count)
    return [
        Answer(state=NOT_COMPARABLE, why="currency", detail=currency)
        if answer.is_known and currency != chosen
        else answer
        for answer, currency in costs
    ], chosen


def as_plain(prices: Sequence[Price]) -> list[dict[str, Any]]:
    """Write a price sheet as JSON takes it."""
    return [{name: getattr(each, name) for name in COLUMNS} for each in prices]


def from_plain(given: object, at: str = "prices") -> tuple[Price, ...]:
    """
    Read a price sheet, all of it or none.

    Raises:
        ProcurementError: naming the first line and field that cannot be; lines are counted from 1.

    >>> from_plain([{"unit": "output_tokens", "price": "10", "currency": "usd"}])
    (Price(unit='output_tokens', per=1000000.0, price=10.0, currency='USD'),)
    """
    if not isinstance(given, list | tuple):
        raise ProcurementError(at, "A price sheet is a list of lines.")
    if len(given) > MOST_LINES:
        raise ProcurementError(at, f"A price sheet has at most {MOST_LINES} lines.")
    found = tuple(_price(f"{at}.{number}", each) for number, each in enumerate(given, start=1))
    units = [each.unit for each in found]
    for number, unit in enumerate(units, start=1):
        if unit in units[: number - 1]:
            raise ProcurementError(f"{at}.{number}.unit", f"{unit} has a price already: give one price for each unit.")
    return found


def _price(at: str, given: object) -> Price:
    if not isinstance(given, Mapping):
        raise ProcurementError(at, "A line is an object with unit, per, price and currency.")
    for name in given:
        if name not in COLUMNS:
            raise ProcurementError(f"{at}.{name}", f"There is no column {name!r}: use {', '.join(COLUMNS)}.")
    unit = str(given.get("unit") or "").strip().casefold().replace(" ", "_")
    if unit not in UNITS:
        raise ProcurementError(f"{at}.unit", f"{unit!r} is not one of {', '.join(UNITS)}.")
    currency = str(given.get("currency") or "").strip().upper()
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise ProcurementError(f"{at}.currency", f"{currency!r} is no currency of three letters, such as EUR.")
    per = given.get("per")
    return Price(
        unit,
        UNITS[unit] if per in (None, "") else number(f"{at}.per", per, least=1e-9),
        number(f"{at}.price", given.get("price")),
        currency,
    )


def number(at: str, given: object, *, least: float = 0.0, most: float = MOST_PRICE) -> float:
    """Read a number, also one written as text with a point. Raises ProcurementError."""
    try:
        found = float(str(given).strip()) if not isinstance(given, bool) else math.nan
    except ValueError:
        found = math.nan
    if not least <= found <= most:
        raise ProcurementError(at, f"{given!r} is no number from {least:g} to {most:g}; decimals have a point.")
    return found
