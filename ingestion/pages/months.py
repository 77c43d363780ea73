"""Typing in a month, for who has no agents: a figure with its range in minutes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from core.organizations.access import requires
from core.organizations.policy import Action
from core.organizations.selectors import team_names
from core.suggesting import Suggesting
from ingestion import typing_in, wake
from ingestion.sources import monthly_totals
from ingestion.typing_in import Line

SPARE_LINES: Final = 2
MOST_LINES: Final = 200
LARGE: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9}
_COUNT: Final = re.compile(r"(\d{1,3}(?:[ ,\u202f']\d{3})+|\d+(?:\.\d+)?)\s*([kmgbKMGB]?)")

SECTIONS: Final[tuple[tuple[str, str | Promise, str | Promise, tuple[str, ...]], ...]] = (
    (
        "models",
        gettext_lazy("Models you call"),
        gettext_lazy("From the vendor's usage page: tokens of the month, by model."),
        ("vendor", "model", "requests", "input_tokens", "output_tokens", "spend", "currency", "country", "team"),
    ),
    (
        "computers",
        gettext_lazy("Your own computers"),
        gettext_lazy("Hours in which laptops, desktops and servers ran models, or the kWh that a plug meter counted."),
        ("hardware", "hours", "energy_kwh", "country", "team"),
    ),
    (
        "seats",
        gettext_lazy("Seats of bought assistants"),
        gettext_lazy("They stay listed as a gap until a figure of the product is known."),
        ("vendor", "product", "seats", "spend", "currency", "team"),
    ),
    (
        "spends",
        gettext_lazy("Other invoices"),
        gettext_lazy("Money of which nothing else is known. The widest of all ranges."),
        ("vendor", "application", "spend", "currency", "team"),
    ),
)
"""Name, heading, what belongs there, columns of the template."""

LABELS: Final = {
    "vendor": gettext_lazy("Vendor"),
    "model": gettext_lazy("Model"),
    "product": gettext_lazy("Product"),
    "application": gettext_lazy("For what"),
    "requests": gettext_lazy("Requests"),
    "input_tokens": gettext_lazy("Input tokens"),
    "output_tokens": gettext_lazy("Output tokens"),
    "seats": gettext_lazy("Seats"),
    "hardware": gettext_lazy("Computer"),
    "hours": gettext_lazy("Hours, all together"),
    "energy_kwh": gettext_lazy("Metered, kWh"),
    "spend": gettext_lazy("Spend"),
    "currency": gettext_lazy("Currency"),
    "country": gettext_lazy("Country"),
    "team": gettext_lazy("Team"),
}
EXAMPLES: Final = {
    "vendor": "openai",
    "model": "gpt-4o-mini",
    "product": "Copilot Business",
    "application": gettext_lazy("transcription"),
    "requests": "12,000",
    "input_tokens": "9.6M",
    "output_tokens": "2.4M",
    "seats": "20",
    "hardware": "Apple M3",
    "hours": "160",
    "energy_kwh": "42",
    "spend": "120.50",
    "currency": "EUR",
    "country": "DE",
    "team": gettext_lazy("if you have any"),
}
"""How each column is written, in the fields of a section's first line."""
KEPT: Final = ("project", "application", "stage")
"""Columns of imported lines that the form does not show, and keeps."""

METHODS: Final = {
    "measured": gettext_lazy("metered energy"),
    "device": gettext_lazy("hours and the device's power"),
    "instance": gettext_lazy("hours and the machine's power"),
    "tokens": gettext_lazy("tokens and the model's size"),
    "seats": gettext_lazy("seats"),
    "spend": gettext_lazy("spend"),
}


class CountField(forms.CharField):
    """A whole number, as people write it: 1,200,000 or 1.2M."""

    def clean(self, value: Any) -> Any:
        """Read it; None where nothing is written."""
        text = super().clean(value).strip()
        if not text:
            return None
        found = _COUNT.fullmatch(text)
        if found is None:
            raise ValidationError(_("Write a whole number, such as 1200000, 1,200,000 or 1.2M."))
        number = float(re.sub(r"[ ,\u202f']", "", found[1])) * LARGE[found[2].lower()]
        if not number.is_integer() or number > 1e15:
            raise ValidationError(_("Write a whole number, such as 1200000, 1,200,000 or 1.2M."))
        return int(number)


class LineForm(forms.Form):
    """
    One line of a section.

    Args:
        columns: of the template.
        known: names to suggest, by column.
    """

    def __init__(self, *args: Any, columns: tuple[str, ...], known: dict[str, list[str]], **more: Any) -> None:
        super().__init__(*args, **more)
        for name in columns:
            self.fields[name] = _field(name, known.get(name, []))
        for name in KEPT:
            if name not in columns:
                self.fields[name] = forms.CharField(required=False, widget=forms.HiddenInput, max_length=200)
        self.shown = columns
        if (self.prefix or "").endswith("-0"):
            for name in columns:
                self.fields[name].widget.attrs["placeholder"] = EXAMPLES[name]

    def line(self) -> Line:
        """Give what is filled in; a line whose fields are emptied is none, whatever an import said beside them."""
        filled = {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}
        return filled if filled.keys() & set(self.shown) else {}


