"""Every component on one page, with made-up figures: to look at while working on them. Only where DEBUG is on."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import pandas as pd
from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.organizations.identity import SYSTEM, Identity
from core.organizations.models import Role
from reporting import figures
from reporting.charts import Chart, Gap, ranked, trend
from reporting.pages.bar import filter_bar
from reporting.pages.gallery_charts import chart_samples
from reporting.query import read_query

# Tonnes a week by stage, and a limit that falls: the look that the design's pictures fix.
WEEKS: Final = {
    "inference": (7.1, 7.0, 7.3, 6.9, 6.8, 7.2, 7.6, 7.9, 7.8, 8.0, 8.1, 7.9, 7.7),
    "training": (4.2, 4.1, 3.0, 3.1, 2.8, 3.3, 4.0, 3.6, 3.2, 3.4, 3.1, 2.9, 2.6),
    "experimentation": (1.6, 1.5, 1.4, 1.5, 1.3, 1.2, 1.3, 1.4, 1.3, 1.2, 1.2, 1.1, 1.0),
    "embodied": (1.7, 1.7, 1.7, 1.7, 1.7, 1.7, 1.7, 1.7, 1.7, 1.7, 1.7, 1.7, 1.7),
}
STAGES: Final = {
    "inference": "Inference",
    "training": "Training",
    "experimentation": "Experiments",
    "embodied": "Embodied",
}
TEAMS: Final = (
    ("Search", 62.4, 60.0),
    ("Assistants", 44.9, 56.9),
    ("Vision research", 32.7, 35.9),
    ("Unattributed", 14.8, 23.9),
)
MODELS: Final = (
    ("atlas-70b", 57.1, 0.74, "measured"),
    ("gpt-class API", 40.6, 1.31, "modelled"),
    ("atlas-8b-int4", 23.5, 0.09, "stated"),
    ("embed-v3", 11.9, 0.02, "assumed"),
)
SNIPPET: Final = """from codecarbon import EmissionsTracker

with EmissionsTracker(save_to_api=True, api_endpoint="https://wattledger.example/codecarbon"):
    train()
