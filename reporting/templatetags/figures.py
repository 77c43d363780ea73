"""Every number that a template shows goes through here; the rules are in reporting/figures.py."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from django import template
from django.forms import BoundField
from django.utils import translation
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

from reporting import figures
from reporting.charts import svg

register = template.Library()


def locale() -> str:
    """Give the language of the page as Babel names it."""
    return (translation.get_language() or "en").replace("-", "_")


@register.filter
def co2e(text: str) -> SafeString:
    """Write CO2e with its subscript; everything else is escaped."""
    return mark_safe(conditional_escape(text).replace("CO2e", "CO<sub>2</sub>e"))  # noqa: S308  # escaped just before


@register.filter
def with_code(text: str) -> SafeString:
    """
    Write names between backticks as code; everything else is escaped.

    >>> with_code("Set `max_age_days` < 90.")
    'Set <code>max_age_days</code> &lt; 90.'
    """
    return mark_safe(re.sub("`([^`]+)`", r"<code>\1</code>", conditional_escape(text)))  # noqa: S308  # escaped just before


@register.filter
def mass(kg: float | None) -> str:
    """Write a single mass with its unit: "184 t", "412 g"; without the word CO2e."""
    return figures.quantity(kg, "mass", locale=locale())


@register.filter
def energy(kwh: float | None) -> str:
    """Write a single energy with its unit."""
    return figures.quantity(kwh, "energy", locale=locale())


@register.filter
def water(litres: float | None) -> str:
    """Write a single volume of water with its unit."""
    return figures.quantity(litres, "water", locale=locale())


@register.filter
def number_of(value: float | None) -> str:
    """Write a count, all digits grouped."""
    return figures.count(value, compact=False, locale=locale())


@register.filter
def many(value: float | None) -> str:
    """Write a count, millions shortened."""
    return figures.count(value, locale=locale())


@register.filter
def percent(share: float | None) -> str:
    """Write a share (0 to 1) as a percentage."""
    return figures.percent(share, locale=locale())


@register.filter
def signed_percent(share: float | None) -> str:
    """Write a relative change (-1 and up) as a percentage with its sign."""
    return figures.percent(share, locale=locale(), sign=True)


@register.filter
def as_percent(share: float | None) -> str:
    """Write a share as the width of an SVG bar, not for people."""
    return f"{max(0.0, min(1.0, share or 0.0)) * 100:.2f}%"


@register.filter
def cell_bar(share: float | None) -> SafeString:
    """Draw the bar behind a cell: how much it is of the column's largest."""
    return mark_safe(svg.cell_bar(share or 0.0))  # noqa: S308  # a number only


@register.filter
def sparkline(values: list[float | None], top: float | None = None) -> SafeString:
    """Draw small bars, one per slot; None is a gap. `top` is the value of a full bar, where several are compared."""
    return mark_safe(svg.sparkline(values, top))  # noqa: S308  # numbers only


@register.filter
def plain(value: float) -> str:
    """Write a number for an attribute, in no language: "0.42"."""
    return f"{value:.4g}"


@register.filter
def factor_value(value: float | None) -> str:
    """Write a factor's value: up to six significant digits, as published, no rounding to a unit."""
    if value is None:
        return figures.UNKNOWN
    return figures.grouped(f"{value:,.6g}")


@register.filter
def ratio(value: float | str | None) -> str:
    """Write a ratio of two meters, such as a PUE: three decimals; of nothing that a template found, that it is unknown."""
    return figures.grouped(f"{value:,.3f}") if isinstance(value, float) else figures.UNKNOWN


@register.filter
def kilograms(kg: float | None) -> str:
    """Write a mass in kg, for a column that says so: three significant digits, all digits from 1,000 on."""
    scale = figures.scale_for("mass", [kg], unit="kg")
    return figures.count(kg, compact=False, locale=locale()) if kg and abs(kg) >= 1000 else figures.number(kg, scale)


@register.filter
def printed(value: str) -> str:
    """
    Write a decimal string of a disclosure: rounded on its own, three decimals below 100, none from 10,000.

    >>> printed("0.0004"), printed("0"), printed("1234.56")
    ('< 0.001', '0.000', '1,234.6')
    """
    number = Decimal(value)
    places = 3 if abs(number) < 100 else 1 if abs(number) < 10_000 else 0
    if number and abs(number) < Decimal("0.0005"):
        return figures.grouped("< 0.001" if number > 0 else "> -0.001")
    return figures.grouped(f"{number:,.{places}f}")


@register.filter
def middle_cut(text: str, length: int) -> str:
    """
    Shorten a name in its middle: what tells names apart is mostly at their ends.

    >>> middle_cut("fra-1:search:atlas-70b:2026-09-30T23", 20), middle_cut("req-81", 20)
    ('fra-1:sear…-09-30T23', 'req-81')
    """
    if len(text) <= length:
        return text
    head = length // 2
    return f"{text[:head]}…{text[head + 1 - length :]}"


@register.filter
def as_xlsx(address: str) -> str:
    """
    Turn the address of a CSV into that of the same table as XLSX.

    >>> as_xlsx("?format=csv&tab=team")
    '?format=xlsx&tab=team'
    """
    return address.replace("format=csv", "format=xlsx")


@register.filter
def with_errors(field: BoundField) -> Any:
    """Draw an input that points to its hint and its errors."""
    said = [f"{field.auto_id}-hint"] * bool(field.help_text) + [f"{field.auto_id}-error"] * bool(field.errors)
    attributes: dict[str, str | bool] = {"aria-describedby": " ".join(said)} if said else {}
    if field.errors:
        attributes["aria-invalid"] = "true"
    return field.as_widget(attrs=attributes)
