"""Electricity: what each market consumed, what covers it, and the ledger of contractual instruments."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.accounting import services
from core.accounting.tasks import wake_after_commit
from core.catalog.selectors import sites
from core.factors.models import InstrumentType
from core.organizations.access import requires
from core.organizations.identity import Identity
from core.organizations.policy import Action, may
from core.organizations.selectors import team_names
from core.quantification.instrument_entry import FIELDS, Fault, read_csv
from core.suggesting import Suggesting
from reporting.disclosures.csv_tables import written
from reporting.pages.asked import today
from reporting.pages.files import file_asked, table_file
from reporting.pages.instrument_forms import (
    FileForm,
    InstrumentForm,
    MarketsForm,
    RetireForm,
    WithdrawForm,
    initial_of,
    show_faults,
)
from reporting.pages.instrument_rows import intensity_chart, market_rows, match_card, position_row, vintage_name
from reporting.selectors.electricity import Electricity, Position, electricity


@require_safe
@requires(Action.SEE_ALL_TEAMS)
def instruments(request: HttpRequest) -> HttpResponse:
    """Show a year's electricity by market, and every instrument."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    text = request.GET.get("year", "")
    year = int(text) if re.fullmatch(r"(19|20)\d\d", text) else None
    found = electricity(identity.organization_id, year, today=today())
    chart = intensity_chart(found)
    if chart and file_asked(request):
        return table_file(request, chart.table, f"market-intensity_{found.year}")
    return render(request, "reporting/instruments/list.html", list_context(request, identity, found))


def list_context(
    request: HttpRequest, identity: Identity, found: Electricity, markets_form: MarketsForm | None = None
) -> dict[str, Any]:
    own = found.own_markets
    chart = intensity_chart(found)
    return {
        "charts": chart is not None,
        "chart": chart,
        "chart_csv": f"?year={found.year}&format=csv",
        "title": _("Electricity"),
        "found": found,
        "total": found.total,
        "years": [(each, f"?year={each}", each == found.year) for each in found.years],
        **market_rows(found),
        "positions": [position_row(each) for each in found.positions],
        "matches": match_card(identity.organization_id, found, request.GET.get("hours", "")),
        "may_manage": may(identity, Action.MANAGE_INSTRUMENTS),
        "own_markets": [(name, ", ".join(places)) for name, places in own.members.items()],
        "markets_form": markets_form or MarketsForm.of(own),
    }


@requires(Action.MANAGE_INSTRUMENTS)
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Enter an instrument, or one that corrects another."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    corrected = position_of(identity, int(text)) if (text := request.GET.get("corrects", "")).isdecimal() else None
    if request.method != "POST":
        form = InstrumentForm(initial=initial_of(corrected) if corrected else {})
        return add_page(request, form, corrected)
    form = InstrumentForm(request.POST)
    if form.is_valid():
        try:
            (made,) = services.add_instruments(
                organization_id=identity.organization_id,
                given=[{name: value for name, value in form.cleaned_data.items() if value not in (None, "")}],
                today=today(),
                corrects_id=corrected.held.facts.id if corrected else None,
            )
        except services.EntryError as error:
            show_faults(form, error.faults)
        except services.InstrumentError as error:
            form.add_error(None, str(error))
        else:
            wake_after_commit(identity.organization_id)
            messages.success(request, _("The instrument is entered; figures follow within seconds."))
            return redirect("instrument", made.id)
    return add_page(request, form, corrected, status=400)


def add_page(
    request: HttpRequest, form: forms.Form, corrected: Position | None, *, status: int = 200, **of_file: Any
) -> HttpResponse:
    """
    Render the forms of one instrument and of many.

    Args:
        of_file: ``file_form`` and ``faults`` of a file that was refused.
    """
    organization_id: int = request.identity.organization_id  # type: ignore[attr-defined]
    pools = [f"site:{site.slug}" for site in sites(organization_id)]
    pools += [f"team:{name}" for name in team_names(organization_id)]
    form.fields["pool"].widget = Suggesting(pools, {"maxlength": 200})
    context = {
        "title": _("Correct an instrument") if corrected else _("Add an instrument"),
        "form": form,
        "file_form": FileForm(prefix="many"),
        "corrected": corrected,
        "fields": ",".join(FIELDS),
        **of_file,
    }
    return render(request, "reporting/instruments/add.html", context, status=status)


