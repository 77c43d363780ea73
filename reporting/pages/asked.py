"""What a page is asked for: the query string, read once, and the filter bar that changes it."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from django.http import HttpRequest
from django.utils.translation import gettext as _

from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.selectors import current_view
from reporting.query import Query, latest_quarter, read_query
from reporting.selectors.periods import Activity, activity_of, opening_period

MENUS: Final = ("team", "model", "stage", "provider")
MOST_CHOICES: Final = 40


def today() -> date:
    """Return the present UTC day; views pass it on, nothing below them looks at the clock."""
    return datetime.now(UTC).date()


def asked(request: HttpRequest) -> Query:
    """
    Read the query string of a page; what cannot be read is said on the page and the rest is shown.

    Where the address names no period, every page opens with the same one, which has figures if any has.
    """
    return read_query(
        request.GET,
        identity=request.identity,  # type: ignore[attr-defined]
        today=today(),
        opening=opening_period(activity(request), today()),
        fiscal_start=request.organization.fiscal_year_start_month,  # type: ignore[attr-defined]
    )


def activity(request: HttpRequest) -> Activity:
    """Read, once a request, the span of days that have figures in the view that the request reads."""
    known: Activity | None = getattr(request, "activity_span", None)
    if known is None:
        known = activity_of(request.identity.organization_id, view_of(request), today())  # type: ignore[attr-defined]
        request.activity_span = known  # type: ignore[attr-defined]
    return known


def view_of(request: HttpRequest) -> View | None:
    """Read, once a request, which view is current: a switch must not fall between two parts of a page."""
    if not hasattr(request, "current_view"):
        request.current_view = current_view(request.identity.organization_id)  # type: ignore[attr-defined]
    found: View | None = request.current_view  # type: ignore[attr-defined]
    return found


@dataclass(frozen=True)
class Choice:
    """One value of a filter."""

    label: str
    address: str
    on: bool


@dataclass(frozen=True)
class Menu:
    """A filter of one dimension."""

    name: str
    label: str
    value: str
    on: bool
    choices: list[Choice]


@dataclass(frozen=True)
class Chip:
    """A filter in force, with the address without it."""

    label: str
    address: str


def filter_bar(query: Query, values: dict[str, list[str]]) -> dict[str, Any]:
    """
    Build the filter bar.

    Args:
        values: the values that each dimension of ``MENUS`` has in the period, the most important first.
    """
    filtered = query.filter
    labels = {"team": _("Team"), "model": _("Model"), "stage": _("Stage"), "provider": _("Provider")}
    menus = []
    for name in MENUS:
        chosen = query.params.get(name, ())
        choices = [Choice(_("All"), query.link(**{name: None}), not chosen)] if chosen else []
        for value in [*chosen, *(one for one in values.get(name, []) if one not in chosen)][:MOST_CHOICES]:
            changed = tuple(one for one in chosen if one != value) if value in chosen else (*chosen, value)
            choices.append(Choice(said(name, value), query.link(**{name: changed or None}), value in chosen))
        shown = ", ".join(said(name, value) for value in chosen) if chosen else _("all")
        menus.append(Menu(name, labels[name], shown, bool(chosen), choices))
    others = [name for name in filtered.dims if name not in MENUS and name in query.params]
    applied = [
        Chip(f"{labels.get(name, name)}: {said(name, value)}", query.link(**{name: left or None}))
        for name in others
        for value in query.params.get(name, ())
        for left in [tuple(one for one in query.params[name] if one != value)]
    ]
    return {
        "period": period_name(filtered, query.label),
        "comparison": period_name(query.comparison) if query.comparison else "",
        "period_choices": period_choices(query),
        "menus": menus,
        "applied": applied,
        "clear": "?" if filtered.dims and any(name in query.params for name in filtered.dims) else "",
        "from": filtered.from_day.isoformat(),
        "to": filtered.to_day.isoformat(),
        "kept": [
            (name, value)
            for name, entries in query.params.items()
            if name not in {"period", "from", "to"}
            for value in entries
        ],
    }


def said(name: str, value: str) -> str:
    """Write a stored value as people read it."""
    return stage_name(value) if name == "stage" else _("unattributed") if value == "unattributed" else value


def stage_name(stage: str) -> str:
    """Name a stage, or one of the parts stacked beside the stages."""
    names = {
        "data_preparation": _("Data preparation"),
        "experimentation": _("Experiments"),
        "training": _("Training"),
        "fine_tuning": _("Fine-tuning"),
        "evaluation": _("Evaluation"),
        "inference": _("Inference"),
        "upstream": _("Upstream"),
        "embodied": _("Embodied"),
        "unattributed": _("Unattributed"),
        "other": _("Other"),
    }
    return names.get(stage, stage)


def period_name(filtered: Filter, label: str = "") -> str:
    """
    Name a period as people do: Q3 2026, July 2026, 2026, or its two days.

    >>> period_name(Filter(date(2026, 7, 1), date(2026, 9, 30))), period_name(Filter(date(2026, 7, 3), date(2026, 9, 30)))
    ('Q3 2026', '3 Jul – 30 Sep 2026')
    """
    first, last = filtered.from_day, filtered.to_day
    if label.startswith("FY"):
        return label.replace("-", " ")
    ends_month = last.day == calendar.monthrange(last.year, last.month)[1]
    if first.day == 1 and ends_month and first.year == last.year:
        if (first.month, last.month) == (1, 12):
            return str(first.year)
        if last.month - first.month == 2 and first.month % 3 == 1:
            return f"Q{(first.month + 2) // 3} {first.year}"
        if first.month == last.month:
            return f"{first:%B %Y}"
    start = f"{first.day} {first:%b}" + (f" {first.year}" if first.year != last.year else "")
    return f"{start} – {last.day} {last:%b} {last.year}"


def period_choices(query: Query) -> list[tuple[str, str, bool]]:
    """List the presets: the present quarter, the complete ones before it, years, and the last days."""
    now = today()
    quarter = (now.month - 1) // 3 + 1
    names = [(f"Q{quarter} {now.year} ({_('so far')})", f"{now.year}-Q{quarter}")]
    latest = latest_quarter(now)
    year, number = int(latest[:4]), int(latest[-1])
    for _step in range(4):
        names.append((f"Q{number} {year}", f"{year}-Q{number}"))
        year, number = (year, number - 1) if number > 1 else (year - 1, 4)
    names += [(f"{now.year} ({_('so far')})", str(now.year)), (str(now.year - 1), str(now.year - 1))]
    names += [(_("Last 30 days"), "last-30d"), (_("Last 365 days"), "last-365d")]
    return [(label, query.link(period=name, from_=None, to=None), query.label == name) for label, name in names]
