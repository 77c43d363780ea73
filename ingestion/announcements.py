"""How messages about sources read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.delivery.kinds import Kind, Said, register

SOURCE_TROUBLE: Final = "source.trouble"
SOURCE_BACK: Final = "source.back"


def register_kinds() -> None:
    """Make the kinds known to destinations."""
    register(Kind(SOURCE_TROUBLE, gettext_lazy("A source is late, silent or failing"), trouble))
    register(Kind(SOURCE_BACK, gettext_lazy("A source sends again"), back))


def trouble(data: Mapping[str, Any]) -> Said:
    """Say that something is wrong with a source."""
    subject = {
        "late": _("{source} is late"),
        "silent": _("{source} is silent"),
        "failing": _("{source} is failing"),
    }[data["state"]]
    text = {
        "late": _("Nothing has come from {source} since {at} UTC, later than expected. Figures may lack its records."),
        "silent": _("Nothing has come from {source} since {at} UTC. Figures lack its records."),
        "failing": _("No row of the latest payload of {source}, of {at} UTC, could be read. Figures lack its records."),
    }[data["state"]]
    return _said(subject, text, data)


def back(data: Mapping[str, Any]) -> Said:
    """Say that a source sends again."""
    text = _("Records of {source} arrive again; the latest before were of {at} UTC.")
    return _said(_("{source} is back"), text, data)


def _said(subject: str, text: str, data: Mapping[str, Any]) -> Said:
    at = date_format(datetime.fromisoformat(data["latest_arrival"]), "SHORT_DATETIME_FORMAT")
    source = data["source"]
    return Said(subject.format(source=source), text.format(source=source, at=at), f"/sources/{data['source_id']}/")
