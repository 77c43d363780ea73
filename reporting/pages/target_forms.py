"""The forms of targets: what one asks for, what changed of its base year, a decision, an end."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from core.organizations.models import Person
from core.suggesting import Suggesting
from reporting.intensities.units import FunctionalUnit
from reporting.pages.target_words import MEASURES, PATHS
from reporting.services.targets import LONGEST_NAME, LONGEST_NOTE
from reporting.targets.base_year import KINDS
from reporting.targets.definition import CEILING, LINEAR, Definition, TargetError, as_plain, from_plain

DIMS: Final = {
    "team": _("Team"),
    "project": _("Project"),
    "application": _("Application"),
    "task": _("Task"),
    "provider": _("Provider"),
    "region": _("Region"),
    "model": _("Model"),
    "stage": _("Stage"),
}
"""What the form narrows a target by; the API takes every dimension."""
UNITS: Final = {
    "mg": ("emissions", 1e-6, "mg CO2e"),
    "g": ("emissions", 1e-3, "g CO2e"),
    "kg": ("emissions", 1.0, "kg CO2e"),
    "t": ("emissions", 1e3, "t CO2e"),
    "kWh": ("energy", 1.0, "kWh"),
    "MWh": ("energy", 1e3, "MWh"),
    "L": ("water", 1.0, "L"),
    "m3": ("water", 1e3, "m³"),
}
"""Units of a ceiling: the measure they are of, their size in kg, kWh or L, and how they are written."""
EVENTS: Final = {
    "acquisition": _("acquired"),
    "divestment": _("divested"),
    "insourcing": _("insourced"),
    "outsourcing": _("outsourced"),
    "method_change": _("method changed"),
    "error": _("error found"),
}
PERCENT: Final = 100.0
_MILESTONE: Final = re.compile(r"(\d{4})\s*[:=]\s*(\d{1,3}(?:[.,]\d+)?)\s*%?")
FIELD_OF: Final = {
    "base_from": "base_from",
    "base_to": "base_to",
    "reduction": "reduction",
    "annual_rate": "annual_rate",
    "significance_threshold": "threshold",
}


def _day(label: Any, **about: Any) -> forms.DateField:
    return forms.DateField(label=label, required=False, widget=forms.DateInput(attrs={"type": "date"}), **about)


def _number(label: Any, **about: Any) -> forms.FloatField:
    return forms.FloatField(
        label=label, required=False, min_value=0, widget=forms.NumberInput(attrs={"step": "any"}), **about
    )


class TargetForm(forms.Form):
    """
    What a target asks for.

    Args:
        units: what emissions can be divided by.
        people: who can own it.
        names: those of each dimension, to suggest.
        version: the form is of another version of a target that there is: it has a reason, and no name or owner.
        own_team: the only team that the asker may set targets for; "" for any.
    """

    name = forms.CharField(label=_("Name"), max_length=LONGEST_NAME)
    owner = forms.ChoiceField(label=_("Owner"), required=False)
    note = forms.CharField(label=_("What it is about"), max_length=LONGEST_NOTE, required=False)
    reason = forms.CharField(label=_("Why it changes"), max_length=LONGEST_NOTE)
    measure = forms.ChoiceField(label=_("What is counted"), choices=list(MEASURES.items()))
    per = forms.ChoiceField(label=_("For each"), required=False)
    basis = forms.ChoiceField(
        label=_("Electricity"), choices=[("location", _("location-based")), ("market", _("market-based"))]
    )
    upstream = forms.BooleanField(label=_("Upstream of electricity"), required=False, initial=True)
    embodied = forms.BooleanField(label=_("Hardware, amortised share"), required=False, initial=True)
    path = forms.ChoiceField(label=_("Path"), choices=list(PATHS.items()), initial=LINEAR)
    base_from = _day(_("Base period from"), help_text=_("Whole months, a year at most."))
    base_to = _day(_("Base period to"))
    target_year = forms.IntegerField(label=_("Target year"), required=False)
    reduction = _number(_("Less by then, %"), max_value=100)
    annual_rate = _number(_("or a year, %"), max_value=100)
    milestones = forms.CharField(
        label=_("Milestones"), max_length=400, required=False, help_text=_("Year and percent: 2027: 20, 2028: 35")
    )
    ambition = forms.ChoiceField(
        label=_("Ambition of the contraction"),
        required=False,
        choices=[("", _("as the path says")), ("1.5C", "1.5 °C"), ("well-below-2C", _("well below 2 °C"))],
    )
    threshold = _number(_("Recalculate the base from, %"), max_value=100, initial=5)
    ceiling = _number(_("At most"))
    ceiling_unit = forms.ChoiceField(
        label=_("in"), choices=[(key, text) for key, (_m, _f, text) in UNITS.items()], initial="kg"
    )
    starts_on = _day(_("From"), help_text=_("The first of a month."))

    def __init__(
        self,
        *args: Any,
        units: Sequence[FunctionalUnit] = (),
        people: Sequence[Person] = (),
        names: Mapping[str, Sequence[str]] | None = None,
        version: bool = False,
        own_team: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        for dim, label in DIMS.items():
            self.fields[f"dim_{dim}"] = forms.CharField(
                label=label, max_length=2_000, required=False, widget=Suggesting((names or {}).get(dim, ()))
            )
        if own_team:
            self.fields["dim_team"].initial = own_team
        choices = [("", _now("nothing: the whole amount")), *((unit.name, unit.text) for unit in units)]
        self.fields["per"].choices = choices  # type: ignore[attr-defined]
        people_named = [("", _now("nobody yet")), *((str(each.id), each.name or each.email) for each in people)]
        self.fields["owner"].choices = people_named  # type: ignore[attr-defined]
        for name in ("name", "owner", "note") if version else ("reason",):
            del self.fields[name]
        self.definition: Definition | None = None

    def section(self, *names: str) -> list[forms.BoundField]:
        """Give some fields to the page, those that there are."""
        return [self[name] for name in names if name in self.fields]

    @property
    def head(self) -> list[forms.BoundField]:
        return self.section("name", "owner", "note", "reason")

    @property
    def counted(self) -> list[forms.BoundField]:
        return self.section("measure", "per", "basis", "upstream", "embodied")

    @property
    def about(self) -> list[forms.BoundField]:
        return self.section(*(f"dim_{name}" for name in DIMS))

    @property
    def way(self) -> list[forms.BoundField]:
        return self.section(
            "base_from", "base_to", "target_year", "reduction", "annual_rate", "milestones", "ambition", "threshold"
        )

    @property
    def limit(self) -> list[forms.BoundField]:
        return self.section("ceiling", "ceiling_unit", "starts_on")

    def clean(self) -> dict[str, Any]:
        """Read the definition; what is wrong with it stands beside its field."""
        data: dict[str, Any] = super().clean() or {}
        if not self.errors:
            try:
                self.definition = from_plain(self._plain(data))
            except TargetError as error:
                self.refuse(error)
        return data

    def refuse(self, error: TargetError) -> None:
        """Put a refusal beside the field that it is about."""
        name = FIELD_OF.get(error.field, error.field)
        self.add_error(name if name in self.fields else None, str(error))

    def _plain(self, data: Mapping[str, Any]) -> dict[str, Any]:
        dims = {
            name: [each for each in (part.strip() for part in data[f"dim_{name}"].split(",")) if each]
            for name in DIMS
            if data.get(f"dim_{name}", "").strip()
        }
        plain: dict[str, Any] = {
            "measure": data["measure"],
            "per": data["per"],
            "filter": dims,
            "basis": data["basis"],
            "path": data["path"],
            "target_year": data["target_year"],
            "significance_threshold": None if data["threshold"] is None else data["threshold"] / PERCENT,
        }
        if not data["per"] and data["measure"] == "emissions":
            plain["include"] = [name for name in ("upstream", "embodied") if data[name]]
        if data["path"] == CEILING:
            measure, factor, _text = UNITS[data["ceiling_unit"]]
            if data["ceiling"] is not None and measure != data["measure"]:
                raise TargetError("ceiling_unit", _now("This unit is not one of what is counted."))
            ceiling = None if data["ceiling"] is None else data["ceiling"] * factor
            return plain | {"ceiling": ceiling, "starts_on": data["starts_on"]}
        return plain | {
            "base_from": data["base_from"],
            "base_to": data["base_to"],
            "reduction": None if data["reduction"] is None else data["reduction"] / PERCENT,
            "annual_rate": None if data["annual_rate"] is None else data["annual_rate"] / PERCENT,
            "milestones": read_milestones(data["milestones"]),
            "ambition": data["ambition"] if data["path"] == "contraction" else "",
        }


def read_milestones(text: str) -> list[dict[str, Any]]:
    """
    Read milestones as somebody types them.

    >>> read_milestones("2027: 20, 2028 = 37.5 %")
    [{'year': 2027, 'reduction': 0.2}, {'year': 2028, 'reduction': 0.375}]
    """
    found = _MILESTONE.findall(text)
    if _MILESTONE.sub("", text).strip(" ,;"):
        raise TargetError("milestones", _now("Write year and percent: 2027: 20, 2028: 35"))
    return [{"year": int(year), "reduction": float(share.replace(",", ".")) / PERCENT} for year, share in found]


def initial_of(definition: Definition) -> dict[str, Any]:
    """Write a definition into the form."""
    plain = as_plain(definition)
    shares = {
        "reduction": definition.reduction if definition.annual_rate is None else None,
        "annual_rate": definition.annual_rate,
        "threshold": definition.significance_threshold,
    }
    unit = ceiling_unit(definition)
    return {
        **{name: plain[name] for name in ("measure", "per", "basis", "path", "target_year", "ambition")},
        **{name: getattr(definition, name) for name in ("base_from", "base_to", "starts_on")},
        **{name: None if share is None else round(share * PERCENT, 9) for name, share in shares.items()},
        **{name: name in definition.include for name in ("upstream", "embodied")},
        **{f"dim_{name}": ", ".join(definition.dims.get(name, ())) for name in DIMS},
        "milestones": ", ".join(
            f"{each.year}: {round(each.reduction * PERCENT, 9):g}" for each in definition.milestones
        ),
        "ceiling": None if definition.ceiling is None else round(definition.ceiling / UNITS[unit][1], 12),
        "ceiling_unit": unit,
    }


def ceiling_unit(definition: Definition) -> str:
    """Choose the unit in which a ceiling is shown: the largest in which it is at least 1."""
    of_measure = [key for key, (measure, _factor, _text) in UNITS.items() if measure == definition.measure]
    fitting = [key for key in of_measure if (definition.ceiling or 0.0) >= UNITS[key][1]]
    return (fitting or of_measure[:1])[-1] if definition.ceiling else "kg"


def fits_the_form(definition: Definition) -> bool:
    """Tell whether the form shows all that a definition says."""
    return set(definition.dims) <= set(DIMS) and not any(
        "," in each for values in definition.dims.values() for each in values
    )


class BaseYearForm(forms.Form):
    """What changed of the base year."""

    kind = forms.ChoiceField(label=_("What happened"), choices=[(kind, EVENTS[kind]) for kind in KINDS])
    base_year_kg = forms.FloatField(
        label=_("Of the base year, kg CO2e"),
        required=False,
        widget=forms.NumberInput(attrs={"step": "any"}),
        help_text=_("Empty after a change of method or an error: the base is read anew from today's figures."),
    )
    existed = forms.BooleanField(label=_("It existed in the base year"), required=False, initial=True)
    note = forms.CharField(label=_("What and why"), max_length=LONGEST_NOTE)

    @property
    def reads_anew(self) -> bool:
        """Tell whether the base is to be read again."""
        data = self.cleaned_data
        return data.get("base_year_kg") is None and data.get("kind") in ("method_change", "error")

    def clean(self) -> dict[str, Any]:
        """Ask for the amount where it cannot be read."""
        data: dict[str, Any] = super().clean() or {}
        if not self.errors and data.get("base_year_kg") is None and not self.reads_anew:
            self.add_error("base_year_kg", _now("Say how many kg CO2e of the base year it is about."))
        return data
