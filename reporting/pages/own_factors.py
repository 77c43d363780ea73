"""Own factors: numbers that the organization knows better than the published tables, with where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from core.accounting import services
from core.accounting.selectors.own_factors import series_that_fit
from core.catalog.selectors import sites
from core.factors.models import OwnFactor
from core.factors.own import OwnFactorError
from core.organizations.access import requires
from core.organizations.policy import Action, may
from core.quantification.overrides import UNITS
from core.quantification.own_factors import SELECTORS
from core.suggesting import Suggesting

NAMES: Final = {
    "pue": _("PUE"),
    "wue_l_per_kwh": _("Water use per IT energy (WUE)"),
    "grid_g_co2e_per_kwh": _("Grid, location-based"),
    "market_g_co2e_per_kwh": _("Supplier or contract, market-based"),
    "grid_loss_fraction": _("Grid losses, share of generation"),
    "grid_water_l_per_kwh": _("Water of electricity generation"),
    "device_tdp_w": _("Power of a device at full load"),
    "device_idle_w": _("Power of an idle device"),
    "embodied_kg_co2e": _("Embodied emissions of a device with its share of the server"),
    "lifetime_h": _("Hours in the life of a device"),
    "model_active_params_b": _("Active parameters of a model"),
    "model_total_params_b": _("All parameters of a model"),
    "seat_it_kwh": _("IT energy of a seat"),
    "seat_kg_co2e": _("Emissions of a seat"),
    "spend_kg_co2e": _("Emissions of spend"),
}
"""Every override in words."""

WHERE: Final = {
    "site": _("Site"),
    "zone": _("Grid zone or country"),
    "hosting": _("Hosting"),
    "provider": _("Provider"),
    "region": _("Region"),
    "model": _("Model"),
    "hardware": _("Hardware"),
    "instance_type": _("Instance type"),
    "application": _("Application"),
    "currency": _("Currency"),
}


FIRST: Final = ("site", "zone", "provider", "model", "hardware")
"""The conditions that are shown first."""


class OwnFactorForm(forms.Form):
    """A number, what it is about, since when, and where it comes from."""

    name = forms.ChoiceField(label=_("Factor"), choices=lambda: [(name, _in_words(name)) for name in NAMES])
    value = forms.FloatField(label=_("Value"))
    low = forms.FloatField(label=_("Low"), required=False, help_text=_("Interval of 95 %; both ends or neither."))
    high = forms.FloatField(label=_("High"), required=False)
    source = forms.CharField(
        label=_("Source"),
        max_length=500,
        help_text=_("Document, meter or contract, so that an auditor finds it."),
    )
    first_day = forms.DateField(
        label=_("First day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("UTC; empty: always."),
    )
    last_day = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("Empty: until further notice."),
    )

    def __init__(self, *args: Any, site_names: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for selector, label in WHERE.items():
            widget = Suggesting(site_names) if selector == "site" else None
            self.fields[f"where_{selector}"] = forms.CharField(
                label=label, max_length=200, required=False, widget=widget
            )

    @property
    def number(self) -> list[forms.BoundField]:
        """The fields of the number itself."""
        return [field for field in self if not field.name.startswith("where_")]

    @property
    def conditions(self) -> list[forms.BoundField]:
        """The fields that say what it is about, those that most factors need."""
        return [self[f"where_{selector}"] for selector in FIRST]

    @property
    def more_conditions(self) -> list[forms.BoundField]:
        """The others."""
        return [self[f"where_{selector}"] for selector in WHERE if selector not in FIRST]

    @property
    def more_given(self) -> bool:
        """Say whether one of the others is filled in or refused, and has to be seen."""
        return any(field.value() or field.errors for field in self.more_conditions)

    def factor(self) -> dict[str, Any]:
        """What the service takes."""
        given = self.cleaned_data
        last = given["last_day"]
        return {
            **{name: given[name] for name in ("name", "value", "low", "high", "source")},
            "where": {selector: given[f"where_{selector}"] for selector in WHERE},
            "valid_from": given["first_day"],
            "valid_to": None if last is None else last + timedelta(days=1),
        }


def _in_words(name: str) -> str:
    unit = UNITS[name][1]
    return str(NAMES[name]) if unit == "1" else f"{NAMES[name]}, {unit}"


FIELDS: Final = {"valid_from": "first_day", "valid_to": "last_day"}
"""What a refusal calls a field that the form calls otherwise."""


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Action.SEE_OWN_TEAM)
def own_factors(request: HttpRequest) -> HttpResponse:
    """List the organization's own factors and, for those who may, enter another."""
    if request.method == "POST":
        return add(request)
    return _page(request, OwnFactorForm(site_names=_site_names(request)))


