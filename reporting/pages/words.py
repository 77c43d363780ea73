"""How filters and periods are called on pages."""

from __future__ import annotations

import calendar
from typing import Final

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.accounting.figures import ATTRIBUTION, UNATTRIBUTED, Filter


def dim_name(dim: str) -> str:
    """Name a dimension that figures can be filtered by."""
    names = {
        "team": _("Team"),
        "project": _("Project"),
        "application": _("Application"),
        "task": _("Task"),
        "environment": _("Environment"),
        "site": _("Site"),
        "stage": _("Stage"),
        "hosting": _("Hosting"),
        "provider": _("Provider"),
        "region": _("Region"),
        "zone": _("Grid zone"),
        "account": _("Account"),
        "evidence": _("Evidence"),
        "model": _("Model"),
        "hardware": _("Hardware"),
        "instance_type": _("Machine type"),
        "tier": _("Tier"),
        "run": _("Run"),
        "source": _("Source"),
        "method": _("Method"),
        "scope": _("Scope"),
        "technique": _("Technique"),
    }
    return names.get(dim, dim)


def option_name(option: str) -> str:
    """Name what is no dimension but chooses figures too."""
    names = {
        "cmp": _("Comparison"),
        "basis": _("Basis"),
        "booking": _("Booking"),
        "include": _("Parts"),
        "role": _("Role"),
        "as_of": _("As of"),
    }
    return names.get(option) or dim_name(option)


def said(name: str, value: str) -> str:
    """Write a stored value as people read it."""
    if value in (UNATTRIBUTED, ""):
        return _("unattributed") if name in ATTRIBUTION else _("unknown")
    if name == "stage":
        return stage_name(value)
    return stored_word(name, value)


def stored_word(name: str, value: str) -> str:
    """Say one of the few values that a dimension of ours can have; names that senders gave stay as they are."""
    words = {
        "evidence": {
            "measured": _("measured"),
            "modelled": _("modelled"),
            "stated": _("stated"),
            "assumed": _("assumed"),
        },
        "hosting": {"owned": _("owned"), "colocated": _("colocated"), "cloud": _("cloud"), "api": _("api")},
        "tier": {"interactive": _("interactive"), "standard": _("standard"), "batch": _("batch")},
        "method": {
            "measured": _("measured"),
            "device": _("device"),
            "instance": _("instance"),
            "tokens": _("tokens"),
            "flops": _("flops"),
            "seats": _("seats"),
            "spend": _("spend"),
            "reported": _("reported"),
            "none": _("none"),
        },
    }
    return words.get(name, {}).get(value, value)


def basis_name(basis: str) -> str:
    """Name how electricity is booked: "location-based"."""
    return {"location": _("location-based"), "market": _("market-based")}.get(basis, basis)


STAGES: Final[dict[str, str | Promise]] = {
    "data_preparation": gettext_lazy("Data preparation"),
    "experimentation": gettext_lazy("Experiments"),
    "training": gettext_lazy("Training"),
    "fine_tuning": gettext_lazy("Fine-tuning"),
    "evaluation": gettext_lazy("Evaluation"),
    "inference": gettext_lazy("Inference"),
    "upstream": gettext_lazy("Upstream"),
    "embodied": gettext_lazy("Embodied"),
    "unattributed": gettext_lazy("Unattributed"),
    "other": gettext_lazy("Other"),
}


def stage_name(stage: str) -> str:
    """Name a stage, or one of the parts stacked beside the stages."""
    return str(STAGES.get(stage, stage))


def period_name(filtered: Filter, label: str = "") -> str:
    """
    Name a period as people do: Q3 2026, July 2026, 2026, or its two days.

    >>> from datetime import date
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
            return date_format(first, "F Y")
    start = date_format(first, "DATE_FORMAT" if first.year != last.year else "MONTH_DAY_FORMAT")
    return f"{start} – {date_format(last, 'DATE_FORMAT')}"
