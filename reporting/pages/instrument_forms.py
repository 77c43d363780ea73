"""The forms of the ledger of contractual instruments."""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.accounting import services
from core.factors.models import InstrumentType
from core.quantification.electricity_markets import DEFAULTS, Markets
from core.quantification.instrument_entry import Fault
from reporting.pages.instrument_rows import vintage_name
from reporting.selectors.electricity import Position

MOST_BYTES: Final = 5_000_000
OF_CERTIFICATES: Final = ("retired_on", "registry", "serial_first", "serial_last")


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

    @property
    def in_general(self) -> list[forms.BoundField]:
        """The fields of every instrument."""
        return [field for field in self if field.name not in OF_CERTIFICATES]

    @property
    def of_certificates(self) -> list[forms.BoundField]:
        """The fields that say when and where a certificate was retired."""
        return [self[name] for name in OF_CERTIFICATES]


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

    @classmethod
    def of(cls, markets: Markets) -> MarketsForm:
        """Show the markets that are no defaults."""
        lines = [f"{name} = {', '.join(places)}" for name, places in markets.members.items() if name not in DEFAULTS]
        return cls(initial={"markets": "\n".join(lines)})

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


def show_faults(form: forms.Form, faults: list[Fault]) -> None:
    """Put each fault beside its field."""
    for fault in faults:
        form.add_error(fault.field if fault.field in form.fields else None, fault.reason)
