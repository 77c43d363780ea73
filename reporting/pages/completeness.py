"""The completeness register: what should report against what did; a stated gap and an estimate kept apart."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import pandas as pd
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from core.accounting import services
from core.accounting.models import ExpectedKind
from core.accounting.selectors.completeness import completeness
from core.ledger.selectors import sources
from core.organizations.access import requires
from core.organizations.policy import Action, may
from reporting.pages.asked import asked, filter_bar, period_name, today
from reporting.pages.bar import WHOLE
from reporting.pages.completeness_chart import coverage_chart
from reporting.pages.files import file_asked, period_file

RUNS_SHOWN: Final = 3
"""Runs of missing days that a row lists; the file has them all."""


class ExpectForm(forms.Form):
    """What should report every day."""

    kind = forms.ChoiceField(label=gettext_lazy("What"), choices=ExpectedKind.choices)
    source = forms.ChoiceField(label=gettext_lazy("Source"))
    account = forms.CharField(
        label=gettext_lazy("Account"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("Account, key or cluster as the source names it; empty: the source as a whole."),
    )
    since = forms.DateField(label=gettext_lazy("First day"), widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(
        label=gettext_lazy("Last day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("Empty: until further notice."),
    )
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500, required=False)

    def __init__(self, *args: Any, organization_id: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = [(str(each.id), each.name) for each in sources(organization_id)]
        self.fields["source"].choices = known  # type: ignore[attr-defined]


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.SEE_SOURCES)
def register(request: HttpRequest) -> HttpResponse:
    """Show the register and, for those who may, the form that adds to it."""
    return add(request) if request.method == "POST" else _page(request)


@requires(Action.MANAGE_SOURCES)
def add(request: HttpRequest) -> HttpResponse:
    """Enter what should report."""
    form = ExpectForm(request.POST, organization_id=_organization(request))
    if form.is_valid():
        given = {**form.cleaned_data, "account": form.cleaned_data["account"] or None}
        source_id = int(given.pop("source"))
        try:
            services.expect(organization_id=_organization(request), source_id=source_id, **given)
        except services.CoverageError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("It is expected from now on; the table says what is missing."))
            return redirect("completeness")
    return _page(request, form=form, status=400)


@requires(Action.MANAGE_SOURCES)
@require_POST
def remove(request: HttpRequest, expected_id: int) -> HttpResponse:
    """Take an entry back."""
    try:
        services.expect_no_more(
            organization_id=_organization(request), expected_id=expected_id, reason=request.POST.get("reason", "")
        )
        messages.success(request, _("The entry is taken back."))
    except services.CoverageError as error:
        messages.error(request, str(error))
    return redirect("completeness")


def _page(request: HttpRequest, *, form: ExpectForm | None = None, status: int = 200) -> HttpResponse:
    organization_id, query = _organization(request), asked(request)
    last = min(query.filter.to_day, today() - timedelta(days=1))
    entries, seen = completeness(organization_id, query.filter.from_day, last)
    if request.method == "GET" and file_asked(request):
        rows = pd.DataFrame([each.as_dict() for each in entries], columns=COLUMNS, dtype=object)
        if request.GET.get("tab") == "chart":
            return period_file(request, coverage_chart(entries, query.filter.from_day, last).table, "coverage", query)
        return period_file(request, rows, "completeness", query)
    kinds = dict(ExpectedKind.choices)
    context: dict[str, Any] = {
        "title": _("Completeness"),
        "query_errors": query.errors,
        "period_label": period_name(query.filter, query.label),
        "filter_bar": filter_bar(query, ignores=WHOLE),
        "csv": query.link(format="csv"),
        "charts": bool(entries),
        "chart": coverage_chart(entries, query.filter.from_day, last) if entries else None,
        "chart_csv": query.link(format="csv", tab="chart"),
        "entries": [
            {
                "entry": each,
                "kind": kinds[each.kind],
                "missing": each.missing[:RUNS_SHOWN],
                "more": max(len(each.missing) - RUNS_SHOWN, 0),
            }
            for each in entries
        ],
        "seen": seen,
    }
    if may(request.identity, Action.MANAGE_SOURCES):  # type: ignore[attr-defined]
        context["form"] = form or ExpectForm(organization_id=organization_id)
    return render(request, "reporting/completeness.html", context, status=status)


COLUMNS: Final = [
    *("kind", "source", "account", "since", "until", "expected_days", "reported_days", "missing_days", "missing"),
    "proposed_estimate_kg_co2e",
]


def _organization(request: HttpRequest) -> int:
    return int(request.identity.organization_id)  # type: ignore[attr-defined]
