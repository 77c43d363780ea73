"""Sites and assets: halls, what their meters show, and what was burnt, topped up, bought and retired."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.accounting import services
from core.accounting.selectors.register import tables_of
from core.catalog import selectors
from core.catalog.entries import (
    KINDS,
    NUMBERS,
    TEMPLATE,
    WITHDRAWAL,
    Entry,
    Fault,
    UnreadableFile,
    rows_of_csv,
    template_csv,
)
from core.catalog.entry_rows import TREATMENTS
from core.catalog.models import RegisterEntry, Site, SiteKind
from core.catalog.services import RegisterRefused, SiteError
from core.organizations.access import requires
from core.organizations.policy import Action, may
from core.organizations.selectors import consolidation_of
from core.quantification.scope1 import fuels
from reporting.pages.asked import today, view_of
from reporting.selectors.sites import entries_of, months_of, years_of

MOST_BYTES: Final = 2 * 1024 * 1024
MOST_SHOWN: Final = 50
LABELS: Final = {
    "facility_kwh": gettext_lazy("Facility, kWh"),
    "it_kwh": gettext_lazy("IT, kWh"),
    "water_l": gettext_lazy("Water, L"),
    "generated_used_kwh": gettext_lazy("Used on site, kWh"),
    "generated_exported_kwh": gettext_lazy("Exported, kWh"),
    "heat_reused_kwh": gettext_lazy("Heat, kWh"),
    "fuel": gettext_lazy("Fuel"),
    "fuel_l": gettext_lazy("Quantity, L"),
    "fuel_m3": gettext_lazy("or m³"),
    "fuel_kg": gettext_lazy("or kg"),
    "fuel_kwh": gettext_lazy("or kWh, gross calorific"),
    "gas": gettext_lazy("Gas"),
    "gas_kg": gettext_lazy("Topped up, kg"),
    "hardware": gettext_lazy("Hardware"),
    "count": gettext_lazy("Units"),
    "mass_kg": gettext_lazy("Mass of all units, kg"),
    "treatment": gettext_lazy("Treatment"),
}
HINTS: Final = {
    "it_kwh": gettext_lazy("At the racks, after the losses of power and cooling. Gives the PUE."),
    "gas": gettext_lazy("Such as R-134a, R-410A or HFC-32."),
    "hardware": gettext_lazy("As the factor tables name it, or “server” for one without accelerators."),
}


class SiteForm(forms.Form):
    """What a site is and who controls what runs there."""

    slug = forms.SlugField(
        label=gettext_lazy("Name in records"),
        max_length=64,
        help_text=gettext_lazy("As records say it in “site”."),
        error_messages={"invalid": gettext_lazy("Small letters, digits and hyphens, such as fra-1.")},
    )
    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
    country = forms.RegexField(
        "^[A-Za-z]{2}$",
        label=gettext_lazy("Country"),
        help_text=gettext_lazy("Two letters of ISO 3166-1, such as DE."),
        error_messages={"invalid": gettext_lazy("Two letters of ISO 3166-1, such as DE.")},
    )
    zone = forms.CharField(
        label=gettext_lazy("Grid zone"), max_length=64, help_text=gettext_lazy("A country such as DE, or a finer zone.")
    )
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=SiteKind.choices)
    operational_control = forms.BooleanField(
        label=gettext_lazy("We set the operating policy of the IT"), required=False, initial=True
    )
    financial_control = forms.BooleanField(
        label=gettext_lazy("We take the economic benefit of the IT"), required=False, initial=True
    )

    def clean_country(self) -> str:
        """Write it as the standard does."""
        return str(self.cleaned_data["country"]).upper()


class ConsolidationForm(forms.Form):
    """By which control the organization draws its boundary."""

    approach = forms.ChoiceField(
        label=gettext_lazy("Approach"),
        choices=[
            ("operational_control", gettext_lazy("Operational control")),
            ("financial_control", gettext_lazy("Financial control")),
        ],
        help_text=gettext_lazy(
            "Sites without this control are booked as leased assets (scope 3, category 8). A switch re-books;"
            " no figure is computed anew."
        ),
    )


class EntryForm(forms.Form):
    """One entry of one kind; the register itself says what is wrong, in the same words as to files and programs."""

    date = forms.CharField(label=gettext_lazy("Date"))

    def __init__(self, *args: Any, kind: str, fuel_names: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = KINDS[kind]
        form_of_day = {"type": "month" if chosen.monthly else "date"}
        self.fields["date"].label = _("Month") if chosen.monthly else _("Day")
        self.fields["date"].widget = forms.DateInput(attrs=form_of_day)
        choices = {"fuel": fuel_names, "treatment": TREATMENTS}
        for name in chosen.columns:
            about: dict[str, Any] = {"label": LABELS[name], "required": False, "help_text": HINTS.get(name, "")}
            if name in choices:
                self.fields[name] = forms.ChoiceField(
                    **about, choices=[(each, each.replace("_", " ")) for each in choices[name]]
                )
            else:
                numeric = {"inputmode": "decimal"} if name in NUMBERS else {}
                self.fields[name] = forms.CharField(**about, max_length=200, widget=forms.TextInput(attrs=numeric))
            self.fields[name].required = name in chosen.required
        self.fields["source"] = forms.CharField(
            label=_("Source"),
            max_length=500,
            help_text=_("An invoice, a meter, a delivery note: so that an auditor finds it."),
        )
        self.fields["replaces"] = forms.CharField(required=False, widget=forms.HiddenInput())
        self.fields["kind"] = forms.CharField(initial=kind, widget=forms.HiddenInput())


class WithdrawalForm(forms.Form):
    """Why an entry no longer stands."""

    kind = forms.CharField(initial=WITHDRAWAL, widget=forms.HiddenInput())
    replaces = forms.CharField(widget=forms.HiddenInput())
    source = forms.CharField(label=gettext_lazy("Because"), max_length=500)


class UploadForm(forms.Form):
    """A file of the template."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        help_text=gettext_lazy("Of the template; nothing is written before you have seen it."),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.SEE_PERIODS)