def _field(name: str, known: list[str]) -> forms.Field:
    about: dict[str, Any] = {"label": LABELS[name], "required": False}
    if name in monthly_totals.COUNTS:
        return CountField(widget=forms.TextInput(attrs={"inputmode": "decimal"}), **about)
    if name in monthly_totals.NUMBERS:
        return forms.FloatField(min_value=None if name == "spend" else 0, **about)
    return forms.CharField(max_length=monthly_totals.LONGEST_TEXT, widget=Suggesting(known), **about)


@requires(Action.MANAGE_SOURCES)
@require_http_methods(["GET", "HEAD", "POST"])
def months(request: HttpRequest) -> HttpResponse:
    """Take a month's totals, show what they would come to, and save them."""
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    choices = typing_in.months_over(typing_in.utc_now().date())
    asked = (request.POST if request.method == "POST" else request.GET).get("month", "")
    month = asked if asked in choices else choices[0]
    stored = typing_in.lines_of(organization_id, month)
    sections = list(_sections(request, stored, known_names(organization_id)))
    lines = [line for section in sections for line in section["lines"]]
    valid = all(form.is_valid() for section in sections for form in section["forms"] if form.is_bound)
    worked = typing_in.worked_out(month, lines, typing_in.utc_now()) if lines and valid else None
    if request.method == "POST" and "save" in request.POST and valid and worked is not None and not worked.faults:
        accepted = typing_in.save(request.identity, month, lines)  # type: ignore[attr-defined]
        wake.drain(organization_id)
        messages.success(request, _("Saved. The figures of %(month)s follow within seconds.") % {"month": month})
        return redirect("batch_page", accepted.batch_id)
    context = {
        "title": _("Type in a month"),
        "month": month,
        "months": choices,
        "unknown_month": asked and asked != month,
        "sections": sections,
        "worked": worked,
        "methods": METHODS,
        "stored": len(stored),
        "unreadable": not valid,
        "empty_save": request.method == "POST" and "save" in request.POST and not lines,
    }
    faulty = not valid or bool(worked and worked.faults)
    failed = request.method == "POST" and (faulty or context["empty_save"])
    context["refused"] = failed and faulty and "save" in request.POST
    if request.headers.get("HX-Request") == "true":
        return render(request, "ingestion/partials/month_worked.html", context | {"swapped": True})
    return render(request, "ingestion/months.html", context, status=400 if failed else 200)


def _sections(request: HttpRequest, stored: list[Line], known: dict[str, list[str]]) -> Iterator[dict[str, Any]]:
    """Make the forms of each section: bound where something was sent, else filled with what stands in the month."""
    for name, heading, help_text, columns in SECTIONS:
        mine = [line for line in stored if section_of(line) == name]
        if request.method == "POST":
            sent = request.POST.get(f"{name}-lines", "")
            count = min(int(sent), MOST_LINES) if sent.isdecimal() and len(sent) < 5 else SPARE_LINES
            forms_ = [
                LineForm(request.POST, prefix=f"{name}-{at}", columns=columns, known=known) for at in range(count)
            ]
            lines = [form.line() for form in forms_ if form.is_valid() and form.line()]
            more = SPARE_LINES if request.POST.get("more") == name else 0
        else:
            forms_ = [
                LineForm(prefix=f"{name}-{at}", columns=columns, known=known, initial=line)
                for at, line in enumerate(mine)
            ]
            lines, more = mine, SPARE_LINES if name == "models" else 1
        forms_ += [LineForm(prefix=f"{name}-{len(forms_) + at}", columns=columns, known=known) for at in range(more)]
        yield {"name": name, "heading": heading, "help": help_text, "forms": forms_, "lines": lines}


def section_of(line: Line) -> str:
    """Tell in which section a line of the template stands."""
    if "hours" in line or "energy_kwh" in line:
        return "computers"
    if "seats" in line:
        return "seats"
    return "models" if "model" in line or set(line) & set(monthly_totals.COUNTS) else "spends"


def known_names(organization_id: int) -> dict[str, list[str]]:
    """Give names to suggest: teams, and what the shipped factors know."""
    pack = typing_in.shipped_pack()
    found = {"team": team_names(organization_id), "currency": ["EUR", "USD", "GBP", "CHF"]}
    if pack is not None:
        found["model"] = sorted({str(row["model_name"]) for row in pack.rows("models")})
        found["vendor"] = sorted({str(row["provider"]) for row in pack.rows("models")})
        found["hardware"] = sorted(str(row["name"]) for row in pack.rows("hardware"))
    return found


@requires(Action.SEE_SOURCES)
@require_safe
def template_file(request: HttpRequest) -> HttpResponse:
    """Give the template of monthly totals as CSV: its header alone."""
    answer = HttpResponse(",".join(monthly_totals.TEMPLATE) + "\r\n", content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="wattledger-monthly-totals.csv"'
    return answer