"""


class Sample(forms.Form):
    """Fields in each of their states."""

    name = forms.CharField(label="Name of the source", help_text="As it appears on Sources.")
    kind = forms.ChoiceField(label="Kind", choices=[("focus", "FOCUS billing export"), ("otlp", "OpenTelemetry")])
    file = forms.FileField(label="Drop a file here, or choose one")


@require_safe
def gallery(request: HttpRequest) -> HttpResponse:
    """Show the components."""
    sample = Sample({"name": "", "kind": "focus"})
    return render(
        request,
        "components/gallery.html",
        {
            "title": _("Overview"),
            "charts": True,
            "period_label": "Q3 2026",
            "filter_bar": sample_bar(),
            "kpis": kpis(),
            "chart": sample_trend(),
            "gaps": sample_trend(name="gaps", partial=True),
            "bars": sample_bars(),
            "samples": chart_samples(),
            "attention": [
                {
                    "lead": "Search team",
                    "text": "will pass its Q3 budget on 24 Sep (projected 41.0 t of 38.5 t)",
                    "address": "?",
                },
                {"lead": "AWS cost export", "text": "is 3 days late; 6 accounts show gaps from 21 Sep", "address": "?"},
                {
                    "lead": "Grid factors 2025",
                    "text": "are available for 14 regions; restating changes Q3 by \u22121.9\u202f%",
                    "address": "?",
                },
            ],
            "teams": team_table(),
            "models": model_table(),
            "counts": [
                ("received", 200000),
                ("written", 198742),
                ("duplicates", 54),
                ("quarantined", 1204),
                ("outside", 0),
            ],
            "crumbs": [("All teams", "?"), ("Search", "?"), ("atlas-70b", "")],
            "evidences": ("measured", "modelled", "stated", "assumed"),
            "spark": [3.0, 4.0, 2.0, None, None, 5.0, 6.0, 5.0, 4.0, 7.0],
            "snippet": SNIPPET,
            "form": sample,
            "upload_form": sample,
            "buttons": [("dry_run", "1", "Check first"), ("dry_run", "", "Import at once")],
            "steps": [
                {"label": "Create the organization", "done": True},
                {
                    "label": "Send the first record",
                    "text": "Choose what you have; the snippet carries your token.",
                    "current": True,
                    "link": "?",
                    "link_text": "Choose a source",
                },
                {
                    "label": "Set a limit",
                    "text": "The overview holds every week against it.",
                    "link": "?",
                    "link_text": "Set",
                },
            ],
            "tree": [
                {
                    "label": "Electricity, location-based",
                    "value": "1.66",
                    "unit": "kg CO2e",
                    "children": [
                        {"label": "Energy at the device", "value": "4.00", "unit": "kWh", "badge": "measured"},
                        {
                            "label": "× facility (PUE)",
                            "value": "1.15",
                            "note": "default of colocated sites",
                            "badge": "assumed",
                        },
                        {"label": "× grid, Germany, 2025", "value": "0.361", "unit": "kg CO2e/kWh"},
                    ],
                },
                {"label": "Amortised embodied share", "value": "0.21", "unit": "kg CO2e"},
            ],
        },
    )


def sample_trend(*, name: str = "trend", partial: bool = False) -> Chart:
    """Draw thirteen weeks; ``partial`` leaves a hole and an open end."""
    slots = pd.date_range("2026-06-29", periods=13, freq="7D", tz="UTC")
    frame = pd.DataFrame(
        [
            (slot, stage, tonnes * 1000, tonnes * 820, tonnes * 1230)
            for stage, weeks in WEEKS.items()
            for slot, tonnes in zip(slots, weeks, strict=True)
            if not (partial and slot in slots[4:6])
        ],
        columns=["starts_at", "series", "value", "low", "high"],
    )
    return trend(
        frame,
        name=name,
        slots=slots,
        grain="week",
        labels=STAGES,
        target=pd.Series([14_600.0 - 91.0 * week for week in range(13)], index=slots),
        provisional_from=slots[-2].to_pydatetime() if partial else None,
        gaps=[Gap(slot.to_pydatetime(), "AWS cost export missing") for slot in slots[4:6]] if partial else [],
        detail="by lifecycle stage",
        links={slot.to_pydatetime(): f"?from={slot:%Y-%m-%d}" for slot in slots},
    )


def sample_bars() -> Chart:
    """Draw teams with ranges."""
    frame = pd.DataFrame(
        [(name, name, tonnes * 1000, tonnes * 820, tonnes * 1230) for name, tonnes, _before in TEAMS],
        columns=["key", "label", "value", "low", "high"],
    )
    return ranked(frame, noun="By team", name="bars", detail="location-based")


def sample_bar() -> dict[str, Any]:
    """Build the filter bar of the third quarter with one filter behind "+ Filter" in force."""
    asked = QueryDict("period=2026-Q3&region=eu-central-1")
    owner = Identity(organization_id=0, actor=SYSTEM, role=Role.OWNER)
    return filter_bar(read_query(asked, identity=owner, today=date(2026, 11, 25)))


def kpis() -> list[dict[str, Any]]:
    """Make up the leading figures."""
    total = figures.scale_for("mass", [184_200])
    return [
        {
            "lead": True,
            "label": "AI emissions, location-based",
            "value": figures.quantity(184_200, "mass", digits=4),
            "unit": "CO2e",
            "address": "/explain/?",
            "details": [
                {"change": figures.change(184_200, 207_900), "text": "vs Q2"},
                {"text": f"range {figures.interval(151_000, 226_000, total)}{figures.THIN}t"},
                {"text": "market-based 96.8\u202ft", "address": "?"},
            ],
        },
        {
            "label": "Against target path",
            "value": figures.quantity(6_100, "mass", sign=True, digits=2),
            "details": [{"text": "3.4\u202f% over the Q3 limit of 178\u202ft", "tone": "bad"}],
        },
        {
            "label": "Per 1,000 requests",
            "value": figures.quantity(0.412, "mass"),
            "details": [{"change": figures.change(0.412, 0.509)}, {"text": f"{figures.count(447_000_000)} requests"}],
        },
        {
            "label": "Measured share",
            "value": figures.percent(0.63),
            "details": [{"text": "37\u202f% modelled"}, {"text": "0.8\u202f% quarantined"}],
        },
    ]


def team_table() -> dict[str, Any]:
    """Make up the ranking of teams."""
    scale = figures.scale_for("mass", [row[1] * 1000 for row in TEAMS])
    return {
        "id": "by-team",
        "heading": "By team",
        "first": "Team",
        "columns": [{"label": f"{scale.unit} CO2e", "number": True}, {"label": "Change", "number": True}],
        "rows": [
            {
                "label": name,
                "address": "?",
                "bar": tonnes / TEAMS[0][1],
                "cells": [
                    {"number": True, "text": figures.number(tonnes * 1000, scale), "address": "/explain/?"},
                    {"number": True, "change": figures.change(tonnes, before)},
                ],
            }
            for name, tonnes, before in TEAMS
        ],
        "csv": "?",
        "all": "?",
        "total": [
            {"number": True, "text": figures.number(154_800, scale)},
            {"number": True, "change": figures.change(154.8, 176.7)},
        ],
    }


def model_table() -> dict[str, Any]:
    """Make up the ranking of models."""
    scale = figures.scale_for("mass", [row[1] * 1000 for row in MODELS])
    intensity = figures.scale_for("mass", [row[2] / 1000 for row in MODELS])
    return {
        "id": "by-model",
        "heading": "By model",
        "first": "Model",
        "columns": [
            {"label": f"{scale.unit} CO2e", "number": True},
            {"label": f"{intensity.unit} / 1k tokens", "number": True, "wide": True},
            {"label": "Evidence", "number": False},
        ],
        "rows": [
            {
                "label": name,
                "address": "?",
                "bar": tonnes / MODELS[0][1],
                "cells": [
                    {"number": True, "text": figures.number(tonnes * 1000, scale), "address": "/explain/?"},
                    {"number": True, "wide": True, "text": figures.number(grams / 1000, intensity)},
                    {"badge": evidence},
                ],
            }
            for name, tonnes, grams, evidence in MODELS
        ],
        "csv": "?",
    }