def sites(request: HttpRequest) -> HttpResponse:
    """List the sites and, for those who may, name another."""
    if request.method == "POST":
        return add_site(request)
    return _sites_page(request, SiteForm())


@requires(Action.MANAGE_SOURCES)
def add_site(request: HttpRequest) -> HttpResponse:
    """Name a site."""
    form = SiteForm(request.POST)
    if form.is_valid():
        try:
            made = services.add_site(organization_id=_organization(request), **form.cleaned_data)
        except SiteError as error:
            form.add_error(error.field, str(error))
        else:
            messages.success(request, _("The site is there; its first entry comes next."))
            return redirect("site", made.slug)
    return _sites_page(request, form, status=400)


@require_POST
@requires(Action.MANAGE_SOURCES)
def consolidation(request: HttpRequest) -> HttpResponse:
    """Choose by which control the boundary is drawn."""
    form = ConsolidationForm(request.POST)
    if not form.is_valid():
        return _sites_page(request, SiteForm(), consolidation_form=form, status=400)
    services.set_consolidation(organization_id=_organization(request), approach=form.cleaned_data["approach"])
    messages.success(
        request, _("The boundary is drawn anew: scopes follow at once, and what instruments cover within a minute.")
    )
    return redirect("sites")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.SEE_PERIODS)
