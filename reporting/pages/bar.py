"""The filter bar: what is chosen, and the addresses that choose otherwise. Values are read when a menu is opened."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from core.accounting.figures import BASES, FILTERS, INCLUDES
from reporting.pages.words import basis_name, dim_name, option_name, period_name, said
from reporting.period_names import Preset, presets, stepped
from reporting.query import MASS_UNITS, Query

MENUS: Final = ("team", "model", "stage", "provider")
"""Dimensions with a menu of their own; the others are behind "+ Filter"."""

WHOLE: Final = (*FILTERS, "cmp", "basis", "booking", "include", "role", "as_of")
"""What a page cannot heed that is about all of a period."""


@dataclass(frozen=True)
class Choice:
    """One choice of a menu."""

    label: str
    address: str
    on: bool
    key: str = ""  # the letter that chooses it


@dataclass(frozen=True)
class Menu:
    """A filter of one dimension; without choices of its own they are read when it is opened."""

    name: str
    label: str
    value: str
    on: bool
    choices: list[Choice] = field(default_factory=list)


@dataclass(frozen=True)
class Group:
    """Choices under one heading."""

    label: str
    choices: list[Choice]


@dataclass(frozen=True)
class Chip:
    """A filter in force, with the address without it; "" where it holds whatever the address says."""

    label: str
    address: str


def today() -> date:
    """Return the present UTC day; views pass it on, nothing below them looks at the clock."""
    return datetime.now(UTC).date()


def filter_bar(query: Query, *, ignores: Collection[str] = ()) -> dict[str, Any]:
    """
    Build the filter bar.

    Args:
        ignores: dimensions and options that the page cannot heed: not offered, and said where the address names them.
    """
    menus = [menu_of(name, query) for name in MENUS if name not in ignores and name not in query.allowed]
    more = [group for group in more_groups(query) if any(each.name not in ignores for each in group["menus"])]
    following = stepped(query.filter, query.label, 1)
    started = query.filter.to_day < today()
    applied = chips(query, ignores)
    return {
        "period": period_name(query.filter, query.label),
        "comparison": period_name(query.comparison) if query.comparison and "cmp" not in ignores else "",
        "previous": query.link(**stepped(query.filter, query.label, -1)),
        "next": query.link(**following) if started else "",
        "periods": period_groups(query),
        "comparisons": [] if "cmp" in ignores else comparisons(query),
        "named_comparison": named_comparison(query),
        "switch_comparison": "" if "cmp" in ignores else query.link(cmp="none" if query.comparison else None),
        "from": query.filter.from_day.isoformat(),
        "to": query.filter.to_day.isoformat(),
        "kept": kept(query, {"period", "from", "to"}),
        "kept_of_comparison": kept(query, {"cmp"}),
        "figures": figures_menu(query, ignores),
        "menus": menus,
        "more": [] if set(FILTERS) <= set(ignores) else more,
        "applied": applied,
        "clear": "?" if any(chip.address for chip in applied) else "",
        "unheeded": unheeded(query, ignores),
        "query": query.link()[1:],
        "pinned": query.pinned,
    }


def kept(query: Query, without: Collection[str]) -> list[tuple[str, str]]:
    """List what a form has to send along so that nothing else changes."""
    return [(name, value) for name, values in query.params.items() if name not in without for value in values]


def menu_of(name: str, query: Query) -> Menu:
    """Name a dimension and what is chosen of it."""
    chosen = query.params.get(name, ())
    shown = ", ".join(said(name, value) for value in chosen[:2])
    if len(chosen) > 2:
        shown = _("{number} chosen").format(number=len(chosen))
    return Menu(name, dim_name(name), shown or _("all"), bool(chosen))


def more_groups(query: Query) -> list[dict[str, Any]]:
    """List the dimensions behind "+ Filter", by what they are about."""
    groups = (
        (_("Who"), ("project", "application", "task", "environment", "account")),
        (_("Where"), ("hosting", "region", "zone", "site")),
        (_("How it ran"), ("tier", "technique", "hardware", "instance_type")),
        (_("How it is known"), ("evidence", "method", "source", "scope")),
    )
    return [
        {"label": label, "menus": [menu_of(name, query) for name in names if name not in query.allowed]}
        for label, names in groups
    ]


def chips(query: Query, ignores: Collection[str]) -> list[Chip]:
    """List the filters in force, each with the way to drop it; those that narrow the asker stay."""
    return [
        Chip(
            f"{dim_name(name)}: {said(name, value)}",
            "" if name in query.allowed else query.link(**{name: tuple(one for one in values if one != value) or None}),
        )
        for name, values in query.params.items()
        if name in FILTERS and name not in ignores
        for value in values
    ]


def unheeded(query: Query, ignores: Collection[str]) -> list[Chip]:
    """List what the address asks for and the page cannot heed, each with the way to drop it."""
    return [Chip(option_name(name), query.link(**{name: None})) for name in sorted(query.params) if name in ignores]


def period_groups(query: Query) -> list[Group]:
    """Offer the periods, one line for each kind."""
    kinds = {
        "month": _("Month"),
        "quarter": _("Quarter"),
        "year": _("Year"),
        "fiscal_quarter": _("Fiscal quarter"),
        "fiscal_year": _("Fiscal year"),
        "days": _("Last days"),
    }
    found: dict[str, list[Choice]] = {}
    for one in presets(today(), query.fiscal_start):
        address = query.link(period=one.name, from_=None, to=None)
        found.setdefault(one.kind, []).append(Choice(preset_name(one), address, query.label == one.name))
    return [Group(kinds[kind], choices) for kind, choices in found.items()]


def preset_name(one: Preset) -> str:
    """Say a preset: "Q3 2026", "7"."""
    if one.kind == "days":
        return one.which
    if one.kind.startswith("fiscal"):
        return one.name.replace("-", " ")
    if one.kind == "quarter":
        year, quarter = one.name.split("-")
        return f"{quarter} {year}"
    if one.kind == "month":
        return date_format(date.fromisoformat(f"{one.name}-01"), "YEAR_MONTH_FORMAT")
    return one.name


def comparisons(query: Query) -> list[Choice]:
    """Offer what the period is compared with."""
    wanted = query.params.get("cmp", ("previous",))[0]
    return [
        Choice(_("the period before"), query.link(cmp=None), wanted == "previous"),
        Choice(_("the same a year before"), query.link(cmp="year"), wanted == "year"),
        Choice(_("nothing"), query.link(cmp="none"), wanted == "none"),
    ]


def named_comparison(query: Query) -> str:
    """Give the named period that is compared with, if one is."""
    wanted = query.params.get("cmp", ("previous",))[0]
    return "" if wanted in {"previous", "year", "none"} else wanted


def figures_menu(query: Query, ignores: Collection[str]) -> dict[str, Any]:
    """Offer basis, booking, parts and unit; what differs from the default is said on the button."""
    filtered = query.filter
    mass = query.params.get("mass", ("",))[0]
    parts = {"upstream": _("with upstream"), "embodied": _("with embodied")}
    bases = {one: basis_name(one) for one in BASES}
    bookings = {"life-cycle": _("operations and life cycle"), "disclosed": _("as disclosed")}
    groups = []
    if "basis" not in ignores:
        choices = [
            Choice(name, query.link(basis=one), filtered.basis == one, "" if filtered.basis == one else "b")
            for one, name in bases.items()
        ]
        groups.append(Group(_("Basis"), choices))
    if "booking" not in ignores:
        choices = [Choice(name, query.link(booking=one), filtered.booking == one) for one, name in bookings.items()]
        groups.append(Group(_("Booking"), choices))
    if "include" not in ignores:
        choices = [
            Choice(name, query.link(include=switched(filtered.include, one)), one in filtered.include)
            for one, name in parts.items()
        ]
        groups.append(Group(_("Parts"), choices))
    units = [
        Choice(name, query.link(mass=one or None), mass == one)
        for one, name in [("", _("as fits")), *((unit, unit) for unit in MASS_UNITS)]
    ]
    groups.append(Group(_("Unit of mass"), units))
    shown = [] if "basis" in ignores else [bases[filtered.basis]]
    if filtered.booking == "disclosed" and "booking" not in ignores:
        shown.append(bookings["disclosed"])
    if "include" not in ignores:
        without = {"upstream": _("without upstream"), "embodied": _("without embodied")}
        shown += [without[one] for one in INCLUDES if one not in filtered.include]
    if mass:
        shown.append(_("in {unit}").format(unit=mass))
    changed = (filtered.basis, filtered.booking, set(filtered.include), mass) != (
        "location",
        "life-cycle",
        set(INCLUDES),
        "",
    )
    text = ", ".join(shown)
    return {"value": (text[:1].upper() + text[1:]) or _("Unit"), "on": changed, "groups": groups}


def switched(include: tuple[str, ...], part: str) -> str | None:
    """Write ``include`` with a part put in or left out; None is the default, both."""
    left = [one for one in INCLUDES if (one in include) != (one == part)]
    return None if len(left) == len(INCLUDES) else ",".join(left) or "none"
