"""What the electricity page shows: markets, instruments and the match by the hour as rows of text."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

import pandas as pd
from django.utils.translation import gettext as _

from core.accounting.selectors.hourly_match import MarketHours, hourly_match
from reporting import figures
from reporting.charts import Chart, dots
from reporting.pages.asked import today
from reporting.selectors.electricity import Electricity, Market, Position
from reporting.templatetags.figures import locale

TONES: Final = {"used": "good", "partly_used": "good", "counted": "good", "refused": "bad", "unused": "warn"}


def market_rows(found: Electricity) -> dict[str, Any]:
    """Show markets and the pools in them, with one unit a column and bars as shares of the largest market."""
    rows = [*found.markets, *found.pools]
    energy = figures.scale_for("energy", [row.consumption_kwh for row in rows])
    mass = figures.scale_for("mass", [kg for row in rows for kg in (row.location_kg, row.market_kg)])
    largest = max((row.consumption_kwh for row in found.markets), default=0.0)
    return {
        "energy_unit": energy.unit,
        "mass_unit": mass.unit,
        "markets": [market_row(row, energy, mass, largest) for row in rows],
    }


def market_row(row: Market, energy: figures.Scale, mass: figures.Scale, largest: float) -> dict[str, Any]:
    return {
        "row": row,
        "name": row.pool or row.market or _("Own market factor, or place not known"),
        "within": row.market if row.pool else "",
        "consumption": figures.number(row.consumption_kwh, energy),
        "covered": figures.number(row.covered_kwh, energy),
        "uncovered": figures.number(row.uncovered_kwh, energy),
        "location": figures.number(row.location_kg, mass),
        "market": figures.number(row.market_kg, mass),
        "width": row.consumption_kwh / largest if largest else 0.0,
        "covered_width": row.covered_kwh / largest if largest else 0.0,
    }


def intensity_chart(found: Electricity) -> Chart | None:
    """Draw the mean intensity of the electricity in each market, location-based; None below two markets."""
    markets = [row for row in found.markets if row.market and row.consumption_kwh > 0]
    if len(markets) < 2:
        return None
    frame = pd.DataFrame(
        [(row.market, row.market, row.location_kg / row.consumption_kwh) for row in markets],
        columns=["key", "label", "value"],
    )
    return dots(
        frame,
        name="market-intensity",
        noun=_("markets"),
        per=_("per kWh"),
        detail=_("location-based, {year}").format(year=found.year),
        locale=locale(),
        translate=_,
    )


def position_row(position: Position) -> dict[str, Any]:
    """Show an instrument in a line."""
    facts = position.held.facts
    volume = float(facts.energy_kwh)
    scale = figures.scale_for("energy", [volume])
    return {
        "facts": facts,
        "market": position.held.market or facts.market,
        "vintage": vintage_name(facts.vintage_start, facts.vintage_end),
        "volume": figures.quantity(volume, "energy", scale=scale),
        "used": figures.quantity(position.used_kwh, "energy", scale=scale),
        "left": figures.quantity(position.left_kwh, "energy", scale=scale),
        "state": state_name(position.state),
        "tone": TONES.get(position.state, ""),
        "reasons": ", ".join(reason_name(reason) for reason in position.refused),
    }


def vintage_name(start: date, end: date) -> str:
    """
    Name a vintage: its year, its month, or its days.

    >>> vintage_name(date(2026, 1, 1), date(2027, 1, 1)), vintage_name(date(2026, 7, 1), date(2026, 8, 1))
    ('2026', '2026-07')
    """
    last = end - timedelta(days=1)
    if (start.month, start.day, last.month, last.day) == (1, 1, 12, 31):
        return str(start.year)
    if start.day == 1 and end.day == 1 and (last.year, last.month) == (start.year, start.month):
        return f"{start:%Y-%m}"
    return f"{start} – {last}"


def state_name(state: str) -> str:
    """Say how an instrument stands."""
    names = {
        "used": _("used"),
        "partly_used": _("partly used"),
        "unused": _("unused"),
        "counted": _("counts"),
        "refused": _("refused"),
        "withdrawn": _("withdrawn"),
    }
    return names[state]


def reason_name(reason: str) -> str:
    """Say why an instrument does not count."""
    names = {
        "not_retired": _("not retired"),
        "market": _("nothing consumed in its market"),
        "vintage": _("nothing consumed in the year of its vintage"),
        "pool": _("nothing consumed where it is assigned to"),
    }
    return names[reason]


def match_card(organization_id: int, found: Electricity, period: str) -> dict[str, Any] | None:
    """
    Match a month, or the year, by the hour; None where no instrument of the year has hours.

    Args:
        period: such as 2026-07 or 2026; anything else is the latest complete month of the year.
    """
    timed = [each.held for each in found.positions if each.held.has_hours and each.held.withdrawn is None]
    if not any(held.facts.vintage_start.year == found.year for held in timed):
        return None
    months = [f"{found.year}-{number:02}" for number in range(1, 13) if date(found.year, number, 1) <= today()]
    chosen = period if period in (str(found.year), *months) else latest_month(found.year)
    first = date(found.year, int(chosen[5:] or 1), 1)
    last = month_end(first) if chosen[5:] else date(found.year, 12, 31)
    rows = hourly_match(organization_id, first, max(first, min(last, today())))
    return {
        "period": chosen,
        "choices": [(each, f"?year={found.year}&hours={each}", each == chosen) for each in [str(found.year), *months]],
        "rows": [match_row(row) for row in rows],
    }


def latest_month(year: int) -> str:
    """Name the latest complete month of a year, its first where none is complete yet."""
    before = today().replace(day=1) - timedelta(days=1)
    return f"{year}-12" if before.year > year else f"{year}-{before.month if before.year == year else 1:02}"


def month_end(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)


def match_row(row: MarketHours) -> dict[str, Any]:
    """Show a market's match."""
    return {
        "market": row.market,
        "score": row.match.cfe_score,
        "annual": row.match.annual_match_ratio,
        "load": row.load_kwh,
        "matched": row.match.matched_kwh,
        "excess": row.contracted_kwh - row.match.matched_kwh,
        "hourly_kg": row.match.market_hourly_kg,
        "annual_kg": row.match.market_annual_kg,
    }
