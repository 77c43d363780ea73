"""Electricity: what each market consumed, what covers it, and the ledger of contractual instruments."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, timedelta
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.accounting import services
from core.accounting.selectors.hourly_match import MarketHours, hourly_match
from core.accounting.tasks import wake_after_commit
from core.factors.instrument_selectors import markets_of
from core.factors.models import InstrumentType
from core.organizations.access import requires
from core.organizations.identity import Identity
from core.organizations.policy import Action, may
from core.quantification.electricity_markets import DEFAULTS
from core.quantification.instrument_entry import FIELDS, Fault, read_csv
from reporting import figures
from reporting.disclosures.csv_tables import written
from reporting.pages.asked import today
from reporting.selectors.electricity import Electricity, Position, electricity
from reporting.visibility import whole_organization

MOST_BYTES: Final = 5_000_000
TONES: Final = {"used": "good", "partly_used": "good", "counted": "good", "refused": "bad", "unused": "warn"}
_MONTH: Final = re.compile(r"(\d{4})(?:-(0[1-9]|1[0-2]))?")


class InstrumentForm(forms.Form):
    """An instrument as its document says it."""

    type = forms.ChoiceField(label=gettext_lazy("Type"), choices=InstrumentType.choices)
    kind = forms.CharField(
        label=gettext_lazy("Kind"), required=False, max_length=100, help_text=gettext_lazy("GO, REC, I-REC, PPA, …")
    )
    energy_kwh = forms.CharField(label=gettext_lazy("Volume, kWh"), max_length=40)
    intensity_g_per_kwh = forms.CharField(
        label=gettext_lazy("Intensity, g CO2e per kWh"),
        initial="0",
        max_length=40,
        help_text=gettext_lazy("The emission rate that the instrument conveys."),
    )
    market = forms.CharField(
        label=gettext_lazy("Market"),
        max_length=60,
        help_text=gettext_lazy("A market such as AIB, or a country such as US."),
    )
    vintage = forms.CharField(
        label=gettext_lazy("Vintage"),
        max_length=60,
        help_text=gettext_lazy("When it was generated: 2026, 2026-07, or 2026-01-01/2026-06-30."),
    )
    carbon_free = forms.ChoiceField(
        label=gettext_lazy("Carbon-free"),
        choices=[("yes", gettext_lazy("yes")), ("no", gettext_lazy("no"))],
        help_text=gettext_lazy("Counts in the 24/7 score."),
    )
    technology = forms.CharField(
        label=gettext_lazy("Technology"),
        required=False,
        max_length=100,
        help_text=gettext_lazy("wind, solar, hydro, …"),
    )
    pool = forms.CharField(
        label=gettext_lazy("Assigned to"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("Empty: the whole market. Else site:, project:, team: or hosting: and its name."),
    )
    reference = forms.CharField(label=gettext_lazy("Contract or delivery number"), required=False, max_length=200)
    bought_kwh = forms.CharField(
        label=gettext_lazy("Bought under this number, kWh"),
        required=False,
        max_length=40,
        help_text=gettext_lazy("Where this is a part of it; all parts of a year together may not exceed it."),
    )
    retired_on = forms.DateField(
        label=gettext_lazy("Retired on"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("Certificates count once they are retired; this can be added later."),
    )
    registry = forms.CharField(label=gettext_lazy("Registry"), required=False, max_length=200)
    serial_first = forms.CharField(label=gettext_lazy("First serial number"), required=False, max_length=200)
    serial_last = forms.CharField(label=gettext_lazy("Last serial number"), required=False, max_length=200)
    document = forms.CharField(
        label=gettext_lazy("Source document"),
        required=False,
        max_length=500,
        help_text=gettext_lazy("Where the evidence lies, such as the retirement statement."),
    )


class RetireForm(forms.Form):
    """When and where certificates were retired."""

    retired_on = forms.DateField(label=gettext_lazy("Retired on"), widget=forms.DateInput(attrs={"type": "date"}))
    registry = forms.CharField(label=gettext_lazy("Registry"), max_length=200)
    serial_first = forms.CharField(label=gettext_lazy("First serial number"), max_length=200)
    serial_last = forms.CharField(label=gettext_lazy("Last serial number"), required=False, max_length=200)


class WithdrawForm(forms.Form):
    """Why an instrument no longer counts."""

    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=500)


class FileForm(forms.Form):
    """A CSV file."""

    file = forms.FileField(label=gettext_lazy("CSV file"))

    def clean_file(self) -> bytes:
        """Read it. Refuses what is larger than any list of instruments or hours."""
        file = self.cleaned_data["file"]
        if file.size > MOST_BYTES:
            raise forms.ValidationError(_("The file is larger than 5 MB."))
        content: bytes = file.read()
        return content


class MarketsForm(forms.Form):
    """Own markets, one a line."""

    markets = forms.CharField(
        label=gettext_lazy("Own markets"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy(
            "One a line: a name, “=”, and its countries or grid zones, such as “North America = US, CA”."
        ),
    )

    def own(self) -> dict[str, list[str]]:
        """Read the lines. Raises MarketsError for a line without a name."""
        found: dict[str, list[str]] = {}
        for line in self.cleaned_data["markets"].splitlines():
            if line.strip():
                name, equals, places = line.partition("=")
                if not equals or name.strip() in found:
                    raise services.MarketsError(_("Each line is a new name, “=”, and places: {line}").format(line=line))
                found[name.strip()] = [place for place in re.split(r"[,\s]+", places.upper()) if place]
        return found


@require_safe
@requires(Action.SEE_ALL_TEAMS)
def instruments(request: HttpRequest) -> HttpResponse:
    """Show a year's electricity by market, and every instrument."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    whole_organization(identity)
    text = request.GET.get("year", "")
    year = int(text) if re.fullmatch(r"(19|20)\d\d", text) else None
    found = electricity(identity.organization_id, year, today=today())
    return render(request, "reporting/instruments/list.html", list_context(request, identity, found))


