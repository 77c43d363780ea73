"""Own grid series: hourly or monthly factors of a zone, how much of each quarter they cover, and which granularity it takes."""

from __future__ import annotations

import re
from datetime import date
from itertools import groupby
from typing import Any, Final
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.formats import date_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from core.accounting import services
from core.factors.grid_selectors import ListedSeries, grid_series, served_quarters
from core.factors.grid_services import GridSeriesError
from core.organizations.access import requires
from core.organizations.policy import Action, may
from core.quantification.grid_series import Gap, Served, quarter_name
from core.quantification.grid_series_file import Fault, SeriesRefused, read_series
from reporting import figures
from reporting.pages.files import file_asked, table_file
from reporting.pages.grid_charts import hourly_quarters, week_chart

BYTES_AT_MOST: Final = 20_000_000
FAULTS_AT_MOST: Final = 200
GAPS_AT_MOST: Final = 3
GRANULARITY: Final = {"hourly": _("hourly"), "monthly": _("monthly"), "yearly": _("yearly (published)")}
BOUNDARY: Final = {"lifecycle": _("Lifecycle: fuel supply and plants too"), "direct": _("Direct: stacks only")}
BASIS: Final = {"consumption": _("Consumption: imports traced"), "production": _("Production in the zone")}


class SeriesForm(forms.Form):
    """A file of factors, its zone, what its numbers mean, and where they come from."""

    file = forms.FileField(
        label=_("CSV file"),
        help_text=_("start_utc,g_per_kwh with hours or equal parts of them, or month,g_per_kwh."),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv"}),
    )
    zone = forms.CharField(
        label=_("Grid zone"), max_length=40, help_text=_("As the factors page names it, such as DE or EGRID:CAMX.")
    )
    source = forms.CharField(
        label=_("Source"), max_length=500, help_text=_("Publisher, data set and edition, so that an auditor finds it.")
    )
    licence = forms.CharField(label=_("Licence"), max_length=200, required=False)
    boundary = forms.ChoiceField(label=_("Boundary"), choices=list(BOUNDARY.items()))
    basis = forms.ChoiceField(label=_("Electricity counted"), choices=list(BASIS.items()))
    gas_basis = forms.ChoiceField(label=_("Gases"), choices=[("CO2e", _("CO2e: all gases")), ("CO2", _("CO2 only"))])

    def clean_file(self) -> str:
        """Return the text of the file."""
        file = self.cleaned_data["file"]
        if file.size > BYTES_AT_MOST:
            raise forms.ValidationError(_now("The file is larger than 20 MB: import it year by year."))
        try:
            return str(file.read().decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise forms.ValidationError(_now("The file is no UTF-8 text.")) from error


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.SEE_OWN_TEAM)
def grid_series_page(request: HttpRequest) -> HttpResponse:
    """Show what every quarter takes and, to those who may, take in another file."""
    if request.method == "POST":
        return enter(request)
    return _page(request, SeriesForm())


@requires(Action.MANAGE_FACTORS)
def enter(request: HttpRequest) -> HttpResponse:
    """Take in a file; the figures of the quarters that it changes follow."""
    form = SeriesForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, form, status=400)
    given = dict(form.cleaned_data)
    try:
        file = read_series(given.pop("file"))
        series = services.import_grid_series(organization_id=_organization(request), file=file, **given)
    except SeriesRefused as refused:
        return _page(request, form, status=400, faults=refused.faults)
    except GridSeriesError as error:
        form.add_error(error.field if error.field in form.fields else None, str(error))
        return _page(request, form, status=400)
    said = _("%(values)s values of %(zone)s are entered. Choose below what the zone takes.")
    messages.success(request, said % {"values": figures.count(file.values, compact=False), "zone": series.zone})
    return redirect("grid_series")


@require_POST
@requires(Action.MANAGE_FACTORS)
def choose_granularity(request: HttpRequest) -> HttpResponse:
    """Say which granularity a zone takes, from a quarter on or always."""
    try:
        first = request.POST.get("first_quarter", "")
        choice = services.choose_granularity(
            organization_id=_organization(request),
            zone=request.POST.get("zone", ""),
            granularity=request.POST.get("granularity", ""),
            first_quarter=date.fromisoformat(first) if first else None,
        )
        said = _(
            "%(zone)s takes %(granularity)s factors where the data covers the quarter; figures follow within a minute."
        )
        messages.success(request, said % {"zone": choice.zone, "granularity": choice.granularity})
    except (GridSeriesError, ValueError) as error:
        messages.error(request, str(error))
    return redirect("grid_series")


