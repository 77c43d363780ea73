"""The form of a scenario: rules one below the other, each with what it is about and what it changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from core.quantification.activity import HOSTINGS, TIERS
from core.quantification.scenario import Rewrite, ScenarioError, as_plain, from_plain
from core.suggesting import Suggesting
from reporting.pages.words import said
from reporting.services.scenarios import LONGEST_NAME, LONGEST_NOTE

MOST_ROWS: Final = 8

WHERE: Final = {
    "team": _("Team"),
    "model": _("Model"),
    "provider": _("Provider"),
    "region": _("Region"),
    "stage": _("Stage"),
    "hosting": _("Hosting"),
    "application": _("Application"),
    "hardware": _("Hardware"),
}
"""What the form narrows a rule by; the API takes every dimension."""
SETS: Final = {
    "model": _("Model"),
    "provider": _("Provider"),
    "region": _("Region"),
    "hardware": _("Hardware"),
    "instance_type": _("Instance type"),
    "hosting": _("Hosting"),
    "tier": _("Service level"),
}
CHOICES: Final = {"hosting": HOSTINGS, "tier": TIERS}
SCALES: Final = {
    "volume": _("All amounts, times"),
    "output_tokens": _("Output tokens, times"),
    "input_tokens": _("Input tokens, times"),
    "device_hours": _("Device hours, times"),
    "instance_hours": _("Instance hours, times"),
}
FACTORS: Final = {
    "pue": _("PUE"),
    "market_g_co2e_per_kwh": _("Contract for electricity, g CO2e/kWh"),
    "grid_g_co2e_per_kwh": _("Grid, g CO2e/kWh"),
}
SAVING: Final = {
    "value": _("Energy saved, %"),
    "low": _("at least, %"),
    "high": _("at most, %"),
}
PERCENT: Final = 100.0


class ScenarioForm(forms.Form):
    """
    A scenario.

    Args:
        rows: how many rules are shown.
        names: those of each dimension, to suggest.
    """

    name = forms.CharField(label=_("Name"), max_length=LONGEST_NAME)
    note = forms.CharField(label=_("What it is about"), max_length=LONGEST_NOTE, required=False)

    def __init__(
        self, *args: Any, rows: int = 1, names: Mapping[str, Sequence[str]] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.rows = min(max(rows, 1), MOST_ROWS)
        self.rules: tuple[Rewrite, ...] = ()
        for at in range(1, self.rows + 1):
            self._add_rule(at, names or {})

    def _add_rule(self, at: int, names: Mapping[str, Sequence[str]]) -> None:
        for name, label in WHERE.items():
            self.fields[f"where_{name}_{at}"] = forms.CharField(
                label=label, max_length=2_000, required=False, widget=Suggesting(names.get(name, ()))
            )
        self.fields[f"share_{at}"] = _number(_("Share of them, %"), initial=100)
        for name, label in SETS.items():
            if name in CHOICES:
                choices = [("", _now("as it is")), *((each, said(name, each)) for each in CHOICES[name])]
                self.fields[f"set_{name}_{at}"] = forms.ChoiceField(label=label, choices=choices, required=False)
            else:
                self.fields[f"set_{name}_{at}"] = forms.CharField(
                    label=label, max_length=200, required=False, widget=Suggesting(names.get(name, ()))
                )
        self.fields[f"technique_{at}"] = forms.CharField(
            label=_("Technique"),
            max_length=200,
            required=False,
            widget=Suggesting(["quantized:int8", "quantized:int4", "distilled", "pruned", "cached"]),
        )
        for name, label in SCALES.items():
            self.fields[f"scale_{name}_{at}"] = _number(label)
        for name, label in SAVING.items():
            self.fields[f"saving_{name}_{at}"] = _number(label)
        for name, label in FACTORS.items():
            self.fields[f"factor_{name}_{at}"] = _number(label)
        self.fields[f"price_{at}"] = _number(_("Cost, times"))
        self.fields[f"source_{at}"] = forms.CharField(
            label=_("Where the numbers come from"), max_length=200, required=False
        )

    # --- how the form is drawn ---

    @property
    def head(self) -> list[Any]:
        """Return what is about the whole scenario."""
        return [self["name"], self["note"]]

    @property
    def shown_rules(self) -> Iterator[dict[str, Any]]:
        """Give the fields of each rule, those that are asked for most first."""
        for at in range(1, self.rows + 1):
            first = [self[f"set_{name}_{at}"] for name in ("model", "provider", "region")]
            more = [self[f"set_{name}_{at}"] for name in SETS if name not in ("model", "provider", "region")]
            more += [self[f"technique_{at}"], *(self[f"scale_{name}_{at}"] for name in SCALES if name != "volume")]
            more += [self[f"factor_grid_g_co2e_per_kwh_{at}"]]
            yield {
                "number": at,
                "where": [self[f"where_{name}_{at}"] for name in WHERE],
                "first": [
                    self[f"share_{at}"],
                    *first,
                    self[f"scale_volume_{at}"],
                    *(self[f"saving_{name}_{at}"] for name in SAVING),
                    self[f"factor_pue_{at}"],
                    self[f"factor_market_g_co2e_per_kwh_{at}"],
                    self[f"price_{at}"],
                    self[f"source_{at}"],
                ],
                "more": more,
                "more_given": any(field.value() or field.errors for field in more),
            }

    # --- what was typed in ---

    def clean(self) -> dict[str, Any]:
        """Read the rules; what cannot be is said beside the field that it is about."""
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        plain = [(at, self._plain(at, cleaned)) for at in range(1, self.rows + 1)]
        given = [(at, rule) for at, rule in plain if set(rule) - {"share"}] or plain[:1]
        try:
            self.rules = from_plain([rule for _at, rule in given])
        except ScenarioError as error:
            self.refuse(error, [at for at, _rule in given])
        return cleaned

    def _plain(self, at: int, cleaned: Mapping[str, Any]) -> dict[str, Any]:
        """Write one rule as plain values; what was left empty is not said."""

        def group(kind: str, names: Mapping[str, Any]) -> dict[str, Any]:
            values = {name: cleaned.get(f"{kind}_{name}_{at}") for name in names}
            return {name: value for name, value in values.items() if value not in (None, "")}

        where = {
            name: [part.strip() for part in text.split(",") if part.strip()]
            for name, text in group("where", WHERE).items()
        }
        saving = {name: value / PERCENT for name, value in group("saving", SAVING).items()}
        share = cleaned.get(f"share_{at}")
        rule: dict[str, Any] = {
            "where": where,
            "share": 1.0 if share is None else share / PERCENT,
            "sets": group("set", SETS),
            "techniques": [each] if (each := cleaned.get(f"technique_{at}")) else [],
            "factors": group("factor", FACTORS),
            "scales": group("scale", SCALES),
            "energy_saving": saving["value"] if set(saving) == {"value"} else saving or None,
            "price": cleaned.get(f"price_{at}"),
            "source": cleaned.get(f"source_{at}", ""),
        }
        return {name: value for name, value in rule.items() if value not in (None, "", [], {})}

    def refuse(self, error: ScenarioError, numbers: Sequence[int] = ()) -> None:
        """Say beside a field what is wrong with it."""
        parts = error.field.split(".")
        field = None
        if parts[0] == "rules" and len(parts) > 1:
            number = int(parts[1])
            at = numbers[number - 1] if number <= len(numbers) else number
            field = _field_of(parts[2:], at)
        elif parts[0] in ("name", "note"):
            field = parts[0]
        self.add_error(field if field in self.fields else None, str(error))


def _field_of(parts: Sequence[str], at: int) -> str:
    """Name the field that a rule's part is typed into."""
    kinds = {"sets": "set", "factors": "factor", "scales": "scale", "where": "where"}
    if not parts:
        return f"where_team_{at}"
    if len(parts) == 1:
        single = {"energy_saving": "saving_value", "techniques": "technique", "where": "where_team"}
        return f"{single.get(parts[0], parts[0])}_{at}"
    if parts[0] == "energy_saving":
        return f"saving_{parts[1]}_{at}"
    return f"{kinds.get(parts[0], parts[0])}_{parts[1]}_{at}"