def list_context(
    request: HttpRequest, identity: Identity, found: Electricity, markets_form: MarketsForm | None = None
) -> dict[str, Any]:
    own = markets_of(identity.organization_id)
    lines = [f"{name} = {', '.join(places)}" for name, places in own.members.items() if name not in DEFAULTS]
    rows = [*found.markets, *found.pools]
    energy = figures.scale_for("energy", [row.consumption_kwh for row in rows])
    mass = figures.scale_for("mass", [kg for row in rows for kg in (row.location_kg, row.market_kg)])
    largest = max((row.consumption_kwh for row in found.markets), default=0.0)
    return {
        "title": _("Electricity"),
        "found": found,
        "total": found.total,
        "years": [(each, f"?year={each}", each == found.year) for each in found.years],
        "energy_unit": energy.unit,
        "mass_unit": mass.unit,
        "markets": [
            {
                "row": row,
                "name": row.pool or row.market or _("Own market factor, or place not known"),
                "within": row.market if row.pool else "",
                "consumption": figures.number(row.consumption_kwh, energy),
                "covered": figures.number(row.covered_kwh, energy),
                "uncovered": figures.number(row.uncovered_kwh, energy),
                "location": figures.number(row.location_kg, mass),
                "market": figures.number(row.market_kg, mass),
                "width": row.consumption_kwh / largest if largest else 0.0,
                "covered_width": row.covered_kwh / largest if largest else 0.0,
            }
            for row in rows
        ],
        "positions": [position_row(each, found.year) for each in found.positions],
        "matches": match_card(request, identity, found),
        "may_manage": may(identity, Action.MANAGE_INSTRUMENTS),
        "own_markets": [(name, ", ".join(places)) for name, places in own.members.items()],
        "markets_form": markets_form or MarketsForm(initial={"markets": "\n".join(lines)}),
    }


def position_row(position: Position, year: int) -> dict[str, Any]:
    """Show an instrument in a line."""
    facts = position.held.facts
    volume = float(facts.energy_kwh)
    scale = figures.scale_for("energy", [volume])
    return {
        "facts": facts,
        "market": position.held.market or facts.market,
        "vintage": vintage_name(facts.vintage_start, facts.vintage_end),
        "volume": figures.quantity(volume, "energy", scale=scale),
        "used": figures.quantity(position.used_kwh, "energy", scale=scale),
        "left": figures.quantity(position.left_kwh, "energy", scale=scale),
        "state": state_name(position.state),
        "tone": TONES.get(position.state, ""),
        "reasons": ", ".join(reason_name(reason) for reason in position.refused),
        "of_year": facts.vintage_start.year == year,
    }


def vintage_name(start: date, end: date) -> str:
    """
    Name a vintage: its year, its month, or its days.

    >>> vintage_name(date(2026, 1, 1), date(2027, 1, 1)), vintage_name(date(2026, 7, 1), date(2026, 8, 1))
    ('2026', '2026-07')
    """
    last = end - timedelta(days=1)
    if (start.month, start.day, last.month, last.day) == (1, 1, 12, 31):
        return str(start.year)
    if start.day == 1 and end.day == 1 and (last.year, last.month) == (start.year, start.month):
        return f"{start:%Y-%m}"
    return f"{start} – {last}"


def state_name(state: str) -> str:
    """Say how an instrument stands."""
    names = {
        "used": _("used"),
        "partly_used": _("partly used"),
        "unused": _("unused"),
        "counted": _("counts"),
        "refused": _("refused"),
        "withdrawn": _("withdrawn"),
    }
    return names[state]


