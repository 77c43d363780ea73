"""Business figures: what emissions are divided by, entered one by one or as a sheet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from core.organizations.access import requires
from core.organizations.identity import Identity
from core.organizations.policy import Action, may, narrowing
from core.organizations.selectors import team_names
from core.suggesting import Suggesting
from reporting import figures
from reporting.exports import csv_bytes
from reporting.intensities.denominators import COLUMNS, NARROWED_BY, Fault, period_text
from reporting.intensities.sheet import UnreadableSheet, read_sheet, template
from reporting.intensities.units import STANDARD
from reporting.models import DenominatorFigure
from reporting.selectors import denominators as selectors
from reporting.services import denominators as services
from reporting.services.denominators import Entered, FaultyFigures, enter_figures

PAGE_ROWS: Final = 24
MOST_FAULTS: Final = 200
MOST_WARNED: Final = 5
LEVELS: Final = {"team": _("team"), "project": _("project"), "application": _("application")}
OWN: Final = "own"
NAMES: Final = {
    "accepted_tasks": _("Accepted tasks"),
    "active_users": _("Active users of a month"),
    "headcount": _("Head count"),
    "revenue": _("Revenue"),
}
"""The standard series in words; one of their own goes by its own name."""


class FigureForm(forms.Form):
    """One figure: how many of something in a period."""

    series = forms.ChoiceField(label=_("What"))
    period = forms.CharField(
        label=_("Period"),
        max_length=10,
        help_text=_(
            "2026-07 for a month, 2026-Q3 for a quarter, 2026-07-15 for a day; users and head counts by month."
        ),
    )
    value = forms.CharField(
        label=_("How many"),
        max_length=40,
        help_text=_(
            "A point for decimals, no separators. A later figure replaces an earlier one; “withdrawn” takes it away."
        ),
    )
    currency = forms.CharField(
        label=_("Currency"), required=False, max_length=3, help_text=_("Of revenue: three letters, such as EUR.")
    )
    narrowed_by = forms.ChoiceField(
        label=_("About"),
        required=False,
        choices=[
            ("", _("the whole organization")),
            ("team", _("one team")),
            ("project", _("one project")),
            ("application", _("one application")),
        ],
    )
    narrowed_to = forms.CharField(label=_("Its name"), required=False, max_length=200)
    source = forms.CharField(
        label=_("Where the figure comes from"), required=False, max_length=200, help_text=_("For who checks it later.")
    )
    own_series = forms.CharField(
        label=_("Name of your own unit"),
        required=False,
        max_length=64,
        help_text=_("Only for another unit: small letters, digits and _, for example claims."),
    )
    unit = forms.CharField(
        label=_("What one of it is"),
        required=False,
        max_length=200,
        help_text=_("Only for another unit: for example “claim handled”."),
    )

    def __init__(
        self, *args: Any, own: Sequence[tuple[str, str]] = (), teams: Sequence[str] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["narrowed_to"].widget = Suggesting(teams, {"maxlength": 200})
        known = [(name, NAMES[name]) for name in STANDARD] + [(name, f"{name}: {text}") for name, text in own]
        self.fields["series"].choices = [*known, (OWN, gettext("Another unit of your own"))]  # type: ignore[attr-defined]

    def row(self) -> dict[str, object]:
        """Write the form as a row of the sheet."""
        data = self.cleaned_data
        own = data["series"] == OWN
        row = {name: data[name] for name in ("period", "value", "currency", "source")}
        row |= {"series": data["own_series"] if own else data["series"], "unit": data["unit"] if own else ""}
        return row | ({data["narrowed_by"]: data["narrowed_to"]} if data["narrowed_by"] else {})

    def clean(self) -> dict[str, Any]:
        """Ask for the name of the one team, project or application."""
        data: dict[str, Any] = super().clean() or {}
        if data.get("narrowed_by") and not data.get("narrowed_to"):
            self.add_error("narrowed_to", gettext("Say which one."))
        if data.get("narrowed_to") and not data.get("narrowed_by"):
            self.add_error("narrowed_by", gettext("Say whether it is a team, a project or an application."))
        return data

    def add_faults(self, faults: Sequence[Fault]) -> None:
        """Put each fault beside its field."""
        own = self.cleaned_data["series"] == OWN
        for fault in faults:
            name = "own_series" if fault.field == "series" and own else fault.field
            name = "narrowed_to" if name in NARROWED_BY else name
            self.add_error(name if name in self.fields else None, fault.reason)


class SheetForm(forms.Form):
    """The template, filled in."""

    file = forms.FileField(
        label=_("CSV file"), help_text=_("The template, filled in: all of its rows are entered, or none.")
    )


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.SEE_OWN_TEAM)
def denominators(request: HttpRequest) -> HttpResponse:
    """Show the figures that stand and, for those who may, the forms that enter more."""
    if request.method == "POST":
        return enter(request)
    if request.GET.get("format") == "csv":
        return sheet_of_all(request)
    return show(request)


def sheet_of_all(request: HttpRequest) -> HttpResponse:
    """Give the figures that stand in the columns of the template: corrected there, they can be sent back."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    rows = selectors.figures(identity.organization_id, allowed=narrowing(identity))
    table = [dict.fromkeys(COLUMNS, "") | services.described(row) for row in rows]
    answer = HttpResponse(csv_bytes(list(COLUMNS), table), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="business-figures.csv"'
    return answer


@requires(Action.EDIT_DENOMINATORS)
def enter(request: HttpRequest) -> HttpResponse:
    """Enter one figure."""
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    own, teams = selectors.own_units(organization_id), team_names(organization_id)
    form = FigureForm(request.POST, own=own, teams=teams)
    if form.is_valid():
        try:
            entered = enter_figures(organization_id=organization_id, rows=[form.row()])
        except FaultyFigures as error:
            form.add_faults(error.faults)
        else:
            told(request, entered)
            return redirect("denominators")
    return show(request, form=form, status=400)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.EDIT_DENOMINATORS)