def site(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a site and its register and, for those who may, add an entry to it."""
    if request.method == "POST":
        return add_entry(request, slug)
    return _site_page(request, _site(request, slug))


@requires(Action.MANAGE_SOURCES)
def add_entry(request: HttpRequest, slug: str) -> HttpResponse:
    """Add an entry, correct one, or withdraw one; or change what is said of the site."""
    found = _site(request, slug)
    if "slug" in request.POST:
        return change(request, found)
    kind = request.POST.get("kind", "")
    if kind == WITHDRAWAL:
        return withdraw(request, found)
    if kind not in KINDS:
        return _site_page(request, found, status=400)
    form = _entry_form(request, kind, request.POST)
    if form.is_valid():
        row = {"site": found.slug, **form.cleaned_data}
        try:
            services.add_register_entries(organization_id=_organization(request), rows=[row], today=today())
        except RegisterRefused as error:
            for fault in error.faults:
                form.add_error(fault.field if fault.field in form.fields else None, _said(fault))
        else:
            messages.success(
                request, _("The entry is in the register; figures that follow from it change within a minute.")
            )
            return redirect("site", found.slug)
    return _site_page(request, found, form=form, kind=kind, status=400)


def _said(fault: Fault) -> str:
    """Say what is wrong; where another entry holds the month, lead to its change: the form has no column ``replaces``."""
    if fault.in_the_way is None:
        return fault.reason
    text = _("Entry {number} holds this month already: {link}.")
    link = format_html('<a href="?correct={}#entry">{}</a>', fault.in_the_way, _("change it"))
    return format_html(text, number=fault.in_the_way, link=link)


def withdraw(request: HttpRequest, found: Site) -> HttpResponse:
    """Replace an entry by nothing."""
    row = {
        "site": found.slug,
        "kind": WITHDRAWAL,
        "date": today().isoformat(),
        "source": request.POST.get("source", ""),
        "replaces": request.POST.get("replaces", ""),
    }
    try:
        services.add_register_entries(organization_id=_organization(request), rows=[row], today=today())
    except RegisterRefused as error:
        messages.error(request, " ".join(fault.reason for fault in error.faults))
    else:
        messages.success(request, _("The entry is withdrawn; both it and the withdrawal stay in the register."))
    return redirect("site", found.slug)


def change(request: HttpRequest, found: Site) -> HttpResponse:
    """Change what is said of a site; its name in records stays."""
    form = SiteForm({**request.POST.dict(), "slug": found.slug})
    if form.is_valid():
        given = {name: value for name, value in form.cleaned_data.items() if name != "slug"}
        try:
            services.change_site(organization_id=_organization(request), slug=found.slug, **given)
        except SiteError as error:
            form.add_error(error.field, str(error))
        else:
            messages.success(request, _("The site is changed."))
            return redirect("site", found.slug)
    return _site_page(request, found, site_form=form, status=400)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.MANAGE_SOURCES)
def register_upload(request: HttpRequest) -> HttpResponse:
    """Take a file of the template: first what is wrong or what it says, then, on a click, the entries."""
    if request.method != "POST":
        return _upload_page(request, UploadForm())
    form = UploadForm(request.POST, request.FILES)
    kept = request.POST.get("content")
    if kept is None and not form.is_valid():
        return _upload_page(request, form, status=400)
    content = kept.encode() if kept is not None else _content(form.cleaned_data["file"])
    if content is None or len(content) > MOST_BYTES:
        form.add_error("file", _("The file is larger than 2 MB: send it through the API, or in parts."))
        return _upload_page(request, form, status=400)
    try:
        rows = rows_of_csv(content)
        if kept is not None:
            made = services.add_register_entries(organization_id=_organization(request), rows=rows, today=today())
            messages.success(request, _("{count} entries are in the register.").format(count=len(made)))
            return redirect("sites")
        entries = services.check_register_entries(organization_id=_organization(request), rows=rows, today=today())
    except UnreadableFile as error:
        form.add_error("file", str(error))
        return _upload_page(request, form, status=400)
    except RegisterRefused as error:
        return _upload_page(request, UploadForm(), status=400, faults=error.faults[:200], more=len(error.faults) - 200)
    return _upload_page(request, None, preview=_previewed(entries), content=content.decode("utf-8-sig"))


@require_safe
@requires(Action.SEE_PERIODS)
def register_template(request: HttpRequest) -> HttpResponse:
    """Give the template, with an example of each kind."""
    answer = HttpResponse(template_csv(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="wattledger-register.csv"'
    return answer


def _content(file: UploadedFile[Any]) -> bytes | None:
    return file.read() if (file.size or 0) <= MOST_BYTES else None


def _previewed(entries: list[Entry]) -> dict[str, Any]:
    """Say what a file would add: how many of each kind, and its first rows."""
    counts = Counter(entry.kind for entry in entries)
    shown = [
        (
            entry.site,
            KINDS[entry.kind].label if entry.kind in KINDS else _("Withdrawal"),
            entry.day,
            ", ".join(f"{name} {value}" for name, value in entry.values.items()),
            entry.source,
            entry.replaces,
        )
        for entry in entries[:MOST_SHOWN]
    ]
    labels = [(KINDS[kind].label if kind in KINDS else _("Withdrawal"), count) for kind, count in counts.items()]
    return {"count": len(entries), "counts": labels, "rows": shown, "more": len(entries) - len(shown)}


def _entry_form(request: HttpRequest, kind: str, data: Any = None, initial: dict[str, Any] | None = None) -> EntryForm:
    names = sorted({name for name, _unit in fuels(tables_of(_organization(request)))})
    return EntryForm(data, kind=kind, fuel_names=names, initial=initial)


def _sites_page(
    request: HttpRequest, form: SiteForm, *, consolidation_form: ConsolidationForm | None = None, status: int = 200
) -> HttpResponse:
    organization_id = _organization(request)
    approach = consolidation_of(request.organization)  # type: ignore[attr-defined]
    counts = Counter(selectors.standing_entries(organization_id).values_list("site_id", flat=True))
    context = {
        "title": _("Sites and assets"),
        "sites": [{"site": each, "entries": counts[each.id]} for each in selectors.sites(organization_id)],
        "form": form if may(request.identity, Action.MANAGE_SOURCES) else None,  # type: ignore[attr-defined]
        "consolidation": approach.replace("_", " "),
        "consolidation_form": consolidation_form or ConsolidationForm(initial={"approach": approach}),
    }
    return render(request, "reporting/sites.html", context, status=status)


def _site_page(
    request: HttpRequest,
    found: Site,
    *,
    form: EntryForm | None = None,
    kind: str = "",
    site_form: SiteForm | None = None,
    status: int = 200,
) -> HttpResponse:
    organization_id, view = _organization(request), view_of(request)
    years = years_of(organization_id, found) or [today().year]
    asked = request.GET.get("year", "")
    year = int(asked) if asked.isdecimal() and int(asked) in years else years[0]
    editable = may(request.identity, Action.MANAGE_SOURCES)  # type: ignore[attr-defined]
    corrected = _corrected(request, found) if editable else None
    if corrected is not None and form is None:
        kind, form = corrected.kind, _entry_form(request, corrected.kind, initial=_as_typed(corrected))
    kind = kind or (request.GET.get("add", "") if request.GET.get("add") in KINDS else "meter_reading")
    about = {name: getattr(found, name) for name in SiteForm.base_fields}
    site_form = site_form or SiteForm(initial=about)
    site_form.fields["slug"].widget = forms.HiddenInput()
    months = months_of(organization_id, found, year, view)
    context = {
        "title": found.name,
        "site": found,
        "crumbs": [(_("Sites and assets"), reverse("sites")), (found.name, "")],
        "year": year,
        "years": years,
        "months": months,
        "generates": any(month.generated_kwh is not None for month in months),
        "reuses": any(month.reuse is not None for month in months),
        "entries": entries_of(organization_id, found, year, view),
        "kinds": [(name, each.label, each.gives, name == kind) for name, each in KINDS.items()],
        "kind": kind,
        "kind_label": KINDS[kind].label,
        "corrected": corrected,
        "withdrawal_form": WithdrawalForm(initial={"replaces": corrected.id}, auto_id="withdrawal_%s")
        if corrected
        else None,
        "form": (form or _entry_form(request, kind)) if editable else None,
        "site_form": site_form if editable else None,
    }
    return render(request, "reporting/site.html", context, status=status)


def _corrected(request: HttpRequest, found: Site) -> RegisterEntry | None:
    """Find the entry that the address asks to correct; only one that stands."""
    asked = request.GET.get("correct", "")
    if not asked.isdecimal() or len(asked) > 18:
        return None
    return selectors.standing_entries(_organization(request)).filter(site_id=found.id, id=int(asked)).first()


def _as_typed(entry: RegisterEntry) -> dict[str, Any]:
    """Give an entry as a form shows it."""
    day = f"{entry.day:%Y-%m}" if KINDS[entry.kind].monthly else entry.day.isoformat()
    values = {name: getattr(entry, name) for name in KINDS[entry.kind].columns}
    typed = {
        name: f"{value.normalize():f}" if name in NUMBERS and name != "count" else value
        for name, value in values.items()
        if value is not None
    }
    return {"date": day, "source": entry.source, "replaces": entry.id, **typed}


def _upload_page(request: HttpRequest, form: UploadForm | None, *, status: int = 200, **about: Any) -> HttpResponse:
    context = {
        "title": _("Upload register entries"),
        "crumbs": [(_("Sites and assets"), reverse("sites")), (_("Upload"), "")],
        "form": form,
        "columns": ", ".join(TEMPLATE),
        **about,
    }
    return render(request, "reporting/register_upload.html", context, status=status)


def _site(request: HttpRequest, slug: str) -> Site:
    found = selectors.site_of(_organization(request), slug)
    if found is None:
        raise Http404
    return found


def _organization(request: HttpRequest) -> int:
    return int(request.identity.organization_id)  # type: ignore[attr-defined]