def reason_name(reason: str) -> str:
    """Say why an instrument does not count."""
    names = {
        "not_retired": _("not retired"),
        "market": _("nothing consumed in its market"),
        "vintage": _("nothing consumed in the year of its vintage"),
        "pool": _("nothing consumed where it is assigned to"),
    }
    return names[reason]


def match_card(request: HttpRequest, identity: Identity, found: Electricity) -> dict[str, Any] | None:
    """Match a month, or the year, by the hour; None where no instrument of the year has hours."""
    timed = [each.held for each in found.positions if each.held.has_hours and each.held.withdrawn is None]
    if not any(held.facts.vintage_start.year == found.year for held in timed):
        return None
    chosen = _MONTH.fullmatch(request.GET.get("hours", "")) or _MONTH.fullmatch(latest_month(found.year))
    if chosen is None or int(chosen[1]) != found.year:
        chosen = _MONTH.fullmatch(latest_month(found.year))
    assert chosen is not None  # noqa: S101  # latest_month always is one
    first = date(found.year, int(chosen[2] or 1), 1)
    last = date(found.year, 12, 31) if chosen[2] is None else month_end(first)
    last = max(first, min(last, today()))
    rows = hourly_match(identity.organization_id, first, last)
    months = [f"{found.year}-{number:02}" for number in range(1, 13) if date(found.year, number, 1) <= today()]
    return {
        "period": chosen[0],
        "choices": [
            (each, f"?year={found.year}&hours={each}", each == chosen[0]) for each in [str(found.year), *months]
        ],
        "rows": [match_row(row) for row in rows],
    }


def latest_month(year: int) -> str:
    """Name the latest complete month of a year, its first where none is complete yet."""
    before = today().replace(day=1) - timedelta(days=1)
    return f"{year}-12" if before.year > year else f"{year}-{before.month if before.year == year else 1:02}"


def month_end(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)


def match_row(row: MarketHours) -> dict[str, Any]:
    """Show a market's match."""
    return {
        "market": row.market,
        "score": row.match.cfe_score,
        "annual": row.match.annual_match_ratio,
        "load": row.load_kwh,
        "matched": row.match.matched_kwh,
        "excess": row.contracted_kwh - row.match.matched_kwh,
        "hourly_kg": row.match.market_hourly_kg,
        "annual_kg": row.match.market_annual_kg,
    }


@requires(Action.MANAGE_INSTRUMENTS)
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Enter an instrument, or one that corrects another."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    corrected = position_of(identity, int(text)) if (text := request.GET.get("corrects", "")).isdigit() else None
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


def add_page(request: HttpRequest, form: forms.Form, corrected: Position | None, *, status: int = 200) -> HttpResponse:
    context = {
        "title": _("Correct an instrument") if corrected else _("Add an instrument"),
        "form": form,
        "file_form": FileForm(prefix="many"),
        "corrected": corrected,
        "fields": ",".join(FIELDS),
    }
    return render(request, "reporting/instruments/add.html", context, status=status)


def show_faults(form: forms.Form, faults: list[Fault]) -> None:
    """Put each fault beside its field."""
    for fault in faults:
        form.add_error(fault.field if fault.field in form.fields else None, fault.reason)


def initial_of(position: Position) -> dict[str, Any]:
    """Fill the form in as the instrument stands."""
    facts, retired = position.held.facts, position.held.retired
    return {
        "type": facts.type,
        "kind": facts.kind,
        "energy_kwh": f"{facts.energy_kwh.normalize():f}",
        "intensity_g_per_kwh": f"{facts.intensity_g_per_kwh:g}",
        "market": facts.market,
        "vintage": vintage_name(facts.vintage_start, facts.vintage_end).replace(" – ", "/"),
        "carbon_free": "yes" if facts.carbon_free else "no",
        "technology": facts.technology,
        "pool": facts.pool,
        "reference": facts.reference,
        "bought_kwh": "" if facts.bought_kwh is None else f"{facts.bought_kwh.normalize():f}",
        "document": facts.document,
        "retired_on": retired.retired_on if retired else None,
        "registry": retired.registry if retired else "",
        "serial_first": retired.serial_first if retired else "",
        "serial_last": retired.serial_last if retired else "",
    }


@requires(Action.MANAGE_INSTRUMENTS)
@require_POST
def import_file(request: HttpRequest) -> HttpResponse:
    """Enter all instruments of a CSV file, or none with every fault."""
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
    context = {
        "title": _("Add an instrument"),
        "form": InstrumentForm(),
        "file_form": form,
        "faults": faults,
        "fields": ",".join(FIELDS),
    }
    return render(request, "reporting/instruments/add.html", context, status=400)


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
    whole_organization(identity)
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
            "row": position_row(position, held.facts.vintage_start.year),
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