@requires(Action.MANAGE_INSTRUMENTS)
@require_http_methods(["GET", "HEAD", "POST"])
def import_file(request: HttpRequest) -> HttpResponse:
    """Enter all instruments of a CSV file, or none with every fault; opened by its address, show the form."""
    if request.method != "POST":
        return redirect("instrument_add")
    identity: Identity = request.identity  # type: ignore[attr-defined]
    form = FileForm(request.POST, request.FILES, prefix="many")
    faults: list[Fault] = []
    if form.is_valid():
        try:
            made = services.add_instruments(
                organization_id=identity.organization_id, given=read_csv(form.cleaned_data["file"]), today=today()
            )
        except services.EntryError as error:
            faults = error.faults
            form.add_error("file", _("Nothing was entered: {count} faults, listed below.").format(count=len(faults)))
        except ValueError as error:
            form.add_error("file", str(error))
        else:
            wake_after_commit(identity.organization_id)
            messages.success(request, _("{count} instruments are entered.").format(count=len(made)))
            return redirect("instruments")
    return add_page(request, InstrumentForm(), None, status=400, file_form=form, faults=faults)


@requires(Action.MANAGE_INSTRUMENTS)
@require_safe
def template_file(request: HttpRequest) -> HttpResponse:
    """Give a file with the right columns and an example in each line."""
    shared = {"vintage": 2025, "carbon_free": "yes", "intensity_g_per_kwh": 0}
    retired = {"retired_on": "2026-03-20", "registry": "UBA", "serial_first": "GO-1", "serial_last": "GO-2"}
    examples: list[dict[str, object]] = [
        {
            **shared,
            **retired,
            "type": "certificate",
            "kind": "GO",
            "energy_kwh": 2000,
            "market": "AIB",
            "technology": "wind",
        },
        {**shared, "type": "contract", "kind": "PPA", "energy_kwh": 500_000, "market": "DE", "technology": "solar"}
        | {"pool": "site:fra-1", "reference": "PPA-7", "bought_kwh": 900_000, "document": "ppa.pdf"},
        {"type": "supplier_rate", "kind": "green tariff", "energy_kwh": 120_000, "intensity_g_per_kwh": 180}
        | {"market": "FR", "vintage": 2025, "document": "invoice 12"},
    ]
    rows = [[example.get(name, "") for name in FIELDS] for example in examples]
    answer = HttpResponse(written([list(FIELDS), *rows]), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="wattledger-instruments.csv"'
    return answer


@require_safe
@requires(Action.SEE_ALL_TEAMS)
def instrument(request: HttpRequest, instrument_id: int) -> HttpResponse:
    """Show one instrument, what happened to it, and what may be done."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    return instrument_page(request, position_of(identity, instrument_id))


def instrument_page(
    request: HttpRequest, position: Position, *, status: int = 200, **bound: forms.Form
) -> HttpResponse:
    identity: Identity = request.identity  # type: ignore[attr-defined]
    held = position.held
    manage = may(identity, Action.MANAGE_INSTRUMENTS) and held.withdrawn is None
    return render(
        request,
        "reporting/instruments/one.html",
        {
            "title": f"{held.facts.kind} {vintage_name(held.facts.vintage_start, held.facts.vintage_end)}",
            "crumbs": [(_("Electricity"), reverse("instruments")), (str(held.facts), "")],
            "position": position,
            "row": position_row(position),
            "may_manage": manage,
            "retire_form": bound.get("retire_form") or RetireForm()
            if manage and held.facts.type == InstrumentType.CERTIFICATE and held.retired is None
            else None,
            "hours_form": bound.get("hours_form") or FileForm() if manage and not held.has_hours else None,
            "withdraw_form": bound.get("withdraw_form") or WithdrawForm(),
        },
        status=status,
    )


def position_of(identity: Identity, instrument_id: int) -> Position:
    """Find an instrument with its use. Raises Http404."""
    found = electricity(identity.organization_id, None, today=today())
    for position in found.positions:
        if position.held.facts.id == instrument_id:
            return position
    raise Http404


@requires(Action.MANAGE_INSTRUMENTS)
@require_POST
def retire(request: HttpRequest, instrument_id: int) -> HttpResponse:
    """Note that certificates were retired."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    position = position_of(identity, instrument_id)
    form = RetireForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data | {"retired_on": form.cleaned_data["retired_on"].isoformat()}
        try:
            services.retire_instrument(
                organization_id=identity.organization_id, instrument_id=instrument_id, today=today(), **given
            )
        except services.EntryError as error:
            show_faults(form, error.faults)
        except services.InstrumentError as error:
            form.add_error(None, str(error))
        else:
            return done(
                request, identity, instrument_id, _("The retirement is entered; figures follow within seconds.")
            )
    return instrument_page(request, position, status=400, retire_form=form)


@requires(Action.MANAGE_INSTRUMENTS)
@require_POST
def hours(request: HttpRequest, instrument_id: int) -> HttpResponse:
    """Enter when an instrument's electricity was generated, from a CSV file of hour and kWh."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    position = position_of(identity, instrument_id)
    form = FileForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            services.add_instrument_hours(
                organization_id=identity.organization_id,
                instrument_id=instrument_id,
                rows=hours_in(form.cleaned_data["file"]),
            )
        except services.EntryError as error:
            for fault in error.faults[:20]:
                form.add_error("file", _("Line {row}: {reason}").format(row=fault.row, reason=fault.reason))
        except (services.InstrumentError, ValueError) as error:
            form.add_error("file", str(error))
        else:
            return done(request, identity, instrument_id, _("The hours are entered."))
    return instrument_page(request, position, status=400, hours_form=form)


def hours_in(content: bytes) -> list[tuple[str, str]]:
    """Read a CSV of hour and kWh. Raises ValueError for another header or text."""
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(_("The file is no CSV in UTF-8: {error}.").format(error=error)) from error
    if reader.fieldnames is None or not {"hour", "energy_kwh"} <= set(reader.fieldnames):
        raise ValueError(_("The file needs the columns hour and energy_kwh."))
    return [(row["hour"] or "", row["energy_kwh"] or "") for row in rows]


@requires(Action.MANAGE_INSTRUMENTS)
@require_POST
def withdraw(request: HttpRequest, instrument_id: int) -> HttpResponse:
    """Take an instrument out of every figure."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    position = position_of(identity, instrument_id)
    form = WithdrawForm(request.POST)
    if form.is_valid():
        try:
            services.withdraw_instrument(
                organization_id=identity.organization_id, instrument_id=instrument_id, **form.cleaned_data
            )
        except services.InstrumentError as error:
            form.add_error(None, str(error))
        else:
            return done(
                request, identity, instrument_id, _("The instrument is withdrawn; figures follow within seconds.")
            )
    return instrument_page(request, position, status=400, withdraw_form=form)


def done(request: HttpRequest, identity: Identity, instrument_id: int, text: str) -> HttpResponse:
    wake_after_commit(identity.organization_id)
    messages.success(request, text)
    return redirect("instrument", instrument_id)


@requires(Action.MANAGE_INSTRUMENTS)
@require_POST
def markets(request: HttpRequest) -> HttpResponse:
    """Say which countries form one market."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    form = MarketsForm(request.POST)
    if form.is_valid():
        try:
            services.set_markets(organization_id=identity.organization_id, own=form.own())
        except services.MarketsError as error:
            form.add_error("markets", str(error))
        else:
            wake_after_commit(identity.organization_id)
            messages.success(request, _("The markets are set; figures follow within seconds."))
            return redirect("instruments")
    found = electricity(identity.organization_id, None, today=today())
    context = list_context(request, identity, found, markets_form=form)
    return render(request, "reporting/instruments/list.html", context, status=400)