@require_POST
@requires(Action.MANAGE_FACTORS)
def remove_grid_series(request: HttpRequest, series_id: int) -> HttpResponse:
    """Take an import back, with a reason."""
    try:
        services.remove_grid_series(
            organization_id=_organization(request), series_id=series_id, reason=request.POST.get("reason", "")
        )
        messages.success(request, _("The series is taken back; the figures of its quarters follow within a minute."))
    except GridSeriesError as error:
        messages.error(request, str(error))
    return redirect("grid_series")


def _page(
    request: HttpRequest, form: SeriesForm, *, status: int = 200, faults: list[Fault] | None = None
) -> HttpResponse:
    organization_id = _organization(request)
    editable = may(request.identity, Action.MANAGE_FACTORS)  # type: ignore[attr-defined]
    quarters = served_quarters(organization_id)
    hourly = hourly_quarters(quarters)
    shown = hourly.get(request.GET.get("zone", "")) or next(iter(hourly.values()), None)
    chart = week_chart(shown) if shown else None
    if chart and shown and file_asked(request):
        return table_file(
            request, chart.table, f"grid-week_{re.sub(r'[^A-Za-z0-9-]+', '-', shown.zone)}_{shown.quarter}"
        )
    context = {
        "charts": chart is not None,
        "chart": chart,
        "chart_csv": "?" + urlencode({"zone": shown.zone if shown else "", "format": "csv"}),
        "chart_zones": [(zone, "?" + urlencode({"zone": zone}), each is shown) for zone, each in hourly.items()],
        "title": _("Grid series"),
        "zones": [zone_node(zone, list(served)) for zone, served in groupby(quarters, lambda each: each.zone)],
        "series": [series_node(each) for each in grid_series(organization_id)],
        "form": form if editable else None,
        "faults": (faults or [])[:FAULTS_AT_MOST],
        "more_faults": len(faults or []) - FAULTS_AT_MOST,
        "granularities": list(GRANULARITY.items()),
    }
    return render(request, "reporting/grid_series.html", context, status=status)


def zone_node(zone: str, quarters: list[Served]) -> dict[str, Any]:
    """Show a zone: its quarters, the newest first, and what is chosen for the newest."""
    return {
        "zone": zone,
        "chosen": quarters[-1].chosen,
        "quarters": [quarter_node(each) for each in reversed(quarters)],
        "choices": [(each.quarter.isoformat(), quarter_name(each.quarter)) for each in reversed(quarters)],
    }


def quarter_node(served: Served) -> dict[str, Any]:
    """Show what a quarter takes, and what it lacks."""
    return {
        "name": quarter_name(served.quarter),
        "chosen": GRANULARITY[served.chosen],
        "granularity": GRANULARITY[served.granularity],
        "falls_back": served.granularity != served.chosen,
        "share": 100.0 * served.hours_present / served.hours,
        "missing": served.hours_missing,
        "gaps": gaps_in_words(served),
        "values": values_in_words(served),
    }


def values_in_words(served: Served) -> str:
    """Say which values a quarter takes: the range of its hours, or its months."""
    if served.hourly is not None:
        return f"{served.hourly.min():.0f}–{served.hourly.max():.0f}"
    return ", ".join(f"{each.g_per_kwh:.0f}" for each in served.monthly or ())


def gaps_in_words(served: Served) -> str:
    """Name the first gaps of a quarter."""
    words = [_gap(gap) for gap in served.gaps] + [
        date_format(month, "YEAR_MONTH_FORMAT") for month in served.months_missing
    ]
    more = len(words) - GAPS_AT_MOST
    shown = "; ".join(words[:GAPS_AT_MOST])
    return shown + (_now("; and {more} more").format(more=more) if more > 0 else "")


def _gap(gap: Gap) -> str:
    hours = ngettext("{hours} hour", "{hours} hours", gap.hours).format(hours=figures.count(gap.hours, compact=False))
    return f"{date_format(gap.first_hour, 'MONTH_DAY_FORMAT')} {gap.first_hour:%H:%M}, {hours}"


def series_node(series: ListedSeries) -> dict[str, Any]:
    """Show an import."""
    hours = series.resolution == "hourly"
    count = (
        ngettext("{n} hour", "{n} hours", series.values)
        if hours
        else ngettext("{n} month", "{n} months", series.values)
    )
    return {
        "id": series.id,
        "zone": series.zone,
        "values": count.format(n=figures.count(series.values, compact=False)),
        "first_month": series.first_month,
        "last_month": series.last_month,
        "kind": f"{series.boundary}, {series.basis}, {series.gas_basis}",
        "source": series.source,
        "licence": series.licence,
        "imported_at": series.imported_at,
        "removed": series.removed,
    }


def _organization(request: HttpRequest) -> int:
    return int(request.identity.organization_id)  # type: ignore[attr-defined]
