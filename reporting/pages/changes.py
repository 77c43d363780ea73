"""Changes: why a period's figure differs from another's, part by part, and what stands behind each part."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from core.accounting.selectors.variance import WORK, VarianceResult, variance_between
from core.organizations.access import requires
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action
from core.quantification.variance import NOT_KNOWN, PARTS
from reporting import figures
from reporting.charts import Chart, Part, waterfall
from reporting.pages.asked import asked, basis_name, filter_bar, period_name, said, view_of
from reporting.pages.files import file_asked, period_file
from reporting.query import Query

WORDS: Final = {
    "volume": (gettext_lazy("Volume"), gettext_lazy("how much was done")),
    "mix": (gettext_lazy("Mix"), gettext_lazy("which models, machines, places and teams did it")),
    "efficiency": (gettext_lazy("Efficiency"), gettext_lazy("energy and hardware per unit of work")),
    "grid": (gettext_lazy("Grid"), gettext_lazy("emissions per kWh")),
    "coverage": (gettext_lazy("Coverage"), gettext_lazy("what was recorded at all")),
    "method": (gettext_lazy("Method"), gettext_lazy("how it is calculated")),
    NOT_KNOWN: (gettext_lazy("Not known"), gettext_lazy("calculated in one of the two periods only")),
}
"""Each part in words, and what it says."""

NATURAL: Final = {
    "volume": "team",
    "mix": WORK,
    "efficiency": WORK,
    "grid": "region",
    "coverage": "source",
    "method": WORK,
    NOT_KNOWN: WORK,
}
"""The dimension in which a part is best understood."""

CHOICES: Final = ("", "team", WORK, "provider", "region", "stage")
MOST: Final = 4
SMALLEST_SHARE: Final = 0.01  # of the largest contribution to a part; below it, a name says nothing


@one_snapshot
@require_safe
@requires(Action.SEE_OWN_TEAM)
def changes(request: HttpRequest) -> HttpResponse:
    """Show the variance between the period and the one that it is compared with."""
    query = asked(request)
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    found = None
    if query.comparison is not None:
        found = variance_between(organization_id, query.filter, query.comparison, view=view_of(request))
    chart = None if found is None else bridge_chart(found, query)
    if found is not None and chart is not None and file_asked(request):
        drawn = request.GET.get("tab") == "chart"
        return period_file(request, chart.table if drawn else as_frame(found), "changes", query)
    by = next((name for name in CHOICES if name == request.GET.get("tab")), "")
    context: dict[str, Any] = {
        "title": _("What changed and why"),
        "query": query,
        "query_errors": query.errors,
        "period_label": period_name(query.filter, query.label),
        "comparison_label": period_name(query.comparison) if query.comparison else "",
        "filter_bar": filter_bar(query),
        "compare": query.link(cmp=None),
        "csv": query.link(format="csv", tab="chart"),
        "file": query.link(format="csv"),
        "charts": True,
        "shown": None if found is None else variance_of(found, query, by),
        "chart": chart,
        "empty": found is None or (found.found.before_kg == 0 and found.found.after_kg == 0),
        "choices": [(chosen_name(name), query.link(tab=name or None), name == by) for name in CHOICES],
        "as_of": None if found is None else found.as_of,
    }
    return render(request, "reporting/changes.html", context)


def chosen_name(dim: str) -> str:
    """Name a dimension that contributions are listed by."""
    names = {
        "": _("as fits the part"),
        "team": _("Team"),
        WORK: _("Model or machine"),
        "provider": _("Provider"),
        "region": _("Region"),
        "stage": _("Stage"),
        "source": _("Source"),
    }
    return names[dim]


def parts_of(found: VarianceResult) -> dict[str, float]:
    """Give the parts in their order; what is not known stands behind them where there is any."""
    rest = found.found.not_known_kg
    return dict(found.found.parts) | ({NOT_KNOWN: rest} if rest else {})


def bridge_chart(found: VarianceResult, query: Query) -> Chart:
    """Draw the way from the earlier total to the later one."""
    return waterfall(
        [Part(name, str(WORDS[name][0]), kg) for name, kg in parts_of(found).items()],
        start=(period_name(found.before), found.found.before_kg),
        end=(period_name(query.filter, query.label), found.found.after_kg),
        detail=basis_name(query.filter.basis),
        locale=translation.get_language() or "en",
        translate=_,
    )


def variance_of(found: VarianceResult, query: Query, by: str) -> dict[str, Any]:
    """Write the parts in one unit, each with the largest contributions to it."""
    variance = found.found
    parts = parts_of(found)
    scale = figures.scale_for("mass", [variance.before_kg, variance.after_kg, *parts.values()], digits=4)
    tables = {dim: found.contributors(dim) for dim in {by or NATURAL[name] for name in parts}}
    return {
        "unit": scale.unit,
        "before": figures.number(variance.before_kg, scale),
        "after": figures.number(variance.after_kg, scale),
        "difference": figures.number(variance.difference_kg, scale, sign=True),
        "parts": [
            {
                "label": WORDS[name][0],
                "meaning": WORDS[name][1],
                "none": kg == 0,
                "amount": figures.number(kg, scale, sign=True),
                "share": figures.percent(kg / variance.before_kg, sign=True)
                if variance.before_kg > 0
                else figures.UNKNOWN,
                "behind": behind(tables[by or NATURAL[name]], name, by or NATURAL[name], scale, query) if kg else [],
            }
            for name, kg in parts.items()
        ],
        "not_known_records": variance.not_known_records,
        "covered": [
            {
                "name": each.name,
                "first_day": each.first_day,
                "last_day": each.last_day,
                "before": figures.percent(each.before),
                "after": figures.percent(each.after),
            }
            for each in found.covered
        ],
    }


def behind(table: pd.DataFrame, part: str, dim: str, scale: figures.Scale, query: Query) -> list[dict[str, str]]:
    """List the largest contributions to a part, each with the address that narrows the page to it."""
    named = table[table[part].abs() > SMALLEST_SHARE * table[part].abs().max()]
    rows = named.reindex(named[part].abs().sort_values(ascending=False, kind="stable").index).head(MOST)
    return [
        {
            "label": _("none named") if name is None else said(at, name),
            "amount": figures.number(kg, scale, sign=True),
            "address": query.link(**{at: name}) if name is not None else "",
        }
        for name, at, kg in zip(rows[dim], rows["dimension"], rows[part], strict=True)
    ]


def as_frame(found: VarianceResult) -> pd.DataFrame:
    """Give the parts and every kind of work behind them as rows of a file, at full precision."""
    variance = found.found
    total = {"row": "total", **variance.parts, NOT_KNOWN: variance.not_known_kg}
    total |= {"before": variance.before_kg, "after": variance.after_kg}
    rows = pd.concat([pd.DataFrame([total]), variance.contributions.assign(row="contribution")], ignore_index=True)
    amounts = ["before", *PARTS, NOT_KNOWN, "after"]
    named = [name for name in variance.contributions.columns if name not in amounts]
    return rows[["row", *named, *amounts]].rename(columns={name: f"{name}_kg_co2e" for name in amounts})
