"""How messages about budgets read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.delivery.kinds import Kind, Said, register
from reporting import figures

BUDGET_THRESHOLD: Final = "budget.threshold"
BUDGET_AHEAD: Final = "budget.running_out"


def register_kinds() -> None:
    """Make the kinds known to destinations."""
    register(Kind(BUDGET_THRESHOLD, gettext_lazy("A budget has reached a threshold"), threshold))
    register(Kind(BUDGET_AHEAD, gettext_lazy("A budget will run out before its end"), ahead))


def threshold(data: Mapping[str, Any]) -> Said:
    """Say that a share of a budget is used."""
    subject = _("{team}: {percent} of the budget of {period} is used")
    text = _("{used} of {limit} were emitted up to {through}. The budget lasts to {end}.")
    return _said(subject, text, data)


def ahead(data: Mapping[str, Any]) -> Said:
    """Say that a budget will not last."""
    subject = _("{team}: the budget of {period} runs out about {day}")
    text = _(
        "{used} of {limit} were emitted up to {through}. At the pace of the latest 28 days it is spent on {day}"
        " ({earliest} to {latest}), before its end on {end}."
    )
    return _said(subject, text, data)


def _said(subject: str, text: str, data: Mapping[str, Any]) -> Said:
    with figures.written_in(translation.get_language() or "en"):
        scale = figures.scale_for("mass", [data["limit_kg_co2e"]])
        words = {
            "team": data["team"],
            "period": data["period"],
            "percent": figures.percent((data["threshold_percent"] or 0) / 100),
            "used": f"{figures.number(data['used_kg_co2e'], scale)} {scale.unit} CO2e",
            "limit": f"{figures.number(data['limit_kg_co2e'], scale)} {scale.unit}",
            "through": _day(data["through"]),
            "end": _day(data["ends_on"]),
            "day": _day(data["runs_out_on"]),
            "earliest": _day(data["runs_out_earliest"]),
            "latest": _day(data["runs_out_latest"]),
        }
    return Said(subject.format(**words), text.format(**words), f"/budgets/{data['budget_id']}/")


def _day(text: str | None) -> str:
    return date_format(date.fromisoformat(text), "DATE_FORMAT") if text else _("later")