def _number(label: Any, *, initial: float | None = None) -> forms.FloatField:
    return forms.FloatField(
        label=label, required=False, initial=initial, widget=forms.NumberInput(attrs={"step": "any"})
    )


def initial_of(name: str, note: str, rules: Sequence[Rewrite]) -> dict[str, Any]:
    """Write a scenario as the form has it."""
    initial: dict[str, Any] = {"name": name, "note": note}
    for at, rule in enumerate(rules, start=1):
        initial |= {f"where_{name}_{at}": ", ".join(values) for name, values in rule.where.items()}
        initial |= {f"set_{name}_{at}": value for name, value in rule.sets.items()}
        initial |= {f"scale_{name}_{at}": value for name, value in rule.scales.items()}
        initial |= {f"factor_{name}_{at}": values[0] for name, values in rule.factors.items()}
        initial |= {f"share_{at}": _rounded(rule.share * PERCENT), f"source_{at}": rule.source}
        initial |= {f"technique_{at}": next(iter(rule.techniques), ""), f"price_{at}": rule.price}
        if rule.energy_saving is not None:
            for side, value in zip(SAVING, rule.energy_saving, strict=True):
                initial[f"saving_{side}_{at}"] = _rounded(value * PERCENT)
    return initial


def fits_the_form(rules: Sequence[Rewrite]) -> bool:
    """Tell whether the form can show everything that rules say; what it cannot is changed by the API."""
    shown = ScenarioForm(rows=len(rules), initial=initial_of("x", "", rules)).initial
    form = ScenarioForm({name: value for name, value in shown.items() if value is not None}, rows=len(rules))
    return len(rules) <= MOST_ROWS and form.is_valid() and [*map(as_plain, form.rules)] == [*map(as_plain, rules)]


def _rounded(value: float) -> float:
    rounded = round(value, 10)
    return int(rounded) if rounded.is_integer() else rounded


def rows_of(data: Mapping[str, Any]) -> int:
    """Count the rules that were sent, and one more where it was asked for."""
    sent = [int(name.removeprefix("share_")) for name in data if name.startswith("share_") and name[6:].isdecimal()]
    return max(sent, default=1) + (1 if "more" in data else 0)