@requires(Action.MANAGE_FACTORS)
def add(request: HttpRequest) -> HttpResponse:
    """Enter a factor; the figures of its days follow."""
    form = OwnFactorForm(request.POST, site_names=_site_names(request))
    if form.is_valid():
        try:
            factor = services.add_own_factor(organization_id=_organization(request), **form.factor())
        except OwnFactorError as error:
            name = FIELDS.get(error.field, error.field)
            text = str(error).removeprefix(f"{form.cleaned_data['name']}: ")  # the field is named beside it
            form.add_error(name if name in form.fields else None, f"{text[:1].upper()}{text[1:]}")
        else:
            if series_that_fit(_organization(request), factor):
                messages.success(request, _("The factor is entered; the figures of its days follow within a minute."))
            else:
                messages.warning(request, _("The factor is entered, but no record so far fits it: check the names."))
            return redirect("own_factors")
    return _page(request, form, status=400)


@require_POST
@requires(Action.MANAGE_FACTORS)
def end_own_factor(request: HttpRequest, factor_id: int) -> HttpResponse:
    """Let a factor hold only until a day, or take it back with a reason."""
    try:
        if request.POST.get("reason", "").strip():
            services.remove_own_factor(
                organization_id=_organization(request), factor_id=factor_id, reason=request.POST["reason"]
            )
            messages.success(request, _("The factor is taken back; the figures of its days follow within a minute."))
        else:
            last = date.fromisoformat(request.POST.get("last_day", ""))
            services.end_own_factor(
                organization_id=_organization(request), factor_id=factor_id, valid_to=last + timedelta(days=1)
            )
            messages.success(request, _("The factor ends; the figures of the days after it follow within a minute."))
    except OwnFactorError as error:
        messages.error(request, str(error))
    except ValueError:
        messages.error(request, _("Give the factor's last day, or the reason for taking it back."))
    return redirect("own_factors")


def _page(request: HttpRequest, form: OwnFactorForm, *, status: int = 200) -> HttpResponse:
    editable = may(request.identity, Action.MANAGE_FACTORS)  # type: ignore[attr-defined]
    rows = OwnFactor.objects.filter(organization_id=_organization(request)).order_by("name", "valid_from", "id")
    context = {
        "title": _("Own factors"),
        "factors": [_described(row) for row in rows],
        "form": form if editable else None,
    }
    return render(request, "reporting/own_factors.html", context, status=status)


def _described(factor: OwnFactor) -> dict[str, Any]:
    return {
        "id": factor.id,
        "label": NAMES[factor.name],
        "value": factor.value,
        "low": factor.low if factor.low < factor.high else None,
        "high": factor.high,
        "unit": factor.unit,
        "where": [(WHERE[selector], factor.where[selector]) for selector in SELECTORS if selector in factor.where],
        "first_day": factor.valid_from,
        "last_day": factor.valid_to - timedelta(days=1) if factor.valid_to else None,
        "source": factor.source,
    }


def _site_names(request: HttpRequest) -> list[str]:
    return [site.slug for site in sites(_organization(request))]


def _organization(request: HttpRequest) -> int:
    return int(request.identity.organization_id)  # type: ignore[attr-defined]
