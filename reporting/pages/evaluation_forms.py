"""The forms of an evaluation: what is compared on, by what criteria, and an offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from core.quantification.activity import HOSTINGS, TIERS
from core.suggesting import Suggesting
from reporting.pages.words import said
from reporting.procurement import criteria as criteria_module
from reporting.procurement import offers as offers_module
from reporting.procurement import workloads
from reporting.procurement.answers import ProcurementError
from reporting.procurement.criteria import CLAIM, COMPUTED, RATING, Criterion
from reporting.procurement.dossier import SUPPLIERS
from reporting.procurement.metrics import METRICS
from reporting.procurement.offers import Offer
from reporting.procurement.sheets import read_prices
from reporting.procurement.words import subject_said
from reporting.procurement.workloads import OWN, TEMPLATES, TYPICAL, Workload

ROWS: Final = 8
NARROWED: Final = {"team": _("Team"), "application": _("Application"), "model": _("Model"), "stage": _("Stage")}
"""What the form narrows an own workload by; other keys of its address are kept as they are."""
AMOUNTS: Final = {
    "requests": _("Requests in a year"),
    "input_tokens": _("Input tokens of a request"),
    "cached_input_tokens": _("of them cached"),
    "output_tokens": _("Output tokens of a request"),
}
OWN_POINTS: Final = "rating"


def _number(label: Any, **options: Any) -> forms.FloatField:
    return forms.FloatField(
        label=label, required=False, min_value=0, widget=forms.NumberInput(attrs={"step": "any"}), **options
    )


class EvaluationForm(forms.Form):
    """
    An evaluation.

    Args:
        names: those of each dimension, to suggest.
        year: of typical workloads unless one is given.
        period: of own ones.
    """

    name = forms.CharField(label=_("Name"), max_length=100)
    note = forms.CharField(label=_("What it is about"), max_length=2_000, required=False)
    kind = forms.ChoiceField(
        label=_("Compared on"),
        choices=[(TYPICAL, _("a typical workload")), (OWN, _("what was recorded in a period"))],
    )
    basis = forms.ChoiceField(
        label=_("Basis"), choices=[("location", _("location-based")), ("market", _("market-based"))]
    )

    def __init__(
        self,
        *args: Any,
        names: Mapping[str, Sequence[str]] | None = None,
        year: int = 2026,
        period: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.workload: Workload | None = None
        self.criteria: tuple[Criterion, ...] = ()
        self.fields["template"] = forms.ChoiceField(
            label=_("Typical workload"), choices=[(name, _now(each.label)) for name, each in TEMPLATES.items()]
        )
        self.fields["year"] = forms.IntegerField(label=_("Factors of the year"), initial=year)
        for name, label in AMOUNTS.items():
            self.fields[f"amount_{name}"] = _number(label)
        self.fields["period"] = forms.CharField(
            label=_("Period"),
            required=False,
            max_length=60,
            initial=period,
            help_text=_("Such as 2026-Q3, 2026-07 or 2026."),
        )
        for name, label in NARROWED.items():
            self.fields[f"only_{name}"] = forms.CharField(
                label=label, required=False, max_length=200, widget=Suggesting((names or {}).get(name, ()))
            )
        self.fields["more"] = forms.CharField(required=False, widget=forms.HiddenInput, max_length=2_000)
        for at in range(1, ROWS + 1):
            self._add_criterion(at)

    def _add_criterion(self, at: int) -> None:
        choices = [
            ("", _now("none")),
            *((name, subject_said(name)) for name in COMPUTED),
            *((CLAIM + name, _now(each.label)) for name, each in METRICS.items()),
            (OWN_POINTS, _now("Points that you give")),
        ]
        self.fields[f"subject_{at}"] = forms.ChoiceField(label=_("Criterion"), choices=choices, required=False)
        self.fields[f"points_{at}"] = forms.CharField(
            label=_("Points for"), required=False, max_length=60, widget=forms.TextInput(attrs={"placeholder": "…"})
        )
        self.fields[f"weight_{at}"] = _number(_("Weight"))
        self.fields[f"at_most_{at}"] = _number(_("Out above"))
        self.fields[f"at_least_{at}"] = _number(_("Out below"))
        self.fields[f"known_{at}"] = forms.BooleanField(label=_("Must be shown"), required=False)

    # --- how the form is drawn ---

    @property
    def head(self) -> list[Any]:
        """Return what is about the whole evaluation."""
        return [self[name] for name in ("name", "note", "kind", "basis")]

    @property
    def typical(self) -> list[Any]:
        """Return the fields of a typical workload."""
        return [self["template"], self["year"], *(self[f"amount_{name}"] for name in AMOUNTS)]

    @property
    def own(self) -> list[Any]:
        """Return the fields of an own workload."""
        return [self["period"], *(self[f"only_{name}"] for name in NARROWED), self["more"]]

    @property
    def rows(self) -> list[list[Any]]:
        """Return the fields of each criterion."""
        names = ("subject", "points", "weight", "at_most", "at_least", "known")
        return [[self[f"{name}_{at}"] for name in names] for at in range(1, ROWS + 1)]

    # --- what was typed ---

    def clean(self) -> dict[str, Any]:
        """Read the workload and the criteria; what cannot be stands beside its field."""
        data: dict[str, Any] = super().clean() or {}
        if self.errors:
            return data
        try:
            self.workload = workloads.from_plain(self._workload(data))
            self.criteria = criteria_module.from_plain(self._criteria(data))
        except ProcurementError as error:
            self.refuse(error)
        return data

    def _workload(self, data: Mapping[str, Any]) -> dict[str, Any]:
        if data["kind"] == OWN:
            chosen = [("period", data["period"]), *((name, data[f"only_{name}"]) for name in NARROWED)]
            query = urlencode([*((name, value) for name, value in chosen if value), *parse_qsl(data["more"])])
            return {"kind": OWN, "query": query, "basis": data["basis"]}
        amounts = {name: data[f"amount_{name}"] for name in AMOUNTS if data[f"amount_{name}"] is not None}
        plain = {"kind": TYPICAL, "template": data["template"], "year": data["year"], "basis": data["basis"]}
        return plain | ({"amounts": amounts} if amounts else {})

    def _criteria(self, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        found = []
        for at in range(1, ROWS + 1):
            subject = data[f"subject_{at}"]
            if not subject:
                continue
            if subject == OWN_POINTS:
                subject = RATING + data[f"points_{at}"]
            row = {"subject": subject, "weight": data[f"weight_{at}"] or 0.0}
            row |= {name: data[f"{name}_{at}"] for name in ("at_most", "at_least") if data[f"{name}_{at}"] is not None}
            if subject.startswith(RATING):
                row["full_at"] = 10.0
            found.append(row | ({"must_be_known": True} if data[f"known_{at}"] else {}))
        return found

    def refuse(self, error: ProcurementError) -> None:
        """Put a refusal beside the field that it is about."""
        kind, _dot, rest = error.field.partition(".")
        name = {"workload": rest.replace("amounts.", "amount_")}.get(kind, error.field)
        if kind == "criteria" and rest:
            given = [at for at in range(1, ROWS + 1) if self.cleaned_data.get(f"subject_{at}")]
            number, _dot, field = rest.partition(".")
            name = f"{field}_{given[int(number) - 1]}" if number.isdigit() and int(number) <= len(given) else ""
        self.add_error(name if name in self.fields else None, str(error))


def initial_of(name: str, note: str, workload: Workload, criteria: Sequence[Criterion]) -> dict[str, Any]:
    """Fill the form with an evaluation that there is."""
    filled: dict[str, Any] = {"name": name, "note": note, "kind": workload.kind, "basis": workload.basis}
    if workload.kind == OWN:
        pairs = parse_qsl(workload.query)
        shown = {"period": "period", **{each: f"only_{each}" for each in NARROWED}}
        once = {each for each in shown if sum(key == each for key, _value in pairs) == 1}
        filled |= {shown[key]: value for key, value in pairs if key in once}
        filled["more"] = urlencode([pair for pair in pairs if pair[0] not in once])
    else:
        filled |= {"template": workload.template, "year": workload.year}
        filled |= {f"amount_{each}": value for each, value in workload.amounts.items()}
    return filled | initial_criteria(criteria)


def initial_criteria(criteria: Sequence[Criterion]) -> dict[str, Any]:
    """Fill the rows of criteria."""
    filled: dict[str, Any] = {}
    for at, each in enumerate(criteria[:ROWS], start=1):
        own = each.subject.startswith(RATING)
        filled |= {
            f"subject_{at}": OWN_POINTS if own else each.subject,
            f"points_{at}": each.name if own else "",
            f"weight_{at}": f"{each.weight:g}",
            f"at_most_{at}": each.at_most,
            f"at_least_{at}": each.at_least,
            f"known_{at}": each.must_be_known,
        }
    return filled


def fits_the_form(criteria: Sequence[Criterion]) -> bool:
    """Tell whether the form can show all of it without loss."""
    usual = all(not each.boundary and each.full_at in (None, 10.0) for each in criteria)
    natural = all(
        each.better == criteria_module.from_plain([{"subject": each.subject, "weight": 1.0}])[0].better
        for each in criteria
    )
    return len(criteria) <= ROWS and usual and natural


class OfferForm(forms.Form):
    """
    An offer.

    Args:
        rated: names of the criteria that people give points for.
        names: of each dimension, to suggest.
    """

    name = forms.CharField(label=_("Name of the offer"), max_length=100)
    supplier = forms.CharField(
        label=_("Provider whose dossier is looked at"), max_length=60, required=False, widget=Suggesting(SUPPLIERS)
    )
    provider = forms.CharField(
        label=_("Provider"), max_length=60, required=False, help_text=_("A slug, such as aws, azure, gcp or mistral.")
    )
    region = forms.CharField(
        label=_("Region"), max_length=64, required=False, help_text=_("By the provider's own code.")
    )
    zone = forms.CharField(
        label=_("Grid zone"),
        max_length=64,
        required=False,
        help_text=_("In place of a region, such as FR; for providers that are not in the catalog."),
    )
    model = forms.CharField(label=_("Model"), max_length=200, required=False)
    hardware = forms.CharField(label=_("Hardware"), max_length=200, required=False)
    instance_type = forms.CharField(label=_("Instance type"), max_length=200, required=False)
    pue = _number(_("PUE that it promises"))
    market_g_co2e_per_kwh = _number(_("Contract for electricity, g CO2e/kWh"))
    source = forms.CharField(label=_("Where these numbers stand"), max_length=100, required=False)
    note = forms.CharField(label=_("Note"), max_length=2_000, required=False)
    prices = forms.FileField(
        label=_("Price sheet"),
        required=False,
        help_text=_("CSV or XLSX with the columns unit, per, price and currency; it replaces the one that there is."),
    )

    def __init__(
        self,
        *args: Any,
        rated: Sequence[str] = (),
        names: Mapping[str, Sequence[str]] | None = None,
        before: Offer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.rated, self.before = list(rated), before
        self.offer: Offer | None = None
        for name in ("provider", "region", "model", "hardware", "instance_type"):
            self.fields[name].widget = Suggesting((names or {}).get(name, ()), {"maxlength": 200})
        for name, values, label in (("hosting", HOSTINGS, _("Hosting")), ("tier", TIERS, _("Service level"))):
            choices = [("", _now("as it is")), *((each, said(name, each)) for each in values)]
            self.fields[name] = forms.ChoiceField(label=label, choices=choices, required=False)
        for at, each in enumerate(self.rated, start=1):
            for end, text in (("", each), ("_low", _now("at least")), ("_high", _now("at most"))):
                self.fields[f"rating_{at}{end}"] = _number(text)

    @property
    def terms(self) -> list[Any]:
        """Return the fields of who and where."""
        return [self[name] for name in ("name", "supplier", "provider", "region", "zone", "model", "hardware")]

    @property
    def more(self) -> list[Any]:
        """Return the fields that few offers need."""
        names = ("instance_type", "hosting", "tier", "pue", "market_g_co2e_per_kwh", "source", "note")
        return [self[name] for name in names]

    @property
    def more_given(self) -> bool:
        """Tell whether any of them says something."""
        return any(field.value() for field in self.more) or any(field.errors for field in self.more)

    @property
    def ratings(self) -> list[list[Any]]:
        """Return the fields of each criterion that people give points for."""
        return [[self[f"rating_{at}{end}"] for end in ("", "_low", "_high")] for at in range(1, len(self.rated) + 1)]

    def clean(self) -> dict[str, Any]:
        """Read the offer and its price sheet; what cannot be stands beside its field."""
        data: dict[str, Any] = super().clean() or {}
        if self.errors:
            return data
        plain: dict[str, Any] = {name: data[name] for name in ("name", "supplier", "source", "note")}
        sets = ("provider", "region", "zone", "model", "hardware", "instance_type", "hosting", "tier")
        plain |= {name: data[name].strip() for name in sets if data[name]}
        plain["factors"] = {name: data[name] for name in offers_module.FACTORS if data[name] is not None}
        plain["ratings"] = self._ratings(data)
        plain["prices"] = offers_module.as_plain(self.before).get("prices", []) if self.before else []
        try:
            if data.get("prices"):
                plain["prices"] = [
                    {"unit": each.unit, "per": each.per, "price": each.price, "currency": each.currency}
                    for each in read_prices(data["prices"].read())
                ]
            self.offer = offers_module.from_plain(plain)
        except ProcurementError as error:
            self.refuse(error)
        return data

    def _ratings(self, data: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for at, name in enumerate(self.rated, start=1):
            value, low, high = (data[f"rating_{at}{end}"] for end in ("", "_low", "_high"))
            if value is not None:
                found[name] = {
                    "value": value,
                    "low": value if low is None else low,
                    "high": value if high is None else high,
                }
        return found

    def refuse(self, error: ProcurementError) -> None:
        """Put a refusal beside the field that it is about."""
        name = error.field.removeprefix("factors.")
        if name == "file" or name.startswith("prices"):
            name = "prices"
        if name.startswith("ratings."):
            known = [at for at, each in enumerate(self.rated, start=1) if name.startswith(f"ratings.{each}")]
            name = f"rating_{known[0]}" if known else ""
        self.add_error(name if name in self.fields else None, str(error))


def initial_offer(offer: Offer, rated: Sequence[str]) -> dict[str, Any]:
    """Fill the form with an offer that there is."""
    filled: dict[str, Any] = {name: getattr(offer, name) for name in ("name", "supplier", "source", "note")}
    filled |= {**offer.sets, **{name: value for name, (value, _low, _high) in offer.factors.items()}}
    for at, name in enumerate(rated, start=1):
        if name in offer.ratings:
            value, low, high = offer.ratings[name]
            filled |= {f"rating_{at}": f"{value:g}"}
            if low != high:
                filled |= {f"rating_{at}_low": f"{low:g}", f"rating_{at}_high": f"{high:g}"}
    return filled