def import_sheet(request: HttpRequest) -> HttpResponse:
    """Enter a sheet; opened by its address, show the form."""
    if request.method != "POST":
        return redirect("denominators")
    form = SheetForm(request.POST, request.FILES, auto_id="sheet_%s")
    faults: list[Fault] = []
    if form.is_valid():
        try:
            rows, found = read_sheet(form.cleaned_data["file"].read())
            entered = enter_figures(
                organization_id=request.identity.organization_id,  # type: ignore[attr-defined]
                rows=rows,
                faults=found,
            )
        except UnreadableSheet as error:
            form.add_error("file", str(error))
        except FaultyFigures as error:
            form.add_error("file", str(error))
            faults = error.faults
        else:
            told(request, entered)
            return redirect("denominators")
    return show(request, sheet=form, faults=faults, status=400)


@require_safe
@requires(Action.SEE_OWN_TEAM)
def template_file(request: HttpRequest) -> HttpResponse:
    """Give the template of the sheet, with an example of each kind."""
    answer = HttpResponse(template(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="wattledger-denominators.csv"'
    return answer


def told(request: HttpRequest, entered: Entered) -> None:
    """Say what came of a delivery, and which names no record has: misspelt, such a figure divides nothing."""
    same = len(entered.figures) - entered.written
    text = ngettext("{n} figure is entered.", "{n} figures are entered.", entered.written).format(n=entered.written)
    if same:
        text += " " + ngettext("{n} stood so already.", "{n} stood so already.", same).format(n=same)
    messages.success(request, text)
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    for level, name, period in selectors.without_records(organization_id, entered.figures)[:MOST_WARNED]:
        text = gettext("No record of {period} has the {level} “{name}”: nothing is divided by this figure yet.")
        days = period_text(period.from_day, period.to_day)
        messages.warning(request, text.format(period=days, level=LEVELS[level], name=name))


def show(
    request: HttpRequest,
    *,
    form: FigureForm | None = None,
    sheet: SheetForm | None = None,
    faults: Sequence[Fault] = (),
    status: int = 200,
) -> HttpResponse:
    """Render the page."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    replaced = request.GET.get("replaced") == "1"
    rows = selectors.figures(identity.organization_id, replaced=replaced, allowed=narrowing(identity))
    page = list(rows[: PAGE_ROWS + 1])
    editable = may(identity, Action.EDIT_DENOMINATORS)
    if form is None:
        own, teams = selectors.own_units(identity.organization_id), team_names(identity.organization_id)
        form = FigureForm(own=own, teams=teams)
    return render(
        request,
        "reporting/denominators.html",
        {
            "title": _("Business figures"),
            "rows": [described(row) for row in page[:PAGE_ROWS]],
            "more": len(page) > PAGE_ROWS,
            "most": PAGE_ROWS,
            "replaced": replaced,
            "form": form if editable else None,
            "sheet": sheet or SheetForm(auto_id="sheet_%s"),
            "faults": faults[:MOST_FAULTS],
            "refused": status != 200,
        },
        status=status,
    )


def described(row: DenominatorFigure) -> dict[str, Any]:
    """Write a figure for the table."""
    value = figures.UNKNOWN if row.value_in_units is None else figures.count(row.value_in_units, compact=False)
    if row.value_in_units is not None and row.value_in_units != int(row.value_in_units):
        value = f"{row.value_in_units.normalize():,f}"
    narrowed = next(((name, getattr(row, name)) for name in NARROWED_BY if getattr(row, name)), None)
    return {
        "period": period_text(row.from_day, row.to_day),
        "series": NAMES.get(row.series, row.series),
        "unit": row.unit_text if not row.currency else row.currency,
        "value": value,
        "withdrawn": row.value_in_units is None,
        "narrowed": narrowed,
        "source": row.source,
        "recorded_at": row.recorded_at,
        "recorded_by": row.recorded_by,
        "replaces": row.replaces_id is not None,
    }
